use crate::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether the file takes commits.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Option<Error>>);

impl Health {
    pub(super) fn report(&self) -> Result<(), String> {
        self.lock()
            .as_ref()
            .map_or(Ok(()), |error| Err(error.to_string()))
    }

    pub(super) fn is_good(&self) -> bool {
        self.lock().is_none()
    }

    pub(super) fn failed(&self, error: &Error) {
        let mut trouble = self.lock();
        if trouble.is_none() {
            tracing::error!(%error, "the embedded queue is out of order");
        }
        *trouble = Some(error.clone());
    }

    /// A commit reached the disk. Damage stays: another page being well mends nothing.
    pub(super) fn succeeded(&self) {
        let mut trouble = self.lock();
        if trouble.as_ref().is_some_and(Error::is_transient) {
            tracing::info!("the embedded queue is in order again");
            *trouble = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
