use std::time::Duration;

use super::UP_TO_A_MINUTE;
use crate::error::Error;
use crate::parse;
use crate::setting::{Setting, Settings, quoted};

/// The most retries a delivery may have.
const MAX_DELAYS: usize = 50;

/// The longest wait between two attempts: 30 days.
const MAX_DELAY: Duration = Duration::from_hours(30 * 24);

/// How deliveries are attempted.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    /// When a delivery is tried again.
    pub retry: RetryPolicy,
    /// How long one attempt may take, from connecting to the end of the answer: 1 to 60 s.
    pub timeout: Duration,
}

/// When a delivery is tried again after its first attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryPolicy {
    /// The preset `quick`.
    Quick,
    /// The wait before each retry, counted from the end of the attempt before: 1 to 50 of at most 30 days.
    Delays(Vec<Duration>),
}

impl Dispatcher {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            retry: retry(&settings.get("dispatcher.retry")?)?,
            timeout: settings
                .get("dispatcher.timeout")?
                .duration(UP_TO_A_MINUTE)?,
        })
    }
}

fn retry(setting: &Setting) -> Result<RetryPolicy, Error> {
    if setting.text().is_ok_and(|text| text == "quick") {
        return Ok(RetryPolicy::Quick);
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
