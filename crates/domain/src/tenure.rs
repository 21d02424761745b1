//! Tenure: what a dispatcher knows of its own leases, judged by its own clocks.

use crate::clock::Timestamp;
use crate::shard::{LEASE, RENEW_EVERY};
use std::time::Duration;

/// Added to the time at which a lease runs out, so that it has run out when it is looked at.
const A_MOMENT: Duration = Duration::from_millis(20);

/// When to renew, and whether the leases hold. Time since some beginning is told by a clock that only
/// goes forward, so that no jump of the other clock makes a lease longer.
#[derive(Debug, Clone, Default)]
pub struct Tenure {
    /// When a renewal was last asked for.
    asked_at: Option<Duration>,
    granted: Option<Granted>,
    /// When to ask sooner than usual.
    renew_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Granted {
    asked_at: Duration,
    until: Timestamp,
}

impl Tenure {
    /// Whether it is time to renew.
    pub fn is_due(&self, elapsed: Duration) -> bool {
        let after = self.renew_after.unwrap_or(RENEW_EVERY).min(RENEW_EVERY);
        self.asked_at
            .is_none_or(|asked| elapsed.saturating_sub(asked) >= after)
    }

    /// A renewal is asked for now.
    pub const fn ask(&mut self, elapsed: Duration) {
        self.asked_at = Some(elapsed);
    }

    /// The renewal that was asked for last was granted, until this moment of our own clock.
    /// `again_in` tells when to ask again, if that is sooner than usual.
    pub fn grant(&mut self, until: Timestamp, again_in: Option<Duration>) {
        // The store began to count no earlier than it was asked.
        self.granted = self.asked_at.map(|asked_at| Granted { asked_at, until });
        self.renew_after = again_in.map(|wait| wait.saturating_add(A_MOMENT));
    }

    /// Whether the leases hold at this moment: without them nothing is sent.
    pub fn holds(&self, elapsed: Duration, now: Timestamp) -> bool {
        self.granted.is_some_and(|granted| {
            elapsed.saturating_sub(granted.asked_at) < LEASE && now < granted.until
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn leases_hold_for_their_time_and_no_clock_makes_them_longer() {
        let mut tenure = Tenure::default();
        assert!(tenure.is_due(at(0)) && !tenure.holds(at(0), NOW));
        tenure.ask(at(0));
        tenure.grant(NOW.plus(LEASE), None);
        assert!(tenure.holds(at(7), NOW.plus(at(7))));
        assert!(!tenure.is_due(at(1)) && tenure.is_due(at(2)));
        // Set back by two hours: the other clock knows.
        assert!(!tenure.holds(at(8), NOW.minus(at(7_200))));
        // Set forward: rather none than one too long.
        assert!(!tenure.holds(at(1), NOW.plus(at(7_200))));
    }

    #[test]
    fn a_neighbour_that_is_late_is_looked_after_sooner() {
        let mut tenure = Tenure::default();
        tenure.ask(at(0));
        tenure.grant(NOW.plus(LEASE), Some(Duration::from_millis(500)));
        assert!(!tenure.is_due(Duration::from_millis(510)));
        assert!(tenure.is_due(Duration::from_millis(520)));
    }
}
