//! How many attempts may begin, exactly: in no window of a minute or an hour are there more than the
//! limit.
//!
//! An attempt reaches its endpoint at some moment between its beginning and its end. It counts for as
//! long as it is under way and for the whole window after its end, so that whenever the endpoint had
//! it, every window around that moment is one that it counts in.
//!
//! Whoever begins attempts may die, and nobody learns what he sent. So attempts are granted before
//! they begin, and what was granted is kept durably: whoever comes after him counts each grant as
//! used, and as ended at the last moment it can have been.

use crate::clock::Timestamp;
use crate::subscription::RateLimit;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// For how long a grant may be used.
pub const GRANT: Duration = Duration::from_secs(2);

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// Ends within so much of each other are remembered as one, at the later moment.
const FINE: i64 = 100;
/// Likewise, of those that only the limit of an hour still counts.
const COARSE: i64 = 30_000;
/// Likewise, of what is kept durably.
const KEPT_FINE: i64 = 2_000;

/// How many ended at which moments, in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Log(BTreeMap<i64, u32>);

impl Log {
    fn add(&mut self, at: Timestamp, number: u32, fine: i64) {
        let slot = round_up(at.as_millis(), fine);
        let known = self.0.entry(slot).or_default();
        *known = known.saturating_add(number);
    }

    /// How many count in a window that ends now.
    fn count(&self, window: Duration, now: Timestamp) -> u32 {
        let since = now.minus(window).as_millis();
        let counted = self.0.range(since..);
        counted.fold(0, |sum, (_, number)| sum.saturating_add(*number))
    }

    /// Forgets what no window counts any more, and moments that only a clock which was set back since
    /// can have told; rounds what even rounded up is older than a minute.
    fn tidy(&mut self, now: Timestamp) {
        let (oldest, newest) = (now.minus(HOUR).as_millis(), now.plus(HOUR).as_millis());
        self.0.retain(|at, _| (oldest..=newest).contains(at));
        let only_of_the_hour = now.minus(MINUTE).as_millis().saturating_sub(COARSE);
        let newer = self.0.split_off(&only_of_the_hour);
        let older = std::mem::replace(&mut self.0, newer);
        for (at, number) in older {
            self.add(Timestamp::from_millis(at), number, COARSE);
        }
    }

    /// How many moments are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn round_up(at: i64, to: i64) -> i64 {
    at.div_euclid(to)
        .saturating_add(i64::from(at.rem_euclid(to) != 0))
        .saturating_mul(to)
}

/// The attempts of one limited subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sends {
    under_way: u32,
    ended: Log,
    /// What was granted, as whoever comes after us is to count it.
    granted: Log,
    /// How many of the last grant may still begin, and until when.
    left: Option<(u32, Timestamp)>,
}

/// Attempts that may begin once the store has kept that they may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// How many.
    pub number: u32,
    /// Until when they may begin.
    pub until: Timestamp,
    /// What is kept.
    pub log: Log,
}

impl Sends {
    /// Goes on from what is kept.
    pub fn after(kept: Log) -> Self {
        Self {
            ended: kept.clone(),
            granted: kept,
            ..Self::default()
        }
    }

    /// How many more may begin now.
    pub fn room(&self, limit: RateLimit, now: Timestamp) -> u32 {
        let room = |limit: Option<u32>, window| {
            let counted = self.ended.count(window, now);
            let used = self.under_way.saturating_add(counted);
            limit.map_or(u32::MAX, |limit| limit.saturating_sub(used))
        };
        room(limit.per_minute, MINUTE).min(room(limit.per_hour, HOUR))
    }

    /// What to have kept, so that up to `wanted` may begin; none where none may. An attempt ends
    /// within `timeout`.
    pub fn grant(
        &mut self,
        limit: RateLimit,
        wanted: u32,
        timeout: Duration,
        now: Timestamp,
    ) -> Option<Grant> {
        self.ended.tidy(now);
        self.granted.tidy(now);
        let number = self.room(limit, now).min(wanted);
        if number == 0 {
            return None;
        }
        let until = now.plus(GRANT);
        let mut log = self.granted.clone();
        log.add(until.plus(timeout), number, KEPT_FINE);
        Some(Grant { number, until, log })
    }

    /// It was kept.
    pub fn receive(&mut self, grant: Grant) {
        self.left = Some((grant.number, grant.until));
        self.granted = grant.log;
    }

    /// Begins one, where one was granted and there still is room; whether it may begin.
    pub fn begin(&mut self, limit: RateLimit, now: Timestamp) -> bool {
        match self.left {
            Some((left @ 1.., until)) if now <= until && self.room(limit, now) > 0 => {
                self.left = Some((left - 1, until));
                self.under_way = self.under_way.saturating_add(1);
                true
            }
            Some(_) | None => false,
        }
    }

    /// One has ended.
    pub fn end(&mut self, now: Timestamp) {
        self.under_way = self.under_way.saturating_sub(1);
        self.ended.add(now, 1, FINE);
    }

    /// Whether nothing of it need be remembered: what is kept says no more.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.under_way == 0
            && self.ended.count(HOUR, now) == 0
            && self.granted.count(HOUR, now) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: RateLimit = RateLimit {
        per_minute: Some(5),
        per_hour: Some(20),
    };
    const TIMEOUT: Duration = Duration::from_secs(10);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// As many as may begin now.
    fn begin_all(sends: &mut Sends, now: Timestamp) -> u32 {
        let mut begun = 0;
        while let Some(grant) = sends.grant(LIMIT, 3, TIMEOUT, now) {
            sends.receive(grant);
            while sends.begin(LIMIT, now) {
                begun += 1;
            }
        }
        begun
    }

    #[test]
    fn an_attempt_counts_while_it_is_under_way_and_a_minute_after_its_end() {
        let mut sends = Sends::default();
        assert_eq!(begin_all(&mut sends, at(0)), 5);
        assert_eq!(begin_all(&mut sends, at(70_000)), 0, "none has ended");
        sends.end(at(70_000));
        assert_eq!(begin_all(&mut sends, at(130_000)), 0);
        assert_eq!(begin_all(&mut sends, at(130_001)), 1);
    }

    #[test]
    fn whoever_comes_after_counts_what_was_granted_as_used_until_the_last_moment() {
        let mut sends = Sends::default();
        let grant = sends.grant(LIMIT, 3, TIMEOUT, at(0)).unwrap();
        let mut next = Sends::after(grant.log);
        assert_eq!(next.room(LIMIT, at(1_000)), 2);
        assert_eq!(begin_all(&mut next, at(1_000)), 2);
        next.end(at(1_000));
        assert_eq!(
            next.room(LIMIT, at(72_000)),
            1,
            "the grant counts until 12 s"
        );
        assert_eq!(next.room(LIMIT, at(72_001)), 4);
    }

    #[test]
    fn a_grant_that_was_not_used_in_time_is_void() {
        let mut sends = Sends::default();
        let grant = sends.grant(LIMIT, 3, TIMEOUT, at(0)).unwrap();
        sends.receive(grant);
        assert!(sends.begin(LIMIT, at(2_000)));
        assert!(!sends.begin(LIMIT, at(2_001)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let wide = RateLimit {
            per_minute: Some(1_000_000),
            per_hour: None,
        };
        let mut sends = Sends::default();
        for second in 0..5_000 {
            let now = at(second * 1_000);
            let grant = sends.grant(wide, 4, TIMEOUT, now).unwrap();
            sends.receive(grant);
            while sends.begin(wide, now) {
                sends.end(now);
            }
        }
        assert!(sends.ended.len() < 1_100, "{}", sends.ended.len());
        assert!(sends.granted.len() < 200, "{}", sends.granted.len());
        assert!(!sends.is_idle(at(5_000_000)));
        assert!(sends.is_idle(at(8_700_000)));
    }

    proptest! {
        /// Whatever happens and however often the owner changes, no window has more than the limit.
        #[test]
        fn no_window_has_more_than_the_limit(
            steps in proptest::collection::vec((0_i64..4_000, 0_i64..9_000, 0_u8..40), 1..400)
        ) {
            let mut sends = Sends::default();
            let mut kept = Log::default();
            let mut now = 0;
            // When each reached its endpoint: at its beginning or at its end.
            let mut reached: Vec<i64> = Vec::new();
            let mut under_way: Vec<i64> = Vec::new();
            for (wait, takes, chance) in steps {
                now += wait;
                under_way.sort_unstable();
                while under_way.first().is_some_and(|ends| *ends <= now) {
                    sends.end(at(under_way.remove(0)));
                }
                if chance == 0 {
                    sends = Sends::after(kept.clone());
                    under_way.clear();
                }
                if let Some(grant) = sends.grant(LIMIT, 2, TIMEOUT, at(now)) {
                    kept = grant.log.clone();
                    sends.receive(grant);
                }
                while sends.begin(LIMIT, at(now)) {
                    reached.push(if chance % 2 == 0 { now } else { now + takes });
                    under_way.push(now + takes);
                }
            }
            reached.sort_unstable();
            for (limit, window) in [(5, 60_000), (20, 3_600_000)] {
                for (first, beyond) in reached.iter().zip(reached.iter().skip(limit)) {
                    prop_assert!(beyond - first > window, "{first} {beyond}");
                }
            }
        }
    }
}
