//! Partitions of PostgreSQL: a day of a table each, made ahead.

use super::array::Statement;
use crate::connection::Connection;
use crate::error::Error;
use crate::postgres::Session;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use std::time::Duration;

/// The tables that are partitioned, and the id that tells a row's day.
const TABLES: [(&str, &str); 4] = [
    ("attempts", "delivery_id"),
    ("callbacks", "receipt_id"),
    ("events", "id"),
    ("message_history", "message_id"),
];
/// How many days are made ahead of today.
const AHEAD: i64 = 7;
/// Moving the rows of a day may take its time; nobody waits for it long.
const BEGIN: &str = "begin; set local statement_timeout = '1min'; set local lock_timeout = '3s'; \
                     select pg_advisory_xact_lock(4, 0)";
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// One day of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Partition {
    table: &'static str,
    key: &'static str,
    /// Since the Unix epoch, in UTC.
    day: i64,
    /// `events_20261127`.
    pub(crate) name: String,
}

/// The partitions of today and the days ahead that are not there yet. `shift` is how far a test has
/// moved its clock.
pub(crate) fn missing(
    connection: &mut Connection,
    shift: Duration,
) -> Result<Vec<Partition>, Error> {
    let Connection::Postgres(session) = connection else {
        return Ok(Vec::new());
    };
    let text = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
    let now: i64 = Statement::<BigInt>::new(text).get_result(session.raw())?;
    let today = (now + i64::try_from(shift.as_millis()).unwrap_or(0)).div_euclid(DAY_MS);
    let text = "select day, to_char(to_timestamp(day * 86400) at time zone 'UTC', 'YYYYMMDD') \
                from generate_series((select * from unnest({})), (select * from unnest({}))) as day";
    let days: Vec<(i64, String)> = Statement::<(BigInt, Text)>::new(text)
        .bind::<BigInt, _>(vec![today])
        .bind::<BigInt, _>(vec![today + AHEAD])
        .load(session.raw())?;
    let wanted = days.iter().flat_map(|(day, written)| {
        TABLES.map(|(table, key)| Partition {
            table,
            key,
            day: *day,
            name: format!("{table}_{written}"),
        })
    });
    let wanted: Vec<Partition> = wanted.collect();
    let there = those_there(session, wanted.iter().map(|wanted| &wanted.name))?;
    Ok(wanted
        .into_iter()
        .filter(|partition| !there.contains(&partition.name))
        .collect())
}

/// Makes a partition, with the rows of its day that are in the default one, in a transaction of its
/// own. Whether it was not there: another node may have been faster.
pub(crate) fn make(connection: &mut Connection, partition: &Partition) -> Result<bool, Error> {
    connection.rest();
    connection.execute(BEGIN)?;
    let made = make_unless_there(connection, partition);
    connection.execute(if made.is_ok() { "commit" } else { "rollback" })?;
    made
}

fn make_unless_there(connection: &mut Connection, partition: &Partition) -> Result<bool, Error> {
    let Connection::Postgres(session) = connection else {
        return Ok(false);
    };
    let is_there = !those_there(session, [&partition.name].into_iter())?.is_empty();
    if !is_there {
        connection.execute(&partition.script())?;
    }
    Ok(!is_there)
}

/// Those of these tables that are there. Asks the catalogue itself: what the session remembers of it
/// may be older than the lock it waited for.
pub(super) fn those_there<'a>(
    session: &mut Session,
    names: impl Iterator<Item = &'a String>,
) -> Result<Vec<String>, Error> {
    let text = "select name from unnest({}) as name where exists (\
                    select from pg_catalog.pg_class join pg_catalog.pg_namespace \
                        on pg_namespace.oid = relnamespace \
                    where relname = name and nspname = current_schema())";
    Ok(Statement::<Text>::new(text)
        .bind::<Text, _>(names.collect())
        .load(session.raw())?)
}

impl Partition {
    /// It is made beside the table and filled before it is attached: attaching lets the others go on
    /// inserting. From the first line on nobody uses the default partition.
    fn script(&self) -> String {
        let Self {
            table, key, name, ..
        } = self;
        let (from, to) = (smallest_id(self.day), smallest_id(self.day + 1));
        format!(
            "lock table {table}_default in access exclusive mode; \
             create table {name} (like {table} including all); \
             with moved as (\
                 delete from {table}_default where {key} >= '{from}' and {key} < '{to}' returning *) \
             insert into {name} select * from moved; \
             alter table {table} attach partition {name} for values from ('{from}') to ('{to}')"
        )
    }
}

/// The smallest UUIDv7 of a day: its first 48 bits are milliseconds since the Unix epoch (RFC 9562,
/// 5.7).
pub(super) fn smallest_id(day: i64) -> String {
    let millis = format!("{:012x}", day * DAY_MS);
    let (high, low) = millis.split_at(8);
    format!("{high}-{low}-0000-0000-000000000000")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::EventId;
    use domain::{Random, Timestamp};

    #[test]
    fn an_id_made_on_a_day_is_between_its_bounds() {
        let day = 20_784;
        let first = Timestamp::from_millis(day * DAY_MS);
        for (at, is_in) in [
            (first.minus(Duration::from_millis(1)), false),
            (first, true),
            (
                first.plus(Duration::from_hours(24) - Duration::from_millis(1)),
                true,
            ),
            (first.plus(Duration::from_hours(24)), false),
        ] {
            let id = EventId::new(at, &Random::seeded(1)).0.to_string();
            let is_between = id >= smallest_id(day) && id < smallest_id(day + 1);
            assert_eq!(is_between, is_in, "{id}");
        }
    }
}
