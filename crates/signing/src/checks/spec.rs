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
    /// `basic`: a user name and a password.
    Basic(BasicSpec),
    /// `twilio`: the signature of Twilio.
    Twilio(TwilioSpec),
    /// `vonage`: the signature of Vonage.
    Vonage(VonageSpec),
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

/// A user name and a password in the header `Authorization`, scheme `Basic` (RFC 7617).
#[derive(Debug, Clone)]
pub struct BasicSpec {
    /// The user name: 1 to 128 printable ASCII characters without a colon. No secret.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// The signature that Twilio puts in the header `X-Twilio-Signature`: over the URL that it called
/// and the form that it sent.
#[derive(Debug, Clone)]
pub struct TwilioSpec {
    /// The auth token of the account at Twilio.
    pub auth_token: Secret,
    /// The URL that Twilio calls, where it is not the installation's own: all of it, or its
    /// beginning up to the path of the request as we see it. Both are tried. It is shown, so where
    /// the path has a token, only the beginning should be given.
    pub public_url: Option<String>,
}

/// The signature that Vonage puts among the parameters of a callback, as `sig`.
#[derive(Debug, Clone)]
pub struct VonageSpec {
    /// The signature secret of the account at Vonage.
    pub secret: Secret,
    /// How it signs, as the account's settings there say.
    pub method: VonageMethod,
}

/// How Vonage signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VonageMethod {
    /// `md5hash`: the MD5 of the parameters and the secret after them. The default at Vonage, and
    /// the weakest.
    Md5Hash,
    /// `md5`, `sha1`, `sha256` or `sha512`: an HMAC of the parameters.
    Hmac(Algorithm),
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

impl VonageMethod {
    /// Every method with its name.
    pub(super) const NAMES: &[(&str, Self)] = &[
        ("md5hash", Self::Md5Hash),
        ("md5", Self::Hmac(Algorithm::Md5)),
        ("sha1", Self::Hmac(Algorithm::Sha1)),
        ("sha256", Self::Hmac(Algorithm::Sha256)),
        ("sha512", Self::Hmac(Algorithm::Sha512)),
    ];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5Hash => "md5hash",
            Self::Hmac(algorithm) => algorithm.as_str(),
        }
    }
}

impl TryFrom<Value> for CheckSpec {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self, Error> {
        parse::spec(&value).map_err(|problems| Error::InvalidCheck {
            detail: sentence(&problems),
        })
    }
}
