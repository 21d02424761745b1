//! Deliveries: claiming them. On PostgreSQL what another transaction is about to change is passed
//! over; it is found the next time.

use super::array::Statement;
use crate::connection::{Connection, each, load_locked};
use crate::delivery::{CANCELLED, DeliveryRow, Place, cancelled_place, is_pending_in};
use crate::error::Error;
use crate::schema::deliveries;
use crate::sql_types::{Id, Moment, Uid};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, SmallInt};

/// Scheduled deliveries of these shards that are due.
pub(crate) fn due(
    connection: &mut Connection,
    numbers: &[i16],
    now: Moment,
    limit: i64,
) -> Result<Vec<DeliveryRow>, Error> {
    let query = deliveries::table
        .filter(deliveries::shard.eq_any(numbers.to_vec()))
        .filter(is_pending_in(Place::Scheduled))
        .filter(deliveries::due_at.le(now))
        .limit(limit);
    Ok(load_locked!(
        connection,
        query.select(DeliveryRow::as_select()),
        for_update,
        skip_locked
    ))
}

/// What of a subscription waits in a place, oldest first.
pub(crate) fn waiting(
    connection: &mut Connection,
    number: i16,
    subscription: Uid,
    place: Place,
    limit: i64,
) -> Result<Vec<DeliveryRow>, Error> {
    let query = deliveries::table
        .filter(deliveries::shard.eq(number))
        .filter(deliveries::subscription_id.eq(subscription))
        .filter(is_pending_in(place))
        .order((deliveries::due_at, deliveries::id))
        .limit(limit);
    Ok(load_locked!(
        connection,
        query.select(DeliveryRow::as_select()),
        for_update,
        skip_locked
    ))
}

/// Puts deliveries whose rows are locked into a place. On PostgreSQL by a statement that is prepared once.
pub(crate) fn put(connection: &mut Connection, ids: &[Uid], place: Place) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            diesel::update(deliveries::table)
                .filter(deliveries::id.eq_any(ids))
                .set(deliveries::place.eq(place.code()))
                .execute(c)?;
        }
        Connection::Postgres(session) => {
            let text = "update deliveries set place = {} where id = any({})";
            Statement::<()>::new(text)
                .value::<SmallInt, _>(place.code())
                .bind::<Id, _>(ids.to_vec())
                .execute(session.raw())?;
        }
    }
    Ok(())
}

/// Cancels a page of what is pending of a replay; whether there may be more. The condition of the index is
/// said in constants, which each engine writes differently.
pub(crate) fn cancel_replayed(
    connection: &mut Connection,
    replay: Uid,
    page: i64,
) -> Result<bool, Error> {
    let is_replayed = sql::<Bool>(match connection {
        Connection::Sqlite(_) => {
            "deliveries.state = 0 \
             and deliveries.replay_id <> x'00000000000000000000000000000000'"
        }
        Connection::Postgres(_) => {
            "deliveries.state = 0 \
             and deliveries.replay_id <> '00000000-0000-0000-0000-000000000000'"
        }
    });
    let query = deliveries::table
        .filter(deliveries::replay_id.eq(replay))
        .filter(is_replayed)
        .order(deliveries::id)
        .limit(page);
    let rows: Vec<DeliveryRow> = load_locked!(
        connection,
        query.select(DeliveryRow::as_select()),
        for_update
    );
    let ids: Vec<Uid> = rows.iter().map(|row| row.id).collect();
    each!(connection, c => diesel::update(deliveries::table)
        .filter(deliveries::id.eq_any(&ids))
        .set((
            deliveries::state.eq(CANCELLED),
            deliveries::place.eq(cancelled_place()),
        ))
        .execute(c))?;
    Ok(i64::try_from(ids.len()) == Ok(page))
}
