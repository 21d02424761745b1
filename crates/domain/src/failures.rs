//! How often a source may fail to show that it is who it says: what is bounded is what trying costs us, and what a
//! short secret would risk.

use crate::clock::Timestamp;
use crate::limit::{Admission, Rate};
use crate::remembered::Remembered;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long what was shown to be right opens from a source that fails too often: others behind the same address
/// go on.
const KNOWN_FOR: Duration = Duration::from_hours(1);
/// The most sources and proofs remembered, of each.
const MOST_REMEMBERED: usize = 100_000;

/// The failures of sources `S`, and the proofs `P` that were right.
#[derive(Debug)]
pub struct Failures<S, P> {
    rate: Rate,
    failed: Mutex<Remembered<S>>,
    known: Mutex<Remembered<P>>,
}

impl<S: Eq + Hash, P: Eq + Hash> Failures<S, P> {
    /// So many each minute are free.
    pub fn new(per_minute: u32) -> Self {
        Self {
            rate: Rate::new(per_minute, Duration::from_mins(1)),
            failed: Mutex::new(Remembered::new(MOST_REMEMBERED)),
            known: Mutex::new(Remembered::new(MOST_REMEMBERED)),
        }
    }

    /// How long a source that failed too often has to wait, unless it shows what was right lately, which is asked
    /// only then.
    pub fn refuse(
        &self,
        source: &S,
        shown: impl FnOnce() -> P,
        now: Timestamp,
    ) -> Option<Duration> {
        let last = lock(&self.failed).until(source);
        let Admission::Refused(wait) = self.rate.admit(last, now) else {
            return None;
        };
        let is_known = lock(&self.known).get(&shown(), now).is_some();
        (!is_known).then_some(wait)
    }

    /// Charges a failure to its source.
    pub fn charge(&self, source: S, now: Timestamp) {
        let mut failed = lock(&self.failed);
        if let Admission::Allowed(next) = self.rate.admit(failed.until(&source), now) {
            failed.note(source, (), next, now);
        }
    }

    /// Notes that a proof was right.
    pub fn know(&self, proof: P, now: Timestamp) {
        lock(&self.known).note(proof, (), now.plus(KNOWN_FOR), now);
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
        let failures = Failures::new(3);
        failures.know("right", NOW);
        for _ in 0..3 {
            assert_eq!(failures.refuse(&9, || "wrong", NOW), None);
            failures.charge(9, NOW);
        }
        assert!(failures.refuse(&9, || "wrong", NOW).is_some());
        assert_eq!(failures.refuse(&9, || "right", NOW), None);
        assert_eq!(failures.refuse(&10, || "wrong", NOW), None);
        let later = NOW.plus(Duration::from_hours(1));
        assert_eq!(failures.refuse(&9, || "wrong", later), None);
        (0..3).for_each(|_| failures.charge(9, later));
        assert!(failures.refuse(&9, || "right", later).is_some());
    }
}
