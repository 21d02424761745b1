//! How long many things took, each kept, so that no quantile is an estimate.

use std::time::Duration;

/// Durations in no order.
#[derive(Debug, Default, Clone)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Adds one.
    pub fn push(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The median and the 99th percentile, in milliseconds: the smallest values that so many of all are
    /// not above. Zeros where there is nothing.
    pub fn quantiles(mut self) -> Quantiles {
        self.0.sort_unstable();
        Quantiles {
            p50_ms: self.at(50),
            p99_ms: self.at(99),
        }
    }

    fn at(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100);
        let value = self.0.get(rank.saturating_sub(1)).copied();
        value.unwrap_or_default().as_secs_f64() * 1_000.0
    }
}

/// What is told of many latencies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantiles {
    pub p50_ms: f64,
    pub p99_ms: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let mut latencies = Latencies::default();
        for millis in (1..=200).rev() {
            latencies.push(Duration::from_millis(millis));
        }
        let expected = Quantiles {
            p50_ms: 100.0,
            p99_ms: 198.0,
        };
        assert_eq!(latencies.quantiles(), expected);
    }

    #[test]
    fn nothing_has_no_quantiles() {
        let none = Latencies::default().quantiles();
        assert_eq!(
            none,
            Quantiles {
                p50_ms: 0.0,
                p99_ms: 0.0
            }
        );
    }
}
