use super::invalid::sentence;
use super::{Algorithm, Encoding, Secret, parse};
use crate::Error;
use serde::Deserialize;
use serde_json::Value;

/// A check as the API is given it. Its JSON has a `type` and, beside it, only the fields of that
/// type.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub enum CheckSpec {
    /// `token`: a secret part of the callback URL, made by the server.
    Token,
    /// `hmac`: a signature in a header.
    Hmac(HmacSpec),
    /// `api_key`: a key in a header.
    ApiKey(ApiKeySpec),
    /// `ip_allowlist`: the networks that callbacks may come from.
    IpAllowlist(IpAllowlistSpec),
}

/// A signature that the provider puts in a header.
#[derive(Debug, Clone)]
pub struct HmacSpec {
    /// The only secret; excludes `secrets`.
    pub secret: Option<Secret>,
    /// One or two secrets, the newest first, either of which is good; excludes `secret`.
    pub secrets: Option<Vec<Secret>>,
    /// The hash function.
    pub algorithm: Algorithm,
    /// How the MAC is written.
    pub encoding: Encoding,
    /// The header it is in.
    pub header: String,
    /// What stands before the MAC, such as `sha256=`.
    pub prefix: Option<String>,
    /// What is signed.
    pub signed: SignedContent,
    /// The header with the signed Unix time in seconds; exactly with
    /// [`SignedContent::TimestampBody`].
    pub timestamp_header: Option<String>,
    /// How far that time may be from ours, either way, in seconds: 1 to 86,400.
    pub tolerance_seconds: u64,
}

/// What an HMAC is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedContent {
    /// `body`: the body alone.
    Body,
    /// `timestamp.body`: the timestamp header as it stands, a full stop, the body.
    TimestampBody,
}

/// A key that the provider puts in a header.
#[derive(Debug, Clone)]
pub struct ApiKeySpec {
    /// The header it is in.
    pub header: String,
    /// The key.
    pub key: Secret,
}

/// The networks that callbacks may come from.
#[derive(Debug, Clone)]
pub struct IpAllowlistSpec {
    /// 1 to 256 networks such as `203.0.113.0/24` or `2001:db8::/32`.
    pub cidrs: Vec<String>,
    /// Whether a network may be all there is (`0.0.0.0/0`).
    pub allow_any: bool,
}

impl SignedContent {
    /// Every value with its name.
    pub(super) const NAMES: &[(&str, Self)] = &[
        ("body", Self::Body),
        ("timestamp.body", Self::TimestampBody),
    ];
}

impl TryFrom<Value> for CheckSpec {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self, Error> {
        parse::spec(&value).map_err(|problems| Error::InvalidCheck {
            detail: sentence(&problems),
        })
    }
}
