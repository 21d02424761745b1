use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::Error;
use crate::setting::Settings;

/// The most that a threshold may be.
const MAX_THRESHOLD: u32 = 1_000_000;
/// Each account of each source is remembered within the window.
const MAX_ACCOUNTS: u32 = 1_000;
const UP_TO_AN_HOUR: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(1);

/// What is told of refused callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Security {
    /// Whether they are logged.
    pub log_events: bool,
    /// When they are suspicious.
    pub alert_thresholds: AlertThresholds,
}

/// From which number on refusals are suspicious; `None` is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertThresholds {
    /// In how long they are counted: 1 minute to 1 hour.
    pub window: Duration,
    /// Failed authentications of one source: 1 to 1,000,000, as the others.
    pub failures_per_source: Option<u32>,
    /// Failed authentications at one account.
    pub failures_per_account: Option<u32>,
    /// Accounts at which one source failed: 1 to 1,000.
    pub accounts_per_source: Option<u32>,
    /// Genuine signatures at one account whose time is off.
    pub stale_per_account: Option<u32>,
    /// Whether a new source of an account is suspicious.
    pub new_source: bool,
}

impl Security {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            log_events: settings.get("security.log_events")?.boolean()?,
            alert_thresholds: AlertThresholds::read(settings)?,
        })
    }
}

impl AlertThresholds {
    fn read(settings: &Settings) -> Result<Self, Error> {
        let number = |name| settings.get(name)?.number_or_off(1..=MAX_THRESHOLD);
        Ok(Self {
            window: settings
                .get("security.alert_thresholds.window")?
                .duration(UP_TO_AN_HOUR)?,
            failures_per_source: number("security.alert_thresholds.failures_per_source")?,
            failures_per_account: number("security.alert_thresholds.failures_per_account")?,
            accounts_per_source: settings
                .get("security.alert_thresholds.accounts_per_source")?
                .number_or_off(1..=MAX_ACCOUNTS)?,
            stale_per_account: number("security.alert_thresholds.stale_per_account")?,
            new_source: settings
                .get("security.alert_thresholds.new_source")?
                .boolean()?,
        })
    }
}
