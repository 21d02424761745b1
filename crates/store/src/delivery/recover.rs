//! One delivery: looked at, retried, cancelled.

use super::row::DeliveryRow;
use super::{CANCELLED, Delivery, PENDING, Place, cancelled_place, with_attempts};
use crate::Store;
use crate::connection::{Connection, each, load_locked};
use crate::error::Error;
use crate::schema::{deliveries, subscriptions};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::delivery::State;
use domain::id::{DeliveryId, TenantId};

/// What became of a wish about a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// It is as wished.
    Done(Box<Delivery>),
    /// It ended in this state, which stays.
    Ended(State),
    /// Its subscription was deleted.
    Ownerless,
    /// There is no such delivery.
    Missing,
}

impl Store {
    /// A tenant's delivery, with its attempts.
    pub async fn find_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
    ) -> Result<Option<Delivery>, Error> {
        self.read(move |connection| {
            let row: Option<DeliveryRow> = each!(connection, c => of(tenant, id)
                .select(DeliveryRow::as_select())
                .first(c)
                .optional())?;
            Ok(with_attempts(connection, row.into_iter().collect())?.pop())
        })
        .await
    }

    /// Has a delivery tried again at once. One that failed or was cancelled gets a fresh budget of
    /// attempts; the budget of a pending one stays.
    pub async fn retry_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
    ) -> Result<Recovered, Error> {
        let now = self.clock.now();
        self.write(move |connection| {
            let Some(row) = locked(connection, tenant, id)? else {
                return Ok(Recovered::Missing);
            };
            if !has_subscription(connection, row.subscription_id)? {
                return Ok(Recovered::Ownerless);
            }
            match super::decode_state(row.state)? {
                State::Delivered => return Ok(Recovered::Ended(State::Delivered)),
                State::Pending => hasten(connection, row.id, now)?,
                State::Failed | State::Cancelled => revive(connection, row.id, now)?,
            }
            shown(connection, tenant, id)
        })
        .await
    }

    /// Cancels a pending delivery. What is under way goes on, and may still deliver it.
    pub async fn cancel_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
    ) -> Result<Recovered, Error> {
        self.write(move |connection| {
            let Some(row) = locked(connection, tenant, id)? else {
                return Ok(Recovered::Missing);
            };
            match super::decode_state(row.state)? {
                State::Pending => {
                    each!(connection, c => diesel::update(deliveries::table.find(row.id))
                        .set((
                            deliveries::state.eq(CANCELLED),
                            deliveries::place.eq(cancelled_place()),
                        ))
                        .execute(c))?;
                }
                State::Cancelled => {}
                ended @ (State::Delivered | State::Failed) => return Ok(Recovered::Ended(ended)),
            }
            shown(connection, tenant, id)
        })
        .await
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
fn of(tenant: TenantId, id: DeliveryId) -> _ {
    let (tenant, id): (Uid, Uid) = (tenant.into(), id.into());
    deliveries::table
        .filter(deliveries::id.eq(id))
        .filter(deliveries::tenant_id.eq(tenant))
}

/// On PostgreSQL nobody else changes it until this transaction ends.
fn locked(
    connection: &mut Connection,
    tenant: TenantId,
    id: DeliveryId,
) -> Result<Option<DeliveryRow>, Error> {
    let rows: Vec<DeliveryRow> = load_locked!(
        connection,
        of(tenant, id).select(DeliveryRow::as_select()),
        for_update
    );
    Ok(rows.into_iter().next())
}

fn has_subscription(connection: &mut Connection, id: Uid) -> Result<bool, Error> {
    let found: Option<Uid> = each!(connection, c => subscriptions::table
        .find(id)
        .filter(subscriptions::deleted_at.is_null())
        .select(subscriptions::id)
        .first(c)
        .optional())?;
    Ok(found.is_some())
}

/// What is in memory or in a backlog is due already.
fn hasten(connection: &mut Connection, id: Uid, now: Timestamp) -> Result<(), Error> {
    each!(connection, c => diesel::update(deliveries::table.find(id))
        .filter(deliveries::place.eq(Place::Scheduled.code()))
        .filter(deliveries::due_at.gt(Moment::from(now)))
        .set(deliveries::due_at.eq(Moment::from(now)))
        .execute(c))?;
    Ok(())
}

fn revive(connection: &mut Connection, id: Uid, now: Timestamp) -> Result<(), Error> {
    each!(connection, c => diesel::update(deliveries::table.find(id))
        .set((
            deliveries::state.eq(PENDING),
            deliveries::place.eq(cancelled_place()),
            deliveries::budget_from.eq(deliveries::attempts),
            deliveries::error.eq(None::<String>),
            deliveries::due_at.eq(Moment::from(now)),
        ))
        .execute(c))?;
    Ok(())
}

fn shown(
    connection: &mut Connection,
    tenant: TenantId,
    id: DeliveryId,
) -> Result<Recovered, Error> {
    let rows: Vec<DeliveryRow> = each!(connection, c => of(tenant, id)
        .select(DeliveryRow::as_select())
        .load(c))?;
    let shown = with_attempts(connection, rows)?.pop();
    Ok(shown.map_or(Recovered::Missing, |delivery| {
        Recovered::Done(Box::new(delivery))
    }))
}
