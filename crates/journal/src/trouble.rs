use crate::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why appends do not work, from the first that failed to the next that does not.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Option<Error>>);

impl Trouble {
    pub(crate) fn report(&self) -> Result<(), String> {
        self.lock()
            .as_ref()
            .map_or(Ok(()), |error| Err(error.to_string()))
    }

    pub(crate) fn is_none(&self) -> bool {
        self.lock().is_none()
    }

    pub(crate) fn failed(&self, error: &Error) {
        let mut trouble = self.lock();
        if trouble.is_none() {
            tracing::error!(%error, "the journal takes no records");
        }
        *trouble = Some(error.clone());
    }

    pub(crate) fn succeeded(&self) {
        if self.lock().take().is_some() {
            tracing::info!("the journal takes records again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
