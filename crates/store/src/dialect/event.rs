//! Events: writing them, and who is done writing.

use super::array::{Columns, Statement, insert_text};
use crate::connection::Connection;
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

/// The events of these ids. On PostgreSQL of the partitions between the least and the greatest of them.
pub(crate) fn of_ids(connection: &mut Connection, ids: &[Uid]) -> Result<Vec<EventRow>, Error> {
    let among = events::table.filter(events::id.eq_any(ids));
    Ok(match connection {
        Connection::Sqlite(c) => among.select(EventRow::as_select()).load(c)?,
        Connection::Postgres(session) => {
            let least = ids.iter().min().copied().unwrap_or(Uid::NONE);
            let greatest = ids.iter().max().copied().unwrap_or(Uid::NONE);
            among
                .filter(events::id.between(least, greatest))
                .select(EventRow::as_select())
                .load(session.raw())?
        }
    })
}

/// Each position is taken while the lock on its shard is shared, so that whoever has that lock for
/// himself (see [`super::lock::no_events_of`]) knows that every smaller position is committed.
impl Columns for NewEventRow {
    fn insert<'a>(rows: impl Iterator<Item = &'a Self> + Clone) -> Statement<'a> {
        let mut shards: Vec<i16> = rows.clone().map(|row| row.shard).collect();
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
                "resource_type",
                "resource_id",
            ],
        );
        let text = text.replace("select *", "select written.*")
            + " as written cross join (select count(pg_advisory_xact_lock_shared(2, shard)::text) \
               from unnest({}) as shard) as shared";
        Statement::new(text)
            .bind::<Id, _>(rows.clone().map(|row| &row.id).collect())
            .bind::<Id, _>(rows.clone().map(|row| &row.tenant_id).collect())
            .bind::<SmallInt, _>(rows.clone().map(|row| &row.shard).collect())
            .bind::<Text, _>(rows.clone().map(|row| &row.event_type).collect())
            .bind::<Integer, _>(rows.clone().map(|row| &row.version).collect())
            .bind::<Text, _>(rows.clone().map(|row| &row.environment).collect())
            .bind::<Instant, _>(rows.clone().map(|row| &row.created_at).collect())
            .bind::<Text, _>(rows.clone().map(|row| &row.source).collect())
            .bind::<Nullable<Text>, _>(rows.clone().map(|row| &row.resource).collect())
            .bind::<Nullable<Text>, _>(rows.clone().map(|row| &row.context).collect())
            .bind::<Nullable<Text>, _>(rows.clone().map(|row| &row.metadata).collect())
            .bind::<Text, _>(rows.clone().map(|row| &row.data).collect())
            .bind::<Nullable<Id>, _>(rows.clone().map(|row| &row.message_id).collect())
            .bind::<Nullable<Integer>, _>(rows.clone().map(|row| &row.transition).collect())
            .bind::<Nullable<Text>, _>(rows.clone().map(|row| &row.traceparent).collect())
            .bind::<Instant, _>(rows.clone().map(|row| &row.caused_at).collect())
            .bind::<Nullable<Text>, _>(rows.clone().map(|row| &row.resource_type).collect())
            .bind::<Nullable<Text>, _>(rows.clone().map(|row| &row.resource_id).collect())
            .bind::<SmallInt, _>(shards)
    }
}
