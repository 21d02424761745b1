//! How long a subscription has had nothing but failures: when its tenant is warned, and when it is disabled.

use crate::clock::Timestamp;
use std::time::Duration;

/// Which parts of the way to being disabled are worth a warning, in percent.
pub const WARN_AT: [u8; 3] = [50, 70, 90];

/// How often a run that goes on is written, at the most: its end matters only where a pause is measured.
const WRITE_EVERY: Duration = Duration::from_mins(1);

/// How a subscription stands: whether it fails now, and what was told of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// The failures since its last success; none where there were none.
    pub run: Option<Run>,
    /// Whether it was told that it fails, and not yet that it recovered.
    pub owes_recovery: bool,
}

/// Failures with no success among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// When the first attempt failed.
    pub since: Timestamp,
    /// When one last failed, to a minute.
    pub until: Timestamp,
    /// The last warning that was told, in percent, or zero. None while only news failed to be told
    /// (see [`crate::news`]): that is nothing to tell of.
    pub told: Option<u8>,
}

/// The end of a run that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// When its first attempt failed; none where the run was forgotten meanwhile.
    pub since: Option<Timestamp>,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// A warning.
    Warn {
        /// How far it is on the way to being disabled.
        percent: u8,
        /// Since when it fails.
        since: Timestamp,
        /// When it is disabled, if it goes on like this.
        disable_at: Timestamp,
    },
    /// It is disabled.
    Disable,
}

impl Standing {
    /// An attempt failed. A run begins with the first failure after a success; one that is interrupted by
    /// a pause of more than `disable_after` begins anew, because what nothing is sent to does not fail.
    /// Each failure brings one warning at the most, so none is left out.
    ///
    /// What fails to be told of a failure (`is_news`) warns of nothing, but the time goes on. Where
    /// `disable_after` is none, nothing follows.
    pub fn fail(
        &mut self,
        at: Timestamp,
        is_news: bool,
        disable_after: Option<Duration>,
    ) -> Option<Follows> {
        let goes_on = |run: &Run| disable_after.is_none_or(|limit| at.since(run.until) <= limit);
        let mut run = self.run.filter(goes_on).unwrap_or(Run {
            since: at,
            until: at,
            told: None,
        });
        run.until = run.until.max(at);
        if !is_news {
            run.told.get_or_insert(0);
        }
        let follows = disable_after.and_then(|limit| run.follows(at, is_news, limit));
        if let Some(Follows::Warn { percent, .. }) = follows {
            run.told = Some(percent);
            self.owes_recovery = true;
        }
        self.run = Some(run);
        follows
    }

    /// An attempt succeeded. What ends with it, where that was told.
    pub fn succeed(&mut self) -> Option<Recovery> {
        let before = std::mem::take(self);
        before.owes_recovery.then(|| Recovery {
            since: before.run.map(|run| run.since),
        })
    }

    /// Whether it is to be written, where `before` is.
    pub fn is_to_be_written_over(&self, before: &Self) -> bool {
        let (Some(now), Some(then)) = (self.run, before.run) else {
            return self != before;
        };
        let is_later = now.until.since(then.until) >= WRITE_EVERY;
        is_later
            || self.owes_recovery != before.owes_recovery
            || (now.since, now.told) != (then.since, then.told)
    }
}

impl Run {
    fn follows(&self, at: Timestamp, is_news: bool, limit: Duration) -> Option<Follows> {
        let passed = |percent: u8| at.since(self.since) >= limit * u32::from(percent) / 100;
        let next = self
            .told
            .and_then(|told| WARN_AT.into_iter().find(|percent| *percent > told));
        match next {
            Some(percent) if !is_news && passed(percent) => Some(Follows::Warn {
                percent,
                since: self.since,
                disable_at: self.since.plus(limit),
            }),
            None if passed(100) => Some(Follows::Disable),
            Some(_) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Option<Duration> = Some(Duration::from_hours(100));
    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn hour(hour: u64) -> Timestamp {
        START.plus(Duration::from_hours(hour))
    }

    /// What follows from failures at these hours.
    fn fail(standing: &mut Standing, hours: impl IntoIterator<Item = u64>) -> Vec<(u64, u8)> {
        let follows = hours.into_iter().filter_map(|at| {
            let percent = match standing.fail(hour(at), false, LIMIT)? {
                Follows::Warn {
                    percent,
                    since,
                    disable_at,
                } => {
                    assert_eq!(disable_at, since.plus(Duration::from_hours(100)));
                    percent
                }
                Follows::Disable => 100,
            };
            Some((at, percent))
        });
        follows.collect()
    }

    #[test]
    fn three_warnings_are_told_on_the_way_and_then_it_is_disabled() {
        let told = fail(&mut Standing::default(), 0..=100);
        assert_eq!(told, [(50, 50), (70, 70), (90, 90), (100, 100)]);
    }

    #[test]
    fn no_warning_is_left_out_however_far_apart_failures_are() {
        let told = fail(&mut Standing::default(), [0, 100, 101, 102, 103]);
        assert_eq!(told, [(100, 50), (101, 70), (102, 90), (103, 100)]);
    }

    #[test]
    fn a_success_begins_everything_anew_and_is_told_where_a_warning_was() {
        let mut standing = Standing::default();
        assert_eq!(fail(&mut standing, 0..50), []);
        assert_eq!(standing.succeed(), None);
        assert_eq!(fail(&mut standing, 50..=100), [(100, 50)]);
        let since = Some(hour(50));
        assert_eq!(standing.succeed(), Some(Recovery { since }));
        assert_eq!(standing, Standing::default());
        assert_eq!(standing.succeed(), None);
    }

    #[test]
    fn what_nothing_is_sent_to_does_not_fail() {
        let mut standing = Standing::default();
        assert_eq!(fail(&mut standing, [0, 50, 151]), [(50, 50)]);
        assert_eq!(standing.run.map(|run| run.since), Some(hour(151)));
        assert!(standing.owes_recovery);
    }

    #[test]
    fn what_fails_to_be_told_of_failures_warns_of_nothing_and_is_disabled_in_its_time() {
        let mut standing = Standing::default();
        for at in 0..100 {
            assert_eq!(standing.fail(hour(at), true, LIMIT), None);
        }
        assert_eq!(
            standing.fail(hour(100), true, LIMIT),
            Some(Follows::Disable)
        );
        let mut mixed = Standing::default();
        fail(&mut mixed, [0]);
        assert_eq!(mixed.fail(hour(60), true, LIMIT), None);
        assert_eq!(fail(&mut mixed, [61]), [(61, 50)]);
    }

    #[test]
    fn without_a_limit_nothing_follows() {
        let mut standing = Standing::default();
        for at in [0, 1_000, 9_000] {
            assert_eq!(standing.fail(hour(at), false, None), None);
        }
        assert_eq!(standing.run.map(|run| run.since), Some(START));
    }

    #[test]
    fn a_run_that_goes_on_is_written_once_a_minute() {
        let mut standing = Standing::default();
        standing.fail(START, false, LIMIT);
        assert!(standing.is_to_be_written_over(&Standing::default()));
        let before = standing;
        standing.fail(START.plus(Duration::from_secs(59)), false, LIMIT);
        assert!(!standing.is_to_be_written_over(&before));
        standing.fail(START.plus(Duration::from_mins(1)), false, LIMIT);
        assert!(standing.is_to_be_written_over(&before));
        assert!(Standing::default().is_to_be_written_over(&before));
    }
}
