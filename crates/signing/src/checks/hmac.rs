use super::header::{self, HeaderName};
use super::secret;
use super::{Algorithm, Encoding, HmacSpec, Presented, Problems, Refusal, Secret, SignedContent};
use crate::timestamp::unix_seconds;
use serde_json::{Value, json};
use std::time::Duration;
use subtle::{Choice, ConstantTimeEq};

const MAX_TOLERANCE_S: u64 = 86_400;

/// A signature in a header.
#[derive(Debug, Clone)]
pub(super) struct Hmac {
    secrets: Vec<Secret>,
    algorithm: Algorithm,
    encoding: Encoding,
    header: HeaderName,
    prefix: Option<String>,
    signed: Signed,
}

/// What the signature is over.
#[derive(Debug, Clone)]
enum Signed {
    Body,
    TimestampBody(Timestamp),
}

/// The signed time of a request.
#[derive(Debug, Clone)]
struct Timestamp {
    header: HeaderName,
    tolerance_s: u64,
}

/// What a request's time is worth, if its signature is genuine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Fresh,
    Stale,
    Unreadable,
}

impl Hmac {
    pub(super) fn from_spec(spec: HmacSpec, at: &str, problems: &mut Problems) -> Option<Self> {
        let header = header_name(&spec.header, &format!("{at}/header"), problems);
        let signed = Signed::from_spec(&spec, at, problems);
        if let (Some(header), Some(Signed::TimestampBody(timestamp))) = (&header, &signed)
            && *header == timestamp.header
        {
            problems.add(
                format!("{at}/timestamp_header"),
                "must differ from `header`",
            );
        }
        let prefix = spec.prefix.filter(|prefix| !prefix.is_empty());
        if prefix.as_ref().is_some_and(|prefix| !is_prefix(prefix)) {
            let told = "must be at most 64 printable ASCII characters and not begin with a space";
            problems.add(format!("{at}/prefix"), told);
        }
        Some(Self {
            secrets: secrets(spec.secret, spec.secrets, at, problems)?,
            algorithm: spec.algorithm,
            encoding: spec.encoding,
            header: header?,
            prefix,
            signed: signed?,
        })
    }

    /// The MACs are computed whatever was presented, so that the time taken tells nothing. A
    /// request is stale only if it is genuine.
    pub(super) fn verify(&self, presented: &Presented<'_>) -> Result<(), Refusal> {
        let claimed = self.claimed_mac(presented.headers).unwrap_or_default();
        let (genuine, age) = match &self.signed {
            Signed::Body => (self.is_genuine(&claimed, &[presented.body]), Age::Fresh),
            Signed::TimestampBody(timestamp) => {
                let time = timestamp.header.only(presented.headers).unwrap_or_default();
                let content = [time, b".", presented.body];
                (
                    self.is_genuine(&claimed, &content),
                    timestamp.age(time, presented.now_ms),
                )
            }
        };
        match age {
            Age::Fresh if genuine => Ok(()),
            Age::Stale if genuine => Err(Refusal::StaleTimestamp),
            Age::Fresh | Age::Stale | Age::Unreadable => Err(Refusal::InvalidSignature),
        }
    }

    /// See [`super::Checks::signed_time`].
    pub(super) fn signed_time<'a>(
        &self,
        headers: &[(&'a str, &'a [u8])],
    ) -> Option<(&'a [u8], Duration)> {
        let Signed::TimestampBody(timestamp) = &self.signed else {
            return None;
        };
        let time = timestamp.header.only(headers)?;
        Some((time, Duration::from_secs(timestamp.tolerance_s)))
    }

    /// The MAC in the header, if there is exactly one with exactly the prefix.
    fn claimed_mac(&self, headers: &[(&str, &[u8])]) -> Option<Vec<u8>> {
        let value = self.header.only(headers)?;
        let prefix = self.prefix.as_deref().unwrap_or_default();
        self.encoding.decode(value.strip_prefix(prefix.as_bytes())?)
    }

    /// Whether one of the secrets made `claimed`. All are tried; nothing claimed fits none, for it
    /// is shorter than any MAC.
    fn is_genuine(&self, claimed: &[u8], content: &[&[u8]]) -> bool {
        let mut genuine = Choice::from(0);
        for secret in &self.secrets {
            let expected = self.algorithm.mac(secret.reveal().as_bytes(), content);
            genuine |= expected.as_slice().ct_eq(claimed);
        }
        genuine.into()
    }

    pub(super) fn redacted(&self) -> Value {
        let mut value = self.shape();
        value["secret_count"] = json!(self.secrets.len());
        value
    }

    pub(super) fn revealed(&self) -> Value {
        let mut value = self.shape();
        value["secrets"] = self.secrets.iter().map(Secret::reveal).collect();
        value
    }

    fn shape(&self) -> Value {
        let mut value = json!({
            "type": "hmac",
            "algorithm": self.algorithm.as_str(),
            "encoding": self.encoding.as_str(),
            "header": self.header.as_str(),
            "signed": "body",
        });
        if let Some(prefix) = &self.prefix {
            value["prefix"] = json!(prefix);
        }
        if let Signed::TimestampBody(timestamp) = &self.signed {
            value["signed"] = json!("timestamp.body");
            value["timestamp_header"] = json!(timestamp.header.as_str());
            value["tolerance_seconds"] = json!(timestamp.tolerance_s);
        }
        value
    }
}

impl Signed {
    fn from_spec(spec: &HmacSpec, at: &str, problems: &mut Problems) -> Option<Self> {
        let tolerance_s = spec.tolerance_seconds;
        if !(1..=MAX_TOLERANCE_S).contains(&tolerance_s) {
            let told = format!("must be 1 to {MAX_TOLERANCE_S} seconds");
            problems.add(format!("{at}/tolerance_seconds"), told);
        }
        let at = format!("{at}/timestamp_header");
        match (spec.signed, &spec.timestamp_header) {
            (SignedContent::Body, None) => Some(Self::Body),
            (SignedContent::TimestampBody, Some(name)) => {
                let header = header_name(name, &at, problems)?;
                Some(Self::TimestampBody(Timestamp {
                    header,
                    tolerance_s,
                }))
            }
            (SignedContent::Body, Some(_)) => {
                problems.add(at, "belongs to \"signed\": \"timestamp.body\" only");
                None
            }
            (SignedContent::TimestampBody, None) => {
                problems.add(at, "is required with \"signed\": \"timestamp.body\"");
                None
            }
        }
    }
}

impl Timestamp {
    fn age(&self, time: &[u8], now_ms: i64) -> Age {
        let now = now_ms.div_euclid(1_000);
        match unix_seconds(time) {
            None => Age::Unreadable,
            Some(signed_at) if now.abs_diff(signed_at) > self.tolerance_s => Age::Stale,
            Some(_) => Age::Fresh,
        }
    }
}

fn header_name(name: &str, at: &str, problems: &mut Problems) -> Option<HeaderName> {
    let header = HeaderName::parse(name);
    if header.is_none() {
        problems.add(at, header::ALLOWED);
    }
    header
}

/// A leading space would be trimmed on the way and never match.
fn is_prefix(prefix: &str) -> bool {
    prefix.len() <= 64 && secret::is_printable(prefix) && !prefix.starts_with(' ')
}

/// The secrets, newest first, given as one or as a list.
fn secrets(
    one: Option<Secret>,
    list: Option<Vec<Secret>>,
    at: &str,
    problems: &mut Problems,
) -> Option<Vec<Secret>> {
    let (secrets, is_list) = match (one, list) {
        (Some(secret), None) => (vec![secret], false),
        (None, Some(secrets)) => (secrets, true),
        (Some(_), Some(_)) => {
            problems.add(at, "must have either `secret` or `secrets`, not both");
            return None;
        }
        (None, None) => {
            problems.add(at, "must have a `secret`, or `secrets` (newest first)");
            return None;
        }
    };
    if !(1..=2).contains(&secrets.len()) {
        problems.add(
            format!("{at}/secrets"),
            "must have one or two secrets, the newest first",
        );
        return None;
    }
    for (index, _) in secrets
        .iter()
        .enumerate()
        .filter(|(_, secret)| !secret.is_allowed())
    {
        let at = if is_list {
            format!("{at}/secrets/{index}")
        } else {
            format!("{at}/secret")
        };
        problems.add(at, secret::ALLOWED);
    }
    Some(secrets)
}
