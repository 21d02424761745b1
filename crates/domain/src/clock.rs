//! Time as milliseconds, and the clock that is passed in wherever time is read.

use crate::described::{described, moment};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A moment, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This moment and `wait` more.
    #[must_use]
    pub fn plus(self, wait: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// This moment and `wait` before.
    #[must_use]
    pub fn minus(self, wait: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads RFC 3339 as our own API writes it.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let moment: jiff::Timestamp = text.parse().ok()?;
        Some(Self(moment.as_millisecond()))
    }

    /// Reads a time as e-mail writes it (RFC 2822): `Fri, 01 May 2026 10:15:01 +0000`.
    pub fn parse_rfc2822(text: &str) -> Option<Self> {
        if text.len() > 40 || !text.is_ascii() {
            return None;
        }
        let moment = jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(text.trim())
            .ok()?;
        Some(Self(moment.as_millisecond()))
    }

    /// Reads a provider's time: RFC 3339, the same with a space, an offset without a colon, or no
    /// zone at all, which means UTC. Anything else is `None`: a time we cannot read is no reason to
    /// refuse a report.
    pub fn parse_provider(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > 40 || !text.is_ascii() {
            return None;
        }
        if let Some(moment) = Self::parse_rfc3339(text) {
            return Some(moment);
        }
        if let Ok(moment) = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text)
            && let Ok(moment) = moment.to_timestamp()
        {
            return Some(Self(moment.as_millisecond()));
        }
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_millisecond()))
    }
}

described!(Timestamp, moment());

/// RFC 3339 in UTC with milliseconds and `Z`: `2026-11-23T21:09:00.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{moment:.3}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse_rfc3339(&text).ok_or_else(|| {
            serde::de::Error::custom("not a time in RFC 3339, like 2026-11-23T21:09:00Z")
        })
    }
}

/// Where time is read. Passed in, never global; all clones of a clock move together.
#[derive(Clone, Debug)]
pub struct Clock {
    offset_ms: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self { offset_ms: None }
    }

    /// The machine's clock with a movable offset: a test moves time instead of waiting for it.
    pub fn movable() -> Self {
        Self {
            offset_ms: Some(Arc::new(AtomicI64::new(0))),
        }
    }

    /// This moment.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where time is read"
    )]
    pub fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let machine = Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX));
        machine.plus(self.shift())
    }

    /// How far this clock was moved from the machine's; zero for [`Clock::system`]. What another
    /// machine's clock says is moved by as much.
    pub fn shift(&self) -> Duration {
        let offset = self
            .offset_ms
            .as_ref()
            .map_or(0, |offset| offset.load(Ordering::SeqCst));
        Duration::from_millis(u64::try_from(offset).unwrap_or(0))
    }

    /// Moves a movable clock forward. The machine's clock does not move.
    pub fn advance(&self, by: Duration) {
        if let Some(offset) = &self.offset_ms {
            offset.fetch_add(i64::try_from(by.as_millis()).unwrap_or(0), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_milliseconds() {
        assert_eq!(
            Timestamp::from_millis(0).to_string(),
            "1970-01-01T00:00:00.000Z"
        );
        let moment = Timestamp::parse_rfc3339("2026-05-01T12:15:30.5+02:00").unwrap();
        assert_eq!(moment.to_string(), "2026-05-01T10:15:30.500Z");
    }

    #[test]
    fn the_time_of_an_e_mail_is_read_with_its_zone() {
        let time = Timestamp::parse_rfc2822("Fri, 01 May 2026 12:15:01 +0200").unwrap();
        assert_eq!(time.to_string(), "2026-05-01T10:15:01.000Z");
        for garbage in [
            "",
            "2026-05-01T10:15:01Z",
            "Fri, 32 May 2026 10:15:01 +0000",
            "\u{e9}",
        ] {
            assert_eq!(Timestamp::parse_rfc2822(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn a_provider_time_without_a_zone_is_utc_and_garbage_is_none() {
        let expected = Timestamp::parse_rfc3339("2026-03-04T06:04:45Z");
        for text in [
            "2026-03-04T06:04:45Z",
            "2026-03-04 06:04:45",
            "2026-03-04T06:04:45",
            "2026-03-04T08:04:45.000+0200",
            " 2026-03-04T06:04:45.000Z ",
        ] {
            assert_eq!(Timestamp::parse_provider(text), expected, "{text}");
        }
        for text in ["", "yesterday", "2026-13-40", "٢٠٢٦-03-04", "1678794364855"] {
            assert_eq!(Timestamp::parse_provider(text), None, "{text}");
        }
    }

    #[test]
    fn all_clones_of_a_movable_clock_move_together() {
        let clock = Clock::movable();
        let before = clock.now();
        clock.clone().advance(Duration::from_hours(1));
        assert!(clock.now().since(before) >= Duration::from_hours(1));
        assert_eq!(clock.shift(), Duration::from_hours(1));
        assert_eq!(Clock::system().shift(), Duration::ZERO);
    }
}
