//! Taking deliveries into the memory of their shard's owner.

use super::row::DeliveryRow;
use super::{CANCELLED, Owed, PENDING, Place, Recipient, is_recalled};
use crate::Store;
use crate::connection::{Connection, each};
use crate::dialect;
use crate::directory::Directory;
use crate::error::Error;
use crate::event::{EventRow, Kept};
use crate::schema::deliveries;
use crate::shard::{Fenced, holding};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::id::{DeliveryId, EventId, SubscriptionId, TenantId};
use std::collections::{BTreeSet, HashMap, HashSet};

/// How many more deliveries of a subscription its owner takes into memory.
#[derive(Debug, Clone, Default)]
pub struct Room {
    /// For a subscription that is not listed.
    pub each: usize,
    /// For those that hold some already.
    pub left: HashMap<SubscriptionId, usize>,
    /// Tenants that may have nothing more in memory.
    pub without: HashSet<TenantId>,
}

impl Room {
    /// Takes a place, if there is one.
    pub(crate) fn take(&mut self, tenant: TenantId, subscription: SubscriptionId) -> bool {
        if self.without.contains(&tenant) {
            return false;
        }
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
    /// Subscriptions of which something waits for its turn behind all others.
    pub later: Vec<(SubscriptionId, TenantId)>,
    /// What was cancelled while the caller had it in memory: it lets go of it, and says so with the next
    /// claim.
    pub recalled: Vec<(DeliveryId, SubscriptionId)>,
    /// Whether there may be more to claim.
    pub more: bool,
}

/// How many deliveries one claim takes at the most.
const CLAIM: i64 = 256;
/// How many cancelled ones a claim tells of at the most: more than are under way at once.
const RECALL: i64 = 4_096;

impl Store {
    /// Takes deliveries that are due into memory, of the shards that are leased. What there is no
    /// room for goes to its subscription's backlog, out of the way of the others; replays wait for
    /// their turn. `let_go` is what was recalled and is in the caller's memory no more.
    pub async fn claim_due(
        &self,
        leases: Vec<Fenced>,
        room: Room,
        let_go: Vec<DeliveryId>,
        directory: &Directory,
    ) -> Result<Claimed, Error> {
        let (clock, shared) = (self.clock.clone(), directory.clone());
        let claimed = self
            .write(move |connection| {
                let mut room = room.clone();
                let leases = holding(connection, &leases)?;
                let numbers: Vec<i16> =
                    leases.iter().map(|l| i16::from(l.shard.number())).collect();
                release(connection, &numbers, &let_go)?;
                let recalled = recalled(connection, &numbers)?;
                let now = Moment::from(clock.now());
                let rows = dialect::delivery::due(connection, &numbers, now, CLAIM)?;
                let more = i64::try_from(rows.len()).unwrap_or(CLAIM) == CLAIM;
                let (replayed, live): (Vec<_>, Vec<_>) =
                    rows.into_iter().partition(|row| row.replay_id().is_some());
                let (fitting, rest): (Vec<_>, Vec<_>) = live
                    .into_iter()
                    .partition(|row| room.take(row.tenant_id.into(), row.subscription_id.into()));
                place(connection, &fitting, Place::Claimed)?;
                place(connection, &rest, Place::Backlog)?;
                place(connection, &replayed, Place::Later)?;
                let owed = with_events(connection, fitting, &shared)?;
                Ok(Claimed {
                    owed,
                    backlogs: subscriptions_of(&rest),
                    later: subscriptions_of(&replayed),
                    recalled,
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
        self.claim_waiting(lease, subscription, Place::Backlog, limit, directory)
            .await
    }

    /// As [`Self::claim_backlog`], of what waits behind all others.
    pub async fn claim_later(
        &self,
        lease: Fenced,
        subscription: SubscriptionId,
        limit: usize,
        directory: &Directory,
    ) -> Result<Claimed, Error> {
        self.claim_waiting(lease, subscription, Place::Later, limit, directory)
            .await
    }

    async fn claim_waiting(
        &self,
        lease: Fenced,
        subscription: SubscriptionId,
        from: Place,
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
                let id = subscription.into();
                let rows = dialect::delivery::waiting(connection, number, id, from, limit)?;
                let more = i64::try_from(rows.len()).unwrap_or(limit) == limit;
                place(connection, &rows, Place::Claimed)?;
                Ok(Claimed {
                    owed: with_events(connection, rows, &shared)?,
                    more,
                    ..Claimed::default()
                })
            })
            .await;
        if claimed.is_err() {
            directory.forget();
        }
        claimed
    }

    /// Puts deliveries that were in memory back behind the others of their subscription, and these
    /// behind all others: it is disabled.
    pub async fn set_aside(
        &self,
        ids: Vec<DeliveryId>,
        later: Vec<DeliveryId>,
    ) -> Result<(), Error> {
        self.write(move |connection| {
            for (ids, place) in [(&ids, Place::Backlog), (&later, Place::Later)] {
                let ids: Vec<Uid> = ids.iter().copied().map(Uid::from).collect();
                each!(connection, c => diesel::update(deliveries::table)
                    .filter(deliveries::id.eq_any(&ids))
                    .filter(deliveries::state.eq(PENDING))
                    .set(deliveries::place.eq(place.code()))
                    .execute(c))?;
            }
            Ok(())
        })
        .await
    }
}

/// The subscriptions of these rows, each once.
pub(super) fn subscriptions_of(rows: &[DeliveryRow]) -> Vec<(SubscriptionId, TenantId)> {
    let all = rows
        .iter()
        .map(|row| (row.subscription_id.into(), row.tenant_id.into()));
    let each: BTreeSet<(SubscriptionId, TenantId)> = all.collect();
    each.into_iter().collect()
}

/// What was cancelled while it was in memory, of these shards.
fn recalled(
    connection: &mut Connection,
    numbers: &[i16],
) -> Result<Vec<(DeliveryId, SubscriptionId)>, Error> {
    let rows: Vec<(Uid, Uid)> = each!(connection, c => deliveries::table
        .filter(deliveries::shard.eq_any(numbers))
        .filter(is_recalled())
        .select((deliveries::id, deliveries::subscription_id))
        .limit(RECALL)
        .load(c))?;
    let ids = rows
        .into_iter()
        .map(|(id, subscription)| (id.into(), subscription.into()));
    Ok(ids.collect())
}

/// What is in nobody's memory any more. One that was to be retried meanwhile is due.
fn release(
    connection: &mut Connection,
    numbers: &[i16],
    let_go: &[DeliveryId],
) -> Result<(), Error> {
    if let_go.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uid> = let_go.iter().copied().map(Uid::from).collect();
    each!(connection, c => diesel::update(deliveries::table)
        .filter(deliveries::id.eq_any(&ids))
        .filter(deliveries::shard.eq_any(numbers))
        .filter(deliveries::place.eq(Place::Claimed.code()))
        .set(deliveries::place.eq(Place::Scheduled.code()))
        .execute(c))?;
    Ok(())
}

fn place(connection: &mut Connection, rows: &[DeliveryRow], place: Place) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uid> = rows.iter().map(|row| row.id).collect();
    dialect::delivery::put(connection, &ids, place)
}

/// An event may be forgotten while a replay of it begins: then nothing can be told.
fn give_up(
    connection: &mut Connection,
    rows: &[DeliveryRow],
    known: &HashSet<Uid>,
) -> Result<(), Error> {
    let lost = rows.iter().filter(|row| !known.contains(&row.event_id));
    let ids: Vec<Uid> = lost.map(|row| row.id).collect();
    if !ids.is_empty() {
        each!(connection, c => diesel::update(deliveries::table)
            .filter(deliveries::id.eq_any(&ids))
            .set((
                deliveries::state.eq(CANCELLED),
                deliveries::place.eq(Place::Scheduled.code()),
            ))
            .execute(c))?;
    }
    Ok(())
}

fn with_events(
    connection: &mut Connection,
    rows: Vec<DeliveryRow>,
    directory: &Directory,
) -> Result<Vec<Owed>, Error> {
    let ids: Vec<Uid> = rows.iter().map(|row| row.event_id).collect();
    let kept: Vec<EventRow> = dialect::event::of_ids(connection, &ids)?;
    let tenants = rows.iter().map(|row| row.tenant_id.into()).collect();
    directory.learn(connection, &tenants)?;
    let known: HashSet<Uid> = kept.iter().map(|row| row.id).collect();
    give_up(connection, &rows, &known)?;
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
