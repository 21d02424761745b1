//! Requests on their way to the writer thread.

use super::accept::Accept;
use super::{claim, depth, settle};
use crate::error::Error;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One transaction takes no more publishes than this,
const MAX_GROUP: usize = 512;
/// nor more bytes than this (or a single one).
const MAX_GROUP_BYTES: usize = 4 * 1_048_576;

/// What is done without an fsync, before and after a handler works.
pub(super) enum Work {
    Claim(claim::Request),
    Settle(settle::Request),
    Return(settle::Return),
    Depth(depth::Request),
    /// The rest of a checkpoint, which is short by now.
    Checkpoint,
}

/// What the writer takes at once.
pub(super) struct Post {
    pub(super) accepts: Vec<Accept>,
    pub(super) works: Vec<Work>,
    /// Nothing is left, and nothing will come.
    pub(super) is_last: bool,
}

/// Bounded from outside: publishes by their places, the rest by the number of consumers.
#[derive(Default)]
pub(super) struct Mailbox {
    letters: Mutex<Letters>,
    arrived: Condvar,
}

#[derive(Default)]
struct Letters {
    accepts: VecDeque<Accept>,
    works: Vec<Work>,
    is_awaited: bool,
    is_closed: bool,
}

impl Mailbox {
    pub(super) fn accept(&self, accept: Accept) -> Result<(), Error> {
        self.put(|letters| letters.accepts.push_back(accept))
    }

    pub(super) fn work(&self, work: Work) -> Result<(), Error> {
        self.put(|letters| letters.works.push(work))
    }

    /// Refuses what comes from now on. What is here is still done.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_one();
    }

    /// Drops what is here too, which tells everybody who waits.
    pub(super) fn burn(&self) {
        self.close();
        let letters = {
            let mut letters = self.lock();
            (
                std::mem::take(&mut letters.accepts),
                std::mem::take(&mut letters.works),
            )
        };
        // Outside of the lock: a dropped answer may put a returned ticket in.
        drop(letters);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Waits for something to do, at most so long, and takes as much as belongs into one round.
    pub(super) fn take(&self, patience: Option<Duration>) -> Post {
        let mut letters = self.wait(patience);
        let count = group(&letters.accepts);
        let accepts: Vec<_> = letters.accepts.drain(..count).collect();
        let is_last = letters.is_closed && letters.accepts.is_empty();
        Post {
            accepts,
            works: std::mem::take(&mut letters.works),
            is_last,
        }
    }

    fn wait(&self, patience: Option<Duration>) -> MutexGuard<'_, Letters> {
        let mut letters = self.lock();
        if letters.is_closed || !letters.accepts.is_empty() || !letters.works.is_empty() {
            return letters;
        }
        letters.is_awaited = true;
        let mut letters = match patience {
            None => self
                .arrived
                .wait(letters)
                .unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = self.arrived.wait_timeout(letters, patience);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        letters.is_awaited = false;
        letters
    }

    fn put(&self, put: impl FnOnce(&mut Letters)) -> Result<(), Error> {
        let mut letters = self.lock();
        if letters.is_closed {
            return Err(Error::Closed);
        }
        put(&mut letters);
        // A wake-up costs a system call: only the first of many letters pays for it.
        let is_awaited = std::mem::take(&mut letters.is_awaited);
        drop(letters);
        if is_awaited {
            self.arrived.notify_one();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn group(accepts: &VecDeque<Accept>) -> usize {
    let mut bytes = 0;
    accepts
        .iter()
        .take(MAX_GROUP)
        .take_while(|accept| {
            let fits = bytes == 0 || bytes + accept.size() <= MAX_GROUP_BYTES;
            bytes += accept.size();
            fits
        })
        .count()
}
