//! Leases: whose clock counts, and who comes first.

use super::array::Statement;
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

/// Moves the sequences of shards on, each by its count; the last number of each.
pub(crate) fn move_sequences(
    connection: &mut Connection,
    counts: &[(i16, i64)],
) -> Result<Vec<(i16, i64)>, Error> {
    match connection {
        Connection::Sqlite(c) => counts
            .iter()
            .map(|(number, count)| {
                Ok(diesel::update(shards::table.find(number))
                    .set(shards::sequence.eq(shards::sequence + count))
                    .returning((shards::number, shards::sequence))
                    .get_result(c)?)
            })
            .collect(),
        Connection::Postgres(session) => {
            let text = "update shards set sequence = shards.sequence + more.count \
                        from unnest({}, {}) as more (number, count) \
                        where shards.number = more.number \
                        returning shards.number, shards.sequence";
            Ok(Statement::<(SmallInt, BigInt)>::new(text)
                .bind::<SmallInt, _>(counts.iter().map(|(number, _)| *number).collect())
                .bind::<BigInt, _>(counts.iter().map(|(_, count)| *count).collect())
                .load(session.raw())?)
        }
    }
}
