//! Says once a second that callbacks cannot be kept, however many there are.

use domain::Timestamp;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const SAY_EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Unsaid(Mutex<(Option<Timestamp>, u64)>);

impl Unsaid {
    /// Says why, and how many there were since the last time.
    pub(crate) fn say(&self, error: &str, now: Timestamp) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.1 += 1;
        if said.0.is_some_and(|at| now.since(at) < SAY_EVERY) {
            return;
        }
        tracing::error!(
            error,
            callbacks = said.1,
            "callbacks cannot be kept: they are answered 503"
        );
        *said = (Some(now), 0);
    }
}
