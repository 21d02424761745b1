//! The book: what a process counts, handed in now and then.

use crate::Store;
use crate::error::Error;
use domain::tally::Sheet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many counts are handed in by one write.
const PAGE: usize = 500;

/// What a process has counted. Clones are the same book.
#[derive(Debug, Clone, Default)]
pub struct Book(Arc<Mutex<Sheet>>);

impl Book {
    /// Counts.
    pub fn note(&self, count: impl FnOnce(&mut Sheet)) {
        count(&mut self.lock());
    }

    /// Hands in what was counted. What could not be written waits for the next time; what may have been
    /// written is not written twice. A process that dies takes with it what it has not handed in: these are
    /// statistics.
    pub async fn hand_in(&self, store: &Store) -> Result<(), Error> {
        let mut rest = self.lock().take();
        while !rest.is_empty() {
            let page = Arc::new(rest.split(PAGE));
            let Err(error) = store.add_tallies(page.clone()).await else {
                continue;
            };
            let mut sheet = self.lock();
            if !matches!(error, Error::Uncertain(_)) {
                sheet.put_back(Arc::unwrap_or_clone(page));
            }
            sheet.put_back(rest);
            return Err(error);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Sheet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
