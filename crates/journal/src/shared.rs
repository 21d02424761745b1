use crate::index::{Index, Standing};
use crate::mailbox::Mailbox;
use crate::record::RecordId;
use crate::trouble::Trouble;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What the face and the writer thread have in common.
pub(crate) struct Shared {
    pub(crate) folder: PathBuf,
    pub(crate) max_bytes: u64,
    pub(crate) mailbox: Mailbox,
    pub(crate) trouble: Trouble,
    /// Tells those who wait for records.
    pub(crate) offered: Notify,
    index: Mutex<Index>,
}

impl Shared {
    pub(crate) fn new(folder: PathBuf, max_bytes: u64, index: Index) -> Self {
        Self {
            folder,
            max_bytes,
            mailbox: Mailbox::default(),
            trouble: Trouble::default(),
            offered: Notify::new(),
            index: Mutex::new(index),
        }
    }

    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers a record that stands so.
    pub(crate) fn offer(&self, id: RecordId, from: Standing) {
        self.index().change(id, &[from], Standing::Waiting);
        self.offered.notify_waiters();
    }

    pub(crate) fn done(&self, id: RecordId) {
        let live = [Standing::Held, Standing::Waiting, Standing::Taken];
        let is_drained = self.index().change(id, &live, Standing::Done);
        if is_drained {
            self.mailbox.nudge();
        }
    }

    /// A record that cannot be read is offered no more, and its file kept.
    pub(crate) fn lose(&self, id: RecordId) {
        if let Some(segment) = self.index().segment(id.segment) {
            segment.is_damaged = true;
        }
        self.done(id);
    }
}
