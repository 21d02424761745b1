//! Taking deliveries into the memory of their shard's owner.

use super::row::DeliveryRow;
use super::{Owed, PENDING, Place, Recipient};
use crate::Store;
use crate::connection::{Connection, each};
use crate::dialect;
use crate::directory::Directory;
use crate::error::Error;
use crate::event::{EventRow, Kept};
use crate::schema::{deliveries, events};
use crate::shard::{Fenced, holding};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::id::{DeliveryId, EventId, SubscriptionId, TenantId};
use std::collections::HashMap;

/// How many more deliveries of a subscription its owner takes into memory.
#[derive(Debug, Clone, Default)]
pub struct Room {
    /// For a subscription that is not listed.
    pub each: usize,
    /// For those that hold some already.
    pub left: HashMap<SubscriptionId, usize>,
}

impl Room {
    /// Takes a place, if there is one.
    pub(crate) fn take(&mut self, subscription: SubscriptionId) -> bool {
        let left = self.left.entry(subscription).or_insert(self.each);
        let has_room = *left > 0;
        *left = left.saturating_sub(1);
        has_room
    }
}

/// Deliveries taken into memory.
#[derive(Debug, Clone, Default)]
pub struct Claimed {
    /// What is owed now.
    pub owed: Vec<Owed>,
    /// Subscriptions that have more than there was room for.
    pub backlogs: Vec<(SubscriptionId, TenantId)>,
    /// Whether there may be more to claim.
    pub more: bool,
}

/// How many deliveries one claim takes at the most.
const CLAIM: i64 = 256;

impl Store {
    /// Takes deliveries that are due into memory, of the shards that are leased. What there is no
    /// room for goes to its subscription's backlog, out of the way of the others.
    pub async fn claim_due(
        &self,
        leases: Vec<Fenced>,
        room: Room,
        directory: &Directory,
    ) -> Result<Claimed, Error> {
        let (clock, shared) = (self.clock.clone(), directory.clone());
        let claimed = self
            .write(move |connection| {
                let mut room = room.clone();
                let leases = holding(connection, &leases)?;
                let numbers: Vec<i16> =
                    leases.iter().map(|l| i16::from(l.shard.number())).collect();
                let now = Moment::from(clock.now());
                let rows = dialect::delivery::due(connection, &numbers, now, CLAIM)?;
                let more = i64::try_from(rows.len()).unwrap_or(CLAIM) == CLAIM;
                let (fitting, rest): (Vec<_>, Vec<_>) = rows
                    .into_iter()
                    .partition(|row| room.take(row.subscription_id.into()));
                place(connection, &fitting, Place::Claimed)?;
                place(connection, &rest, Place::Backlog)?;
                let mut backlogs: Vec<(SubscriptionId, TenantId)> = rest
                    .iter()
                    .map(|row| (row.subscription_id.into(), row.tenant_id.into()))
                    .collect();
                backlogs.sort_unstable();
                backlogs.dedup();
                let owed = with_events(connection, fitting, &shared)?;
                Ok(Claimed {
                    owed,
                    backlogs,
                    more,
                })
            })
            .await;
        if claimed.is_err() {
            directory.forget();
        }
        claimed
    }

    /// Takes up to `limit` deliveries of a subscription's backlog into memory, oldest first.
    pub async fn claim_backlog(
        &self,
        lease: Fenced,
        subscription: SubscriptionId,
        limit: usize,
        directory: &Directory,
    ) -> Result<Claimed, Error> {
        let shared = directory.clone();
        let claimed = self
            .write(move |connection| {
                if holding(connection, &[lease])?.is_empty() {
                    return Err(Error::LeaseLost);
                }
                let limit = i64::try_from(limit).unwrap_or(CLAIM).min(CLAIM);
                let number = i16::from(lease.shard.number());
                let rows =
                    dialect::delivery::backlog(connection, number, subscription.into(), limit)?;
                let more = i64::try_from(rows.len()).unwrap_or(limit) == limit;
                place(connection, &rows, Place::Claimed)?;
                let owed = with_events(connection, rows, &shared)?;
                Ok(Claimed {
                    owed,
                    backlogs: Vec::new(),
                    more,
                })
            })
            .await;
        if claimed.is_err() {
            directory.forget();
        }
        claimed
    }

    /// Puts deliveries that were in memory back behind the others of their subscription: it is
    /// disabled.
    pub async fn set_aside(&self, ids: Vec<DeliveryId>) -> Result<(), Error> {
        self.write(move |connection| {
            let ids: Vec<Uid> = ids.iter().copied().map(Uid::from).collect();
            each!(connection, c => diesel::update(deliveries::table)
                .filter(deliveries::id.eq_any(&ids))
                .filter(deliveries::state.eq(PENDING))
                .set(deliveries::place.eq(Place::Backlog.code()))
                .execute(c))?;
            Ok(())
        })
        .await
    }
}

fn place(connection: &mut Connection, rows: &[DeliveryRow], place: Place) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uid> = rows.iter().map(|row| row.id).collect();
    each!(connection, c => diesel::update(deliveries::table)
        .filter(deliveries::id.eq_any(&ids))
        .set(deliveries::place.eq(place.code()))
        .execute(c))?;
    Ok(())
}

fn with_events(
    connection: &mut Connection,
    rows: Vec<DeliveryRow>,
    directory: &Directory,
) -> Result<Vec<Owed>, Error> {
    let ids: Vec<Uid> = rows.iter().map(|row| row.event_id).collect();
    let kept: Vec<EventRow> = each!(connection, c => events::table
        .filter(events::id.eq_any(&ids))
        .select(EventRow::as_select())
        .load(c))?;
    let tenants = rows.iter().map(|row| row.tenant_id.into()).collect();
    directory.learn(connection, &tenants)?;
    let mut to: HashMap<EventId, Vec<Recipient>> = HashMap::new();
    for row in rows {
        to.entry(row.event_id.into())
            .or_default()
            .push(row.recipient());
    }
    kept.into_iter()
        .map(|row| {
            let event = Kept::try_from(row)?;
            let to = to.remove(&event.event.id).unwrap_or_default();
            Ok(Owed { event, to })
        })
        .collect()
}
