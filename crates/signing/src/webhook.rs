//! Webhook signatures after Standard Webhooks 1.0.0, symmetric scheme `v1`
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
//!
//! Signed is `id.timestamp.body`, the body as bytes. A receiver may re-use nothing of a signed
//! request for another, because neither an id nor a timestamp contains a full stop.

use crate::Error;
use crate::mac::Algorithm;
use crate::timestamp::unix_seconds;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::ops::RangeInclusive;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// The header with the id of the event.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the Unix time of the attempt, in seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

const SECRET_PREFIX: &str = "whsec_";
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;
/// The base64 of the longest secret.
const MAX_SECRET_CHARS: usize = 88;
/// More than any rotation needs; a longer list is not read to its end.
const MAX_SIGNATURES: usize = 16;

/// The secret of a subscription: 24 to 64 bytes.
#[derive(Clone)]
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

/// Why a received webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The id could be read in two ways.
    #[error("the webhook-id is empty or contains a full stop")]
    InvalidId,
    /// The timestamp is no Unix time.
    #[error("the webhook-timestamp is not a Unix time in seconds")]
    InvalidTimestamp,
    /// The request was signed too long ago: it is a replay, or a clock is wrong.
    #[error("the webhook-timestamp is too old: this is a replay, or a clock is wrong")]
    TooOld,
    /// The request was signed in the future.
    #[error("the webhook-timestamp is in the future: a clock is wrong")]
    TooNew,
    /// No signature is one of ours.
    #[error(
        "no v1 signature in the webhook-signature fits: the secret is another one, or the body is \
         not as it was received"
    )]
    NoMatch,
}

impl WebhookSecret {
    /// Reads `whsec_` and the standard base64, with padding, of 24 to 64 bytes.
    ///
    /// # Errors
    /// [`Error::SecretPrefix`], [`Error::SecretBase64`], [`Error::SecretLength`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let base64 = text
            .strip_prefix(SECRET_PREFIX)
            .ok_or(Error::SecretPrefix)?;
        if base64.len() > MAX_SECRET_CHARS {
            return Err(Error::SecretLength);
        }
        let bytes = STANDARD.decode(base64).map_err(|_| Error::SecretBase64)?;
        Self::checked(Zeroizing::new(bytes))
    }

    /// A secret of these 24 to 64 bytes.
    ///
    /// # Errors
    /// [`Error::SecretLength`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::checked(Zeroizing::new(bytes.to_vec()))
    }

    /// The secret as its owner is shown it, once: `whsec_…`. Not for logs or errors.
    pub fn reveal(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(self.as_bytes()))
    }

    /// The bytes that are the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn checked(bytes: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        if SECRET_BYTES.contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(Error::SecretLength)
        }
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whsec_***")
    }
}

/// The value of `webhook-signature`: one `v1,…` for each of `secrets` in their order (newest
/// first), separated by spaces; empty without secrets. `timestamp_s` is the Unix time of this attempt and
/// must stand in `webhook-timestamp` in decimal. `id` must not contain a full stop.
pub fn sign(secrets: &[WebhookSecret], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    sign_as(&[Version::V1], secrets, id, timestamp_s, body)
}

/// A way of signing after Standard Webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `v1`: HMAC-SHA256, which every library reads.
    V1,
    /// `v1-sha512`: HMAC-SHA512 of the same content with the same key. Libraries pass over it.
    V1Sha512,
}

/// As [`sign`], with one signature for each of `versions` from each of `secrets`: all of the newest
/// secret come first.
pub fn sign_as(
    versions: &[Version],
    secrets: &[WebhookSecret],
    id: &str,
    timestamp_s: i64,
    body: &[u8],
) -> String {
    let timestamp = timestamp_s.to_string();
    let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let sign = |secret: &WebhookSecret, version: Version| {
        let (name, algorithm) = match version {
            Version::V1 => ("v1", Algorithm::Sha256),
            Version::V1Sha512 => ("v1-sha512", Algorithm::Sha512),
        };
        let mac = algorithm.mac(secret.as_bytes(), &content);
        format!("{name},{}", STANDARD.encode(mac))
    };
    let signatures: Vec<String> = secrets
        .iter()
        .flat_map(|secret| versions.iter().map(move |version| sign(secret, *version)))
        .collect();
    signatures.join(" ")
}

/// What a signature in hex covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covered {
    /// The timestamp as it stands in its header, a full stop, and the body.
    TimestampAndBody,
    /// The body alone: an old request passes for a new one.
    Body,
}

/// `sha256=` and the HMAC-SHA256 in lower-case hex, for receivers that were built before Standard
/// Webhooks. Their key is the secret's text as its owner was shown it, `whsec_` included: that is
/// what such receivers are given and take as bytes.
pub fn sign_in_hex(
    covered: Covered,
    secret: &WebhookSecret,
    timestamp_s: i64,
    body: &[u8],
) -> String {
    let timestamp = timestamp_s.to_string();
    let key = Zeroizing::new(secret.reveal());
    let mac = match covered {
        Covered::TimestampAndBody => {
            Algorithm::Sha256.mac(key.as_bytes(), &[timestamp.as_bytes(), b".", body])
        }
        Covered::Body => Algorithm::Sha256.mac(key.as_bytes(), &[body]),
    };
    format!("sha256={}", hex::encode(mac))
}

/// Whether a received webhook was signed with one of `secrets` within `tolerance_s` seconds of
/// `now_s`. `id`, `timestamp` and `signature` are the three headers as received.
///
/// # Errors
/// [`VerifyError`]; the body must then not be used.
pub fn verify(
    secrets: &[WebhookSecret],
    id: &str,
    timestamp: &str,
    signature: &str,
    body: &[u8],
    now_s: i64,
    tolerance_s: u64,
) -> Result<(), VerifyError> {
    if id.is_empty() || id.contains('.') {
        return Err(VerifyError::InvalidId);
    }
    let signed_s = unix_seconds(timestamp.as_bytes()).ok_or(VerifyError::InvalidTimestamp)?;
    if now_s.abs_diff(signed_s) > tolerance_s {
        return Err(if signed_s < now_s {
            VerifyError::TooOld
        } else {
            VerifyError::TooNew
        });
    }
    let claimed = claimed_macs(signature);
    let mut matched = Choice::from(0);
    for secret in secrets {
        let expected = mac(secret, id, timestamp, body);
        for claimed in &claimed {
            matched |= expected.as_slice().ct_eq(claimed);
        }
    }
    if matched.into() {
        Ok(())
    } else {
        Err(VerifyError::NoMatch)
    }
}

fn mac(secret: &WebhookSecret, id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    Algorithm::Sha256.mac(secret.as_bytes(), &content)
}

/// The MACs of the `v1` signatures in a list; other versions and what is unreadable are passed
/// over, as the specification asks.
fn claimed_macs(signature: &str) -> Vec<Vec<u8>> {
    signature
        .split(' ')
        .take(MAX_SIGNATURES)
        .filter_map(|entry| entry.strip_prefix("v1,"))
        .filter_map(|base64| STANDARD.decode(base64).ok())
        .collect()
}
