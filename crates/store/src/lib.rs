#![doc = include_str!("../README.md")]

pub mod asked;
mod checkpoint;
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
pub mod audit;
pub mod bearer;
pub mod callback;
pub mod dead_letter;
pub mod delivery;
pub mod directory;
pub mod erasure;
pub mod event;
pub mod event_type;
pub mod fan_out;
pub mod health;
pub mod idempotency;
pub mod installation;
pub mod key;
pub mod member;
pub mod message;
pub mod news;
pub mod notification;
pub mod orphan;
pub mod page;
mod partition;
pub mod plan;
pub mod poll;
pub mod quarantine;
pub mod recovery;
pub mod replay;
pub mod request;
pub mod retention;
pub mod secret;
pub mod security;
pub mod send_attempt;
pub mod shard;
pub mod subscription;
pub mod sweep;
pub mod tally;
pub mod tenant;
pub mod timeline;
pub mod token;
pub mod trial;
pub mod version;
mod warning;

pub use error::Error;
pub use page::Page;

use checkpoint::{CheckpointThread, Rest};
use connection::{Connection, Purpose};
use domain::{Clock, Random};
use event::Publishing;
use postgres::{Gate, Postgres};
use readers::Readers;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use writer::Writer;

/// Where Tidings keeps what is true. Cheap to clone; all clones are the same store.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    publishing: Publishing,
    readers: Readers,
    lookups: Readers,
    /// The way to more connections, on PostgreSQL.
    gate: Option<Arc<Gate>>,
    clock: Clock,
    random: Random,
    /// For whom it acts.
    act: Option<Arc<audit::Act>>,
    _checkpoints: Option<Arc<CheckpointThread>>,
}

/// How many connections to PostgreSQL write.
const WRITERS: usize = 3;
/// How many of them write events that were published, at the most: one more than the one that may wait
/// for somebody's lock.
const PUBLISHERS: usize = 2;
/// How many connections read at once.
const READERS: usize = 4;
/// How many more are kept for looking a row up, which somebody waits for on a hot path.
const LOOKUPS: usize = 2;

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
        poll::free_all(&mut connection)?;
        let open = |count: usize| {
            let connections = (0..count).map(|_| Connection::open_sqlite(path, Purpose::Read));
            Ok::<_, Error>(Readers::local(connections.collect::<Result<_, _>>()?))
        };
        let rest = Rest::default();
        let writer = Writer::local(connection, rest.clone())?;
        Ok(Self {
            readers: open(READERS)?,
            lookups: open(LOOKUPS)?,
            // The writer puts those that have come into one transaction.
            publishing: Publishing::new(writer.clone(), random.clone(), usize::MAX),
            writer,
            gate: None,
            clock,
            random,
            act: None,
            _checkpoints: Some(Arc::new(CheckpointThread::start(path.to_owned(), rest)?)),
        })
    }

    /// A PostgreSQL, whether it is there or not: only the URL and the file of its authorities are
    /// read. Connections are made when they are needed, and made again when they end. Until the
    /// database was migrated to this release, whatever is asked fails with [`Error::SchemaTooOld`].
    pub fn open_postgres(url: &str, clock: Clock, random: Random) -> Result<Self, Error> {
        let postgres = Postgres::parse(url)?;
        let gate = Arc::new(Gate::new(postgres, random.clone()));
        let writer = Writer::remote(&gate, &random, WRITERS)?;
        Ok(Self {
            publishing: Publishing::new(writer.clone(), random.clone(), PUBLISHERS),
            writer,
            readers: Readers::remote(gate.clone(), READERS),
            lookups: Readers::remote(gate.clone(), LOOKUPS),
            gate: Some(gate),
            clock,
            random,
            act: None,
            _checkpoints: None,
        })
    }

    /// Applies the migrations that are missing, without serving; their names. Makes the partitions of
    /// the days ahead. On a blocking thread.
    pub fn migrate_postgres(url: &str) -> Result<Vec<String>, Error> {
        let mut connection = Postgres::parse(url)?.connect(Duration::ZERO)?;
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

    /// Whether it is a server, which may be away; otherwise it is a file.
    pub const fn is_remote(&self) -> bool {
        self.gate.is_some()
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
    /// counts once. In the same transaction a request that is done once says that it is, one on condition looks
    /// whether it holds, and what somebody does is written down.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (run, condition) = (request::present(), version::present());
        let recorder = self.recorder();
        if run.is_none() && condition.is_none() && recorder.is_none() {
            return self.writer.write(work).await;
        }
        let condition_of_all = condition.clone();
        let all = move |connection: &mut Connection| {
            if let Some(run) = &run {
                request::note_done(connection, run)?;
            }
            let mut on_condition = |connection: &mut Connection| match &condition {
                Some(condition) => condition.around(connection, &mut work),
                None => Ok((work(connection)?, None)),
            };
            match &recorder {
                Some(recorder) => recorder.around(connection, &mut on_condition),
                None => on_condition(connection),
            }
        };
        let (done, version) = self.writer.write(all).await?;
        if let Some(condition) = condition_of_all {
            condition.allow(version);
        }
        Ok(done)
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
