//! What looks suspicious: counted within a window, and told once for each source and account of it.

use crate::limit::Source;
use config::AlertThresholds;
use domain::Timestamp;
use domain::account::Slug;
use domain::security::{Reason, Signal, Suspicion};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// How many sources and accounts are watched in a window. More are no news: the first have raised it.
const MOST_WATCHED: usize = 10_000;

/// How many suspicions wait to be sent on. More are no news either.
const MOST_RAISED: usize = 1_000;

/// Who is watched.
#[derive(Default)]
pub(crate) struct Suspects {
    thresholds: Option<AlertThresholds>,
    /// Which window is counted.
    window: i64,
    sources: HashMap<Source, Failures>,
    accounts: HashMap<Slug, Failures>,
    raised: Vec<Suspicion>,
}

#[derive(Default)]
struct Failures {
    count: u32,
    stale: u32,
    accounts: HashSet<Slug>,
}

impl Suspects {
    pub(crate) fn new(thresholds: AlertThresholds) -> Self {
        Self {
            thresholds: Some(thresholds),
            ..Self::default()
        }
    }

    /// Counts a refusal.
    pub(crate) fn note(&mut self, reason: Reason, source: Source, slug: &Slug, at: Timestamp) {
        let Some(thresholds) = self.thresholds.filter(|_| reason.is_failure()) else {
            return;
        };
        self.turn(at, thresholds.window);
        let raised = |signal, slug: Option<&Slug>, source: Option<Source>, count| Suspicion {
            signal,
            provider_account: slug.map(Slug::to_string),
            source_ip: source.map(Source::address),
            count,
            window_seconds: thresholds.window.as_secs(),
            at,
        };
        if self.raised.len() >= MOST_RAISED {
            return;
        }
        if let Some(of_source) = watched(&mut self.sources, &source) {
            of_source.count += 1;
            if reached(of_source.count, thresholds.failures_per_source) {
                let signal = Signal::FailuresOfSource;
                self.raised
                    .push(raised(signal, None, Some(source), of_source.count));
            }
            let most = thresholds.accounts_per_source;
            let accounts = &mut of_source.accounts;
            if most.is_some_and(|most| accounts.len() < size(most))
                && accounts.insert(slug.clone())
                && most.is_some_and(|most| accounts.len() == size(most))
            {
                let count = most.unwrap_or_default();
                let signal = Signal::AccountsOfSource;
                self.raised.push(raised(signal, None, Some(source), count));
            }
        }
        if let Some(of_account) = watched(&mut self.accounts, slug) {
            of_account.count += 1;
            if reached(of_account.count, thresholds.failures_per_account) {
                let signal = Signal::FailuresOfAccount;
                self.raised
                    .push(raised(signal, Some(slug), None, of_account.count));
            }
            of_account.stale += u32::from(reason == Reason::StaleTimestamp);
            if reason == Reason::StaleTimestamp
                && reached(of_account.stale, thresholds.stale_per_account)
            {
                let signal = Signal::SkewedClock;
                self.raised
                    .push(raised(signal, Some(slug), None, of_account.stale));
            }
        }
    }

    /// What was raised since the last time.
    pub(crate) fn take(&mut self, now: Timestamp) -> Vec<Suspicion> {
        if let Some(thresholds) = self.thresholds {
            self.turn(now, thresholds.window);
        }
        std::mem::take(&mut self.raised)
    }

    /// Begins anew when a window is over.
    fn turn(&mut self, now: Timestamp, length: Duration) {
        let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        let window = now.as_millis().div_euclid(length.max(1));
        if window != self.window {
            self.window = window;
            self.sources.clear();
            self.accounts.clear();
        }
    }
}

/// The entry of a key, as long as there are not too many.
fn watched<'a, K: Clone + Eq + std::hash::Hash>(
    map: &'a mut HashMap<K, Failures>,
    key: &K,
) -> Option<&'a mut Failures> {
    if map.len() >= MOST_WATCHED && !map.contains_key(key) {
        return None;
    }
    Some(map.entry(key.clone()).or_default())
}

/// Exactly then, so that it is raised once in a window.
fn reached(count: u32, threshold: Option<u32>) -> bool {
    threshold == Some(count)
}

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspects() -> Suspects {
        Suspects::new(AlertThresholds {
            window: Duration::from_mins(5),
            failures_per_source: Some(3),
            failures_per_account: Some(4),
            accounts_per_source: Some(2),
            stale_per_account: Some(2),
            new_source: true,
        })
    }

    fn note(suspects: &mut Suspects, reason: Reason, source: [u8; 4], slug: &str, at: i64) {
        let source = Source::from(std::net::IpAddr::from(source));
        let at = Timestamp::from_millis(at);
        suspects.note(reason, source, &slug.parse().unwrap(), at);
    }

    fn signals(suspects: &mut Suspects, at: i64) -> Vec<Signal> {
        let raised = suspects.take(Timestamp::from_millis(at));
        raised.iter().map(|suspicion| suspicion.signal).collect()
    }

    #[test]
    fn each_threshold_raises_its_signal_once_in_a_window() {
        let mut suspects = suspects();
        for _ in 0..10 {
            note(
                &mut suspects,
                Reason::InvalidToken,
                [203, 0, 113, 1],
                "a",
                0,
            );
        }
        let expected = [Signal::FailuresOfSource, Signal::FailuresOfAccount];
        assert_eq!(signals(&mut suspects, 0), expected);
        note(
            &mut suspects,
            Reason::UnknownAccount,
            [203, 0, 113, 1],
            "b",
            0,
        );
        assert_eq!(signals(&mut suspects, 0), [Signal::AccountsOfSource]);
        for source in 1..=3 {
            note(
                &mut suspects,
                Reason::StaleTimestamp,
                [198, 51, 100, source],
                "c",
                0,
            );
        }
        assert_eq!(signals(&mut suspects, 0), [Signal::SkewedClock]);
    }

    #[test]
    fn another_window_counts_anew_and_what_is_no_failure_does_not_count() {
        let mut suspects = suspects();
        for at in [0, 1, 300_000, 300_001] {
            note(
                &mut suspects,
                Reason::InvalidToken,
                [203, 0, 113, 1],
                "a",
                at,
            );
        }
        for _ in 0..9 {
            note(
                &mut suspects,
                Reason::Unrecognised,
                [203, 0, 113, 1],
                "a",
                300_001,
            );
        }
        assert_eq!(signals(&mut suspects, 300_002), []);
    }
}
