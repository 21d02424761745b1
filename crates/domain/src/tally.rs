//! Tallies: what is counted of a provider account in each five minutes, under which names, and what the
//! counts add up to.

mod sheet;
mod sums;

pub use sheet::{Batch, End, Key, Learnt, Sheet, day};
pub use sums::{Success, Sums};

use crate::clock::Timestamp;
use crate::histogram::Bucket;
use crate::message::Outcome;
use std::fmt;
use std::time::Duration;

/// How long counts are counted together.
pub const SLOT: Duration = Duration::from_mins(5);
/// How many slots an hour has.
pub const SLOTS_AN_HOUR: i32 = 12;
/// How many networks are told apart of one account in one slot; the rest are counted as `other`.
pub const MOST_NETWORKS: usize = 32;
/// What all networks beyond the most are.
pub const OTHER_NETWORK: &str = "other";
/// What a report of no network is counted for.
pub const NO_NETWORK: &str = "unknown";
/// Five minutes, by their number since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub i32);

impl Slot {
    /// The slot of a moment.
    pub fn of(time: Timestamp) -> Self {
        let length = i64::try_from(SLOT.as_millis()).unwrap_or(i64::MAX);
        let number = time.as_millis().div_euclid(length);
        Self(i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX }))
    }

    /// When it begins.
    pub fn start(self) -> Timestamp {
        Timestamp::from_millis(i64::from(self.0) * i64::try_from(SLOT.as_millis()).unwrap_or(0))
    }

    /// The slot so many before this one.
    #[must_use]
    pub const fn before(self, slots: i32) -> Self {
        Self(self.0.saturating_sub(slots))
    }
}

/// Who ended a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// The provider called us.
    Callback,
    /// We asked the provider.
    Poll,
    /// A person.
    Manual,
    /// Nobody: no report came in time.
    Silence,
}

impl By {
    const ALL: [Self; 4] = [Self::Callback, Self::Poll, Self::Manual, Self::Silence];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Poll => "poll",
            Self::Manual => "manual",
            Self::Silence => "silence",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A callback was recorded.
    Received,
    /// A callback was applied.
    Processed,
    /// A callback could not be applied, for the first time.
    Failed,
    /// A callback was given up.
    DeadLettered,
    /// A report of a callback, by what became of it.
    Report(Outcome),
    /// From the receipt of a callback until it was applied.
    Processing(Bucket),
    /// From the registration of a message until the callback that ended it.
    Delay(Bucket),
    /// A message came to its end.
    Ended(By),
    /// A message of a network came to its end.
    EndedOn(String),
    /// A message of a network came to its end by being delivered.
    DeliveredOn(String),
}

const ENDED: &str = "ended_";
const ENDED_ON: &str = "ended:";
const DELIVERED_ON: &str = "delivered:";
const REPORT: &str = "report_";
const PROCESSING: &str = "processing_le_";
const DELAY: &str = "delay_le_";

/// The name under which it is kept.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received => f.write_str("received"),
            Self::Processed => f.write_str("processed"),
            Self::Failed => f.write_str("failed"),
            Self::DeadLettered => f.write_str("dead_lettered"),
            Self::Report(outcome) => write!(f, "{REPORT}{}", outcome.as_str()),
            Self::Processing(bucket) => write!(f, "{PROCESSING}{bucket}"),
            Self::Delay(bucket) => write!(f, "{DELAY}{bucket}"),
            Self::Ended(by) => write!(f, "{ENDED}{}", by.as_str()),
            Self::EndedOn(network) => write!(f, "{ENDED_ON}{network}"),
            Self::DeliveredOn(network) => write!(f, "{DELIVERED_ON}{network}"),
        }
    }
}

impl Name {
    /// The name that is kept so; none for one of another release.
    pub fn parse(text: &str) -> Option<Self> {
        let after = |prefix| text.strip_prefix(prefix);
        let by = |name: &str| By::ALL.into_iter().find(|by| by.as_str() == name);
        match text {
            "received" => return Some(Self::Received),
            "processed" => return Some(Self::Processed),
            "failed" => return Some(Self::Failed),
            "dead_lettered" => return Some(Self::DeadLettered),
            _ => {}
        }
        if let Some(outcome) = after(REPORT) {
            return Outcome::parse(outcome).map(Self::Report);
        }
        if let Some(bucket) = after(PROCESSING) {
            return Bucket::parse(bucket).map(Self::Processing);
        }
        if let Some(bucket) = after(DELAY) {
            return Bucket::parse(bucket).map(Self::Delay);
        }
        if let Some(network) = after(ENDED_ON) {
            return Some(Self::EndedOn(network.to_owned()));
        }
        if let Some(network) = after(DELIVERED_ON) {
            return Some(Self::DeliveredOn(network.to_owned()));
        }
        after(ENDED).and_then(by).map(Self::Ended)
    }

    /// The names of all that is counted of callbacks, as they are kept.
    pub fn of_callbacks() -> Vec<String> {
        let plain = [
            Self::Received,
            Self::Processed,
            Self::Failed,
            Self::DeadLettered,
        ];
        let others = plain.into_iter().chain(Bucket::all().map(Self::Processing));
        let others = others.map(|name| name.to_string());
        others.chain(Self::of_reports()).collect()
    }

    /// The names of reports, by what became of them, as they are kept.
    pub fn of_reports() -> Vec<String> {
        let outcomes = [
            Outcome::Applied,
            Outcome::Duplicate,
            Outcome::Stale,
            Outcome::Orphaned,
            Outcome::Unmapped,
        ];
        outcomes
            .map(|outcome| Self::Report(outcome).to_string())
            .to_vec()
    }

    /// The names of the ends by which a provider's health is judged, as they are kept.
    pub fn of_ends() -> Vec<String> {
        By::ALL.map(|by| Self::Ended(by).to_string()).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_read_under_the_name_it_is_kept_by() {
        let network = || "639:02".to_owned();
        let names = [
            Name::Received,
            Name::Processed,
            Name::Failed,
            Name::DeadLettered,
            Name::Report(Outcome::Orphaned),
            Name::Processing(Bucket::of(Duration::from_millis(5))),
            Name::Delay(Bucket::of(Duration::MAX)),
            Name::Ended(By::Silence),
            Name::EndedOn(network()),
            Name::DeliveredOn(network()),
            Name::EndedOn(NO_NETWORK.to_owned()),
        ];
        for name in names {
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        for other in [
            "",
            "received_",
            "processing_le_5",
            "ended_",
            "ended_by",
            "lost",
        ] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
        assert_eq!(Name::of_callbacks().len(), 9 + 61);
        assert!(
            Name::of_callbacks()
                .iter()
                .all(|name| Name::parse(name).is_some())
        );
    }

    #[test]
    fn a_slot_holds_the_moments_from_its_start_to_the_next() {
        let start = Timestamp::parse_rfc3339("2026-11-28T10:05:00Z").unwrap();
        let slot = Slot::of(start);
        assert_eq!(slot.start(), start);
        assert_eq!(
            Slot::of(start.plus(SLOT).minus(Duration::from_millis(1))),
            slot
        );
        assert_eq!(Slot::of(start.plus(SLOT)).before(1), slot);
        assert_eq!(Slot::of(Timestamp::from_millis(-1)), Slot(-1));
    }
}
