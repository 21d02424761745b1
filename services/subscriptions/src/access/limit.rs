//! How often a source may show a wrong secret. A key of 256 bits is not found by trying; what is bounded is
//! what trying costs us, and what a short admin key would risk.

use domain::limit::{Admission, Rate};
use domain::{Remembered, Timestamp};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a secret that opened something may be shown from a source that failed too often: others behind
/// the same address go on.
const KNOWN_FOR: Duration = Duration::from_hours(1);
/// The most sources and secrets remembered, of each.
const MOST_REMEMBERED: usize = 100_000;

/// The failures of sources.
pub(super) struct Limits {
    rate: Rate,
    failed: Mutex<Remembered<IpAddr>>,
    known: Mutex<Remembered<[u8; 32]>>,
}

impl Limits {
    pub(super) fn new(failures_per_minute: u32) -> Self {
        Self {
            rate: Rate::new(failures_per_minute, Duration::from_mins(1)),
            failed: Mutex::new(Remembered::new(MOST_REMEMBERED)),
            known: Mutex::new(Remembered::new(MOST_REMEMBERED)),
        }
    }

    /// How long a source that failed too often has to wait, unless it shows what opened something lately.
    pub(super) fn refuse(
        &self,
        source: IpAddr,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Option<Duration> {
        let last = lock(&self.failed).until(&source);
        let Admission::Refused(wait) = self.rate.admit(last, now) else {
            return None;
        };
        let is_known = lock(&self.known).get(hash, now).is_some();
        (!is_known).then_some(wait)
    }

    /// Charges a failure to its source.
    pub(super) fn charge(&self, source: IpAddr, now: Timestamp) {
        let mut failed = lock(&self.failed);
        if let Admission::Allowed(next) = self.rate.admit(failed.until(&source), now) {
            failed.note(source, (), next, now);
        }
    }

    /// Notes that a secret opened something.
    pub(super) fn know(&self, hash: [u8; 32], now: Timestamp) {
        lock(&self.known).note(hash, (), now.plus(KNOWN_FOR), now);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[test]
    fn a_source_that_keeps_failing_is_refused_but_for_what_is_known_to_be_right() {
        let limits = Limits::new(3);
        let source: IpAddr = "203.0.113.9".parse().unwrap();
        let other: IpAddr = "203.0.113.10".parse().unwrap();
        limits.know([1; 32], NOW);
        for _ in 0..3 {
            assert_eq!(limits.refuse(source, &[2; 32], NOW), None);
            limits.charge(source, NOW);
        }
        assert!(limits.refuse(source, &[2; 32], NOW).is_some());
        assert_eq!(limits.refuse(source, &[1; 32], NOW), None);
        assert_eq!(limits.refuse(other, &[2; 32], NOW), None);
        let later = NOW.plus(Duration::from_hours(1));
        assert_eq!(limits.refuse(source, &[2; 32], later), None);
        (0..3).for_each(|_| limits.charge(source, later));
        assert!(limits.refuse(source, &[1; 32], later).is_some());
    }
}
