//! What truly differs between the engines.

use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::events;
use diesel::dsl::max;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt};
use domain::report::DedupeKey;

/// Makes every other transaction that names one of these keys wait until this one ends, so that a
/// report looking for its message and that message's registration never miss one another. SQLite
/// has one writer at a time: there is nobody to wait for.
pub(crate) fn lock_keys(connection: &mut Connection, keys: &[DedupeKey]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(_) => Ok(()),
        Connection::Postgres(c) => {
            let mut locks: Vec<i64> = keys.iter().map(lock_of).collect();
            // In one order, so that two transactions never wait for one another.
            locks.sort_unstable();
            locks.dedup();
            diesel::sql_query("select pg_advisory_xact_lock(key) from unnest($1) as key")
                .bind::<Array<BigInt>, _>(locks)
                .execute(&mut **c)?;
            Ok(())
        }
    }
}

fn lock_of(key: &DedupeKey) -> i64 {
    let mut half = [0; 8];
    half.copy_from_slice(&key.0[..8]);
    i64::from_le_bytes(half)
}

/// The position of the newest event any transaction may have written so far.
pub(crate) fn newest_position(connection: &mut Connection) -> Result<i64, Error> {
    let newest: Option<i64> = each!(connection, c => events::table
        .select(max(events::position))
        .first(c))?;
    Ok(newest.unwrap_or(0))
}
