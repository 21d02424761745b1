//! The schema: embedded migrations, and the check that this release and the store fit.

use crate::connection::Connection;
use crate::dialect::array::Statement;
use crate::error::Error;
use crate::postgres::Session;
use diesel::RunQueryDsl;
use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::collections::BTreeMap;

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// What only one migrating process at a time holds, on PostgreSQL, until its connection ends. It may
/// wait as long as the other takes; a table that others use is waited for less.
const LOCK: &str = "set statement_timeout = 0; set lock_timeout = 0; \
                    select pg_advisory_lock(8391046227); set lock_timeout = '30s'";

/// Applies what is missing; the names of the migrations applied. On PostgreSQL on a connection that
/// ends with it.
pub(crate) fn migrate(connection: &mut Connection) -> Result<Vec<String>, Error> {
    if matches!(connection, Connection::Postgres(_)) {
        connection.execute(LOCK)?;
    }
    match connection {
        Connection::Sqlite(c) => apply(c, SQLITE),
        Connection::Postgres(session) => apply(session.raw(), POSTGRES),
    }
}

/// Refuses a store that lacks a migration of this release, or has one of a newer release. Changes
/// nothing.
pub(crate) fn check(connection: &mut Connection) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => compare(c, SQLITE),
        Connection::Postgres(session) => compare_only(session),
    }
}

/// As [`compare`], without making the table of migrations where it is missing: whoever only works
/// with the tables may make none.
fn compare_only(session: &mut Session) -> Result<(), Error> {
    let text = "select to_regclass('__diesel_schema_migrations') is not null";
    let is_migrated: bool = Statement::<Bool>::new(text).get_result(session.raw())?;
    let applied: Vec<String> = if is_migrated {
        let text = "select version from __diesel_schema_migrations";
        Statement::<Text>::new(text).load(session.raw())?
    } else {
        Vec::new()
    };
    let known: Vec<Box<dyn Migration<Pg>>> = POSTGRES.migrations().map_err(failed)?;
    let known: BTreeMap<String, String> = known
        .iter()
        .map(|known| (known.name().version().to_string(), known.name().to_string()))
        .collect();
    let newest = known.keys().next_back();
    if let Some(newer) = applied.iter().find(|applied| Some(*applied) > newest) {
        return Err(Error::SchemaTooNew(newer.clone()));
    }
    known
        .into_iter()
        .find(|(version, _)| !applied.contains(version))
        .map_or(Ok(()), |(_, name)| Err(Error::SchemaTooOld(name)))
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
