//! Events: who is done writing, and stamping.

use super::array::{Columns, Statement, insert_text};
use crate::connection::{Connection, load_locked};
use crate::error::Error;
use crate::event::{EventRow, NewEventRow};
use crate::schema::events;
use crate::sql_types::{Id, Instant, Uid};
use diesel::dsl::max;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Text};

/// The position of the newest event any transaction may have written so far.
pub(crate) fn newest_position(connection: &mut Connection) -> Result<i64, Error> {
    match connection {
        Connection::Sqlite(c) => {
            let newest: Option<i64> = events::table.select(max(events::position)).first(c)?;
            Ok(newest.unwrap_or(0))
        }
        Connection::Postgres(session) => {
            let text = "select last_value - (not is_called)::int from events_position";
            Ok(Statement::<BigInt>::new(text).get_result(session.raw())?)
        }
    }
}

/// Events that no dispatcher has stamped, by shard and position, with their shards' numbers. On
/// PostgreSQL whoever wants the same ones waits until this transaction ends.
pub(crate) fn unstamped(
    connection: &mut Connection,
    numbers: &[i16],
    limit: i64,
) -> Result<Vec<(i16, EventRow)>, Error> {
    let query = events::table
        .filter(events::shard.eq_any(numbers.to_vec()))
        .filter(events::sequence.is_null())
        .order((events::shard, events::position))
        .limit(limit);
    Ok(load_locked!(
        connection,
        query.select((events::shard, EventRow::as_select())),
        for_update
    ))
}

/// One event's place in its tenant's order.
pub(crate) struct Stamp {
    pub(crate) id: Uid,
    pub(crate) position: i64,
    pub(crate) sequence: i64,
}

/// Writes the sequence of each event. SQLite finds them by position, its key; PostgreSQL by id, which
/// tells the partition, and says so twice: joined alone, a plan that was made while the day was young
/// reads the whole of it.
pub(crate) fn stamp(connection: &mut Connection, stamps: &[Stamp]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for stamp in stamps {
                diesel::update(events::table.find(stamp.position))
                    .set(events::sequence.eq(Some(stamp.sequence)))
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) => {
            let text = "update events set sequence = stamp.sequence \
                        from unnest({}, {}) as stamp (id, sequence) \
                        where events.id = stamp.id and events.id = any({})";
            let ids: Vec<Uid> = stamps.iter().map(|stamp| stamp.id).collect();
            Statement::<()>::new(text)
                .bind::<Id, _>(ids.clone())
                .bind::<BigInt, _>(stamps.iter().map(|stamp| stamp.sequence).collect())
                .bind::<Id, _>(ids)
                .execute(session.raw())?;
        }
    }
    Ok(())
}

/// Each position is taken while the lock on its shard is shared, so that whoever has that lock for
/// himself (see [`super::lock::no_events_of`]) knows that every smaller position is committed.
impl Columns for NewEventRow {
    fn insert(rows: &[Self]) -> Statement<'_> {
        let mut shards: Vec<i16> = rows.iter().map(|row| row.shard).collect();
        shards.sort_unstable();
        shards.dedup();
        let text = insert_text(
            "events",
            &[
                "id",
                "tenant_id",
                "shard",
                "event_type",
                "version",
                "environment",
                "created_at",
                "source",
                "resource",
                "context",
                "metadata",
                "data",
                "message_id",
                "transition",
                "traceparent",
                "caused_at",
            ],
        );
        let text = text.replace("select *", "select written.*")
            + " as written cross join (select count(pg_advisory_xact_lock_shared(2, shard)::text) \
               from unnest({}) as shard) as shared";
        Statement::new(text)
            .bind::<Id, _>(rows.iter().map(|row| &row.id).collect())
            .bind::<Id, _>(rows.iter().map(|row| &row.tenant_id).collect())
            .bind::<SmallInt, _>(rows.iter().map(|row| &row.shard).collect())
            .bind::<Text, _>(rows.iter().map(|row| &row.event_type).collect())
            .bind::<Integer, _>(rows.iter().map(|row| &row.version).collect())
            .bind::<Text, _>(rows.iter().map(|row| &row.environment).collect())
            .bind::<Instant, _>(rows.iter().map(|row| &row.created_at).collect())
            .bind::<Text, _>(rows.iter().map(|row| &row.source).collect())
            .bind::<Nullable<Text>, _>(rows.iter().map(|row| &row.resource).collect())
            .bind::<Nullable<Text>, _>(rows.iter().map(|row| &row.context).collect())
            .bind::<Nullable<Text>, _>(rows.iter().map(|row| &row.metadata).collect())
            .bind::<Text, _>(rows.iter().map(|row| &row.data).collect())
            .bind::<Nullable<Id>, _>(rows.iter().map(|row| &row.message_id).collect())
            .bind::<Nullable<Integer>, _>(rows.iter().map(|row| &row.transition).collect())
            .bind::<Nullable<Text>, _>(rows.iter().map(|row| &row.traceparent).collect())
            .bind::<Instant, _>(rows.iter().map(|row| &row.caused_at).collect())
            .bind::<SmallInt, _>(shards)
    }
}
