//! Limits of the door: failures are charged to their source, authenticated requests to their
//! account.

use domain::account::Slug;
use domain::id::AccountId;
use domain::limit::{Admission, Rate};
use domain::{Remembered, Timestamp};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a source may fail freely towards an account it authenticated to.
const KNOWN_FOR: Duration = Duration::from_hours(1);
/// The most sources, accounts and pairs remembered, of each.
const MOST_REMEMBERED: usize = 100_000;

/// The limits, and what they remember.
pub(crate) struct Limits {
    failures: Rate,
    accounts: Option<Rate>,
    failed: Mutex<Remembered<Source>>,
    called: Mutex<Remembered<AccountId>>,
    known: Mutex<Remembered<(Source, Slug)>>,
}

/// A caller, as limits see it: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self(runtime::http::source(address))
    }
}

impl Source {
    /// The address it is told by.
    pub(crate) const fn address(self) -> IpAddr {
        self.0
    }
}

impl Limits {
    pub(crate) fn new(config: &config::RateLimit) -> Self {
        Self {
            failures: Rate::new(config.failures_per_minute, Duration::from_mins(1)),
            accounts: config
                .account_per_second
                .map(|limit| Rate::new(limit, Duration::from_secs(1))),
            failed: Mutex::new(Remembered::new(MOST_REMEMBERED)),
            called: Mutex::new(Remembered::new(MOST_REMEMBERED)),
            known: Mutex::new(Remembered::new(MOST_REMEMBERED)),
        }
    }

    /// How long a source that failed too often has to wait, unless it has shown lately that it
    /// belongs to the account.
    pub(crate) fn refuse(&self, source: Source, slug: &Slug, now: Timestamp) -> Option<Duration> {
        let last = lock(&self.failed).until(&source);
        let Admission::Refused(wait) = self.failures.admit(last, now) else {
            return None;
        };
        let is_known = lock(&self.known)
            .get(&(source, slug.clone()), now)
            .is_some();
        (!is_known).then_some(wait)
    }

    /// Charges a failure to its source.
    pub(crate) fn charge(&self, source: Source, now: Timestamp) {
        let mut failed = lock(&self.failed);
        if let Admission::Allowed(next) = self.failures.admit(failed.until(&source), now) {
            failed.note(source, (), next, now);
        }
    }

    /// Notes that a source authenticated to an account.
    pub(crate) fn know(&self, source: Source, slug: &Slug, now: Timestamp) {
        lock(&self.known).note((source, slug.clone()), (), now.plus(KNOWN_FOR), now);
    }

    /// How long an account that calls too often has to wait.
    pub(crate) fn shed(&self, account: AccountId, now: Timestamp) -> Option<Duration> {
        let rate = self.accounts?;
        let mut called = lock(&self.called);
        match rate.admit(called.until(&account), now) {
            Admission::Refused(wait) => Some(wait),
            Admission::Allowed(next) => {
                called.note(account, (), next, now);
                None
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn limits() -> Limits {
        Limits::new(&config::RateLimit {
            failures_per_minute: 3,
            account_per_second: Some(2),
        })
    }

    #[test]
    fn a_source_that_keeps_failing_is_refused_except_where_it_is_known() {
        let (limits, slug) = (limits(), "clinic".parse::<Slug>().unwrap());
        let source = Source::from("203.0.113.9".parse::<IpAddr>().unwrap());
        limits.know(source, &slug, NOW);
        for _ in 0..3 {
            assert_eq!(limits.refuse(source, &"other".parse().unwrap(), NOW), None);
            limits.charge(source, NOW);
        }
        assert!(
            limits
                .refuse(source, &"other".parse().unwrap(), NOW)
                .is_some()
        );
        assert_eq!(limits.refuse(source, &slug, NOW), None);
        let later = NOW.plus(Duration::from_hours(1));
        (0..3).for_each(|_| limits.charge(source, later));
        assert!(limits.refuse(source, &slug, later).is_some());
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one_source() {
        let of = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:203.0.113.9"), of("203.0.113.9"));
        assert_ne!(of("203.0.113.9"), of("203.0.113.8"));
    }

    #[test]
    fn an_account_that_calls_too_often_is_asked_to_come_again() {
        let limits = limits();
        let account = AccountId::new(NOW, &domain::Random::seeded(1));
        assert_eq!(limits.shed(account, NOW), None);
        assert_eq!(limits.shed(account, NOW), None);
        assert!(limits.shed(account, NOW).is_some());
        assert_eq!(limits.shed(account, NOW.plus(Duration::from_secs(1))), None);
    }
}
