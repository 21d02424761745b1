//! A breaker per subscription: an endpoint that is down is left alone, and what it is owed waits.
//!
//! *Closed* while it works. Where too large a part of the attempts of a while failed, it *opens*: none
//! are made for a time. Then it is *half open*: one attempt is made, the probe. If that works it is
//! closed again, and takes up speed: with each success it takes twice as much at once. If the probe
//! fails, it is open again.

use crate::clock::Timestamp;
use std::time::Duration;

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Of so many attempts at the least.
    pub min_requests: u32,
    /// This part of them failed.
    pub failure_ratio: f64,
    /// Within this time.
    pub window: Duration,
    /// It stays open for this long.
    pub open: Duration,
}

/// How it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Attempts are made.
    #[default]
    Closed,
    /// None are made.
    Open,
    /// One is made at a time.
    HalfOpen,
}

impl State {
    /// Every one there is.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Its name in the API and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Whether an attempt with this end counts as a failure: the endpoint could not be reached, took too
/// long, or said that it cannot take any more. Who answers anything else is there.
pub fn is_failure(error: Option<&str>, status: Option<u16>) -> bool {
    let unreached = ["dns", "connect", "tls", "timeout", "reset"];
    error.is_some_and(|error| unreached.contains(&error))
        || status.is_some_and(|status| status == 429 || status >= 500)
}

/// In how many parts the window moves on.
const SLOTS: u32 = 10;

/// What ended in one part of the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Slot {
    number: i64,
    ended: u32,
    failed: u32,
}

/// An attempt that was begun, to be told when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Of which stay in a state: what began in an earlier one says nothing any more.
    stay: (u64, Timestamp),
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint took it, or answered all the same.
    Works,
    /// See [`is_failure`].
    Fails,
    /// It was not made.
    Unknown,
}

/// One subscription's breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    state: State,
    since: Timestamp,
    stay: u64,
    /// Whether the probe is under way.
    is_probing: bool,
    /// How many may be under way while it takes up speed; none at full speed.
    ramp: Option<usize>,
    slots: [Slot; SLOTS as usize],
}

impl Default for Breaker {
    fn default() -> Self {
        Self::restored(State::Closed, Timestamp::from_millis(0))
    }
}

impl Breaker {
    /// As it stood, for whoever goes on with it.
    pub fn restored(state: State, since: Timestamp) -> Self {
        Self {
            state,
            since,
            stay: 0,
            is_probing: false,
            ramp: None,
            slots: [Slot::default(); SLOTS as usize],
        }
    }

    /// How it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Since when.
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Whether nothing is to be sent now, nor read to be sent. A clock that was set back opens it for
    /// no longer.
    pub fn is_shut(&self, rules: &Rules, now: Timestamp) -> bool {
        match self.state {
            State::Closed => false,
            State::Open => now < self.since.plus(rules.open) && now >= self.since,
            State::HalfOpen => self.is_probing,
        }
    }

    /// How many attempts may be under way at once, of `most`.
    pub fn room(&self, most: usize) -> usize {
        match self.state {
            State::Closed => self.ramp.map_or(most, |ramp| ramp.min(most)),
            State::Open | State::HalfOpen => 1,
        }
    }

    /// Begins an attempt, if one may begin.
    pub fn begin(&mut self, rules: &Rules, now: Timestamp) -> Option<Ticket> {
        if self.is_shut(rules, now) {
            return None;
        }
        match self.state {
            State::Closed => {}
            State::Open => {
                self.become_(State::HalfOpen, now);
                self.is_probing = true;
            }
            State::HalfOpen => self.is_probing = true,
        }
        Some(Ticket {
            stay: (self.stay, self.since),
        })
    }

    /// An attempt has ended; whether the state changed by it.
    pub fn end(&mut self, rules: &Rules, ticket: Ticket, outcome: Outcome, now: Timestamp) -> bool {
        if ticket.stay != (self.stay, self.since) {
            return false;
        }
        let before = self.state;
        match (self.state, outcome) {
            (State::HalfOpen, Outcome::Works) => {
                self.become_(State::Closed, now);
                self.ramp = Some(1);
                self.grow();
            }
            (State::HalfOpen, Outcome::Fails) => self.become_(State::Open, now),
            (State::HalfOpen, Outcome::Unknown) => self.is_probing = false,
            (State::Closed, Outcome::Works | Outcome::Fails) => {
                self.count(rules, outcome == Outcome::Fails, now);
                if outcome == Outcome::Works {
                    self.grow();
                } else if self.has_failed(rules, now) {
                    self.become_(State::Open, now);
                }
            }
            (State::Closed, Outcome::Unknown) | (State::Open, _) => {}
        }
        self.state != before
    }

    /// Whether nothing of it need be remembered.
    pub fn is_idle(&self, rules: &Rules, now: Timestamp) -> bool {
        self.state == State::Closed && self.counted(rules, now).0 == 0
    }

    fn become_(&mut self, state: State, now: Timestamp) {
        *self = Self {
            stay: self.stay.wrapping_add(1),
            ..Self::restored(state, now)
        };
    }

    /// Twice as many as before; beyond what any subscription may have it is at full speed.
    fn grow(&mut self) {
        self.ramp = self
            .ramp
            .map(|ramp| ramp.saturating_mul(2))
            .filter(|ramp| *ramp <= 256);
    }

    fn count(&mut self, rules: &Rules, has_failed: bool, now: Timestamp) {
        let number = slot_number(rules, now);
        let index = number.rem_euclid(i64::from(SLOTS));
        let index = usize::try_from(index).unwrap_or(0);
        if let Some(slot) = self.slots.get_mut(index) {
            if slot.number != number {
                *slot = Slot {
                    number,
                    ..Slot::default()
                };
            }
            slot.ended += 1;
            slot.failed += u32::from(has_failed);
        }
    }

    /// How many of the window ended, and failed.
    fn counted(&self, rules: &Rules, now: Timestamp) -> (u32, u32) {
        let newest = slot_number(rules, now);
        let oldest = newest - i64::from(SLOTS) + 1;
        self.slots
            .iter()
            .filter(|slot| (oldest..=newest).contains(&slot.number))
            .fold((0, 0), |(ended, failed), slot| {
                (ended + slot.ended, failed + slot.failed)
            })
    }

    fn has_failed(&self, rules: &Rules, now: Timestamp) -> bool {
        let (ended, failed) = self.counted(rules, now);
        ended >= rules.min_requests.max(1)
            && f64::from(failed) >= rules.failure_ratio * f64::from(ended)
    }
}

fn slot_number(rules: &Rules, now: Timestamp) -> i64 {
    let slot = i64::try_from((rules.window / SLOTS).as_millis()).unwrap_or(i64::MAX);
    now.as_millis().div_euclid(slot.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        min_requests: 10,
        failure_ratio: 0.5,
        window: Duration::from_mins(1),
        open: Duration::from_secs(30),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + seconds * 1_000)
    }

    fn attempt(breaker: &mut Breaker, outcome: Outcome, now: Timestamp) -> bool {
        let ticket = breaker.begin(&RULES, now).unwrap();
        breaker.end(&RULES, ticket, outcome, now)
    }

    /// One that opened at 0 s.
    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for number in 1..=10 {
            assert_eq!(attempt(&mut breaker, Outcome::Fails, at(0)), number == 10);
        }
        breaker
    }

    #[test]
    fn half_of_ten_failures_within_a_minute_open_it_and_less_do_not() {
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            attempt(&mut breaker, Outcome::Works, at(0));
        }
        for _ in 0..4 {
            assert!(!attempt(&mut breaker, Outcome::Fails, at(30)));
        }
        assert!(attempt(&mut breaker, Outcome::Fails, at(50)));
        assert_eq!((breaker.state(), breaker.since()), (State::Open, at(50)));
        // What is older than a minute says nothing any more.
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            attempt(&mut breaker, Outcome::Fails, at(0));
        }
        assert!(!attempt(&mut breaker, Outcome::Fails, at(61)));
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn while_it_is_open_nothing_begins_and_then_one_probe() {
        let mut breaker = opened();
        assert_eq!(breaker.begin(&RULES, at(29)), None);
        let probe = breaker.begin(&RULES, at(30)).unwrap();
        assert_eq!(breaker.state(), State::HalfOpen);
        assert_eq!(breaker.begin(&RULES, at(90)), None, "one at a time");
        assert!(breaker.end(&RULES, probe, Outcome::Fails, at(91)));
        assert_eq!((breaker.state(), breaker.since()), (State::Open, at(91)));
        let probe = breaker.begin(&RULES, at(121)).unwrap();
        assert!(!breaker.end(&RULES, probe, Outcome::Unknown, at(121)));
        assert!(attempt(&mut breaker, Outcome::Works, at(122)));
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn after_a_probe_that_worked_it_takes_up_speed() {
        let mut breaker = opened();
        assert!(attempt(&mut breaker, Outcome::Works, at(30)));
        let mut rooms = vec![breaker.room(16)];
        for _ in 0..3 {
            attempt(&mut breaker, Outcome::Works, at(30));
            rooms.push(breaker.room(16));
        }
        assert_eq!(rooms, [2, 4, 8, 16]);
        // Failures of before count no more.
        for _ in 0..3 {
            assert!(!attempt(&mut breaker, Outcome::Fails, at(31)));
        }
    }

    #[test]
    fn what_began_before_it_opened_says_nothing_of_the_probe() {
        let mut breaker = Breaker::default();
        let old = breaker.begin(&RULES, at(0)).unwrap();
        for _ in 0..10 {
            attempt(&mut breaker, Outcome::Fails, at(0));
        }
        let probe = breaker.begin(&RULES, at(30)).unwrap();
        assert!(!breaker.end(&RULES, old, Outcome::Works, at(31)));
        assert_eq!(breaker.state(), State::HalfOpen);
        assert!(breaker.end(&RULES, probe, Outcome::Fails, at(32)));
    }

    #[test]
    fn whoever_comes_after_goes_on_with_it() {
        let mut breaker = Breaker::restored(State::Open, at(0));
        assert!(breaker.is_shut(&RULES, at(29)));
        assert!(breaker.begin(&RULES, at(30)).is_some());
        let half = Breaker::restored(State::HalfOpen, at(0));
        assert!(!half.is_shut(&RULES, at(1)), "its probe is nobody's");
        assert_eq!(half.room(16), 1);
    }

    #[test]
    fn unreached_endpoints_and_overloaded_ones_fail_and_others_are_there() {
        for error in ["dns", "connect", "tls", "timeout", "reset"] {
            assert!(is_failure(Some(error), None), "{error}");
        }
        for (error, status) in [
            ("status_5xx", 500),
            ("status_5xx", 503),
            ("status_4xx", 429),
        ] {
            assert!(is_failure(Some(error), Some(status)), "{status}");
        }
        let there = [("status_4xx", 404), ("status_4xx", 410), ("redirect", 301)];
        for (error, status) in there {
            assert!(!is_failure(Some(error), Some(status)), "{status}");
        }
        assert!(!is_failure(None, Some(200)));
        assert!(!is_failure(Some("target_not_allowed"), None));
        assert!(!is_failure(Some("invalid_response"), None));
    }
}
