//! The schema: embedded migrations, and the check that this release and the store fit.

use crate::connection::Connection;
use crate::error::Error;
use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// What only one migrating process at a time holds, on PostgreSQL.
const LOCK: &str = "select pg_advisory_lock(8391046227)";
const UNLOCK: &str = "select pg_advisory_unlock(8391046227)";

/// Applies what is missing; the names of the migrations applied.
pub(crate) fn migrate(connection: &mut Connection) -> Result<Vec<String>, Error> {
    match connection {
        Connection::Sqlite(c) => apply(c, SQLITE),
        Connection::Postgres(_) => {
            connection.execute(LOCK)?;
            let applied = match connection {
                Connection::Postgres(c) => apply(&mut **c, POSTGRES),
                Connection::Sqlite(c) => apply(c, SQLITE),
            };
            connection.execute(UNLOCK)?;
            applied
        }
    }
}

/// Refuses a store that lacks a migration of this release, or has one of a newer release.
pub(crate) fn check(connection: &mut Connection) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => compare(c, SQLITE),
        Connection::Postgres(c) => compare(&mut **c, POSTGRES),
    }
}

fn apply<DB: Backend>(
    connection: &mut impl MigrationHarness<DB>,
    known: EmbeddedMigrations,
) -> Result<Vec<String>, Error>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    refuse_newer(connection, &known)?;
    let applied = connection.run_pending_migrations(known).map_err(failed)?;
    Ok(applied.iter().map(ToString::to_string).collect())
}

fn compare<DB: Backend>(
    connection: &mut impl MigrationHarness<DB>,
    known: EmbeddedMigrations,
) -> Result<(), Error>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    refuse_newer(connection, &known)?;
    let pending = connection.pending_migrations(known).map_err(failed)?;
    let first = pending
        .first()
        .map(|migration| migration.name().to_string());
    first.map_or(Ok(()), |name| Err(Error::SchemaTooOld(name)))
}

fn refuse_newer<DB: Backend>(
    connection: &mut impl MigrationHarness<DB>,
    known: &EmbeddedMigrations,
) -> Result<(), Error>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let known: Vec<Box<dyn Migration<DB>>> = known.migrations().map_err(failed)?;
    let newest = known
        .iter()
        .map(|known| known.name().version().as_owned())
        .max();
    let applied = connection.applied_migrations().map_err(failed)?;
    applied
        .iter()
        .find(|version| newest.as_ref().is_some_and(|newest| *version > newest))
        .map_or(Ok(()), |version| {
            Err(Error::SchemaTooNew(version.to_string()))
        })
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Migration(error.to_string())
}
