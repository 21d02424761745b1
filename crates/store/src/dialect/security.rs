//! What the door noticed: recording it again changes nothing.

use super::array::Columns;
use crate::connection::Connection;
use crate::error::Error;
use crate::quarantine::QuarantineRow;
use crate::schema::{account_sources, quarantine, security_events, suspicions};
use crate::security::{EventRow, SourceRow, SuspicionRow};
use crate::sql_types::{Id, Uid};
use diesel::prelude::*;
use diesel::query_dsl::methods;
use diesel::sql_types::{Binary, Text};
use diesel::upsert::excluded;

/// Writes security events; one that is there already grows to the greater count.
pub(crate) fn count(connection: &mut Connection, rows: &[EventRow]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for row in rows {
                let insert = diesel::insert_into(security_events::table)
                    .values(row)
                    .on_conflict(security_events::id)
                    .do_update()
                    .set(security_events::count.eq(excluded(security_events::count)));
                let grows = security_events::count.lt(excluded(security_events::count));
                methods::FilterDsl::filter(insert, grows).execute(c)?;
            }
        }
        Connection::Postgres(session) if !rows.is_empty() => {
            let text = " on conflict (id) do update set count = excluded.count \
                        where security_events.count < excluded.count returning id";
            EventRow::insert(rows.iter())
                .and::<Id>(text)
                .load::<Uid>(session.raw())?;
        }
        Connection::Postgres(_) => {}
    }
    Ok(())
}

/// Keeps refused requests that are not kept yet.
pub(crate) fn keep(connection: &mut Connection, rows: &[QuarantineRow]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for row in rows {
                diesel::insert_into(quarantine::table)
                    .values(row)
                    .on_conflict_do_nothing()
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) if !rows.is_empty() => {
            QuarantineRow::insert(rows.iter())
                .and::<Id>(" on conflict do nothing returning id")
                .load::<Uid>(session.raw())?;
        }
        Connection::Postgres(_) => {}
    }
    Ok(())
}

/// Notes suspicions; the keys of those that were not noted before.
pub(crate) fn raise(
    connection: &mut Connection,
    rows: &[SuspicionRow],
) -> Result<Vec<Vec<u8>>, Error> {
    match connection {
        Connection::Sqlite(c) => {
            let mut new = Vec::new();
            for row in rows {
                let inserted = diesel::insert_into(suspicions::table)
                    .values(row)
                    .on_conflict_do_nothing()
                    .execute(c)?;
                if inserted > 0 {
                    new.push(row.key.clone());
                }
            }
            Ok(new)
        }
        Connection::Postgres(session) => Ok(SuspicionRow::insert(rows.iter())
            .and::<Binary>(" on conflict do nothing returning key")
            .load(session.raw())?),
    }
}

/// Notes from where accounts were called; those that were not noted before.
pub(crate) fn see(
    connection: &mut Connection,
    rows: &[SourceRow],
) -> Result<Vec<(Uid, String)>, Error> {
    match connection {
        Connection::Sqlite(c) => {
            let mut new = Vec::new();
            for row in rows {
                let inserted = diesel::insert_into(account_sources::table)
                    .values(row)
                    .on_conflict_do_nothing()
                    .execute(c)?;
                if inserted > 0 {
                    new.push((row.account_id, row.source.clone()));
                }
            }
            Ok(new)
        }
        Connection::Postgres(session) => Ok(SourceRow::insert(rows.iter())
            .and::<(Id, Text)>(" on conflict do nothing returning account_id, source")
            .load(session.raw())?),
    }
}
