//! Moving what was written from SQLite's write-ahead log into the file, in a thread of its own: in
//! the committing thread it costs several milliseconds now and then.

use crate::connection::{Connection, Purpose};
use crate::error::Error;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How often there is a checkpoint.
const EVERY: Duration = Duration::from_millis(500);
/// What a checkpoint leaves over is worth another pass when it is longer than this: 4 MiB.
const LONG_REST_PAGES: i64 = 1_024;
/// A log longer than this begins anew, whatever that costs the writer: 64 MiB.
const LONG_LOG_PAGES: i64 = 16_384;

/// Whether the writer should move the rest of the log. It begins anew only where a writer finds all
/// of it moved, and while one writes nobody else ever gets to its end. A log that begins anew is
/// written over what is on the disk already, which makes each commit cheaper than one that grows.
#[derive(Clone, Default)]
pub(crate) struct Rest(Arc<AtomicBool>);

impl Rest {
    /// Moves what is left, between two transactions of the writer, if there is any.
    pub(crate) fn move_when_due(&self, connection: &mut Connection) {
        if self.0.swap(false, Ordering::Relaxed) {
            move_log(connection, Mode::Passive);
        }
    }
}

/// Checkpoints the log until it is dropped.
pub(crate) struct CheckpointThread {
    stop: mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl CheckpointThread {
    pub(crate) fn start(path: PathBuf, rest: Rest) -> Result<Self, Error> {
        let (stop, stopped) = mpsc::channel::<()>();
        let mut connection = Connection::open_sqlite(&path, Purpose::Write)?;
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || {
                let mut moved = 0;
                while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    moved = checkpoint(&mut connection, moved, &rest);
                }
                // The last one out leaves one file behind.
                move_log(&mut connection, Mode::Truncate);
            })
            .map_err(|error| Error::Open {
                at: path.display().to_string(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for CheckpointThread {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Moves nearly all of the log and has the writer do the short rest; how many pages were moved of
/// it. `before` are those that were moved the last time.
fn checkpoint(connection: &mut Connection, before: i64, rest: &Rest) -> i64 {
    let mut log = move_log(connection, Mode::Passive);
    if log.pages - before > LONG_REST_PAGES {
        log = move_log(connection, Mode::Passive);
    }
    // Readers may keep it from beginning anew for as long as there always is one.
    if log.pages > LONG_LOG_PAGES {
        log = move_log(connection, Mode::Restart);
    }
    rest.0.store(log.moved < log.pages, Ordering::Relaxed);
    log.moved
}

/// How a checkpoint goes about it (SQLite, `PRAGMA wal_checkpoint`).
#[derive(Clone, Copy)]
enum Mode {
    /// Waits for nobody, and nobody for it.
    Passive,
    /// Waits until the log can begin anew.
    Restart,
    /// And leaves it empty.
    Truncate,
}

fn move_log(connection: &mut Connection, mode: Mode) -> Log {
    let Connection::Sqlite(connection) = connection else {
        return Log::default();
    };
    let pragma = match mode {
        Mode::Passive => "pragma wal_checkpoint(passive)",
        Mode::Restart => "pragma wal_checkpoint(restart)",
        Mode::Truncate => "pragma wal_checkpoint(truncate)",
    };
    let log = diesel::sql_query(pragma).get_result(connection);
    log.unwrap_or_else(|error| {
        tracing::warn!(%error, "the write-ahead log could not be moved into its file: it grows");
        Log::default()
    })
}

/// A log after a checkpoint, in pages.
#[derive(Default, QueryableByName)]
struct Log {
    #[diesel(sql_type = BigInt, column_name = log)]
    pages: i64,
    /// How many of them are in the file.
    #[diesel(sql_type = BigInt, column_name = checkpointed)]
    moved: i64,
}
