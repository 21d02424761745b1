//! Opening the queue file.

use super::tally::{Counts, QueueTally, Tally};
use crate::error::Error;
use domain::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use std::cmp::Reverse;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wire::Queue;

/// One step for each schema version, from an empty file on. A step that was released never changes.
const MIGRATIONS: [&str; 2] = [include_str!("schema_1.sql"), include_str!("schema_2.sql")];

/// How long the process before this one may take to end.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Up to this size the whole file is checked at the start; a queue is nearly empty mostly.
const MAX_CHECKED_BYTES: u64 = 32 * 1_048_576;

/// The file, opened, with what it holds counted.
#[derive(Debug)]
pub(super) struct QueueFile {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    pub(super) tally: Tally,
    /// Unlocked when the last clone is dropped.
    pub(super) lock: Arc<File>,
}

pub(super) fn open(path: &Path, now: Timestamp) -> Result<QueueFile, Error> {
    let lock = Arc::new(lock(path)?);
    make_private(path)?;
    let damaged_or = |error: rusqlite::Error| match self::error(path, &error) {
        Error::Unusable { path, reason } => Error::Unopenable { path, reason },
        other => other,
    };
    let mut connection = connect(path).map_err(damaged_or)?;
    check_version(path, &connection)?;
    check_pages(path, &connection)?;
    migrate(&mut connection).map_err(damaged_or)?;
    give_back_claims(&connection, now).map_err(damaged_or)?;
    let tally = count(&connection, now).map_err(damaged_or)?;
    Ok(QueueFile {
        path: path.to_owned(),
        connection,
        tally,
        lock,
    })
}

/// A connection that may write.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cell_size_check = ON;",
    )?;
    Ok(connection)
}

/// What an error of `SQLite` means.
pub(super) fn error(path: &Path, error: &rusqlite::Error) -> Error {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::DiskFull { path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Damaged { path, reason }
        }
        _ => Error::Unusable { path, reason },
    }
}

/// The tally and the leases are in memory, so only one process may have the file. The lock is a file
/// of its own: locking and closing the queue file itself would undo the locks `SQLite` has on it.
fn lock(path: &Path) -> Result<File, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    let unopenable = |error: std::io::Error| Error::Unopenable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let file = private().open(&lock).map_err(unopenable)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(unopenable(error)),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::InUse {
                    path: path.to_owned(),
                    lock,
                });
            }
        }
    }
}

/// Payloads are nobody else's business; `SQLite` gives its other files the same mode.
fn make_private(path: &Path) -> Result<(), Error> {
    private()
        .open(path)
        .map(drop)
        .map_err(|error| Error::Unopenable {
            path: path.to_owned(),
            reason: error.to_string(),
        })
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn check_version(path: &Path, connection: &Connection) -> Result<(), Error> {
    let found = version(connection).map_err(|error| self::error(path, &error))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(Error::TooNew {
            path: path.to_owned(),
            found,
            known,
        });
    }
    Ok(())
}

fn check_pages(path: &Path, connection: &Connection) -> Result<(), Error> {
    if path.metadata().map_or(0, |file| file.len()) > MAX_CHECKED_BYTES {
        return Ok(());
    }
    let verdict: rusqlite::Result<String> =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(reason) => Err(Error::Damaged {
            path: path.to_owned(),
            reason,
        }),
        Err(error) => Err(self::error(path, &error)),
    }
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let done = usize::try_from(version(connection)?).unwrap_or(0);
    let transaction = connection.transaction()?;
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        transaction.execute_batch(migration)?;
        transaction.execute_batch(&format!("PRAGMA user_version = {}", index + 1))?;
    }
    for queue in Queue::ALL {
        transaction.execute(
            "INSERT INTO queues (name) VALUES (?1) ON CONFLICT DO NOTHING",
            [queue.as_str()],
        )?;
    }
    transaction.commit()
}

/// The process before this one had these in hand. One of them may have killed it, so each comes
/// alone.
fn give_back_claims(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE jobs SET available_at = min(first_seen_at, ?1), attempts = attempts + 1, is_alone = 1
         WHERE id IN (SELECT value FROM claims, json_each(claims.job_ids))",
        [now.as_millis()],
    )?;
    connection.execute("DELETE FROM claims", []).map(drop)
}

fn count(connection: &Connection, now: Timestamp) -> rusqlite::Result<Tally> {
    let last_id =
        connection.query_row("SELECT max(last_job_id) FROM queues", [], |row| row.get(0))?;
    let queues: rusqlite::Result<Vec<_>> = Queue::ALL
        .iter()
        .map(|queue| count_queue(connection, *queue, now))
        .collect();
    Ok(Tally::new(last_id, queues?))
}

/// Jobs are counted in the row of their queue, dead letters and delays through an index.
fn count_queue(
    connection: &Connection,
    queue: Queue,
    now: Timestamp,
) -> rusqlite::Result<QueueTally> {
    let (row, jobs) = connection.query_row(
        "SELECT id, jobs FROM queues WHERE name = ?1",
        [queue.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let dead = connection.query_row(
        "SELECT count(*) FROM dead_letters WHERE queue_id = ?1",
        [row],
        |row| row.get(0),
    )?;
    let delays = connection
        .prepare("SELECT available_at FROM jobs WHERE queue_id = ?1 AND available_at > ?2")?
        .query_map(params![row, now.as_millis()], |row| row.get(0).map(Reverse))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(QueueTally::new(
        row,
        Counts {
            jobs,
            leased: 0,
            dead,
        },
        delays,
    ))
}
