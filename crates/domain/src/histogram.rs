//! Histograms of durations: how many fell below each of a fixed row of bounds. The bounds are the same for
//! everybody and for ever, so that histograms of different processes and times can be added up, and a
//! quantile of the sum is as good as one of the parts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How many buckets have a bound; one more takes what is beyond the last, 2³⁰ ms, twelve days.
const BOUNDED: u8 = 60;

/// The durations up to a bound and beyond the one before it. Bounds are 1, 2, 3, 4, 6, 8, 12, 16, 24 …
/// milliseconds: each at most twice the one before, from 2 on at most one and a half times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u8);

impl Bucket {
    /// The bucket of a duration, in whole milliseconds.
    pub fn of(duration: Duration) -> Self {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(
            (0..BOUNDED)
                .find(|index| ms <= bound(*index))
                .unwrap_or(BOUNDED),
        )
    }

    /// The bucket of this name.
    pub fn parse(text: &str) -> Option<Self> {
        let beyond = Self(BOUNDED);
        let bucket = match text.parse::<u64>() {
            Ok(ms) => Self::all().find(|bucket| bucket.upper_ms() == Some(ms))?,
            Err(_) => beyond,
        };
        // Numbers may be written in several ways, names in one.
        (bucket.to_string() == text).then_some(bucket)
    }

    /// Every bucket, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=BOUNDED).map(Self)
    }

    /// Its bound in milliseconds; none for what is beyond the last.
    pub const fn upper_ms(self) -> Option<u64> {
        if self.0 < BOUNDED {
            Some(bound(self.0))
        } else {
            None
        }
    }

    /// The bound of the bucket before.
    const fn lower_ms(self) -> u64 {
        match self.0.checked_sub(1) {
            Some(before) => bound(before),
            None => 0,
        }
    }
}

/// 1; then powers of two, and once and a half each.
const fn bound(index: u8) -> u64 {
    match (index, index.is_multiple_of(2)) {
        (0, _) => 1,
        (_, true) => 3 << (index / 2 - 1),
        (_, false) => 1 << (index / 2 + 1),
    }
}

/// The bound in milliseconds, or `inf`.
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.upper_ms() {
            Some(bound) => write!(f, "{bound}"),
            None => f.write_str("inf"),
        }
    }
}

/// How many durations there were in each bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<Bucket, u64>);

impl Histogram {
    /// Counts so many more durations of a bucket.
    pub fn add(&mut self, bucket: Bucket, count: u64) {
        let counted = self.0.entry(bucket).or_default();
        *counted = counted.saturating_add(count);
    }

    /// Counts all that another counted.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            self.add(*bucket, *count);
        }
    }

    /// How many durations there were.
    pub fn count(&self) -> u64 {
        self.0
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The duration in milliseconds below which so many of a thousand lie; none where there were none.
    /// Within a bucket they are taken as evenly spread. Beyond the last bound it says the last bound.
    pub fn quantile(&self, of_a_thousand: u16) -> Option<u64> {
        let wanted = u128::from(self.count()) * u128::from(of_a_thousand.min(1_000));
        let mut below = 0u128;
        let mut last = None;
        for (bucket, count) in &self.0 {
            let here = u128::from(*count) * 1_000;
            let lower = bucket.lower_ms();
            let width = bucket.upper_ms().map_or(0, |upper| upper - lower);
            if here > 0 && below + here >= wanted {
                let into = u128::from(width) * (wanted - below) / here;
                return Some(lower + u64::try_from(into).unwrap_or(width));
            }
            below += here;
            last = Some(lower + width);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(durations: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for ms in durations {
            histogram.add(Bucket::of(Duration::from_millis(*ms)), 1);
        }
        histogram
    }

    #[test]
    fn the_bounds_grow_by_at_most_a_half_from_two_on_and_have_names_of_their_own() {
        let bounds: Vec<u64> = (0..BOUNDED).map(bound).collect();
        assert_eq!(bounds[..9], [1, 2, 3, 4, 6, 8, 12, 16, 24]);
        assert_eq!(bounds.last(), Some(&(1 << 30)));
        for pair in bounds[1..].windows(2) {
            assert!(pair[0] < pair[1] && pair[1] * 2 <= pair[0] * 3, "{pair:?}");
        }
        for bucket in Bucket::all() {
            assert_eq!(Bucket::parse(&bucket.to_string()), Some(bucket));
        }
        for text in ["", "0", "5", "01", "+1", "INF", "-1"] {
            assert_eq!(Bucket::parse(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_has_no_quantile_and_what_is_beyond_the_last_bound_says_the_last_bound() {
        assert_eq!(Histogram::default().quantile(500), None);
        assert_eq!(of(&[u64::MAX]).quantile(500), Some(1 << 30));
        assert_eq!(of(&[0]).quantile(990), Some(0));
    }

    #[test]
    fn evenly_spread_durations_have_the_quantiles_they_have() {
        let all: Vec<u64> = (1..=4_096).collect();
        let histogram = of(&all);
        for (of_a_thousand, exact) in [(500, 2_048), (950, 3_891), (990, 4_055), (1_000, 4_096)] {
            let told = histogram.quantile(of_a_thousand).unwrap();
            assert!(told.abs_diff(exact) <= 2, "{told} is not {exact}");
        }
    }

    proptest! {
        #[test]
        fn a_quantile_lies_in_the_bucket_of_the_exact_one(
            mut durations in proptest::collection::vec(0u64..3_000_000, 1..300),
            of_a_thousand in 1u16..=1_000,
        ) {
            let told = of(&durations).quantile(of_a_thousand).unwrap();
            durations.sort_unstable();
            let rank = (durations.len() * usize::from(of_a_thousand)).div_ceil(1_000);
            let bucket = Bucket::of(Duration::from_millis(durations[rank - 1]));
            prop_assert!(bucket.lower_ms() <= told && told <= bucket.upper_ms().unwrap());
        }

        #[test]
        fn histograms_of_parts_add_up_to_that_of_the_whole(
            one in proptest::collection::vec(0u64..3_000_000, 0..50),
            two in proptest::collection::vec(0u64..3_000_000, 0..50),
        ) {
            let mut sum = of(&one);
            sum.merge(&of(&two));
            let whole: Vec<u64> = one.iter().chain(&two).copied().collect();
            prop_assert_eq!(sum.count(), whole.len() as u64);
            prop_assert_eq!(sum, of(&whole));
        }
    }
}
