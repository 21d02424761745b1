#![doc = include_str!("../README.md")]

mod connection;
mod dialect;
mod error;
pub mod ledger;
mod migration;
mod postgres;
mod readers;
#[allow(
    clippy::wildcard_imports,
    reason = "table! names the types of its columns"
)]
mod schema;
mod sql_types;
mod writer;

pub mod account;
pub mod callback;
pub mod delivery;
pub mod directory;
pub mod event;
pub mod fan_out;
pub mod idempotency;
pub mod installation;
pub mod message;
pub mod orphan;
pub mod page;
mod partition;
pub mod shard;
pub mod subscription;
pub mod tenant;

pub use error::Error;
pub use page::Page;

use connection::{Connection, Purpose};
use domain::{Clock, Random};
use postgres::{Gate, Postgres};
use readers::Readers;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use writer::Writer;

/// Where Tidings keeps what is true. Cheap to clone; all clones are the same store.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    readers: Readers,
    lookups: Readers,
    /// The way to more connections, on PostgreSQL.
    gate: Option<Arc<Gate>>,
    clock: Clock,
    random: Random,
    _checkpoints: Option<Arc<CheckpointThread>>,
}

/// How many connections to PostgreSQL write.
const WRITERS: usize = 3;
/// How many connections read at once.
const READERS: usize = 4;
/// How many more are kept for looking a row up, which somebody waits for on a hot path.
const LOOKUPS: usize = 2;
/// How often what was written is moved from the write-ahead log into the file.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// A write-ahead log longer than this begins anew, whatever that costs the writer.
const LONG_LOG_BYTES: u64 = 32 * 1024 * 1024;

impl Store {
    /// Opens an SQLite file, makes it when it is not there, and migrates it to this release. The file
    /// belongs to one process at a time: whoever had leases in it is gone.
    pub fn open_sqlite(path: &Path, clock: Clock, random: Random) -> Result<Self, Error> {
        let mut connection = Connection::open_sqlite(path, Purpose::Write)?;
        for applied in migration::migrate(&mut connection)? {
            tracing::info!(migration = %applied, "the store was migrated");
        }
        migration::check(&mut connection)?;
        shard::free_all(&mut connection)?;
        let open = |count: usize| {
            let connections = (0..count).map(|_| Connection::open_sqlite(path, Purpose::Read));
            Ok::<_, Error>(Readers::local(connections.collect::<Result<_, _>>()?))
        };
        Ok(Self {
            readers: open(READERS)?,
            lookups: open(LOOKUPS)?,
            writer: Writer::local(connection)?,
            gate: None,
            clock,
            random,
            _checkpoints: Some(Arc::new(CheckpointThread::start(path.to_owned())?)),
        })
    }

    /// A PostgreSQL, whether it is there or not: only the URL and the file of its authorities are
    /// read. Connections are made when they are needed, and made again when they end; `runtime`
    /// drives them. Until the database was migrated to this release, whatever is asked fails with
    /// [`Error::SchemaTooOld`].
    pub fn open_postgres(
        url: &str,
        runtime: Handle,
        clock: Clock,
        random: Random,
    ) -> Result<Self, Error> {
        let postgres = Postgres::parse(url, runtime)?;
        let gate = Arc::new(Gate::new(postgres, random.clone()));
        Ok(Self {
            writer: Writer::remote(&gate, &random, WRITERS)?,
            readers: Readers::remote(gate.clone(), READERS),
            lookups: Readers::remote(gate.clone(), LOOKUPS),
            gate: Some(gate),
            clock,
            random,
            _checkpoints: None,
        })
    }

    /// Applies the migrations that are missing, without serving; their names. Makes the partitions of
    /// the days ahead. On a blocking thread.
    pub fn migrate_postgres(url: &str, runtime: Handle) -> Result<Vec<String>, Error> {
        let mut connection = Postgres::parse(url, runtime)?.connect(Duration::ZERO)?;
        // It takes as long as it takes.
        connection.rest();
        let applied = migration::migrate(&mut connection)?;
        partition::prepare(&mut connection, Duration::ZERO)?;
        Ok(applied)
    }

    /// Applies the migrations that are missing, without serving; their names.
    pub fn migrate_sqlite(path: &Path) -> Result<Vec<String>, Error> {
        migration::migrate(&mut Connection::open_sqlite(path, Purpose::Write)?)
    }

    /// Whether the store can be reached and has the schema of this release.
    pub async fn check(&self) -> Result<(), Error> {
        self.look_up(migration::check).await
    }

    /// Whether the store takes writes.
    pub async fn ping(&self) -> Result<(), Error> {
        self.write(dialect::touch).await
    }

    /// Runs `work` in a transaction, together with other callers'. It may be run more than once, and
    /// counts once.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.writer.write(work).await
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.readers
            .read(|connection| connection.at_one_moment(work))
            .await
    }

    /// Reads a row or two that a hot path waits for; never behind somebody's list.
    pub(crate) async fn look_up<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.lookups.read(work).await
    }
}

/// Checkpoints the write-ahead log until it is dropped.
struct CheckpointThread {
    stop: std::sync::mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl CheckpointThread {
    fn start(path: PathBuf) -> Result<Self, Error> {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let mut connection = Connection::open_sqlite(&path, Purpose::Write)?;
        let log = PathBuf::from(format!("{}-wal", path.display()));
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(CHECKPOINT_EVERY)
                    == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
                {
                    checkpoint(&mut connection, &log);
                }
                // The last one out leaves one file behind.
                let _ = connection.execute("pragma wal_checkpoint(truncate)");
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

/// Moves what was written into the file, beside the writer. Under steady load the log would never
/// be free to begin anew: when it has grown long, the writer waits a moment for what is left.
fn checkpoint(connection: &mut Connection, log: &Path) {
    let mut moved = connection.execute("pragma wal_checkpoint(passive)");
    if log.metadata().is_ok_and(|log| log.len() > LONG_LOG_BYTES) {
        moved = connection.execute("pragma wal_checkpoint(truncate)");
    }
    if let Err(error) = moved {
        tracing::warn!(%error, "the write-ahead log was not checkpointed");
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
