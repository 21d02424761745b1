//! The schema: embedded migrations, and the check that this release and the store fit.

use crate::connection::Connection;
use crate::error::Error;
use diesel::migration::{Migration, MigrationSource};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Applies what is missing; the names of the migrations applied.
pub(crate) fn migrate(connection: &mut Connection) -> Result<Vec<String>, Error> {
    refuse_newer(connection)?;
    match connection {
        Connection::Sqlite(c) => c
            .run_pending_migrations(SQLITE)
            .map(|applied| applied.iter().map(ToString::to_string).collect())
            .map_err(|error| Error::Migration(error.to_string())),
    }
}

/// Refuses a store that lacks a migration of this release, or has one of a newer release.
pub(crate) fn check(connection: &mut Connection) -> Result<(), Error> {
    refuse_newer(connection)?;
    let pending = match connection {
        Connection::Sqlite(c) => c.pending_migrations(SQLITE),
    };
    let pending = pending.map_err(|error| Error::Migration(error.to_string()))?;
    pending.first().map_or(Ok(()), |first| {
        Err(Error::SchemaTooOld(first.name().to_string()))
    })
}

fn refuse_newer(connection: &mut Connection) -> Result<(), Error> {
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| Error::Migration(error.to_string());
    let known: Vec<Box<dyn Migration<Sqlite>>> = SQLITE.migrations().map_err(failed)?;
    let newest = known
        .iter()
        .map(|migration| migration.name().version().as_owned())
        .max();
    let applied = match connection {
        Connection::Sqlite(c) => c.applied_migrations(),
    }
    .map_err(failed)?;
    applied
        .iter()
        .find(|version| newest.as_ref().is_some_and(|newest| *version > newest))
        .map_or(Ok(()), |version| {
            Err(Error::SchemaTooNew(version.to_string()))
        })
}
