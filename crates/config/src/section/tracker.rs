use crate::error::Error;
use crate::setting::Settings;

/// The most that a job may be tried.
const MAX_ATTEMPTS: u32 = 100;

/// How callbacks' jobs are worked.
#[derive(Debug, Clone)]
pub struct Tracker {
    /// How often a job is tried before it becomes a dead letter: 1 to 100.
    pub max_attempts: u32,
}

impl Tracker {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            max_attempts: settings
                .get("tracker.max_attempts")?
                .number(1..=MAX_ATTEMPTS)?,
        })
    }
}
