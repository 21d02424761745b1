//! What is told of the health of provider accounts.

use super::array::Columns;
use crate::connection::Connection;
use crate::error::Error;
use crate::health::HealthRow;
use crate::schema::provider_health;
use crate::sql_types::{Id, Uid};
use diesel::prelude::*;
use diesel::upsert::excluded;

/// Notes what is told of accounts of which nothing was; those of which nothing was, when it came to it.
pub(crate) fn begin(connection: &mut Connection, rows: &[HealthRow]) -> Result<Vec<Uid>, Error> {
    match connection {
        Connection::Sqlite(c) => {
            let mut new = Vec::new();
            for row in rows {
                let inserted = diesel::insert_into(provider_health::table)
                    .values(row)
                    .on_conflict_do_nothing()
                    .execute(c)?;
                if inserted > 0 {
                    new.push(row.account_id);
                }
            }
            Ok(new)
        }
        Connection::Postgres(session) => Ok(HealthRow::insert(rows.iter())
            .and::<Id>(" on conflict do nothing returning account_id")
            .load(session.raw())?),
    }
}

/// Notes what is told of accounts whose rows are locked.
pub(crate) fn replace(connection: &mut Connection, rows: &[HealthRow]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for row in rows {
                diesel::insert_into(provider_health::table)
                    .values(row)
                    .on_conflict(provider_health::account_id)
                    .do_update()
                    .set((
                        provider_health::state.eq(excluded(provider_health::state)),
                        provider_health::since.eq(excluded(provider_health::since)),
                    ))
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) if !rows.is_empty() => {
            let text = " on conflict (account_id) \
                        do update set state = excluded.state, since = excluded.since";
            HealthRow::insert(rows.iter())
                .and::<()>(text)
                .execute(session.raw())?;
        }
        Connection::Postgres(_) => {}
    }
    Ok(())
}
