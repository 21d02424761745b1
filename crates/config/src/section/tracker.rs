use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::Error;
use crate::setting::Settings;

/// The most that a job may be tried.
const MAX_ATTEMPTS: u32 = 100;

/// A platform registers what it sent at once, or after its own outage.
const HOUR_TO_NINETY_DAYS: RangeInclusive<Duration> =
    Duration::from_hours(1)..=Duration::from_hours(24 * 90);

/// Below, a few lost reports would be news.
const DEGRADED_RATIO: RangeInclusive<f64> = 0.05..=1.0;

/// How callbacks' jobs are worked.
#[derive(Debug, Clone)]
pub struct Tracker {
    /// How often a job is tried before it becomes a dead letter: 1 to 100.
    pub max_attempts: u32,
    /// How long a report waits for its message: 1 hour to 90 days.
    pub orphan_window: Duration,
    /// From which part of missed ends on a provider account is degraded: 0.05 to 1.
    pub provider_degraded_ratio: f64,
}

impl Tracker {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            max_attempts: settings
                .get("tracker.max_attempts")?
                .number(1..=MAX_ATTEMPTS)?,
            orphan_window: settings
                .get("tracker.orphan_window")?
                .duration(HOUR_TO_NINETY_DAYS)?,
            provider_degraded_ratio: settings
                .get("tracker.provider_degraded_ratio")?
                .number(DEGRADED_RATIO)?,
        })
    }
}
