//! Counters of what plans limit: each is held by whoever counts, until what is counted is committed.

use super::array::{Columns, Statement};
use crate::connection::Connection;
use crate::error::Error;
use crate::plan::CounterRow;
use crate::schema::limit_counters;
use crate::sql_types::Id;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, SmallInt};

/// The counters of these keys as they are, made where they were not; nobody else counts there until the
/// transaction ends.
pub(crate) fn hold(
    connection: &mut Connection,
    rows: &[CounterRow],
) -> Result<Vec<CounterRow>, Error> {
    match connection {
        Connection::Sqlite(c) => {
            let key = (
                limit_counters::tenant_id,
                limit_counters::kind,
                limit_counters::day,
            );
            let hold = |row| {
                diesel::insert_into(limit_counters::table)
                    .values(row)
                    .on_conflict(key)
                    .do_update()
                    .set(limit_counters::used.eq(limit_counters::used))
                    .returning(CounterRow::as_returning())
                    .get_result(c)
            };
            Ok(rows.iter().map(hold).collect::<QueryResult<_>>()?)
        }
        Connection::Postgres(session) if !rows.is_empty() => {
            let text = " on conflict (tenant_id, kind, day) \
                        do update set used = limit_counters.used \
                        returning tenant_id, kind, day, used, told";
            Ok(CounterRow::insert(rows.iter())
                .and::<(Id, SmallInt, Integer, BigInt, SmallInt)>(text)
                .load(session.raw())?)
        }
        Connection::Postgres(_) => Ok(Vec::new()),
    }
}

/// Writes counters that are held.
pub(crate) fn keep(connection: &mut Connection, rows: &[CounterRow]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for row in rows {
                diesel::update(limit_counters::table.find((row.tenant_id, row.kind, row.day)))
                    .set((
                        limit_counters::used.eq(row.used),
                        limit_counters::told.eq(row.told),
                    ))
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) if !rows.is_empty() => {
            let text = "update limit_counters set used = counted.used, told = counted.told \
                        from unnest({}, {}, {}, {}, {}) \
                            as counted (tenant_id, kind, day, used, told) \
                        where limit_counters.tenant_id = counted.tenant_id \
                            and limit_counters.kind = counted.kind \
                            and limit_counters.day = counted.day \
                            and limit_counters.tenant_id = any({})";
            Statement::<()>::new(text)
                .bind::<Id, _>(rows.iter().map(|row| &row.tenant_id).collect())
                .bind::<SmallInt, _>(rows.iter().map(|row| row.kind).collect())
                .bind::<Integer, _>(rows.iter().map(|row| row.day).collect())
                .bind::<BigInt, _>(rows.iter().map(|row| row.used).collect())
                .bind::<SmallInt, _>(rows.iter().map(|row| row.told).collect())
                .bind::<Id, _>(rows.iter().map(|row| &row.tenant_id).collect())
                .execute(session.raw())?;
        }
        Connection::Postgres(_) => {}
    }
    Ok(())
}
