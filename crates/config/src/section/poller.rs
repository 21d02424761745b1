use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::Error;
use crate::setting::Settings;

/// A provider is given a moment, and is asked within the day.
const UP_TO_A_DAY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);

/// No provider tells of a message that is older.
const MINUTE_TO_THIRTY_DAYS: RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(24 * 30);

/// How providers are asked about messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poller {
    /// Whether they are asked, and whether messages of which nothing is heard end.
    pub enabled: bool,
    /// How long after its registration a message is asked about first: 1 s to 24 h.
    pub first_poll: Duration,
    /// The shortest that this is, whatever is learned: 1 s to 24 h.
    pub first_poll_floor: Duration,
    /// The longest: 1 s to 24 h.
    pub first_poll_ceiling: Duration,
    /// How old a message becomes of which nothing is heard: 60 s to 30 days.
    pub max_age: Duration,
}

impl Poller {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        let first_poll = settings.get("poller.first_poll")?;
        let floor = settings.get("poller.first_poll_floor")?;
        let ceiling = settings.get("poller.first_poll_ceiling")?;
        let read = Self {
            enabled: settings.get("poller.enabled")?.boolean()?,
            first_poll: first_poll.duration(UP_TO_A_DAY)?,
            first_poll_floor: floor.duration(UP_TO_A_DAY)?,
            first_poll_ceiling: ceiling.duration(UP_TO_A_DAY)?,
            max_age: settings
                .get("poller.max_age")?
                .duration(MINUTE_TO_THIRTY_DAYS)?,
        };
        if read.first_poll < read.first_poll_floor {
            return Err(first_poll.invalid("is under poller.first_poll_floor"));
        }
        if read.first_poll > read.first_poll_ceiling {
            return Err(first_poll.invalid("is over poller.first_poll_ceiling"));
        }
        Ok(read)
    }
}
