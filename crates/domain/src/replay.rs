//! Replays: old events, told again because a person asked for it.

use crate::catalog;
use crate::clock::Timestamp;
use crate::id::EventId;
use crate::subscription::Pattern;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use utoipa::ToSchema;

/// The most events that one replay may name by their ids.
pub const MAX_IDS: usize = 1_000;
/// The most events in a second that a replay may ask for.
pub const MAX_PER_SECOND: u32 = 1_000;
/// How far a replay may be behind its rate before it lets go of what it missed.
const MOST_BEHIND: Duration = Duration::from_secs(1);

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReplayState)]
pub enum State {
    /// Its deliveries are being made.
    Running,
    /// It was halted and can go on.
    Paused,
    /// All its deliveries were made.
    Done,
    /// It was ended before, or its subscription was deleted.
    Cancelled,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Running, Self::Paused, Self::Done, Self::Cancelled];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of a tenant's events are told again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Selection {
    /// These, each once, in this order.
    Ids {
        /// At most [`MAX_IDS`].
        ids: Vec<EventId>,
    },
    /// Those of a time.
    Range {
        /// At or after this.
        from: Timestamp,
        /// Before this.
        to: Timestamp,
        /// Of these types of the catalog; none for all.
        #[serde(default)]
        types: Option<Vec<String>>,
    },
}

impl Selection {
    /// Whether an event is selected.
    pub fn holds(&self, id: EventId, event_type: &str, created_at: Timestamp) -> bool {
        match self {
            Self::Ids { ids } => ids.contains(&id),
            Self::Range { from, to, types } => {
                let is_of_type = |types: &Vec<String>| types.iter().any(|name| name == event_type);
                (*from..*to).contains(&created_at) && types.as_ref().is_none_or(is_of_type)
            }
        }
    }
}

/// The types that ship, or are of these names, and fit any of these patterns.
pub fn types_of(patterns: &[Pattern], own: &[String]) -> Vec<String> {
    let shipped = catalog::TYPES.iter().map(|known| known.name);
    shipped
        .chain(own.iter().map(String::as_str))
        .filter(|name| patterns.iter().any(|pattern| pattern.matches(name)))
        .map(str::to_owned)
        .collect()
}

/// When the next page of a replay may be made, after so many events at a rate. Who is late catches up
/// within a second, so that the rate is kept however often it is looked.
pub fn next_page_at(
    due: Timestamp,
    now: Timestamp,
    events: u32,
    per_second: Option<u32>,
) -> Timestamp {
    let Some(per_second) = per_second.filter(|rate| *rate > 0) else {
        return now;
    };
    let begun = due.max(now.minus(MOST_BEHIND));
    begun.plus(Duration::from_secs(1) * events / per_second)
}

/// How many events the next page of a replay may hold, of at most `most`.
pub fn page_size(due: Timestamp, now: Timestamp, per_second: Option<u32>, most: u32) -> u32 {
    let Some(per_second) = per_second else {
        return most;
    };
    let late = now.since(due).min(MOST_BEHIND).as_millis();
    let owed = u32::try_from(u128::from(per_second) * late / 1_000).unwrap_or(most);
    // One slot is a tenth of a second.
    owed.max(per_second / 10).clamp(1, most.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn later(ms: u64) -> Timestamp {
        NOW.plus(Duration::from_millis(ms))
    }

    /// How many events a replay makes in `seconds`, looked at every `step`.
    fn made_in(seconds: u64, step: u64, per_second: u32) -> u32 {
        let (mut due, mut made) = (NOW, 0);
        for at in (0..seconds * 1_000).step_by(usize::try_from(step).unwrap()) {
            let now = later(at);
            if due <= now {
                let events = page_size(due, now, Some(per_second), 500);
                due = next_page_at(due, now, events, Some(per_second));
                made += events;
            }
        }
        made
    }

    #[test]
    fn a_rate_is_kept_however_often_it_is_looked() {
        for per_second in [1, 7, 50, 999, 1_000] {
            for step in [1, 100, 130, 400] {
                let made = made_in(20, step, per_second);
                let (least, most) = (per_second * 19, per_second * 20 + per_second / 2 + 1);
                assert!(
                    (least..=most).contains(&made),
                    "{per_second}/s every {step} ms: {made}"
                );
            }
        }
    }

    #[test]
    fn who_was_away_for_long_does_not_make_it_all_at_once() {
        assert_eq!(page_size(NOW, later(3_600_000), Some(100), 500), 100);
        let due = next_page_at(NOW, later(3_600_000), 100, Some(100));
        assert_eq!(due, later(3_600_000));
    }

    #[test]
    fn without_a_rate_a_page_follows_the_other() {
        assert_eq!(page_size(NOW, NOW, None, 500), 500);
        assert_eq!(next_page_at(NOW, later(9), 500, None), later(9));
    }

    #[test]
    fn a_range_begins_with_its_first_moment_and_ends_before_its_last() {
        let range = Selection::Range {
            from: NOW,
            to: later(10),
            types: Some(vec!["sms.sent".to_owned()]),
        };
        let id = EventId(uuid::Uuid::nil());
        assert!(range.holds(id, "sms.sent", NOW));
        assert!(!range.holds(id, "sms.sent", later(10)));
        assert!(!range.holds(id, "sms.failed", NOW));
    }

    #[test]
    fn a_selection_is_read_as_it_was_written() {
        let ids = Selection::Ids {
            ids: vec![EventId(uuid::Uuid::from_u128(7))],
        };
        let range = Selection::Range {
            from: NOW,
            to: later(1),
            types: None,
        };
        for selection in [ids, range] {
            let text = serde_json::to_string(&selection).unwrap();
            assert_eq!(serde_json::from_str::<Selection>(&text).unwrap(), selection);
        }
    }
}
