use super::header::{self, HeaderName};
use super::secret;
use super::{ApiKeySpec, Problems, Refusal, Secret};
use crate::equal;
use serde_json::{Value, json};

/// A key in a header.
#[derive(Debug, Clone)]
pub(super) struct ApiKey {
    header: HeaderName,
    key: Secret,
}

impl ApiKey {
    pub(super) fn from_spec(spec: ApiKeySpec, at: &str, problems: &mut Problems) -> Option<Self> {
        let header = HeaderName::parse(&spec.header);
        if header.is_none() {
            problems.add(format!("{at}/header"), header::ALLOWED);
        }
        let key = spec.key.reveal();
        if !spec.key.is_allowed() {
            problems.add(format!("{at}/key"), secret::ALLOWED);
        } else if key.trim() != key {
            // Servers and proxies trim header values: such a key would never match.
            problems.add(format!("{at}/key"), "must not begin or end with a space");
        }
        Some(Self {
            header: header?,
            key: spec.key,
        })
    }

    pub(super) fn header(&self) -> &str {
        self.header.as_str()
    }

    /// The whole value must be the key: a list of values, or a repeated header, is not.
    pub(super) fn verify(&self, headers: &[(&str, &[u8])]) -> Result<(), Refusal> {
        let presented = self.header.only(headers).ok_or(Refusal::InvalidApiKey)?;
        if equal(presented, self.key.reveal().as_bytes()) {
            Ok(())
        } else {
            Err(Refusal::InvalidApiKey)
        }
    }

    pub(super) fn shape(&self) -> Value {
        json!({"type": "api_key", "header": self.header.as_str()})
    }

    pub(super) fn revealed(&self) -> Value {
        let mut value = self.shape();
        value["key"] = json!(self.key.reveal());
        value
    }
}
