//! Tallies: counts that are added to those that are there, in the order of their keys, so that two
//! transactions never wait for one another.

use super::array::Columns;
use crate::connection::Connection;
use crate::error::Error;
use crate::schema::{report_delays, tallies};
use crate::tally::{DelayRow, TallyRow};
use diesel::prelude::*;
use diesel::upsert::excluded;

/// Adds counts of accounts.
pub(crate) fn add(connection: &mut Connection, rows: &[TallyRow]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for row in rows {
                diesel::insert_into(tallies::table)
                    .values(row)
                    .on_conflict((tallies::slot, tallies::account_id, tallies::name))
                    .do_update()
                    .set(tallies::count.eq(tallies::count + excluded(tallies::count)))
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) if !rows.is_empty() => {
            let text = " on conflict (slot, account_id, name) \
                        do update set count = tallies.count + excluded.count";
            TallyRow::insert(rows.iter())
                .and::<()>(text)
                .execute(session.raw())?;
        }
        Connection::Postgres(_) => {}
    }
    Ok(())
}

/// Adds counts of how long reports took.
pub(crate) fn learn(connection: &mut Connection, rows: &[DelayRow]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            let key = (
                report_delays::day,
                report_delays::provider,
                report_delays::network,
                report_delays::bucket,
            );
            for row in rows {
                diesel::insert_into(report_delays::table)
                    .values(row)
                    .on_conflict(key)
                    .do_update()
                    .set(
                        report_delays::count
                            .eq(report_delays::count + excluded(report_delays::count)),
                    )
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) if !rows.is_empty() => {
            let text = " on conflict (day, provider, network, bucket) \
                        do update set count = report_delays.count + excluded.count";
            DelayRow::insert(rows.iter())
                .and::<()>(text)
                .execute(session.raw())?;
        }
        Connection::Postgres(_) => {}
    }
    Ok(())
}
