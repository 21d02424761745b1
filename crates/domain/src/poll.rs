//! When a provider is asked about a message of which nothing was heard, and what becomes of one of which
//! nothing ever is.

use crate::clock::Timestamp;
use crate::state::State;
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;

/// The word of a report that says that no report came.
pub const SILENCE: &str = "silence";
/// Its reason.
pub const SILENCE_REASON: &str = "no report came";
/// The first wait where nobody says another.
pub const USUAL_DELAY: Duration = Duration::from_mins(5);
/// The least and the most after which an account may give a message up.
pub const SILENCE_AFTER: std::ops::RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(24 * 30);

/// How long a lease on an account holds: longer than one request may take.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often it is renewed.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);

/// By how much of itself a wait is stretched at the most. Never shortened: what is due together is spread.
const STRETCH: f64 = 0.1;

/// Whether and when somebody is asked about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When; none when nobody is asked any more.
    pub at: Option<Timestamp>,
    /// How many polls of the schedule were answered. Only they count: while a provider cannot be asked,
    /// its messages do not age.
    pub polls: u32,
    /// What the schedule counts from: the registration of the send attempt.
    pub from: Timestamp,
    /// The first wait. The next are twice as long each.
    pub delay: Duration,
}

/// What is to be done about a new message, or about a new attempt to send one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    delay: Duration,
    silent_after: Option<Duration>,
}

/// What follows an answered poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another one.
    At {
        /// When.
        at: Timestamp,
        /// How many polls of the schedule are answered then.
        polls: u32,
    },
    /// It was the last.
    Over {
        /// How many there were.
        polls: u32,
    },
}

impl Plan {
    /// The provider is asked, after this for the first time.
    pub const fn ask(delay: Duration) -> Self {
        Self {
            delay,
            silent_after: None,
        }
    }

    /// Nobody can be asked; after `silent_after` the message is given up. `delay` is kept for the day on which
    /// somebody can.
    pub const fn wait(delay: Duration, silent_after: Duration) -> Self {
        Self {
            delay,
            silent_after: Some(silent_after),
        }
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self::ask(USUAL_DELAY)
    }
}

impl Due {
    /// Nobody is asked.
    pub const fn never(from: Timestamp) -> Self {
        Self {
            at: None,
            polls: 0,
            from,
            delay: USUAL_DELAY,
        }
    }

    /// From the registration of a send attempt on. `jitter` in `0.0..1.0`.
    pub fn begin(plan: Plan, now: Timestamp, jitter: f64) -> Self {
        let wait = plan
            .silent_after
            .unwrap_or_else(|| stretched(plan.delay, jitter));
        Self {
            at: Some(now.plus(wait)),
            polls: 0,
            from: now,
            delay: plan.delay,
        }
    }

    /// What follows a poll that was answered now. The schedule is the first wait after [`Due::from`], twice
    /// that, four times, and at last `max_age` exactly. A poll before its time, which somebody asked for, does
    /// not count. What is behind its schedule catches up, with the first wait between two polls.
    pub fn answered(&self, now: Timestamp, max_age: Duration, jitter: f64) -> Next {
        let offset = self.offset(self.polls, max_age);
        let scheduled = self.from.plus(offset);
        if now < scheduled {
            return Next::At {
                at: scheduled,
                polls: self.polls,
            };
        }
        let polls = self.polls.saturating_add(1);
        if offset >= max_age {
            return Next::Over { polls };
        }
        let offset = self.offset(polls, max_age);
        let scheduled = self.from.plus(offset).max(now.plus(self.delay));
        let spread = if offset >= max_age {
            Duration::ZERO
        } else {
            stretched(scheduled.since(now), jitter).saturating_sub(scheduled.since(now))
        };
        Next::At {
            at: scheduled.plus(spread),
            polls,
        }
    }

    /// When the first poll is, where this wait is known to be the better one: longer than the one that
    /// the message was registered with. None where the first poll was answered already, or where a
    /// person wants an earlier one.
    pub fn postponed(&self, wait: Duration) -> Option<Timestamp> {
        let is_wished = self.at.is_none_or(|at| at < self.from.plus(self.delay));
        let is_first = self.polls == 0 && !is_wished;
        let better = self.from.plus(wait);
        (is_first && self.at.is_some_and(|at| at < better)).then_some(better)
    }

    /// When to try again what was not answered. It does not count.
    pub fn unanswered(&self, now: Timestamp, jitter: f64) -> Timestamp {
        now.plus(stretched(self.delay, jitter))
    }

    fn offset(&self, polls: u32, max_age: Duration) -> Duration {
        let doubled = 2u32
            .checked_pow(polls)
            .and_then(|factor| self.delay.checked_mul(factor));
        // A wait of nothing would never end.
        doubled.map_or(max_age, |offset| {
            offset.max(Duration::from_millis(1)).min(max_age)
        })
    }
}

fn stretched(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(STRETCH.mul_add(jitter.clamp(0.0, 1.0), 1.0))
}

/// How long after a message was sent its provider is asked for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstPoll {
    usual: Duration,
    floor: Duration,
    ceiling: Duration,
    learned: BTreeMap<(String, Option<String>), Duration>,
}

impl FirstPoll {
    /// Where nothing is learned, `usual`; whatever is learned, not under `floor` and not over `ceiling`.
    pub const fn new(usual: Duration, floor: Duration, ceiling: Duration) -> Self {
        Self {
            usual,
            floor,
            ceiling,
            learned: BTreeMap::new(),
        }
    }

    /// The same with what was learned of providers, and of their networks.
    #[must_use]
    pub fn with(
        mut self,
        learned: impl IntoIterator<Item = (String, Option<String>, Duration)>,
    ) -> Self {
        self.learned = learned
            .into_iter()
            .map(|(provider, network, delay)| ((provider, network), delay))
            .collect();
        self
    }

    /// The wait for messages to a network, where it was learned for just that one.
    pub fn of_network(&self, provider: &str, network: &str) -> Option<Duration> {
        let key = (provider.to_owned(), Some(network.to_owned()));
        self.learned.get(&key).map(|delay| self.bounded(*delay))
    }

    /// The wait for a message to a network, as far as that is known.
    pub fn delay(&self, provider: &str, network: Option<&str>) -> Duration {
        let of = |network: Option<&str>| {
            let key = (provider.to_owned(), network.map(str::to_owned));
            self.learned.get(&key).copied()
        };
        let learned = network
            .and_then(|network| of(Some(network)))
            .or_else(|| of(None));
        self.bounded(learned.unwrap_or(self.usual))
    }

    fn bounded(&self, delay: Duration) -> Duration {
        delay.clamp(self.floor, self.ceiling.max(self.floor))
    }
}

/// What becomes of an account's messages of which nothing is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// `unknown` or `expired`.
    pub state: State,
    /// After how long; none is `poller.max_age`.
    pub after: Option<Duration>,
}

impl Silence {
    /// The states that it may have.
    pub const STATES: [State; 2] = [State::Unknown, State::Expired];
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            state: State::Unknown,
            after: None,
        }
    }
}

/// What came of asking about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(as = PollOutcome, rename_all = "lowercase")]
pub enum Outcome {
    /// The provider said something new.
    Reported,
    /// It said what was known.
    Unchanged,
    /// It said nothing of this message.
    Nothing,
    /// It could not be reached, or could not answer.
    Unavailable,
    /// Its answer cannot be read.
    Unreadable,
    /// It refused the credentials.
    Refused,
    /// It asked us to slow down.
    Slowed,
    /// Nobody was asked: no report came, and the message was given up.
    Silence,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Reported,
        Self::Unchanged,
        Self::Nothing,
        Self::Unavailable,
        Self::Unreadable,
        Self::Refused,
        Self::Slowed,
        Self::Silence,
    ];

    /// Its name in the API and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Unchanged => "unchanged",
            Self::Nothing => "nothing",
            Self::Unavailable => "unavailable",
            Self::Unreadable => "unreadable",
            Self::Refused => "refused",
            Self::Slowed => "slowed",
            Self::Silence => "silence",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_slower_network_postpones_the_first_poll_and_no_other_nor_one_that_is_wished_for() {
        let due = Due::begin(Plan::ask(Duration::from_mins(5)), FROM, 0.0);
        let slow = Duration::from_mins(20);
        assert_eq!(due.postponed(slow), Some(FROM.plus(slow)));
        assert_eq!(due.postponed(Duration::from_mins(5)), None);
        assert_eq!(due.postponed(Duration::from_mins(1)), None);
        assert_eq!(Due { polls: 1, ..due }.postponed(slow), None);
        let wished = Due {
            at: Some(at(10)),
            ..due
        };
        assert_eq!(wished.postponed(slow), None);
        // It is due by the better wait then, and not put off again.
        let later = Due {
            at: due.postponed(slow),
            ..due
        };
        assert_eq!(later.postponed(slow), None);
    }

    #[test]
    fn what_was_learned_of_one_network_is_known_of_that_one_only() {
        let bounds = (Duration::from_secs(30), Duration::from_hours(1));
        let learned = [
            ("stub".to_owned(), None, Duration::from_secs(40)),
            (
                "stub".to_owned(),
                Some("64501".to_owned()),
                Duration::from_hours(9),
            ),
        ];
        let waits = FirstPoll::new(Duration::from_mins(5), bounds.0, bounds.1).with(learned);
        assert_eq!(waits.of_network("stub", "64501"), Some(bounds.1));
        assert_eq!(waits.of_network("stub", "64502"), None);
        assert_eq!(waits.of_network("mtn", "64501"), None);
        assert_eq!(waits.delay("stub", None), Duration::from_secs(40));
    }

    const FROM: Timestamp = Timestamp::from_millis(1_000_000);
    const DAY: Duration = Duration::from_hours(24);

    fn at(seconds: u64) -> Timestamp {
        FROM.plus(Duration::from_secs(seconds))
    }

    /// The moments at which a message is asked about that is always asked at once, and always answered.
    fn moments(mut due: Due, max_age: Duration, jitter: f64) -> Vec<Duration> {
        let mut moments = Vec::new();
        while let Some(now) = due.at {
            moments.push(now.since(due.from));
            due.at = match due.answered(now, max_age, jitter) {
                Next::At { at, polls } => {
                    due.polls = polls;
                    Some(at)
                }
                Next::Over { .. } => None,
            };
        }
        moments
    }

    #[test]
    fn the_waits_double_and_the_last_poll_is_at_the_greatest_age_exactly() {
        let due = Due::begin(Plan::ask(Duration::from_mins(5)), FROM, 0.0);
        let seconds: Vec<u64> = moments(due, DAY, 0.0)
            .iter()
            .map(Duration::as_secs)
            .collect();
        assert_eq!(
            seconds,
            [
                300, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 76_800, 86_400
            ]
        );
        let stretched = moments(Due::begin(Plan::default(), FROM, 1.0), DAY, 1.0);
        assert_eq!(stretched.last(), Some(&DAY));
        assert_eq!(stretched.first(), Some(&Duration::from_secs(330)));
    }

    #[test]
    fn what_nobody_can_be_asked_about_is_due_once() {
        let plan = Plan::wait(Duration::from_mins(5), Duration::from_hours(2));
        assert_eq!(Due::begin(plan, FROM, 0.9).at, Some(at(7_200)));
    }

    #[test]
    fn a_poll_before_its_time_does_not_count() {
        let due = Due::begin(Plan::default(), FROM, 0.5);
        let again = Next::At {
            at: at(300),
            polls: 0,
        };
        assert_eq!(due.answered(at(10), DAY, 0.5), again);
    }

    #[test]
    fn after_an_outage_a_message_is_as_young_as_before_and_is_asked_about_no_faster() {
        let due = Due {
            polls: 1,
            ..Due::begin(Plan::default(), FROM, 0.0)
        };
        let late = at(200_000);
        let next = due.answered(late, DAY, 0.0);
        let soon = Next::At {
            at: late.plus(USUAL_DELAY),
            polls: 2,
        };
        assert_eq!(next, soon);
        assert_eq!(due.unanswered(late, 0.0), late.plus(USUAL_DELAY));
    }

    #[test]
    fn the_first_wait_is_that_of_the_network_then_of_the_provider_within_bounds() {
        let seconds = Duration::from_secs;
        let first = FirstPoll::new(seconds(300), seconds(30), seconds(3_600)).with([
            ("orange".to_owned(), None, seconds(90)),
            ("orange".to_owned(), Some("61002".to_owned()), seconds(2)),
            ("mtn".to_owned(), None, seconds(90_000)),
        ]);
        assert_eq!(first.delay("stub", None), seconds(300));
        assert_eq!(first.delay("orange", Some("61003")), seconds(90));
        assert_eq!(first.delay("orange", Some("61002")), seconds(30));
        assert_eq!(first.delay("mtn", None), seconds(3_600));
    }

    proptest! {
        #[test]
        fn a_message_that_is_answered_comes_to_its_end_and_never_before_its_time(
            delay in 1u64..100_000,
            age in 60u64..3_000_000,
            jitter in 0.0f64..1.0,
        ) {
            let max_age = Duration::from_secs(age);
            let delay = Duration::from_secs(delay).min(max_age);
            let moments = moments(Due::begin(Plan::ask(delay), FROM, jitter), max_age, jitter);
            prop_assert!(moments.len() <= 64, "{moments:?}");
            prop_assert!(moments.is_sorted());
            prop_assert!(moments.last() >= Some(&max_age));
            prop_assert!(moments.first() >= Some(&delay));
        }
    }
}
