//! One connection, of either engine, and how a query is written once for both.

use crate::error::Error;
use crate::postgres::Session;
use diesel::connection::SimpleConnection;
use diesel::{Connection as _, SqliteConnection};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A connection. A closed set, so an enum; a query is written once with [`each!`].
pub enum Connection {
    /// To an SQLite file.
    Sqlite(SqliteConnection),
    /// To PostgreSQL. Used on blocking threads.
    Postgres(Box<Session>),
}

/// Writes a query once: the same expression is compiled for each engine.
macro_rules! each {
    ($connection:expr, $c:ident => $query:expr) => {
        match $connection {
            $crate::connection::Connection::Sqlite($c) => $query,
            $crate::connection::Connection::Postgres($c) => {
                let $c = $c.raw();
                $query
            }
        }
    };
}

/// Loads rows; on PostgreSQL they stay locked, in this way, until the transaction ends.
macro_rules! load_locked {
    ($connection:expr, $query:expr, $($lock:ident),+) => {
        match $connection {
            $crate::connection::Connection::Sqlite(c) => $query.load(c)?,
            $crate::connection::Connection::Postgres(c) => $query$(.$lock())+.load(c.raw())?,
        }
    };
}

/// Inserts rows. On SQLite one prepared single-row statement in a loop is as fast as one statement
/// with many rows, and is parsed once; on PostgreSQL each column goes as one array.
macro_rules! insert_rows {
    ($connection:expr, $table:expr, $rows:expr) => {
        match $connection {
            $crate::connection::Connection::Sqlite(c) => {
                for row in $rows {
                    diesel::RunQueryDsl::execute(diesel::insert_into($table).values(row), c)?;
                }
            }
            $crate::connection::Connection::Postgres(c) => {
                let rows = $rows;
                if rows.clone().next().is_some() {
                    let insert = $crate::dialect::array::Columns::insert(rows);
                    diesel::RunQueryDsl::execute(insert, c.raw())?;
                }
            }
        }
    };
}

pub(crate) use {each, insert_rows, load_locked};

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
                       pragma journal_size_limit = 67108864; pragma temp_store = memory;";
        connection
            .batch_execute(pragmas)
            .map_err(|error| failed(error.to_string()))?;
        // In KiB. There are several readers, and what they read often is in the writer's cache or the
        // system's as well.
        connection
            .batch_execute(match purpose {
                Purpose::Write => "pragma cache_size = -16000",
                Purpose::Read => "pragma cache_size = -2000; pragma query_only = on",
            })
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self::Sqlite(connection))
    }

    /// Runs `read`, all of which sees the store as it is at one moment.
    pub(crate) fn at_one_moment<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.execute(match self {
            Self::Sqlite(_) => "begin",
            Self::Postgres(_) => "begin isolation level repeatable read read only",
        })?;
        let read = read(self);
        // Nothing was written.
        let ended = self.execute("rollback");
        read.and_then(|value| ended.map(|()| value))
    }

    /// Whether it may be used for the next transaction.
    pub(crate) fn is_fit(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(session) => session.is_fit(),
        }
    }

    /// Says that a use of it begins; one that takes far too long ends the connection.
    pub(crate) fn use_now(&self) {
        if let Self::Postgres(session) = self {
            session.use_now();
        }
    }

    /// Says that a use of it has ended.
    pub(crate) fn rest(&self) {
        if let Self::Postgres(session) = self {
            session.rest();
        }
    }

    pub(crate) fn execute(&mut self, sql: &str) -> Result<(), Error> {
        each!(self, c => c.batch_execute(sql))?;
        Ok(())
    }
}
