//! With what the provider of an account is asked, as it is kept: sealed, for it holds secrets.

use crate::ask::{Access, Field};
use crate::provider::Provider;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// How often a provider is asked in a second where its account says nothing else.
pub const USUAL_PER_SECOND: u32 = 5;

/// What an account says of its provider's API.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusAccess {
    /// Where the API is, without a slash at the end; none where the provider knows.
    pub base_url: Option<String>,
    /// How many requests are made in a second at the most.
    pub per_second: u32,
    /// The values of the provider's fields.
    pub values: BTreeMap<String, String>,
}

impl StatusAccess {
    /// As it is sealed.
    pub fn to_json(&self) -> Vec<u8> {
        let kept = json!({
            "base_url": self.base_url,
            "per_second": self.per_second,
            "values": self.values,
        });
        kept.to_string().into_bytes()
    }

    /// Reads what was sealed.
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let kept: Value = serde_json::from_slice(json).ok()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let values = kept.get("values")?.as_object()?;
        let values = values
            .iter()
            .map(|(name, value)| Some((name.clone(), text(value)?)));
        Some(Self {
            base_url: kept.get("base_url").and_then(text),
            per_second: u32::try_from(kept.get("per_second")?.as_u64()?).ok()?,
            values: values.collect::<Option<_>>()?,
        })
    }

    /// What requests to this provider are built with; none where nobody says where its API is.
    pub fn access(&self, provider: &dyn Provider) -> Option<Access> {
        let base_url = match &self.base_url {
            Some(url) => url.clone(),
            None => base_url(provider)?.to_owned(),
        };
        Some(Access {
            base_url,
            values: self.values.clone(),
        })
    }
}

/// Says nothing of what it holds.
impl fmt::Debug for StatusAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusAccess").finish_non_exhaustive()
    }
}

/// Whether a provider can be asked anything at all.
pub fn is_askable(provider: &dyn Provider) -> bool {
    provider.status_api().is_some() || provider.inbox_api().is_some()
}

/// What an account of a provider has to say to have it asked: what its status API needs, or, where it has none,
/// what its inbox needs.
pub fn fields(provider: &dyn Provider) -> &'static [Field] {
    let inbox = || provider.inbox_api().map(crate::ask::InboxApi::fields);
    let fields = provider.status_api().map(crate::ask::StatusApi::fields);
    fields.or_else(inbox).unwrap_or_default()
}

/// Where a provider's API is, where there is one for all.
pub fn base_url(provider: &dyn Provider) -> Option<&'static str> {
    let inbox = || provider.inbox_api().map(crate::ask::InboxApi::base_url);
    let url = provider.status_api().map(crate::ask::StatusApi::base_url);
    url.or_else(inbox).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_as_it_was_and_shows_nothing() {
        let access = StatusAccess {
            base_url: Some("https://sms.example.org".to_owned()),
            per_second: 7,
            values: BTreeMap::from([("key".to_owned(), "s3\"cret".to_owned())]),
        };
        let again = StatusAccess::from_json(&access.to_json());
        assert!(again.as_ref() == Some(&access));
        let without = StatusAccess {
            base_url: None,
            ..access
        };
        assert!(StatusAccess::from_json(&without.to_json()) == Some(without));
        assert!(!format!("{again:?}").contains("cret"));
        assert!(StatusAccess::from_json(b"{}").is_none());
    }
}
