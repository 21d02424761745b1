//! News of a webhook: what Tidings tells of one subscription to the others of its tenant, and to the
//! platform.

use crate::account::Environment;
use crate::catalog;
use crate::clock::Timestamp;
use crate::delivery::Cause;
use crate::event::{Event, Resource};
use crate::id::{DeliveryId, EventId, SubscriptionId, TenantId};
use crate::json::Raw;
use crate::random::Random;
use crate::subscription::DisabledReason;
use serde::Serialize;

/// The types of such events.
const TYPES: [&str; 4] = [
    "webhook.failing",
    "webhook.disabled",
    "webhook.recovered",
    "delivery.exhausted",
];

/// The kind of thing they are about.
const KIND: &str = "webhook";

/// What happened to a subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// Which.
    pub webhook: Webhook,
    /// What happened.
    pub what: What,
}

/// Which subscription, for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Webhook {
    /// Its id.
    pub webhook_id: SubscriptionId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Where it belongs.
    pub environment: Environment,
    /// What people call it.
    pub name: Option<String>,
    /// The host its URL names, with the port it names. The rest of a URL may be secret, and whoever is
    /// told is another endpoint.
    pub host: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum What {
    /// It has had nothing but failures for a part of the time after which it is disabled.
    Failing {
        /// Which part.
        percent: u8,
        /// When the first attempt failed.
        failing_since: Timestamp,
        /// When it is disabled, if it goes on like this.
        disable_at: Timestamp,
        /// The attempt that is told of.
        #[serde(flatten)]
        last: Last,
    },
    /// Tidings disabled it.
    Disabled {
        /// Why.
        reason: DisabledReason,
        /// When.
        disabled_at: Timestamp,
        /// When the first attempt failed since the last that succeeded, where that is why.
        failing_since: Option<Timestamp>,
        /// The attempt that disabled it.
        #[serde(flatten)]
        last: Last,
    },
    /// An attempt succeeded after it was told that it fails.
    Recovered {
        /// When that attempt ended.
        recovered_at: Timestamp,
        /// When the first attempt had failed; none where somebody enabled it meanwhile.
        failing_since: Option<Timestamp>,
    },
    /// A delivery to it failed for good.
    Exhausted {
        /// Which.
        delivery_id: DeliveryId,
        /// Of which event.
        event_id: EventId,
        /// Of which type.
        event_type: String,
        /// Why.
        cause: Cause,
        /// How many attempts were made in all.
        attempts: u32,
        /// When.
        failed_at: Timestamp,
        /// The last attempt.
        #[serde(flatten)]
        last: Last,
    },
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Last {
    /// The stable name of its error; none for success, or where it is not known.
    pub last_error: Option<&'static str>,
    /// What the endpoint answered.
    pub last_status_code: Option<u16>,
}

/// Whether events of this type tell of webhooks and deliveries. What fails to be told of these warns of
/// nothing and is not told as exhausted: otherwise two endpoints that fail would tell of one another for
/// ever.
pub fn is_news(event_type: &str) -> bool {
    matches!(catalog::category(event_type), "webhook" | "delivery")
}

/// The subscription that an event is news of, and that it is not told to.
pub fn about(event_type: &str, resource: Option<&Resource>) -> Option<SubscriptionId> {
    let resource = resource?;
    let is_ours = TYPES.contains(&event_type) && resource.kind == KIND;
    is_ours.then(|| resource.id.parse().ok()).flatten()
}

/// Whether a delivery that failed for this cause is told: not where the endpoint has asked for it to be
/// given up.
pub const fn is_told(cause: Cause) -> bool {
    match cause {
        Cause::Exhausted | Cause::Gone | Cause::HeldTooLong => true,
        Cause::Aborted => false,
    }
}

/// The host of a URL that was accepted, with its port where it names one.
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

impl News {
    /// The event for its tenant and the one for the platform, which may be the same. The platform's own
    /// environments are not those of its tenants: it hears everything in its usual one.
    pub fn events(&self, now: Timestamp, random: &Random) -> Vec<Event> {
        let of = &self.webhook;
        let mut events = vec![self.event(of.tenant_id, of.environment.clone(), now, random)];
        if of.tenant_id != TenantId::PLATFORM {
            let environment = Environment::default();
            events.push(self.event(TenantId::PLATFORM, environment, now, random));
        }
        events
    }

    fn event(
        &self,
        tenant_id: TenantId,
        environment: Environment,
        now: Timestamp,
        random: &Random,
    ) -> Event {
        #[derive(Serialize)]
        struct Data<'a> {
            #[serde(flatten)]
            webhook: &'a Webhook,
            #[serde(flatten)]
            what: &'a What,
        }
        Event {
            id: EventId::new(now, random),
            tenant_id,
            event_type: self.what.event_type().to_owned(),
            version: 1,
            environment,
            created_at: now,
            source: "tidings".to_owned(),
            resource: Some(Resource {
                kind: KIND.to_owned(),
                id: self.webhook.webhook_id.to_string(),
                data: None,
            }),
            context: None,
            metadata: None,
            data: Raw::of(&Data {
                webhook: &self.webhook,
                what: &self.what,
            }),
            transition: None,
            traceparent: None,
            caused_at: now,
        }
    }
}

impl What {
    const fn event_type(&self) -> &'static str {
        let [failing, disabled, recovered, exhausted] = TYPES;
        match self {
            Self::Failing { .. } => failing,
            Self::Disabled { .. } => disabled,
            Self::Recovered { .. } => recovered,
            Self::Exhausted { .. } => exhausted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(tenant_id: TenantId, random: &Random) -> News {
        let now = Timestamp::from_millis(0);
        News {
            webhook: Webhook {
                webhook_id: SubscriptionId::new(now, random),
                tenant_id,
                environment: "staging".parse().unwrap(),
                name: None,
                host: "example.org".to_owned(),
            },
            what: What::Failing {
                percent: 50,
                failing_since: now,
                disable_at: now,
                last: Last {
                    last_error: Some("status_5xx"),
                    last_status_code: Some(503),
                },
            },
        }
    }

    #[test]
    fn the_tenant_hears_it_where_the_webhook_belongs_and_the_platform_in_its_usual_place() {
        let (now, random) = (Timestamp::from_millis(0), Random::seeded(3));
        let news = news(TenantId::new(now, &random), &random);
        let events = news.events(now, &random);
        let places: Vec<_> = events
            .iter()
            .map(|event| (event.tenant_id, event.environment.to_string()))
            .collect();
        let expected = [
            (news.webhook.tenant_id, "staging".to_owned()),
            (TenantId::PLATFORM, "production".to_owned()),
        ];
        assert_eq!(places, expected);
        assert_ne!(events[0].id, events[1].id);
        let about = about(&events[0].event_type, events[0].resource.as_ref());
        assert_eq!(about, Some(news.webhook.webhook_id));
        let data: serde_json::Value = serde_json::from_str(events[1].data.as_str()).unwrap();
        let id = serde_json::to_value(news.webhook.webhook_id).unwrap();
        assert_eq!(data["webhook_id"], id);
        assert_eq!(data["percent"], 50);
        assert_eq!(data["last_status_code"], 503);
    }

    #[test]
    fn news_of_a_webhook_of_the_platform_is_told_once() {
        let (now, random) = (Timestamp::from_millis(0), Random::seeded(3));
        let news = news(TenantId::PLATFORM, &random);
        assert_eq!(news.events(now, &random).len(), 1);
    }

    #[test]
    fn every_type_is_in_the_catalog_and_raised_by_us_alone() {
        for name in TYPES {
            assert!(is_news(name));
            assert!(catalog::find(name).unwrap().is_raised_by_us, "{name}");
        }
        assert!(!is_news("sms.delivered"));
    }

    #[test]
    fn reasons_and_causes_are_told_by_their_names_in_the_api() {
        for reason in DisabledReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        let causes = [
            Cause::Exhausted,
            Cause::Gone,
            Cause::Aborted,
            Cause::HeldTooLong,
        ];
        for cause in causes {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
        }
    }

    #[test]
    fn what_others_publish_of_a_webhook_is_told_to_everybody() {
        let id = SubscriptionId::new(Timestamp::from_millis(0), &Random::seeded(3));
        let resource = Resource {
            kind: KIND.to_owned(),
            id: id.to_string(),
            data: None,
        };
        assert_eq!(about("system.alert", Some(&resource)), None);
        assert_eq!(about("webhook.test", Some(&resource)), None);
        assert_eq!(about("webhook.failing", Some(&resource)), Some(id));
    }

    #[test]
    fn only_the_host_of_a_url_is_told() {
        for (url, host) in [
            ("https://hooks.example.org/T00/secret", "hooks.example.org"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("https://[::1]:9?key=secret", "[::1]:9"),
            ("https://example.org#secret", "example.org"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }
}
