//! Appends on their way to the writer thread.

use crate::error::Error;
use crate::frame::FRAME_BYTES;
use crate::hand::Placed;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// One sync is for no more appends than this,
const MAX_GROUP: usize = 512;
/// nor more bytes than this (or a single one).
const MAX_GROUP_BYTES: u64 = 4 * 1_048_576;

/// A record that is to be written, and who waits for it.
pub(crate) struct Append {
    pub(crate) payload: Bytes,
    pub(crate) is_held: bool,
    pub(crate) reply: oneshot::Sender<Result<Placed, Error>>,
    /// Given to the next when this is answered.
    pub(crate) _place: OwnedSemaphorePermit,
}

impl Append {
    /// What the record takes in the file, in bytes.
    pub(crate) fn size(&self) -> u64 {
        FRAME_BYTES + self.payload.len() as u64
    }
}

/// What the writer takes at once.
pub(crate) struct Post {
    pub(crate) appends: Vec<Append>,
    /// Nothing is left, and nothing will come.
    pub(crate) is_last: bool,
}

/// Bounded from outside, by the places of the appends.
#[derive(Default)]
pub(crate) struct Mailbox {
    letters: Mutex<Letters>,
    arrived: Condvar,
}

#[derive(Default)]
struct Letters {
    appends: VecDeque<Append>,
    /// There is a segment to retire, or may be.
    is_nudged: bool,
    is_closed: bool,
}

impl Mailbox {
    pub(crate) fn put(&self, append: Append) -> Result<(), Error> {
        let mut letters = self.lock();
        if letters.is_closed {
            return Err(Error::Closed);
        }
        letters.appends.push_back(append);
        drop(letters);
        self.arrived.notify_one();
        Ok(())
    }

    pub(crate) fn nudge(&self) {
        self.lock().is_nudged = true;
        self.arrived.notify_one();
    }

    /// Refuses what comes from now on. What is here is still done.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_one();
    }

    /// Drops what is here too, which tells everybody who waits.
    pub(crate) fn burn(&self) {
        self.close();
        let appends = std::mem::take(&mut self.lock().appends);
        drop(appends);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Waits for something to do, at most so long, and takes as much as belongs into one group.
    pub(crate) fn take(&self, patience: Option<Duration>) -> Post {
        let mut letters = self.wait(patience);
        letters.is_nudged = false;
        let count = group(&letters.appends);
        let appends: Vec<_> = letters.appends.drain(..count).collect();
        Post {
            appends,
            is_last: letters.is_closed && letters.appends.is_empty(),
        }
    }

    fn wait(&self, patience: Option<Duration>) -> MutexGuard<'_, Letters> {
        let letters = self.lock();
        let is_idle = |letters: &mut Letters| {
            letters.appends.is_empty() && !letters.is_nudged && !letters.is_closed
        };
        match patience {
            None => self
                .arrived
                .wait_while(letters, is_idle)
                .unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = self.arrived.wait_timeout_while(letters, patience, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn group(appends: &VecDeque<Append>) -> usize {
    let mut bytes = 0;
    appends
        .iter()
        .take(MAX_GROUP)
        .take_while(|append| {
            let fits = bytes == 0 || bytes + append.size() <= MAX_GROUP_BYTES;
            bytes += append.size();
            fits
        })
        .count()
}
