//! What was accepted beside what arrived, id by id.

use crate::latencies::Latencies;
use crate::load::{Accepted, Load};
use crate::receiver::{Arrival, Endpoint};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How often it is looked whether everything has arrived.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the last ones are waited for once the number of arrivals is right: an attempt that was
/// repeated makes up for nothing.
const LAST_ONES: Duration = Duration::from_millis(500);

/// How many of the lost are kept as evidence.
const MOST_MISSING: usize = 10_000;

/// Where everything went.
#[derive(Debug, Default)]
pub struct Tally {
    /// What was accepted.
    pub accepted: usize,
    /// How many endpoints are owed it.
    pub endpoints: usize,
    /// What arrived of it, counted once for each endpoint.
    pub told: usize,
    /// Arrivals beyond the first one at an endpoint.
    pub told_twice: usize,
    /// What was accepted and did not arrive in time, counted for each endpoint.
    pub lost: usize,
    /// Some of what is lost.
    pub missing: Vec<Missing>,
    /// Arrivals of what was never answered with 2xx.
    pub unasked: usize,
    /// From when each request was due to its first arrival.
    pub latencies: Latencies,
    /// When the last first arrival was.
    pub last: Option<Instant>,
}

/// Something that did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// At which endpoint, from 1.
    pub endpoint: usize,
    pub key: u128,
    /// When its request was due.
    pub due: Instant,
}

/// Waits until everything that was accepted has arrived at every endpoint, or the time is over.
pub async fn settle(load: &Load, endpoints: &[Endpoint], patience: Duration) -> Tally {
    let deadline = Instant::now() + patience;
    let is_short = |endpoint: &Endpoint| endpoint.count() < load.accepted.len();
    loop {
        while endpoints.iter().any(is_short) && Instant::now() < deadline {
            sleep(PAUSE).await;
        }
        let tally = count(&load.accepted, endpoints.iter().map(Endpoint::arrivals));
        if tally.lost == 0 || Instant::now() >= deadline {
            return tally;
        }
        sleep(LAST_ONES).await;
    }
}

/// Matches what was accepted with what arrived at each endpoint.
fn count(accepted: &[Accepted], endpoints: impl Iterator<Item = Vec<Arrival>>) -> Tally {
    let mut accepted = accepted.to_vec();
    accepted.sort_unstable_by_key(|accepted| accepted.key);
    let mut tally = Tally {
        accepted: accepted.len(),
        ..Tally::default()
    };
    for mut arrivals in endpoints {
        tally.endpoints += 1;
        arrivals.sort_unstable();
        tally.add(&accepted, &arrivals);
    }
    tally
}

impl Tally {
    /// Both are in the order of their keys.
    fn add(&mut self, accepted: &[Accepted], arrivals: &[Arrival]) {
        let mut rest = arrivals;
        for accepted in accepted {
            let before = rest.partition_point(|arrival| arrival.key < accepted.key);
            let of_it = rest[before..].partition_point(|arrival| arrival.key == accepted.key);
            self.unasked += before;
            match rest[before..].first().filter(|_| of_it > 0) {
                Some(first) => self.arrived(accepted, first, of_it),
                None => self.miss(accepted),
            }
            rest = &rest[before + of_it..];
        }
        self.unasked += rest.len();
    }

    fn miss(&mut self, accepted: &Accepted) {
        self.lost += 1;
        if self.missing.len() < MOST_MISSING {
            self.missing.push(Missing {
                endpoint: self.endpoints,
                key: accepted.key,
                due: accepted.due,
            });
        }
    }

    fn arrived(&mut self, accepted: &Accepted, first: &Arrival, times: usize) {
        self.told += 1;
        self.told_twice += times - 1;
        self.latencies
            .push(first.at.saturating_duration_since(accepted.due));
        self.last = self.last.max(Some(first.at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_accounted_for_at_every_endpoint() {
        let due = Instant::now();
        let accepted: Vec<_> = [3, 1, 2].map(|key| Accepted { key, due }).to_vec();
        let arrivals = |keys: &[u128]| {
            let arrive = |(place, &key): (usize, &u128)| Arrival {
                key,
                at: due + Duration::from_millis(u64::try_from(place).unwrap() + 1),
            };
            keys.iter().enumerate().map(arrive).collect::<Vec<_>>()
        };

        let endpoints = [arrivals(&[2, 1, 9, 2, 3]), arrivals(&[0, 1, 3])];
        let tally = count(&accepted, endpoints.into_iter());

        assert_eq!(tally.accepted, 3);
        assert_eq!(tally.told, 5);
        assert_eq!(tally.told_twice, 1);
        assert_eq!(tally.lost, 1);
        assert_eq!(tally.unasked, 2);
        let (endpoint, key) = (2, 2);
        assert_eq!(tally.missing, [Missing { endpoint, key, due }]);
        assert_eq!(tally.last, Some(due + Duration::from_millis(5)));
        assert!((tally.latencies.quantiles().p50_ms - 2.0).abs() < 1e-9);
    }
}
