//! When a delivery is tried again.

use crate::clock::Timestamp;
use crate::subscription::Retry;
use std::time::{Duration, UNIX_EPOCH};

/// The longest wait a receiver may ask for with `Retry-After`.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// The waits between attempts: the first attempt is made at once, then one after each wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

impl Schedule {
    /// 1, 2, 4, 8 and 16 seconds.
    pub fn quick() -> Self {
        Self([1, 2, 4, 8, 16].map(Duration::from_secs).to_vec())
    }

    /// 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h: somewhat over three days.
    pub fn standard() -> Self {
        let waits = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        Self(waits.map(Duration::from_secs).to_vec())
    }

    /// What a subscription, or the installation, says.
    pub fn of(retry: &Retry) -> Self {
        match retry {
            Retry::Quick => Self::quick(),
            Retry::Standard => Self::standard(),
            Retry::Delays(waits) => Self(waits.iter().copied().map(Duration::from_secs).collect()),
        }
    }

    /// A schedule of one's own.
    pub const fn new(waits: Vec<Duration>) -> Self {
        Self(waits)
    }

    /// When to try again after the attempt with this number (from 1) ended without success; `None`
    /// when the schedule is exhausted.
    ///
    /// A wait is counted from the end of the attempt before it and stretched by up to a fifth
    /// (`jitter` in `0.0..1.0`), never shortened. What the receiver asked for counts between the
    /// scheduled wait and [`MAX_RETRY_AFTER`].
    pub fn next(
        &self,
        attempt: u32,
        ended_at: Timestamp,
        jitter: f64,
        asked: Option<Duration>,
    ) -> Option<Timestamp> {
        let index = usize::try_from(attempt.checked_sub(1)?).ok()?;
        let scheduled = self
            .0
            .get(index)?
            .mul_f64(0.2f64.mul_add(jitter.clamp(0.0, 1.0), 1.0));
        let wait = asked.map_or(scheduled, |asked| asked.min(MAX_RETRY_AFTER).max(scheduled));
        Some(ended_at.plus(wait))
    }
}

/// Reads `Retry-After` (RFC 9110 §10.2.3): whole seconds or an HTTP date. Garbage is `None`.
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.len() <= 10 && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.parse().ok().map(Duration::from_secs);
    }
    let moment = httpdate::parse_http_date(value)
        .ok()?
        .duration_since(UNIX_EPOCH)
        .ok()?;
    let millis = i64::try_from(moment.as_millis()).ok()?;
    Some(Timestamp::from_millis(millis).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Timestamp = Timestamp::from_millis(1_000_000);

    fn wait(attempt: u32, jitter: f64, asked: Option<u64>) -> Option<Duration> {
        Schedule::quick()
            .next(attempt, END, jitter, asked.map(Duration::from_secs))
            .map(|next| next.since(END))
    }

    #[test]
    fn quick_waits_one_two_four_eight_sixteen_and_then_gives_up() {
        let waits: Vec<_> = (1..=6)
            .map(|n| wait(n, 0.0, None).map(|w| w.as_secs()))
            .collect();
        assert_eq!(waits, [Some(1), Some(2), Some(4), Some(8), Some(16), None]);
    }

    #[test]
    fn standard_goes_on_for_three_days() {
        let (schedule, mut at) = (Schedule::of(&Retry::Standard), END);
        let mut waits = Vec::new();
        for attempt in 1.. {
            let Some(next) = schedule.next(attempt, at, 0.0, None) else {
                break;
            };
            waits.push(next.since(at).as_secs());
            at = next;
        }
        assert_eq!(
            waits,
            [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
        );
        assert_eq!(at.since(END).as_secs() / 3_600, 75);
    }

    #[test]
    fn jitter_only_adds_and_at_most_a_fifth() {
        assert_eq!(wait(4, 0.5, None), Some(Duration::from_millis(8_800)));
        assert_eq!(wait(4, 1.0, None), Some(Duration::from_millis(9_600)));
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_but_not_for_less_or_for_weeks() {
        assert_eq!(wait(1, 0.0, Some(30)), Some(Duration::from_secs(30)));
        assert_eq!(wait(3, 0.0, Some(1)), Some(Duration::from_secs(4)));
        assert_eq!(wait(1, 0.0, Some(10_000_000)), Some(MAX_RETRY_AFTER));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_garbage_is_ignored() {
        let now = Timestamp::parse_rfc3339("2015-10-21T07:27:00Z").unwrap();
        assert_eq!(
            parse_retry_after(" 120 ", now),
            Some(Duration::from_mins(2))
        );
        assert_eq!(
            parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now),
            Some(Duration::from_mins(1))
        );
        assert_eq!(
            parse_retry_after("Wed, 21 Oct 2015 07:00:00 GMT", now),
            Some(Duration::ZERO)
        );
        for garbage in ["", "-1", "soon", "1.5", "99999999999999999999", "١٢"] {
            assert_eq!(parse_retry_after(garbage, now), None, "{garbage}");
        }
    }
}
