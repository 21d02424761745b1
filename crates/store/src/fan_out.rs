//! The fan-out: new events get their place in their tenant's order, and become deliveries.

use crate::Store;
use crate::connection::{Connection, insert_rows};
use crate::delivery::{DeliveryRow, Owed, PENDING, Place, Room};
use crate::dialect::event::{self, Stamp};
use crate::directory::{Directory, OfTenant};
use crate::error::Error;
use crate::event::{EventRow, Kept};
use crate::schema::deliveries;
use crate::shard::{Fenced, holding, next_sequences};
use crate::sql_types::Moment;
use domain::id::{DeliveryId, SubscriptionId, TenantId};
use domain::{Random, Shard, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// How many events one fan-out takes at the most.
const BATCH: i64 = 256;

/// What a fan-out did.
#[derive(Debug, Clone, Default)]
pub struct FannedOut {
    /// What the caller now has in its memory.
    pub owed: Vec<Owed>,
    /// When each event was caused, for the time it took to get here.
    pub stamped: Vec<Timestamp>,
    /// Subscriptions that got more than there was room for.
    pub backlogs: Vec<(SubscriptionId, TenantId)>,
    /// Shards of other dispatchers that have new deliveries.
    pub elsewhere: BTreeSet<Shard>,
    /// The shard at which the batch was full: it and those after it may have more.
    pub full_at: Option<Shard>,
}

impl Store {
    /// Stamps new events of these shards and makes their deliveries, in one transaction. `mine` are
    /// all the leases of the caller: a delivery of a shard among them goes into its memory, where
    /// there is room.
    pub async fn fan_out(
        &self,
        shards: Vec<Shard>,
        mine: Vec<Fenced>,
        room: Room,
        directory: &Directory,
    ) -> Result<FannedOut, Error> {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        let shared = directory.clone();
        let done = self
            .write(move |connection| {
                let mut room = room.clone();
                let mine = holding(connection, &mine)?;
                let owned: HashSet<Shard> = mine.iter().map(|lease| lease.shard).collect();
                let mut shards = shards.clone();
                shards.retain(|shard| owned.contains(shard));
                let rows = unstamped(connection, &shards)?;
                if rows.is_empty() {
                    return Ok(FannedOut::default());
                }
                let full_at = (rows.len() == usize::try_from(BATCH).unwrap_or(0))
                    .then(|| rows.last().map(|(shard, _)| *shard))
                    .flatten();
                let tenants: HashSet<_> = rows
                    .iter()
                    .map(|(_, row)| TenantId::from(row.tenant_id))
                    .collect();
                let stamped = stamp(connection, rows)?;
                failpoint::reach!(StoreAfterStamp);
                let mut made = Making {
                    now: clock.now(),
                    random: random.clone(),
                    owned,
                    room: &mut room,
                    rows: Vec::new(),
                };
                let mut done = FannedOut {
                    full_at,
                    ..FannedOut::default()
                };
                let known = shared.refresh(connection, &tenants)?.of;
                for event in stamped {
                    let to = known.get(&event.event.tenant_id).cloned();
                    made.deliveries_of(event, &to.unwrap_or_default(), &mut done);
                }
                insert_rows!(connection, deliveries::table, &made.rows);
                Ok(done)
            })
            .await;
        if done.is_err() {
            directory.forget();
        }
        done
    }
}

fn unstamped(
    connection: &mut Connection,
    shards: &[Shard],
) -> Result<Vec<(Shard, EventRow)>, Error> {
    let numbers: Vec<i16> = shards
        .iter()
        .map(|shard| i16::from(shard.number()))
        .collect();
    let rows = event::unstamped(connection, &numbers, BATCH)?;
    Ok(rows
        .into_iter()
        .filter_map(|(number, row)| Some((Shard::new(u8::try_from(number).ok()?)?, row)))
        .collect())
}

/// Gives each event the next number of its shard: so numbers of one tenant only grow, in the order
/// in which its events were written.
fn stamp(connection: &mut Connection, rows: Vec<(Shard, EventRow)>) -> Result<Vec<Kept>, Error> {
    let mut counts: BTreeMap<Shard, i64> = BTreeMap::new();
    for (shard, _) in &rows {
        *counts.entry(*shard).or_default() += 1;
    }
    let mut next = next_sequences(connection, &counts)?;
    let mut stamps = Vec::with_capacity(rows.len());
    let mut stamped = Vec::with_capacity(rows.len());
    for (shard, row) in rows {
        let sequence = next.entry(shard).or_default();
        stamps.push(Stamp {
            id: row.id,
            position: row.position,
            sequence: *sequence,
        });
        let mut kept = Kept::try_from(row)?;
        kept.sequence = Some(*sequence);
        *sequence += 1;
        stamped.push(kept);
    }
    event::stamp(connection, &stamps)?;
    Ok(stamped)
}

struct Making<'a> {
    now: Timestamp,
    random: Random,
    owned: HashSet<Shard>,
    room: &'a mut Room,
    rows: Vec<DeliveryRow>,
}

impl Making<'_> {
    fn deliveries_of(&mut self, kept: Kept, known: &OfTenant, done: &mut FannedOut) {
        let event = &kept.event;
        let mut to = Vec::new();
        for subscription in known.iter() {
            let interest = &subscription.interest;
            if !subscription.is_enabled
                || !interest.wants(&event.event_type, &event.environment, kept.position)
            {
                continue;
            }
            let id = interest.subscription_id;
            let shard = Shard::of_subscription(id);
            let place = if !self.owned.contains(&shard) {
                done.elsewhere.insert(shard);
                Place::Scheduled
            } else if self.room.take(id) {
                Place::Claimed
            } else {
                done.backlogs.push((id, event.tenant_id));
                Place::Backlog
            };
            let row = DeliveryRow {
                id: DeliveryId::new(self.now, &self.random).into(),
                tenant_id: event.tenant_id.into(),
                event_id: event.id.into(),
                subscription_id: id.into(),
                shard: i16::from(shard.number()),
                state: PENDING,
                place: place.code(),
                attempts: 0,
                due_at: Moment::from(self.now),
                created_at: Moment::from(self.now),
            };
            if place == Place::Claimed {
                to.push(row.recipient());
            }
            self.rows.push(row);
        }
        done.stamped.push(event.caused_at);
        if !to.is_empty() {
            done.owed.push(Owed { event: kept, to });
        }
    }
}
