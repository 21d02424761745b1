//! Limits of the door: failures are charged to their source, authenticated requests to their
//! account.

use domain::account::Slug;
use domain::id::AccountId;
use domain::limit::{Admission, Rate};
use domain::{Failures, Remembered, Timestamp};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The most accounts remembered.
const MOST_REMEMBERED: usize = 100_000;

/// The limits, and what they remember.
pub(crate) struct Limits {
    /// That a source belongs to an account is shown by having authenticated to it.
    failures: Failures<Source, (Source, Slug)>,
    accounts: Option<Rate>,
    called: Mutex<Remembered<AccountId>>,
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
            failures: Failures::new(config.failures_per_minute),
            accounts: config
                .account_per_second
                .map(|limit| Rate::new(limit, Duration::from_secs(1))),
            called: Mutex::new(Remembered::new(MOST_REMEMBERED)),
        }
    }

    /// How long a source that failed too often has to wait, unless it has shown lately that it
    /// belongs to the account.
    pub(crate) fn refuse(&self, source: Source, slug: &Slug, now: Timestamp) -> Option<Duration> {
        let shown = || (source, slug.clone());
        self.failures.refuse(&source, shown, now)
    }

    /// Charges a failure to its source.
    pub(crate) fn charge(&self, source: Source, now: Timestamp) {
        self.failures.charge(source, now);
    }

    /// Notes that a source authenticated to an account.
    pub(crate) fn know(&self, source: Source, slug: &Slug, now: Timestamp) {
        self.failures.know((source, slug.clone()), now);
    }

    /// How long an account that calls too often has to wait.
    pub(crate) fn shed(&self, account: AccountId, now: Timestamp) -> Option<Duration> {
        let rate = self.accounts?;
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        match rate.admit(called.until(&account), now) {
            Admission::Refused(wait) => Some(wait),
            Admission::Allowed(next) => {
                called.note(account, (), next, now);
                None
            }
        }
    }
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
