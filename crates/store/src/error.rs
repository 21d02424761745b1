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
}

impl Error {
    /// Whether the same may succeed later without anybody changing anything.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Open { .. }
            | Self::Undone(_)
            | Self::Busy(_)
            | Self::Closed
            | Self::LeaseLost => true,
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
            Self::SchemaTooNew(_)
            | Self::SchemaTooOld(_)
            | Self::Migration(_)
            | Self::Unreadable(_) => false,
        }
    }

    /// Whether the store as a whole does not work now, whatever is asked of it.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Open { .. }
            | Self::Undone(_)
            | Self::Busy(_)
            | Self::Closed
            | Self::Query(Diesel::DatabaseError(DatabaseErrorKind::ClosedConnection, _)) => true,
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

    pub(crate) fn unreadable(what: impl Into<String>) -> Self {
        Self::Unreadable(what.into())
    }
}
