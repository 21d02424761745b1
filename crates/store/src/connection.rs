//! One connection, of either engine, and how a query is written once for both.

use crate::error::Error;
use diesel::connection::SimpleConnection;
use diesel::{Connection as _, SqliteConnection};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A connection. A closed set, so an enum; a query is written once with [`each!`].
pub enum Connection {
    /// To an SQLite file.
    Sqlite(SqliteConnection),
    /// To PostgreSQL: tokio-postgres under diesel's synchronous face. Used on blocking threads.
    Postgres(Box<AsyncConnectionWrapper<AsyncPgConnection>>),
}

/// Writes a query once: the same expression is compiled for each engine.
macro_rules! each {
    ($connection:expr, $c:ident => $query:expr) => {
        match $connection {
            $crate::connection::Connection::Sqlite($c) => $query,
            $crate::connection::Connection::Postgres($c) => {
                let $c = &mut **$c;
                $query
            }
        }
    };
}

/// Inserts rows. On SQLite one prepared single-row statement in a loop is as fast as one statement
/// with many rows, and is parsed once.
macro_rules! insert_rows {
    ($connection:expr, $table:expr, $rows:expr) => {
        match $connection {
            $crate::connection::Connection::Sqlite(c) => {
                for row in $rows {
                    diesel::RunQueryDsl::execute(diesel::insert_into($table).values(row), c)?;
                }
            }
            $crate::connection::Connection::Postgres(c) => {
                // A statement takes 65,535 values; the widest row has 29.
                for rows in $rows.chunks(1_000) {
                    let insert = diesel::insert_into($table).values(rows);
                    diesel::RunQueryDsl::execute(insert, &mut **c)?;
                }
            }
        }
    };
}

pub(crate) use {each, insert_rows};

/// What a connection is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Write,
    Read,
}

impl Connection {
    /// Opens an SQLite file in write-ahead mode. A commit is on the disk when it returns.
    pub(crate) fn open_sqlite(path: &Path, purpose: Purpose) -> Result<Self, Error> {
        let failed = |reason: String| Error::Open {
            at: path.display().to_string(),
            reason,
        };
        // Phone numbers are nobody else's business; what SQLite makes beside it has the same mode.
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed(error.to_string()))?;
        let mut connection = SqliteConnection::establish(&path.display().to_string())
            .map_err(|error| failed(error.to_string()))?;
        // Checkpoints are made by a thread of their own: in the committing thread they would cost
        // it several milliseconds now and then.
        // The timeout comes first: a process that is just ending may still hold the file.
        let pragmas = "pragma busy_timeout = 5000; pragma journal_mode = wal; \
                       pragma synchronous = full; pragma wal_autocheckpoint = 0; \
                       pragma cache_size = -16000; pragma temp_store = memory;";
        connection
            .batch_execute(pragmas)
            .map_err(|error| failed(error.to_string()))?;
        if purpose == Purpose::Read {
            connection
                .batch_execute("pragma query_only = on")
                .map_err(|error| failed(error.to_string()))?;
        }
        Ok(Self::Sqlite(connection))
    }

    /// Begins a transaction that writes. SQLite takes its write lock at once.
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        match self {
            Self::Sqlite(_) => self.execute("begin immediate"),
            Self::Postgres(_) => self.execute("begin"),
        }
    }

    pub(crate) fn execute(&mut self, sql: &str) -> Result<(), Error> {
        each!(self, c => c.batch_execute(sql))?;
        Ok(())
    }
}
