//! The transaction itself.

use super::array::Statement;
use crate::connection::Connection;
use crate::error::Error;
use crate::schema::versions;
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

/// The id of the transaction, if it wrote anything (PostgreSQL manual, 9.27.6).
pub(crate) fn transaction_id(connection: &mut Connection) -> Result<Option<String>, Error> {
    let Connection::Postgres(session) = connection else {
        return Ok(None);
    };
    let text = "select pg_current_xact_id_if_assigned()::text";
    Ok(Statement::<Nullable<Text>>::new(text).get_result(session.raw())?)
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
