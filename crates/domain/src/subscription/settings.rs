//! How a subscription's events are sent: what its owner set, and what holds where nothing was set.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How many requests to one subscription may be under way at once, unless it says otherwise.
pub const DEFAULT_MAX_IN_FLIGHT: u16 = 16;
/// The longest body it is sent, in bytes, unless it says otherwise.
pub const DEFAULT_MAX_PAYLOAD_BYTES: u32 = 1024 * 1024;
/// The longest time, in seconds, that an attempt of a subscription may be given.
pub const MAX_TIMEOUT_SECONDS: u32 = 30;
/// What the names of the headers of the `sha256-…` schemes begin with, unless it says otherwise.
pub const DEFAULT_HEADER_PREFIX: &str = "X-Tidings";

/// What is set of a subscription. Judged where it is taken in; here it is plain data, kept as JSON.
/// What is missing in it has its default, so that rows of earlier releases are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The method of its requests.
    pub method: Method,
    /// When a delivery is tried again. None: the subscription is older than these settings, and has
    /// the schedule that the installation gave it then.
    pub retry: Option<Retry>,
    /// How many attempts may begin in a while; none limits nothing.
    pub rate_limit: Option<RateLimit>,
    /// How many requests may be under way at once.
    pub max_in_flight: u16,
    /// How long one attempt may take, in seconds. None: as [`Settings::retry`].
    pub timeout_seconds: Option<u32>,
    /// The longest body, in bytes; over it a thin event is sent.
    pub max_payload_bytes: u32,
    /// How its requests are signed.
    pub signing: Signing,
    /// How its requests prove themselves besides the signature. The secret in it is kept elsewhere.
    pub endpoint_auth: EndpointAuth,
    /// In which version it gets events of these types, whichever they were published in.
    pub versions: BTreeMap<String, u32>,
}

/// The method of a subscription's requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = WebhookMethod)]
pub enum Method {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
}

/// When a delivery is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// The preset `quick`: for half a minute.
    Quick,
    /// The preset `standard`: for three days.
    Standard,
    /// After each of these waits, in seconds.
    Delays(Vec<u64>),
}

/// How many attempts may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RateLimit {
    /// In any minute.
    pub per_minute: Option<u32>,
    /// In any hour.
    pub per_hour: Option<u32>,
}

impl RateLimit {
    /// What keeps within both of two limits; none where there is neither.
    pub fn tighter(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (Some(a), Some(b)) = (one, other) else {
            return one.or(other);
        };
        let least = |a: Option<u32>, b: Option<u32>| a.into_iter().chain(b).min();
        Some(Self {
            per_minute: least(a.per_minute, b.per_minute),
            per_hour: least(a.per_hour, b.per_hour),
        })
    }
}

/// How requests are signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Signing {
    /// In these ways.
    pub schemes: Vec<Scheme>,
    /// What the names of the headers of the `sha256-…` schemes begin with; none is `X-Tidings`.
    pub header_prefix: Option<String>,
}

/// A way of signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[schema(as = SigningScheme)]
pub enum Scheme {
    /// Standard Webhooks, HMAC-SHA256.
    #[serde(rename = "v1")]
    V1,
    /// The same with HMAC-SHA512, beside `v1`.
    #[serde(rename = "v1-sha512")]
    V1Sha512,
    /// `sha256=` and the HMAC in hex, over the timestamp, a full stop and the body.
    #[serde(rename = "sha256-timestamped")]
    Sha256Timestamped,
    /// The same over the body alone.
    #[serde(rename = "sha256-body")]
    Sha256Body,
}

/// How requests prove themselves to an endpoint, besides the signature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EndpointAuth {
    /// Not at all.
    #[default]
    None,
    /// The secret in a header of this name.
    ApiKey {
        /// Its name, as its owner wrote it.
        header: String,
    },
    /// The secret as a bearer token.
    Bearer,
    /// This name with the secret as its password.
    Basic {
        /// The name.
        username: String,
    },
}

/// Why nothing leaves for a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// Its owner said so.
    Manual,
    /// Its endpoint answered 410.
    Gone,
    /// Its endpoint asked for it, with `webhook-delivery: disable`.
    Asked,
    /// It had nothing but failures for too long.
    Failing,
}

impl DisabledReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Manual, Self::Gone, Self::Asked, Self::Failing];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Gone => "gone",
            Self::Asked => "asked",
            Self::Failing => "failing",
        }
    }

    /// The reason of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// What holds where a subscription says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usual {
    /// When deliveries are tried again, where the operator chose it.
    pub retry: Option<Retry>,
    /// How long an attempt may take, in seconds.
    pub timeout_seconds: u32,
}

impl Usual {
    /// The settings of a subscription made now, of which nothing was said.
    pub fn settings(&self) -> Settings {
        Settings {
            retry: Some(self.retry.clone().unwrap_or(Retry::Standard)),
            timeout_seconds: Some(self.timeout_seconds.min(MAX_TIMEOUT_SECONDS)),
            ..Settings::default()
        }
    }

    /// When deliveries of a subscription with these settings are tried again.
    pub fn retry_of(&self, settings: &Settings) -> Retry {
        let before = || self.retry.clone().unwrap_or(Retry::Quick);
        settings.retry.clone().unwrap_or_else(before)
    }

    /// How long its attempts may take, in seconds.
    pub fn timeout_seconds_of(&self, settings: &Settings) -> u32 {
        settings.timeout_seconds.unwrap_or(self.timeout_seconds)
    }
}

impl Default for Settings {
    /// Those of a subscription that is older than settings.
    fn default() -> Self {
        Self {
            method: Method::default(),
            retry: None,
            rate_limit: None,
            max_in_flight: DEFAULT_MAX_IN_FLIGHT,
            timeout_seconds: None,
            max_payload_bytes: DEFAULT_MAX_PAYLOAD_BYTES,
            signing: Signing::default(),
            endpoint_auth: EndpointAuth::None,
            versions: BTreeMap::new(),
        }
    }
}

impl Default for Signing {
    fn default() -> Self {
        Self {
            schemes: vec![Scheme::V1],
            header_prefix: None,
        }
    }
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Post, Self::Put, Self::Patch];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }

    /// The method of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 4] = [
        Self::V1,
        Self::V1Sha512,
        Self::Sha256Timestamped,
        Self::Sha256Body,
    ];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1Sha512 => "v1-sha512",
            Self::Sha256Timestamped => "sha256-timestamped",
            Self::Sha256Body => "sha256-body",
        }
    }

    /// The scheme of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.as_str() == name)
    }
}

impl Signing {
    /// What the names of the headers of the `sha256-…` schemes begin with.
    pub fn header_prefix(&self) -> &str {
        self.header_prefix
            .as_deref()
            .unwrap_or(DEFAULT_HEADER_PREFIX)
    }

    /// The headers that these schemes add to those of Standard Webhooks.
    pub fn header_names(&self) -> Vec<String> {
        let has = |scheme| self.schemes.contains(&scheme);
        if !has(Scheme::Sha256Timestamped) && !has(Scheme::Sha256Body) {
            return Vec::new();
        }
        ["Signature", "Signature-Previous", "Event", "Timestamp"]
            .map(|name| format!("{}-{name}", self.header_prefix()))
            .to_vec()
    }
}

impl EndpointAuth {
    /// Its type in the API.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ApiKey { .. } => "api_key",
            Self::Bearer => "bearer",
            Self::Basic { .. } => "basic",
        }
    }

    /// The header it takes.
    pub fn header_name(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::ApiKey { header } => Some(header),
            Self::Bearer | Self::Basic { .. } => Some("Authorization"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_limits_the_tighter_holds_in_each_window() {
        let limit = |per_minute, per_hour| RateLimit {
            per_minute,
            per_hour,
        };
        let own = Some(limit(Some(10), None));
        let plan = Some(limit(Some(60), Some(1_000)));
        let both = Some(limit(Some(10), Some(1_000)));
        assert_eq!(RateLimit::tighter(own, plan), both);
        assert_eq!(RateLimit::tighter(plan, own), both);
        assert_eq!(RateLimit::tighter(None, plan), plan);
        assert_eq!(RateLimit::tighter(own, None), own);
        assert_eq!(RateLimit::tighter(None, None), None);
    }

    #[test]
    fn what_is_kept_is_read_as_it_was() {
        let settings = Settings {
            method: Method::Patch,
            retry: Some(Retry::Delays(vec![1, 60])),
            rate_limit: Some(RateLimit {
                per_minute: Some(3),
                per_hour: None,
            }),
            timeout_seconds: Some(7),
            signing: Signing {
                schemes: Scheme::ALL.to_vec(),
                header_prefix: Some("X-Clinic".to_owned()),
            },
            endpoint_auth: EndpointAuth::Basic {
                username: "u".to_owned(),
            },
            versions: BTreeMap::from([("acme.order_placed".to_owned(), 2)]),
            ..Settings::default()
        };
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
        for (method, scheme) in Method::ALL.iter().zip(Scheme::ALL) {
            assert_eq!(serde_json::to_value(method).unwrap(), method.as_str());
            assert_eq!(serde_json::to_value(scheme).unwrap(), scheme.as_str());
        }
    }

    #[test]
    fn what_an_earlier_release_did_not_write_has_its_default() {
        let read: Settings = serde_json::from_str(r#"{"retry":"standard","later":1}"#).unwrap();
        let expected = Settings {
            retry: Some(Retry::Standard),
            ..Settings::default()
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_subscription_keeps_the_schedule_that_held_when_it_was_made() {
        let mut usual = Usual {
            retry: None,
            timeout_seconds: 45,
        };
        let (before, new) = (Settings::default(), usual.settings());
        assert_eq!(usual.retry_of(&before), Retry::Quick);
        assert_eq!(usual.retry_of(&new), Retry::Standard);
        assert_eq!(usual.timeout_seconds_of(&before), 45);
        assert_eq!(usual.timeout_seconds_of(&new), 30);
        usual.retry = Some(Retry::Delays(vec![9]));
        assert_eq!(usual.retry_of(&before), Retry::Delays(vec![9]));
        assert_eq!(usual.retry_of(&new), Retry::Standard);
        assert_eq!(usual.settings().retry, usual.retry);
    }

    #[test]
    fn only_the_older_schemes_add_headers() {
        let mut signing = Signing::default();
        assert!(signing.header_names().is_empty());
        signing.schemes.push(Scheme::Sha256Body);
        assert!(
            signing
                .header_names()
                .contains(&"X-Tidings-Signature".to_owned())
        );
    }
}
