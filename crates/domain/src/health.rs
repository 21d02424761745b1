//! The health of a provider account: whether its reports come by themselves, how fast, and whether its
//! messages arrive.

use crate::account::Slug;
use crate::clock::Timestamp;
use crate::tally::{OTHER_NETWORK, SLOT, SLOTS_AN_HOUR, Sums};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How many ends are needed to say anything.
pub const FEWEST_ENDS: u64 = 20;
/// How many slots are looked at: the last hour.
pub const WINDOW: i32 = SLOTS_AN_HOUR;
/// How many slots before these say what is usual: the day before.
pub const USUAL: i32 = 24 * SLOTS_AN_HOUR;
/// How many networks are told of; the rest are told as `other`.
const MOST_NETWORKS: usize = 32;

/// How a provider account fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Its reports come.
    Healthy,
    /// Many of its reports do not.
    Degraded,
    /// Too little has happened to say.
    Unknown,
}

/// What is told of a provider account's health.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ProviderAccountHealth, examples(json!({
    "provider_account": "clinic-ke",
    "provider": "africastalking",
    "state": "healthy",
    "since": null,
    "window_seconds": 3600,
    "reports_per_minute": 2.0,
    "usual_reports_per_minute": 1.9,
    "delay_ms": { "p50": 3100, "p95": 9800 },
    "missed_ratio": 0.0,
    "heard": 118,
    "missed": 0,
    "silent": 0,
    "success_by_network": { "63902": { "delivered": 110, "ended": 118, "ratio": 0.932 } },
})))]
pub struct Health {
    /// The account's slug.
    provider_account: Slug,
    /// Its provider.
    provider: String,
    /// How it fares.
    state: Condition,
    /// Since when, where that was told.
    since: Option<Timestamp>,
    /// Of how long a time this is told.
    window_seconds: u64,
    /// How many reports came.
    reports_per_minute: f64,
    /// How many came in the day before.
    usual_reports_per_minute: Option<f64>,
    /// How long after messages were sent their reports came.
    delay_ms: Delay,
    /// The part of messages that ended without a report of their own; null where there were too few.
    missed_ratio: Option<f64>,
    /// Messages that ended by a report.
    heard: u64,
    /// Messages that ended since the provider was asked.
    missed: u64,
    /// Messages of which nothing was heard.
    silent: u64,
    /// How messages fared on each network.
    success_by_network: BTreeMap<String, OnNetwork>,
}

/// How long it took, in milliseconds; null where nothing came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReportDelay)]
struct Delay {
    /// Half took at most this long.
    p50: Option<u64>,
    /// 95 of 100 took at most this long.
    p95: Option<u64>,
}

/// How messages fared on a network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
struct OnNetwork {
    /// Messages that were delivered.
    delivered: u64,
    /// Messages that ended.
    ended: u64,
    /// The part of them that was delivered.
    ratio: Option<f64>,
}

/// Whose health it is, and what was last told of it.
#[derive(Debug, Clone)]
pub struct Patient {
    /// The account's slug.
    pub provider_account: Slug,
    /// Its provider.
    pub provider: String,
    /// Whether it is degraded, as was last told, and since when; none where nothing was.
    pub told: Option<(Condition, Timestamp)>,
}

impl Health {
    /// The health by what was counted in the last hour and in the day before.
    pub fn of(patient: Patient, hour: &Sums, day_before: &Sums) -> Self {
        let ratio = missed_ratio(hour);
        let (state, since) = match patient.told {
            Some((Condition::Degraded, since)) => (Condition::Degraded, Some(since)),
            told if ratio.is_some() => (Condition::Healthy, told.map(|(_, since)| since)),
            _ => (Condition::Unknown, None),
        };
        let window_minutes = minutes(WINDOW);
        let usual = day_before.reports();
        Self {
            provider_account: patient.provider_account,
            provider: patient.provider,
            state,
            since,
            window_seconds: u64::from(window_minutes) * 60,
            reports_per_minute: per(hour.reports(), window_minutes),
            usual_reports_per_minute: (usual > 0).then(|| per(usual, minutes(USUAL))),
            delay_ms: Delay {
                p50: hour.delay.quantile(500),
                p95: hour.delay.quantile(950),
            },
            missed_ratio: ratio,
            heard: hour.by_callback,
            missed: hour.missed(),
            silent: hour.by_silence,
            success_by_network: by_network(hour),
        }
    }
}

/// Which part of the messages that ended nobody called us about; none where too few ended to say. What a
/// person ended says nothing of the provider.
pub fn missed_ratio(sums: &Sums) -> Option<f64> {
    let missed = sums.missed();
    let ended = missed.saturating_add(sums.by_callback);
    (ended >= FEWEST_ENDS).then(|| ratio(missed, ended))
}

/// What has changed, seen from what was last told: degraded from this ratio on, recovered below half of it.
/// None where nothing has, or too little happened to say.
pub fn change(told: Condition, missed_ratio: Option<f64>, degraded_from: f64) -> Option<Condition> {
    let missed = missed_ratio?;
    match told {
        Condition::Degraded => (missed < degraded_from / 2.0).then_some(Condition::Healthy),
        Condition::Healthy | Condition::Unknown => {
            (missed >= degraded_from).then_some(Condition::Degraded)
        }
    }
}

/// Those of which most ended, and the rest together.
fn by_network(sums: &Sums) -> BTreeMap<String, OnNetwork> {
    let mut networks: Vec<_> = sums.networks.iter().collect();
    networks.sort_by_key(|(name, success)| (Reverse(success.ended), *name));
    let mut told: BTreeMap<String, OnNetwork> = BTreeMap::new();
    for (place, (name, success)) in networks.into_iter().enumerate() {
        let name = if place < MOST_NETWORKS {
            name.as_str()
        } else {
            OTHER_NETWORK
        };
        let on = told.entry(name.to_owned()).or_insert(OnNetwork {
            delivered: 0,
            ended: 0,
            ratio: None,
        });
        on.delivered += success.delivered;
        on.ended += success.ended;
        on.ratio = (on.ended > 0).then(|| ratio(on.delivered, on.ended));
    }
    told
}

fn minutes(slots: i32) -> u32 {
    let slots = u32::try_from(slots).unwrap_or(0);
    slots * u32::try_from(SLOT.as_secs() / 60).unwrap_or(1)
}

/// So many a minute, to two places.
fn per(count: u64, minutes: u32) -> f64 {
    (number(count) * 100.0 / f64::from(minutes)).round() / 100.0
}

/// A part of a whole, to four places.
fn ratio(part: u64, whole: u64) -> f64 {
    (number(part) * 10_000.0 / number(whole)).round() / 10_000.0
}

fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(counts: &[(&str, u64)]) -> Sums {
        let mut sums = Sums::default();
        for (name, count) in counts {
            sums.add(name, *count);
        }
        sums
    }

    #[test]
    fn missed_is_what_was_asked_for_or_never_came_and_persons_do_not_count() {
        let counts = [
            ("ended_callback", 15),
            ("ended_poll", 3),
            ("ended_silence", 2),
        ];
        assert_eq!(missed_ratio(&sums(&counts)), Some(0.25));
        let few = [
            ("ended_callback", 15),
            ("ended_poll", 4),
            ("ended_manual", 9),
        ];
        assert_eq!(missed_ratio(&sums(&few)), None);
    }

    #[test]
    fn an_account_is_degraded_from_the_ratio_on_and_recovers_below_half_of_it() {
        use Condition::{Degraded, Healthy, Unknown};
        for (told, missed, expected) in [
            (Unknown, Some(0.29), None),
            (Unknown, Some(0.3), Some(Degraded)),
            (Healthy, Some(0.3), Some(Degraded)),
            (Degraded, Some(0.5), None),
            (Degraded, Some(0.15), None),
            (Degraded, Some(0.149), Some(Healthy)),
            (Degraded, None, None),
            (Healthy, None, None),
        ] {
            assert_eq!(change(told, missed, 0.3), expected, "{told:?} {missed:?}");
        }
    }

    #[test]
    fn the_health_says_what_was_counted() {
        let patient = Patient {
            provider_account: "clinic".parse().unwrap(),
            provider: "stub".to_owned(),
            told: None,
        };
        let hour = sums(&[
            ("report_applied", 100),
            ("report_duplicate", 20),
            ("ended_callback", 30),
            ("ended_silence", 10),
            ("ended:63902", 40),
            ("delivered:63902", 10),
            ("delay_le_2", 30),
        ]);
        let day = sums(&[("report_applied", 1_440)]);
        let told = serde_json::to_value(Health::of(patient, &hour, &day)).unwrap();
        let expected = serde_json::json!({
            "provider_account": "clinic", "provider": "stub", "state": "healthy", "since": null,
            "window_seconds": 3600, "reports_per_minute": 2.0, "usual_reports_per_minute": 1.0,
            "delay_ms": { "p50": 1, "p95": 1 }, "missed_ratio": 0.25,
            "heard": 30, "missed": 10, "silent": 10,
            "success_by_network": { "63902": { "delivered": 10, "ended": 40, "ratio": 0.25 } },
        });
        assert_eq!(told, expected);
    }

    #[test]
    fn of_many_networks_the_greatest_are_told_and_the_rest_together() {
        let mut hour = Sums::default();
        for number in 0..40 {
            hour.add(&format!("ended:n{number}"), 100 - number);
        }
        let told = by_network(&hour);
        assert_eq!(told.len(), MOST_NETWORKS + 1);
        assert_eq!(told[OTHER_NETWORK].ended, (61..=68).sum::<u64>());
        assert_eq!(told["n0"].ratio, Some(0.0));
    }
}
