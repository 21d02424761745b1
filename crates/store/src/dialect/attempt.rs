//! Attempts: recording a batch of them, and what follows.

use super::array::Statement;
use crate::connection::Connection;
use crate::delivery::attempt::{Fared, Record};
use crate::delivery::{PENDING, encode_state};
use crate::error::Error;
use crate::schema::{attempts, deliveries, subscriptions};
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Text};
use std::collections::HashSet;

/// Writes attempts, and moves their deliveries on while those are pending. The delivery and number
/// of each that was not recorded before.
pub(crate) fn record(
    connection: &mut Connection,
    records: &[Record],
) -> Result<HashSet<(Uid, i32)>, Error> {
    match connection {
        Connection::Sqlite(c) => record_each(c, records),
        Connection::Postgres(session) => Ok(at_once(records)
            .load::<(Uid, i32)>(session.raw())?
            .into_iter()
            .collect()),
    }
}

fn record_each(c: &mut SqliteConnection, records: &[Record]) -> Result<HashSet<(Uid, i32)>, Error> {
    let mut new = HashSet::new();
    for record in records {
        let row = &record.row;
        let inserted = diesel::insert_into(attempts::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(c)?;
        if inserted == 0 {
            continue;
        }
        diesel::update(deliveries::table.find(row.delivery_id))
            .filter(deliveries::state.eq(PENDING))
            .set((
                deliveries::attempts.eq(row.number),
                deliveries::state.eq(encode_state(record.state)),
                deliveries::place.eq(record.place.code()),
                deliveries::due_at.eq(record.due_at),
            ))
            .execute(c)?;
        new.insert((row.delivery_id, row.number));
    }
    Ok(new)
}

/// Of two attempts of one delivery the later one says where it stands.
fn at_once(records: &[Record]) -> Statement<'_, (Id, Integer)> {
    let text = "with told as (\
                    select * from unnest({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}) as t (\
                        delivery_id, number, id, started_at, duration_ms, status_code, error, \
                        response_body, state, place, due_at)), \
                recorded as (\
                    insert into attempts (delivery_id, number, id, started_at, duration_ms, \
                        status_code, error, response_body) \
                    select delivery_id, number, id, started_at, duration_ms, status_code, error, \
                        response_body from told \
                    on conflict do nothing returning delivery_id, number), \
                last as (\
                    select distinct on (delivery_id) * \
                    from told join recorded using (delivery_id, number) \
                    order by delivery_id, number desc), \
                moved as (\
                    update deliveries set attempts = last.number, state = last.state, \
                        place = last.place, due_at = last.due_at \
                    from last where deliveries.id = last.delivery_id and deliveries.state = 0) \
                select delivery_id, number from recorded";
    let rows = || records.iter().map(|record| &record.row);
    Statement::new(text)
        .bind::<Id, _>(rows().map(|row| &row.delivery_id).collect())
        .bind::<Integer, _>(rows().map(|row| &row.number).collect())
        .bind::<Id, _>(rows().map(|row| &row.id).collect())
        .bind::<Instant, _>(rows().map(|row| &row.started_at).collect())
        .bind::<BigInt, _>(rows().map(|row| &row.duration_ms).collect())
        .bind::<Nullable<Integer>, _>(rows().map(|row| &row.status_code).collect())
        .bind::<Nullable<Text>, _>(rows().map(|row| &row.error).collect())
        .bind::<Nullable<Text>, _>(rows().map(|row| &row.response_body).collect())
        .bind::<SmallInt, _>(records.iter().map(|r| encode_state(r.state)).collect())
        .bind::<SmallInt, _>(records.iter().map(|r| r.place.code()).collect())
        .bind::<Instant, _>(records.iter().map(|record| &record.due_at).collect())
}

/// Counts how the attempts of subscriptions fared.
pub(crate) fn count(connection: &mut Connection, fared: &[(Uid, Fared)]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for (id, fared) in fared {
                let (success, failure) = fared.last();
                diesel::update(subscriptions::table.find(id))
                    .set((
                        subscriptions::delivered.eq(subscriptions::delivered + fared.delivered),
                        subscriptions::failed.eq(subscriptions::failed + fared.failed),
                        success.map(|at| subscriptions::last_success_at.eq(Some(at))),
                        failure.map(|at| subscriptions::last_failure_at.eq(Some(at))),
                    ))
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) if !fared.is_empty() => {
            count_at_once(fared).execute(session.raw())?;
        }
        Connection::Postgres(_) => {}
    }
    Ok(())
}

fn count_at_once(fared: &[(Uid, Fared)]) -> Statement<'_> {
    let text = "update subscriptions set \
                    delivered = subscriptions.delivered + fared.delivered, \
                    failed = subscriptions.failed + fared.failed, \
                    last_success_at = coalesce(fared.success, last_success_at), \
                    last_failure_at = coalesce(fared.failure, last_failure_at) \
                from unnest({}, {}, {}, {}, {}) as fared (id, delivered, failed, success, failure) \
                where subscriptions.id = fared.id";
    let lasts = || fared.iter().map(|(_, fared)| fared.last());
    Statement::new(text)
        .bind::<Id, _>(fared.iter().map(|(id, _)| id).collect())
        .bind::<BigInt, _>(fared.iter().map(|(_, fared)| &fared.delivered).collect())
        .bind::<BigInt, _>(fared.iter().map(|(_, fared)| &fared.failed).collect())
        .bind::<Nullable<Instant>, Option<Moment>>(lasts().map(|(success, _)| success).collect())
        .bind::<Nullable<Instant>, Option<Moment>>(lasts().map(|(_, failure)| failure).collect())
}
