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
    /// When a delivery is tried again, of subscriptions that do not say it. None: those made from now
    /// on have `standard`, and those from before there was a choice `quick`.
    pub retry: Option<RetryPolicy>,
    /// How long one attempt may take, from connecting to the end of the answer, of subscriptions that
    /// do not say it: 1 to 60 s.
    pub timeout: Duration,
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
