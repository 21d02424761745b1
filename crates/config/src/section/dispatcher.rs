use std::ops::RangeInclusive;
use std::time::Duration;

use super::UP_TO_A_MINUTE;
use crate::error::Error;
use crate::parse;
use crate::setting::{Setting, Settings, quoted};

/// The most retries a delivery may have.
const MAX_DELAYS: usize = 50;

/// The longest wait between two attempts: 30 days.
const MAX_DELAY: Duration = Duration::from_hours(30 * 24);

/// What fails for less than an hour is a restart, not an endpoint that is gone.
const HOUR_TO_A_YEAR: RangeInclusive<Duration> =
    Duration::from_hours(1)..=Duration::from_hours(365 * 24);

/// How deliveries are attempted.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    /// When a delivery is tried again, of subscriptions that do not say it. None: those made from now
    /// on have `standard`, and those from before there was a choice `quick`.
    pub retry: Option<RetryPolicy>,
    /// How long one attempt may take, from connecting to the end of the answer, of subscriptions that
    /// do not say it: 1 to 60 s.
    pub timeout: Duration,
    /// After which time with nothing but failures a subscription is disabled: 1 hour to 365 days. None: never.
    pub disable_after: Option<Duration>,
    /// When an endpoint that fails is left alone.
    pub breaker: Breaker,
}

/// When an endpoint that fails is left alone, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Breaker {
    /// Of so many attempts at the least: 1 to 10,000.
    pub min_requests: u32,
    /// This part failed: 0.01 to 1.
    pub failure_ratio: f64,
    /// Within this time: 10 s to an hour.
    pub window: Duration,
    /// It is left alone for this long: 1 s to an hour.
    pub open: Duration,
}

/// When a delivery is tried again after its first attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryPolicy {
    /// The preset `quick`.
    Quick,
    /// The preset `standard`.
    Standard,
    /// The wait before each retry, counted from the end of the attempt before: 1 to 50 of at most 30 days.
    Delays(Vec<Duration>),
}

impl Dispatcher {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            retry: settings
                .find_filled("dispatcher.retry")?
                .as_ref()
                .map(retry)
                .transpose()?,
            timeout: settings
                .get("dispatcher.timeout")?
                .duration(UP_TO_A_MINUTE)?,
            disable_after: settings
                .get("dispatcher.disable_after")?
                .duration_or_off(HOUR_TO_A_YEAR)?,
            breaker: Breaker::read(settings)?,
        })
    }
}

impl Breaker {
    fn read(settings: &Settings) -> Result<Self, Error> {
        let duration = |name, least| {
            let longest = Duration::from_hours(1);
            settings.get(name)?.duration(least..=longest)
        };
        Ok(Self {
            min_requests: settings
                .get("dispatcher.breaker.min_requests")?
                .number(1..=10_000)?,
            failure_ratio: settings
                .get("dispatcher.breaker.failure_ratio")?
                .fraction(0.01..=1.0)?,
            window: duration("dispatcher.breaker.window", Duration::from_secs(10))?,
            open: duration("dispatcher.breaker.open", Duration::from_secs(1))?,
        })
    }
}

fn retry(setting: &Setting) -> Result<RetryPolicy, Error> {
    match setting.text().as_deref() {
        Ok("quick") => return Ok(RetryPolicy::Quick),
        Ok("standard") => return Ok(RetryPolicy::Standard),
        Ok(_) | Err(_) => {}
    }
    let delays = setting.items(delay)?;
    match delays.len() {
        0 => Err(setting.invalid("is empty")),
        1..=MAX_DELAYS => Ok(RetryPolicy::Delays(delays)),
        count => Err(setting.invalid(format!("has {count} waits"))),
    }
}

fn delay(text: &str) -> Result<Duration, String> {
    parse::duration(text)
        .filter(|delay| *delay <= MAX_DELAY)
        .ok_or_else(|| format!("holds {}", quoted(text)))
}
