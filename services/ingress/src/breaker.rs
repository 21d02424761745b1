//! A breaker before something we depend on: what is known to be away costs nobody a timeout.

use domain::Timestamp;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long what failed is left alone before one more tries it.
const OPEN_FOR: Duration = Duration::from_secs(1);

/// Closed while it works. After a failure it is open for a second; then one caller tries, and the others
/// do not wait for it.
#[derive(Default)]
pub(crate) struct Breaker {
    open_until: Mutex<Option<Timestamp>>,
}

impl Breaker {
    /// Whether this caller may try.
    pub(crate) fn lets_pass(&self, now: Timestamp) -> bool {
        let mut open_until = self.lock();
        match *open_until {
            None => true,
            Some(until) if until > now => false,
            Some(_) => {
                *open_until = Some(now.plus(OPEN_FOR));
                true
            }
        }
    }

    /// It worked.
    pub(crate) fn close(&self) {
        *self.lock() = None;
    }

    /// It failed.
    pub(crate) fn open(&self, now: Timestamp) {
        *self.lock() = Some(now.plus(OPEN_FOR));
    }

    fn lock(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.open_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_one_caller_a_second_tries_until_it_works() {
        let at = Timestamp::from_millis;
        let breaker = Breaker::default();
        assert!(breaker.lets_pass(at(0)));
        breaker.open(at(0));
        assert!(!breaker.lets_pass(at(999)));
        assert!(breaker.lets_pass(at(1_000)));
        assert!(!breaker.lets_pass(at(1_001)), "one tries already");
        breaker.close();
        assert!(breaker.lets_pass(at(1_002)));
    }
}
