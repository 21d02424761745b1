//! Moving the write-ahead log into the file, in a thread of its own: in the committing thread it
//! costs 7–9 ms at the 99th percentile.

use super::file::{self, QueueFile};
use super::mailbox::{Mailbox, Work};
use crate::error::Error;
use rusqlite::Connection;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How often there is a checkpoint, if there were commits.
const PERIOD: Duration = Duration::from_secs(1);

/// A log this long takes so much time that another pass is worth it: 4 MiB.
const LONG_LOG_PAGES: i64 = 1_024;

/// The handle that ends the thread.
#[derive(Debug)]
pub(super) struct Checkpoints(Arc<Bell>);

#[derive(Debug, Default)]
struct Bell {
    is_over: Mutex<bool>,
    rung: Condvar,
}

impl Checkpoints {
    pub(super) fn stop(&self) {
        *self
            .0
            .is_over
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.0.rung.notify_one();
    }
}

impl Bell {
    /// Waits one period; false when it is over.
    fn wait(&self) -> bool {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .rung
            .wait_timeout_while(is_over, PERIOD, |is_over| !*is_over);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Starts the thread; `alive` is dropped after its end.
pub(super) fn start(
    file: &QueueFile,
    mailbox: Arc<Mailbox>,
    alive: impl Send + 'static,
) -> Result<Checkpoints, Error> {
    let unopenable = |reason: String| Error::Unopenable {
        path: file.path.clone(),
        reason,
    };
    let connection = file::connect(&file.path).map_err(|error| unopenable(error.to_string()))?;
    let bell = Arc::new(Bell::default());
    let rung = Arc::clone(&bell);
    std::thread::Builder::new()
        .name("queue-checkpoint".to_owned())
        .spawn(move || {
            run(&connection, &rung, &mailbox);
            drop(connection);
            drop(alive);
        })
        .map_err(|error| unopenable(error.to_string()))?;
    Ok(Checkpoints(bell))
}

/// Moves what is in the log now. Never waits for a writer, and no writer for it.
pub(super) fn move_log(connection: &Connection) -> Log {
    let log = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok(Log {
            pages: row.get(1)?,
            moved: row.get(2)?,
        })
    });
    log.unwrap_or_else(|error| {
        tracing::warn!(%error, "the queue's log could not be moved into its file: it grows");
        Log::default()
    })
}

/// Leaves a file without a log.
pub(super) fn finish(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the queue's log stays: the next start moves it");
    }
}

/// A log after a checkpoint.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Log {
    pages: i64,
    /// How many of them are in the file.
    moved: i64,
}

/// The log starts over only when a writer finds all of it moved. Under load this thread never gets
/// to the end of it: the writer appends. So it moves nearly all, and the writer does the short rest.
fn run(connection: &Connection, bell: &Bell, mailbox: &Mailbox) {
    let mut last = Log::default();
    while bell.wait() {
        let mut log = move_log(connection);
        if log == last {
            continue;
        }
        if log.pages - last.moved > LONG_LOG_PAGES {
            log = move_log(connection);
        }
        last = log;
        // A closed mailbox: the writer moves all of the log as it ends.
        let _ = mailbox.work(Work::Checkpoint);
    }
}
