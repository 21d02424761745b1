//! What can go wrong with a store.

use diesel::result::{DatabaseErrorKind, Error as Diesel};

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be opened.
    #[error("the store at {at} cannot be opened: {reason}; look at the file, or restore a copy")]
    Open {
        /// Where it is, without secrets.
        at: String,
        /// The engine's own words.
        reason: String,
    },
    /// The URL of a database says nothing that can be used.
    #[error("the database's URL cannot be used: {0}")]
    BadUrl(String),
    /// A database server cannot be reached.
    #[error("PostgreSQL at {at} is away: {reason}; it is tried again until it answers")]
    Away {
        /// Hosts and ports.
        at: String,
        /// What the system or the server said.
        reason: String,
    },
    /// The database was made by a newer release.
    #[error(
        "the store has the migration {0}, which this release does not know: it was written by a newer one; start that, or restore an older copy"
    )]
    SchemaTooNew(String),
    /// The database was not migrated yet.
    #[error("the store lacks the migration {0}: run `tidings migrate`")]
    SchemaTooOld(String),
    /// A migration failed.
    #[error("the store cannot be migrated: {0}")]
    Migration(String),
    /// The engine refused a statement.
    #[error("the store failed: {0}")]
    Query(#[from] Diesel),
    /// The commit failed; nothing of it was done.
    #[error("the transaction failed and was undone: {0}")]
    Undone(String),
    /// The connection to the database ended, or the database refused to write on it.
    #[error("the connection to the store was lost: {0}")]
    Lost(String),
    /// The connection ended while the transaction was being committed, and the database could not be
    /// asked in time what became of it.
    #[error(
        "whether the transaction was committed is not known: {0}; look before doing it again by hand"
    )]
    Uncertain(String),
    /// More wait for the store than it takes in.
    #[error("the store is busy: {0}")]
    Busy(&'static str),
    /// The store was closed, or its thread ended.
    #[error("the store is closed")]
    Closed,
    /// A row holds what this release does not understand.
    #[error("the store holds {0}")]
    Unreadable(String),
    /// Somebody else owns the shard now.
    #[error("the lease on the shard has passed to another dispatcher")]
    LeaseLost,
    /// Somebody else does the request now.
    #[error("the request is being done again by somebody else")]
    RequestLost,
    /// Somebody has changed it since it was seen.
    #[error("it is not as it was seen")]
    OtherVersion,
}

/// What PostgreSQL says of a lock that is not to be had.
const LOCKED: [&str; 2] = [
    "deadlock detected",
    "canceling statement due to lock timeout",
];

impl Error {
    /// Whether the same may succeed later without anybody changing anything.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Open { .. }
            | Self::Away { .. }
            | Self::Undone(_)
            | Self::Lost(_)
            | Self::Uncertain(_)
            | Self::Busy(_)
            | Self::Closed
            | Self::LeaseLost
            | Self::RequestLost => true,
            Self::Query(error) => !matches!(
                error,
                Diesel::DatabaseError(
                    DatabaseErrorKind::UniqueViolation
                        | DatabaseErrorKind::NotNullViolation
                        | DatabaseErrorKind::CheckViolation
                        | DatabaseErrorKind::ForeignKeyViolation,
                    _
                ) | Diesel::SerializationError(_)
                    | Diesel::DeserializationError(_)
                    | Diesel::QueryBuilderError(_)
            ),
            Self::BadUrl(_)
            | Self::SchemaTooNew(_)
            | Self::SchemaTooOld(_)
            | Self::Migration(_)
            | Self::Unreadable(_)
            | Self::OtherVersion => false,
        }
    }

    /// Whether the store as a whole does not work now, whatever is asked of it.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Open { .. }
            | Self::Away { .. }
            | Self::SchemaTooNew(_)
            | Self::SchemaTooOld(_)
            | Self::Undone(_)
            | Self::Lost(_)
            | Self::Uncertain(_)
            | Self::Busy(_)
            | Self::Closed
            // The last two: PostgreSQL became a standby, or is gone.
            | Self::Query(Diesel::DatabaseError(
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::ReadOnlyTransaction
                | DatabaseErrorKind::UnableToSendCommand,
                _,
            )) => true,
            // SQLite has no kinds for these; the words are its own and do not change.
            Self::Query(Diesel::DatabaseError(DatabaseErrorKind::Unknown, said)) => {
                matches!(
                    said.message(),
                    "database or disk is full" | "disk I/O error"
                )
            }
            _ => false,
        }
    }

    /// The same for another caller.
    #[must_use]
    pub fn again(&self) -> Self {
        match self {
            Self::Open { at, reason } => Self::Open {
                at: at.clone(),
                reason: reason.clone(),
            },
            Self::BadUrl(reason) => Self::BadUrl(reason.clone()),
            Self::Away { at, reason } => Self::Away {
                at: at.clone(),
                reason: reason.clone(),
            },
            Self::SchemaTooNew(name) => Self::SchemaTooNew(name.clone()),
            Self::SchemaTooOld(name) => Self::SchemaTooOld(name.clone()),
            Self::Migration(reason) => Self::Migration(reason.clone()),
            Self::Undone(reason) => Self::Undone(reason.clone()),
            Self::Uncertain(reason) => Self::Uncertain(reason.clone()),
            Self::Busy(reason) => Self::Busy(reason),
            Self::Closed => Self::Closed,
            Self::Lost(reason) => Self::Lost(reason.clone()),
            Self::Query(_)
            | Self::Unreadable(_)
            | Self::LeaseLost
            | Self::RequestLost
            | Self::OtherVersion => Self::Lost(self.to_string()),
        }
    }

    /// How often work that met this is worth running, alone in a transaction: somebody else was
    /// faster, or held what it needed.
    pub(crate) fn tries(&self) -> u32 {
        match self {
            Self::Query(Diesel::DatabaseError(kind, said)) => match kind {
                // There are no checks but those of partitions: one was made while the row was on its
                // way to the default one.
                DatabaseErrorKind::SerializationFailure | DatabaseErrorKind::CheckViolation => 5,
                DatabaseErrorKind::UniqueViolation => 2,
                // diesel keeps no SQLSTATE; these are 40P01 and 55P03.
                DatabaseErrorKind::Unknown if LOCKED.contains(&said.message()) => 5,
                _ => 1,
            },
            _ => 1,
        }
    }

    /// Whether work that met this in a transaction with others' is worth running alone. A server
    /// may speak another language than ours: what is not known is tried.
    pub(crate) fn may_go_alone(&self) -> bool {
        let is_unknown = match self {
            Self::Query(Diesel::DatabaseError(DatabaseErrorKind::Unknown, said)) => {
                said.message() != "canceling statement due to statement timeout"
            }
            _ => false,
        };
        is_unknown || self.tries() > 1
    }

    pub fn unreadable(what: impl Into<String>) -> Self {
        Self::Unreadable(what.into())
    }
}
