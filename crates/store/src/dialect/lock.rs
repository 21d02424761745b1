//! Locks that PostgreSQL holds until the transaction ends. SQLite has one writer at a time: there is
//! nobody to wait for.

use super::array::Statement;
use crate::connection::Connection;
use crate::error::Error;
use diesel::prelude::*;
use diesel::sql_types::{Integer, SmallInt, Text};
use domain::Shard;
use domain::id::TenantId;
use domain::report::DedupeKey;

/// Keys share so many locks: the server's table of locks is not endless.
const BUCKETS: u64 = 8_192;

/// Makes a registration and every report that may be about it wait for one another, so that a report
/// looking for its message and that message's registration never miss one another.
pub(super) fn for_registration(keys: &[DedupeKey]) -> Statement<'static> {
    let text = "select pg_advisory_xact_lock(1, key) from unnest({}) as key";
    Statement::new(text).bind::<Integer, _>(buckets(keys))
}

/// See [`for_registration`]. Reports do not wait for one another here: their messages' rows see to
/// that.
pub(super) fn for_reports(keys: &[DedupeKey]) -> Statement<'static> {
    let text = "select pg_advisory_xact_lock_shared(1, key) from unnest({}) as key";
    Statement::new(text).bind::<Integer, _>(buckets(keys))
}

/// In one order, so that two transactions never wait for one another.
fn buckets(keys: &[DedupeKey]) -> Vec<i32> {
    let mut locks: Vec<i32> = keys.iter().map(bucket).collect();
    locks.sort_unstable();
    locks.dedup();
    locks
}

fn bucket(key: &DedupeKey) -> i32 {
    let mut half = [0; 8];
    half.copy_from_slice(&key.0[..8]);
    i32::try_from(u64::from_le_bytes(half) % BUCKETS).unwrap_or(0)
}

/// Waits until no event of the tenant's shard is being written, and lets none be written until this
/// transaction ends. Whoever inserts events shares the lock.
pub(crate) fn no_events_of(connection: &mut Connection, tenant: TenantId) -> Result<(), Error> {
    if let Connection::Postgres(session) = connection {
        let shard = i32::from(Shard::of_tenant(tenant).number());
        Statement::<()>::new("select pg_advisory_xact_lock(2, shard) from unnest({}) as shard")
            .bind::<Integer, _>(vec![shard])
            .execute(session.raw())?;
    }
    Ok(())
}

/// Waits until nobody else is changing the thing with this id for somebody, and lets nobody until this
/// transaction ends.
pub(crate) fn for_change(connection: &mut Connection, id: &str) -> Result<(), Error> {
    if let Connection::Postgres(session) = connection {
        let text = "select pg_advisory_xact_lock(4, hashtext(id)) from unnest({}) as id";
        Statement::<()>::new(text)
            .bind::<Text, _>(vec![id])
            .execute(session.raw())?;
    }
    Ok(())
}

/// Those of these shards that nobody keeps: they may be taken over. Does not wait for the others.
pub(crate) fn unkept_shards(
    connection: &mut Connection,
    numbers: Vec<i16>,
) -> Result<Vec<i16>, Error> {
    let Connection::Postgres(session) = connection else {
        return Ok(numbers);
    };
    let text = "select number from unnest({}) as number where pg_try_advisory_xact_lock(3, number)";
    Ok(Statement::<SmallInt>::new(text)
        .bind::<SmallInt, _>(numbers)
        .load(session.raw())?)
}
