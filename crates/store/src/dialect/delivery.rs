//! Deliveries: claiming them. On PostgreSQL what another transaction is about to change is passed
//! over; it is found the next time.

use crate::connection::{Connection, load_locked};
use crate::delivery::{DeliveryRow, Place, is_pending_in};
use crate::error::Error;
use crate::schema::deliveries;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;

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

/// A subscription's backlog, oldest first.
pub(crate) fn backlog(
    connection: &mut Connection,
    number: i16,
    subscription: Uid,
    limit: i64,
) -> Result<Vec<DeliveryRow>, Error> {
    let query = deliveries::table
        .filter(deliveries::shard.eq(number))
        .filter(deliveries::subscription_id.eq(subscription))
        .filter(is_pending_in(Place::Backlog))
        .order(deliveries::due_at)
        .limit(limit);
    Ok(load_locked!(
        connection,
        query.select(DeliveryRow::as_select()),
        for_update,
        skip_locked
    ))
}
