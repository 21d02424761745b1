//! Leases: whose clock counts, and who comes first.

use super::array::Statement;
use super::together;
use crate::connection::{Connection, load_locked};
use crate::error::Error;
use crate::schema::shards;
use crate::shard::ShardRow;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt};
use domain::{Clock, Timestamp};

/// The moment by which leases are judged. On PostgreSQL it is the server's, so that the nodes'
/// clocks need not agree; a test moves it as it moves its own.
pub(crate) fn now(connection: &mut Connection, clock: &Clock) -> Result<Timestamp, Error> {
    let Connection::Postgres(session) = connection else {
        return Ok(clock.now());
    };
    let text = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
    let server: i64 = Statement::<BigInt>::new(text).get_result(session.raw())?;
    Ok(Timestamp::from_millis(server).plus(clock.shift()))
}

/// Every shard. On PostgreSQL the next one who asks waits until this transaction ends.
pub(crate) fn shards(connection: &mut Connection) -> Result<Vec<ShardRow>, Error> {
    let query = shards::table.order(shards::number);
    Ok(load_locked!(
        connection,
        query.select(ShardRow::as_select()),
        for_update
    ))
}

/// The fences of these shards, which nobody takes over until this transaction ends. First the lock,
/// then the look: it would not see what was changed while it waited.
pub(crate) fn fences(
    connection: &mut Connection,
    numbers: &[i16],
) -> Result<Vec<(i16, i64)>, Error> {
    match connection {
        Connection::Sqlite(c) => Ok(fence(numbers).load(c)?),
        Connection::Postgres(session) => {
            let (kept, fences) = session.together(async |c| {
                tokio::join!(
                    biased;
                    together::execute(c, keep(numbers)),
                    together::load(c, fence(numbers)),
                )
            });
            kept?;
            Ok(fences?)
        }
    }
}

/// The statement that lets nobody take these shards over until its transaction ends.
pub(super) fn keep(numbers: &[i16]) -> Statement<'_> {
    Statement::new("select pg_advisory_xact_lock_shared(3, number) from unnest({}) as number")
        .bind::<SmallInt, _>(numbers.to_vec())
}

/// The query for the fences of these shards.
#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn fence(numbers: &[i16]) -> _ {
    let wanted: Vec<i16> = numbers.to_vec();
    shards::table
        .filter(shards::number.eq_any(wanted))
        .select((shards::number, shards::fence))
}
