//! Days of PostgreSQL's partitioned tables that are over: found, and dropped.

use super::array::Statement;
use super::partition::{smallest_id, those_there};
use crate::connection::Connection;
use crate::error::Error;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

/// Looking through a day may take its time: nobody waits for it.
const LOOK: &str = "set statement_timeout = '5min'";
/// Making and dropping partitions is done by one at a time. While the drop waits for whoever reads the
/// table, whoever wants it next waits behind it: so it does not wait long. The day itself, and the
/// default partition, are the engine's to lock.
const BEGIN: &str = "begin; set local lock_timeout = '3s'; select pg_advisory_xact_lock(4, 0); \
                     set local lock_timeout = '200ms'";

/// A day of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Day {
    table: &'static str,
    /// Since the Unix epoch, in UTC.
    pub(crate) number: i64,
    /// `events_20261127`.
    pub(crate) name: String,
}

/// What became of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Drop {
    Dropped,
    /// It was not there any more.
    #[default]
    Gone,
    /// Somebody uses the table.
    Busy,
}

/// The days of a table before this one that are there, oldest first.
pub(crate) fn over(
    connection: &mut Connection,
    table: &'static str,
    before: i64,
) -> Result<Vec<Day>, Error> {
    let Connection::Postgres(session) = connection else {
        return Ok(Vec::new());
    };
    let text = "select relname::text, \
                    (to_date(right(relname::text, 8), 'YYYYMMDD') - date '1970-01-01')::bigint \
                from unnest({}) as parent, pg_catalog.pg_inherits \
                    join pg_catalog.pg_class on pg_class.oid = inhrelid \
                where inhparent = parent::regclass \
                    and relname::text ~ ('^' || parent || '_[0-9]{8}$') \
                order by 1";
    let days: Vec<(String, i64)> = Statement::<(Text, BigInt)>::new(text)
        .bind::<Text, _>(vec![table])
        .load(session.raw())?;
    let old = days.into_iter().filter(|(_, number)| *number < before);
    Ok(old
        .map(|(name, number)| Day {
            table,
            number,
            name,
        })
        .collect())
}

/// Whether a day may go: nothing of it is still owed, or hangs on what is kept, and nobody dropped it
/// meanwhile. What ended once never begins again, so a day that may go may always.
pub(crate) fn may_go(connection: &mut Connection, day: &Day) -> Result<bool, Error> {
    match is_owed(connection, day) {
        Ok(is_owed) => Ok(!is_owed),
        Err(error) if is_there(connection, day)? => Err(error),
        Err(_) => Ok(false),
    }
}

fn is_owed(connection: &mut Connection, day: &Day) -> Result<bool, Error> {
    connection.rest();
    connection.execute(LOOK)?;
    let Connection::Postgres(session) = connection else {
        return Ok(false);
    };
    let name = &day.name;
    let (from, to) = (smallest_id(day.number), smallest_id(day.number + 1));
    let reasons = match day.table {
        "callbacks" => format!("select from {name} where status not in (1, 3)"),
        "attempts" => format!(
            "select from deliveries where id >= '{from}' and id < '{to}' and state not in (1, 2, 3)"
        ),
        "events" => format!(
            "select from {name} where sequence is null union all \
             select from deliveries where event_id >= '{from}' and event_id < '{to}'"
        ),
        _ => format!("select from messages where id >= '{from}' and id < '{to}'"),
    };
    let text = format!("select exists ({reasons})");
    Ok(Statement::<Bool>::new(text).get_result(session.raw())?)
}

/// Drops a day.
pub(crate) fn drop(connection: &mut Connection, day: &Day) -> Result<Drop, Error> {
    connection.rest();
    let done = drop_in_transaction(connection, day);
    let ended = connection.execute(if done.is_ok() { "commit" } else { "rollback" });
    match done {
        Ok(done) => ended.map(|()| done),
        Err(error) if error.may_go_alone() => Ok(Drop::Busy),
        Err(error) => Err(error),
    }
}

fn is_there(connection: &mut Connection, day: &Day) -> Result<bool, Error> {
    let Connection::Postgres(session) = connection else {
        return Ok(false);
    };
    Ok(!those_there(session, [&day.name].into_iter())?.is_empty())
}

fn drop_in_transaction(connection: &mut Connection, day: &Day) -> Result<Drop, Error> {
    connection.execute(BEGIN)?;
    let Connection::Postgres(session) = connection else {
        return Ok(Drop::Gone);
    };
    if those_there(session, [&day.name].into_iter())?.is_empty() {
        return Ok(Drop::Gone);
    }
    let Day { table, name, .. } = day;
    connection.execute(&format!(
        "lock table {table} in access exclusive mode; drop table {name}"
    ))?;
    Ok(Drop::Dropped)
}
