//! Plans: what a tenant may use, how much of that is used, and what is told of it.

use crate::account::Environment;
use crate::clock::Timestamp;
use crate::event::{Event, Resource};
use crate::id::{EventId, TenantId};
use crate::json::Raw;
use crate::random::Random;
use crate::subscription::RateLimit;
use serde::Serialize;
use std::time::Duration;

/// The plan of a tenant for which none is named.
pub const USUAL: &str = "standard";
/// The longest name of a plan, in bytes.
pub const MAX_NAME_BYTES: usize = 63;
/// The most plans of the operator's own.
pub const MAX_OWN_PLANS: u32 = 100;
/// The most events a day that a plan may name: beyond it, it names none.
pub const MAX_EVENTS_PER_DAY: u64 = 1_000_000_000_000;
/// The most webhooks that a plan may name.
pub const MAX_WEBHOOKS: u32 = 1_000_000;

/// Of a limit so much is used, in percent, when the tenant is warned.
const WARNED_AT_PERCENT: u64 = 80;
const DAY: Duration = Duration::from_hours(24);

/// What a tenant may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Whether it ships with Tidings, and stays as it is.
    pub is_shipped: bool,
    /// How many events a tenant may publish in a day, UTC; none: as many as it likes.
    pub events_per_day: Option<u64>,
    /// How many webhooks it may have; none: as many as it likes.
    pub webhooks: Option<u32>,
    /// How many attempts may begin to each of its webhooks, whose own limit may be tighter.
    pub rate_limit: Option<RateLimit>,
}

/// What is counted of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Events that it publishes in a day, UTC.
    EventsPerDay,
    /// Webhooks that it has.
    Webhooks,
}

impl Limit {
    /// Both.
    pub const ALL: [Self; 2] = [Self::EventsPerDay, Self::Webhooks];

    /// Its name in a plan.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventsPerDay => "events_per_day",
            Self::Webhooks => "webhooks",
        }
    }
}

/// How far a limit is used up, as a tenant is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Not so far that it would be told.
    #[default]
    Low,
    /// Nearly.
    Warning,
    /// There is nothing left.
    Reached,
}

impl Mark {
    /// How far it is with so much used of so much.
    pub const fn of(used: u64, allowed: u64) -> Self {
        if used >= allowed {
            Self::Reached
        } else if used.saturating_mul(100) >= allowed.saturating_mul(WARNED_AT_PERCENT) {
            Self::Warning
        } else {
            Self::Low
        }
    }

    /// The event that tells it.
    const fn event_type(self) -> Option<&'static str> {
        match self {
            Self::Low => None,
            Self::Warning => Some("tenant.limit.warning"),
            Self::Reached => Some("tenant.limit.reached"),
        }
    }
}

/// How much of a limit is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Use {
    /// Of which.
    pub limit: Limit,
    /// The plan that sets it.
    pub plan: String,
    /// So much.
    pub used: u64,
    /// Of so much.
    pub allowed: u64,
    /// When it is counted anew, where it is.
    pub resets_at: Option<Timestamp>,
}

impl Use {
    /// What tells a tenant, and the platform, that the limit is so far used up. The platform's own plan is
    /// nobody else's news. Neither counts for any limit.
    pub fn events(
        &self,
        tenant: TenantId,
        mark: Mark,
        now: Timestamp,
        random: &Random,
    ) -> Vec<Event> {
        let Some(event_type) = mark.event_type() else {
            return Vec::new();
        };
        let told = if tenant == TenantId::PLATFORM {
            vec![tenant]
        } else {
            vec![tenant, TenantId::PLATFORM]
        };
        let event = |tenant_id| Event {
            id: EventId::new(now, random),
            tenant_id,
            event_type: event_type.to_owned(),
            version: 1,
            // A limit is of no environment: it is told in the usual one.
            environment: Environment::default(),
            created_at: now,
            source: "tidings".to_owned(),
            resource: Some(Resource {
                kind: "tenant".to_owned(),
                id: tenant.to_string(),
                data: None,
            }),
            context: None,
            metadata: None,
            data: Raw::of(self),
            transition: None,
            traceparent: None,
            caused_at: now,
        };
        told.into_iter().map(event).collect()
    }
}

/// Whether a plan could have this name.
pub fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with('-')
}

/// The day (UTC) of a moment, since the Unix epoch.
pub fn day_of(at: Timestamp) -> i32 {
    let day = at.as_millis().div_euclid(length_ms());
    i32::try_from(day).unwrap_or(i32::MAX)
}

/// When the day after this one begins, and is counted anew.
pub fn end_of(day: i32) -> Timestamp {
    Timestamp::from_millis((i64::from(day) + 1).saturating_mul(length_ms()))
}

fn length_ms() -> i64 {
    i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    fn used(limit: Limit) -> Use {
        Use {
            limit,
            plan: "starter".to_owned(),
            used: 8,
            allowed: 10,
            resets_at: None,
        }
    }

    #[test]
    fn a_tenant_is_warned_at_four_fifths_and_told_when_there_is_nothing_left() {
        for (used, allowed, mark) in [
            (0, 10, Mark::Low),
            (7, 10, Mark::Low),
            (8, 10, Mark::Warning),
            (9, 10, Mark::Warning),
            (10, 10, Mark::Reached),
            (12, 10, Mark::Reached),
            (0, 1, Mark::Low),
            (1, 1, Mark::Reached),
            (2, 3, Mark::Low),
            (0, 0, Mark::Reached),
            (u64::MAX - 1, u64::MAX, Mark::Warning),
        ] {
            assert_eq!(Mark::of(used, allowed), mark, "{used} of {allowed}");
        }
    }

    #[test]
    fn the_tenant_hears_it_and_the_platform_hears_whose_it_is() {
        let (now, random) = (Timestamp::from_millis(0), Random::seeded(5));
        let tenant = TenantId::new(now, &random);
        let events = used(Limit::Webhooks).events(tenant, Mark::Warning, now, &random);
        let to: Vec<TenantId> = events.iter().map(|event| event.tenant_id).collect();
        assert_eq!(to, [tenant, TenantId::PLATFORM]);
        assert_ne!(events[0].id, events[1].id);
        for event in &events {
            let about = event.resource.as_ref().unwrap();
            assert_eq!(
                (&*about.kind, about.id.clone()),
                ("tenant", tenant.to_string())
            );
            assert_eq!(
                event.data.as_str(),
                r#"{"limit":"webhooks","plan":"starter","used":8,"allowed":10,"resets_at":null}"#
            );
            assert!(catalog::find(&event.event_type).unwrap().is_raised_by_us);
        }
        let own = used(Limit::Webhooks).events(TenantId::PLATFORM, Mark::Reached, now, &random);
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].event_type, "tenant.limit.reached");
        assert!(
            used(Limit::Webhooks)
                .events(tenant, Mark::Low, now, &random)
                .is_empty()
        );
    }

    #[test]
    fn limits_are_told_by_their_names_in_a_plan() {
        for limit in Limit::ALL {
            assert_eq!(serde_json::to_value(limit).unwrap(), limit.as_str());
        }
    }

    #[test]
    fn names_are_short_and_plain() {
        for name in ["standard", "starter", "gold-2026", "2"] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "Gold",
            "-gold",
            "gold plan",
            "gold/plan",
            "é",
            &"x".repeat(64),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn days_are_those_of_utc() {
        let at = Timestamp::parse_rfc3339("2026-11-28T23:59:59.999Z").unwrap();
        let midnight = Timestamp::parse_rfc3339("2026-11-29T00:00:00Z").unwrap();
        assert_eq!(end_of(day_of(at)), midnight);
        assert_eq!(day_of(midnight), day_of(at) + 1);
    }
}
