//! How subscriptions stand, written for many at once.

use super::array::Statement;
use crate::connection::Connection;
use crate::error::Error;
use crate::schema::subscriptions;
use crate::sql_types::{Id, Instant};
use crate::warning::StandingRow;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, SmallInt};

/// Writes how subscriptions stand, whose rows are locked.
pub(crate) fn write(connection: &mut Connection, rows: &[StandingRow]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for row in rows {
                diesel::update(subscriptions::table.find(row.id))
                    .set((
                        subscriptions::failing_since.eq(row.since),
                        subscriptions::failing_until.eq(row.until),
                        subscriptions::failing_told.eq(row.told),
                        subscriptions::owes_recovery.eq(row.owes_recovery),
                    ))
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) if !rows.is_empty() => {
            let text = "update subscriptions set failing_since = standing.since, \
                            failing_until = standing.until, failing_told = standing.told, \
                            owes_recovery = standing.owes_recovery \
                        from unnest({}, {}, {}, {}, {}) \
                            as standing (id, since, until, told, owes_recovery) \
                        where subscriptions.id = standing.id and subscriptions.id = any({})";
            Statement::<()>::new(text)
                .bind::<Id, _>(rows.iter().map(|row| &row.id).collect())
                .bind::<Nullable<Instant>, _>(rows.iter().map(|row| &row.since).collect())
                .bind::<Nullable<Instant>, _>(rows.iter().map(|row| &row.until).collect())
                .bind::<Nullable<SmallInt>, _>(rows.iter().map(|row| &row.told).collect())
                .bind::<Bool, _>(rows.iter().map(|row| row.owes_recovery).collect())
                .bind::<Id, _>(rows.iter().map(|row| &row.id).collect())
                .execute(session.raw())?;
        }
        Connection::Postgres(_) => {}
    }
    Ok(())
}
