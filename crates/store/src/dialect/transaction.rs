//! The transaction itself.

use super::array::Statement;
use super::together;
use crate::connection::Connection;
use crate::error::Error;
use crate::schema::{server_run, versions};
use crate::sql_types::Uid;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    Aborted,
    InProgress,
    /// The server does not remember.
    Forgotten,
}

/// How a transaction of one caller's work begins.
pub(crate) const ALONE: &str = "begin; savepoint work";
/// How a transaction of many callers' work begins, in its first savepoint: nobody waits for a lock
/// while others' work holds some.
pub(crate) const GROUPED: &str = "begin; set local lock_timeout = '50ms'; savepoint work";
/// How either ends. One that was aborted would take a bare commit as a rollback, without an error;
/// its savepoint cannot be released.
pub(crate) const COMMIT: &str = "release work; commit";

/// Begins a transaction of PostgreSQL, in one of the ways above; its id (PostgreSQL manual, 9.27.6).
pub(crate) fn begin(connection: &mut Connection, how: &str) -> Result<String, Error> {
    let Connection::Postgres(session) = connection else {
        return Err(Error::Closed);
    };
    let (begun, id) = session.together(async |c| {
        let id = Statement::<Text>::new("select pg_current_xact_id()::text");
        tokio::join!(biased; together::batch(c, how), together::get_result(c, id))
    });
    begun?;
    Ok(id?)
}

/// Which run of the server this is: another one after a crash, and on a standby that took over. Ids
/// that a server gave out in one run and wrote nowhere are given out again in the next.
pub(crate) fn server_run(connection: &mut Connection) -> Result<Uid, Error> {
    let Connection::Postgres(session) = connection else {
        return Err(Error::Closed);
    };
    let first = "insert into server_run (id) values (gen_random_uuid()) on conflict do nothing";
    Statement::<()>::new(first).execute(session.raw())?;
    Ok(server_run::table
        .select(server_run::id)
        .first(session.raw())?)
}

/// What became of the transaction with this id.
pub(crate) fn outcome_of(connection: &mut Connection, id: &str) -> Result<Outcome, Error> {
    let Connection::Postgres(session) = connection else {
        return Ok(Outcome::Forgotten);
    };
    let text = "select pg_xact_status(id::xid8) from unnest({}) as id";
    let status: Option<String> = Statement::<Nullable<Text>>::new(text)
        .bind::<Text, _>(vec![id])
        .get_result(session.raw())?;
    Ok(match status.as_deref() {
        Some("committed") => Outcome::Committed,
        Some("aborted") => Outcome::Aborted,
        Some(_) => Outcome::InProgress,
        None => Outcome::Forgotten,
    })
}

/// Writes something that changes nothing, to see whether it can be written.
pub(crate) fn touch(connection: &mut Connection) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            diesel::update(versions::table)
                .set(versions::value.eq(versions::value))
                .execute(c)?;
        }
        // An id is assigned only where writing is possible, and is written at the commit. A row
        // would be fought over.
        Connection::Postgres(session) => {
            Statement::<()>::new("select pg_current_xact_id()").execute(session.raw())?;
        }
    }
    Ok(())
}
