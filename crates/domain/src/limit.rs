//! Rate limits as pure arithmetic: the generic cell rate algorithm (GCRA, ITU-T I.371).

use crate::clock::Timestamp;
use std::time::Duration;

/// So many in such a time, spread evenly, with the whole number allowed in one burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    limit: u32,
    per: Duration,
}

/// Whether one more is allowed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Allowed; remember this moment for the next question.
    Allowed(Timestamp),
    /// Not before this long.
    Refused(Duration),
}

impl Rate {
    /// `limit` (at least 1) in each `per`.
    pub const fn new(limit: u32, per: Duration) -> Self {
        Self {
            limit: if limit == 0 { 1 } else { limit },
            per,
        }
    }

    /// Whether one more is allowed now, given what the last `Allowed` said to remember. That is never
    /// further away than `per`, unless the clock was set back: then it says nothing.
    pub fn admit(self, remembered: Option<Timestamp>, now: Timestamp) -> Admission {
        let fullest = now.plus(self.per);
        let known = remembered.filter(|moment| *moment <= fullest);
        let due = known.map_or(now, |moment| moment.max(now));
        let ahead = due.since(now);
        let room = self.per.saturating_sub(self.interval());
        if ahead > room {
            return Admission::Refused(ahead.saturating_sub(room));
        }
        Admission::Allowed(due.plus(self.interval()))
    }

    /// How many more are allowed now, at once.
    pub fn remaining(self, remembered: Option<Timestamp>, now: Timestamp) -> u32 {
        let fullest = now.plus(self.per);
        let known = remembered.filter(|moment| *moment <= fullest);
        let ahead = known.map_or(Duration::ZERO, |moment| moment.since(now));
        let room = self.per.saturating_sub(ahead).as_millis();
        let more = room / self.interval().as_millis().max(1);
        u32::try_from(more).unwrap_or(u32::MAX).min(self.limit)
    }

    /// Whether everything allowed so far is forgotten: such a key needs no remembering.
    pub fn is_idle(remembered: Timestamp, now: Timestamp) -> bool {
        remembered <= now
    }

    fn interval(self) -> Duration {
        // Whole milliseconds, rounded up, so that the limit is never exceeded.
        let per = u64::try_from(self.per.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(per.div_ceil(u64::from(self.limit)).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(rate: Rate, from: i64, until: i64) -> usize {
        let mut remembered = None;
        (from..until)
            .filter(
                |now| match rate.admit(remembered, Timestamp::from_millis(*now)) {
                    Admission::Allowed(next) => {
                        remembered = Some(next);
                        true
                    }
                    Admission::Refused(_) => false,
                },
            )
            .count()
    }

    #[test]
    fn a_burst_of_the_limit_is_allowed_and_then_the_steady_rate() {
        let rate = Rate::new(120, Duration::from_mins(1));
        assert_eq!(admitted(rate, 0, 400), 120);
        assert_eq!(admitted(rate, 0, 10_400), 120 + 20);
    }

    #[test]
    fn what_remains_is_what_is_allowed() {
        let rate = Rate::new(3, Duration::from_mins(1));
        let now = Timestamp::from_millis(1_000);
        let mut remembered = None;
        for left in [3, 2, 1] {
            assert_eq!(rate.remaining(remembered, now), left);
            let Admission::Allowed(next) = rate.admit(remembered, now) else {
                panic!("there is room for {left}")
            };
            remembered = Some(next);
        }
        assert_eq!(rate.remaining(remembered, now), 0);
        let later = now.plus(Duration::from_secs(20));
        assert_eq!(rate.remaining(remembered, later), 1);
    }

    #[test]
    fn a_refusal_says_how_long_to_wait() {
        let rate = Rate::new(1, Duration::from_secs(10));
        let now = Timestamp::from_millis(5_000);
        let Admission::Allowed(next) = rate.admit(None, now) else {
            panic!("the first is allowed")
        };
        assert_eq!(
            rate.admit(Some(next), now),
            Admission::Refused(Duration::from_secs(10))
        );
        assert!(matches!(
            rate.admit(Some(next), now.plus(Duration::from_secs(10))),
            Admission::Allowed(_)
        ));
    }

    #[test]
    fn a_clock_that_jumps_back_neither_grants_nor_blocks_for_ever() {
        let rate = Rate::new(2, Duration::from_secs(2));
        let now = Timestamp::from_millis(1_000_000);
        let Admission::Allowed(next) = rate.admit(None, now) else {
            panic!("the first is allowed")
        };
        assert!(matches!(
            rate.admit(Some(next), now.minus(Duration::from_secs(1))),
            Admission::Refused(_)
        ));
    }
}
