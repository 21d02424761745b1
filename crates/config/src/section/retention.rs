use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::Error;
use crate::setting::Settings;

/// What an auditor may want to look at.
const UP_TO_TEN_YEARS: RangeInclusive<Duration> =
    Duration::from_hours(24)..=Duration::from_hours(24 * 3_650);
/// The health of a provider account is compared with the day before the last hour.
const TWO_DAYS_TO_TEN_YEARS: RangeInclusive<Duration> =
    Duration::from_hours(48)..=Duration::from_hours(24 * 3_650);
/// Whoever looks for what was done has a month.
const THIRTY_DAYS_TO_TEN_YEARS: RangeInclusive<Duration> =
    Duration::from_hours(24 * 30)..=Duration::from_hours(24 * 3_650);
/// Secrets and phone numbers that nobody took in are not kept for long.
const UP_TO_NINETY_DAYS: RangeInclusive<Duration> =
    Duration::from_hours(1)..=Duration::from_hours(24 * 90);

/// How long what is no longer needed is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Callbacks as they were received: 1 day to 10 years.
    pub callbacks: Duration,
    /// Attempts at webhooks: 1 day to 10 years.
    pub attempts: Duration,
    /// Deliveries that ended: 1 day to 10 years.
    pub deliveries: Duration,
    /// Events: 1 day to 10 years.
    pub events: Duration,
    /// Messages with their histories: 1 day to 10 years.
    pub messages: Duration,
    /// Security events: 1 day to 10 years.
    pub security_events: Duration,
    /// Refused requests: 1 hour to 90 days.
    pub quarantine: Duration,
    /// Dead letters: 1 day to 10 years.
    pub dead_letters: Duration,
    /// Tallies, of which statistics and health are made: 2 days to 10 years.
    pub tallies: Duration,
    /// What was asked about messages: 1 day to 10 years.
    pub polls: Duration,
    /// The audit log: 30 days to 10 years.
    pub audit: Duration,
}

impl Retention {
    /// How old an event may be to be told again. It has to be there for longer than it takes to make its
    /// delivery: a day, or half of what events are kept.
    pub fn replayable(&self) -> Duration {
        let margin = Duration::from_hours(24).min(self.events / 2);
        self.events.saturating_sub(margin)
    }

    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        let years = |key| settings.get(key)?.duration(UP_TO_TEN_YEARS);
        Ok(Self {
            callbacks: years("retention.callbacks")?,
            attempts: years("retention.attempts")?,
            deliveries: years("retention.deliveries")?,
            events: years("retention.events")?,
            messages: years("retention.messages")?,
            security_events: years("retention.security_events")?,
            quarantine: settings
                .get("retention.quarantine")?
                .duration(UP_TO_NINETY_DAYS)?,
            dead_letters: settings
                .get("retention.dead_letters")?
                .duration(UP_TO_TEN_YEARS)?,
            tallies: settings
                .get("retention.tallies")?
                .duration(TWO_DAYS_TO_TEN_YEARS)?,
            polls: settings.get("retention.polls")?.duration(UP_TO_TEN_YEARS)?,
            audit: settings
                .get("retention.audit")?
                .duration(THIRTY_DAYS_TO_TEN_YEARS)?,
        })
    }
}
