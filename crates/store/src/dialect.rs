//! What truly differs between the engines.

use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::events;
use diesel::dsl::max;
use diesel::prelude::*;
use domain::report::DedupeKey;

/// Makes every other transaction that names one of these keys wait until this one ends, so that a
/// report looking for its message and that message's registration never miss one another. SQLite
/// has one writer at a time: there is nobody to wait for.
pub(crate) const fn lock_keys(connection: &mut Connection, _keys: &[DedupeKey]) {
    match connection {
        Connection::Sqlite(_) => {}
    }
}

/// The position of the newest event any transaction may have written so far.
pub(crate) fn newest_position(connection: &mut Connection) -> Result<i64, Error> {
    let newest: Option<i64> = each!(connection, c => events::table
        .select(max(events::position))
        .first(c))?;
    Ok(newest.unwrap_or(0))
}
