//! Leases on shards.

use crate::Store;
use crate::connection::{Connection, each};
use crate::delivery::{PENDING, Place};
use crate::error::Error;
use crate::schema::{deliveries, dispatchers, shards};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::id::{SubscriptionId, TenantId};
use domain::shard::{LEASE, Lease, plan};
use domain::{Shard, Timestamp};
use std::collections::HashMap;

/// A shard that is leased, and the fence every write about it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fenced {
    /// Which shard.
    pub shard: Shard,
    /// The number of its lease; a later lease has a greater one.
    pub fence: i64,
}

/// What a dispatcher holds after a renewal.
#[derive(Debug, Clone, Default)]
pub struct Holding {
    /// Every shard it has.
    pub shards: Vec<Fenced>,
    /// Until when, unless it renews.
    pub until: Option<Timestamp>,
    /// Those it has anew: whatever it knew of them is void.
    pub adopted: Vec<Shard>,
    /// The subscriptions of adopted shards that have a backlog.
    pub backlogs: Vec<(Shard, SubscriptionId, TenantId)>,
}

impl Store {
    /// Says that a dispatcher is alive, renews its leases, and takes or gives shards so that every
    /// live dispatcher has an equal share.
    pub async fn lease_shards(&self, owner: String) -> Result<Holding, Error> {
        let clock = self.clock.clone();
        self.write(move |connection| {
            let now = clock.now();
            let until = now.plus(LEASE);
            let live = announce(connection, &owner, now, until)?;
            let rows = all(connection)?;
            let leases: Vec<Lease> = rows.iter().filter_map(ShardRow::lease).collect();
            let plan = plan(&owner, &leases, live, now);
            renew(connection, &plan.keep, until)?;
            give(connection, &plan.give)?;
            take(connection, &plan.take, &owner, until)?;
            let fences: HashMap<u8, i64> = rows
                .iter()
                .filter_map(|row| Some((u8::try_from(row.number).ok()?, row.fence)))
                .collect();
            let fence = |shard: Shard, moved: i64| Fenced {
                shard,
                fence: fences.get(&shard.number()).copied().unwrap_or(0) + moved,
            };
            let kept = plan.keep.iter().map(|shard| fence(*shard, 0));
            let taken = plan.take.iter().map(|shard| fence(*shard, 1));
            Ok(Holding {
                shards: kept.chain(taken).collect(),
                until: Some(until),
                backlogs: adopt(connection, &plan.take)?,
                adopted: plan.take,
            })
        })
        .await
    }

    /// Gives up every lease of a dispatcher that ends, so that others need not wait for them.
    pub async fn release_shards(&self, owner: String) -> Result<(), Error> {
        self.write(move |connection| {
            each!(connection, c => diesel::update(shards::table.filter(shards::owner.eq(&owner)))
                .set((shards::owner.eq(None::<String>), shards::until.eq(Moment(0))))
                .execute(c))?;
            each!(connection, c => diesel::delete(dispatchers::table.find(&owner)).execute(c))?;
            Ok(())
        })
        .await
    }
}

/// Refuses unless every one of these leases still holds. In the transaction of what they guard.
pub(crate) fn holding(
    connection: &mut Connection,
    leases: &[Fenced],
) -> Result<Vec<Fenced>, Error> {
    let numbers: Vec<i16> = leases
        .iter()
        .map(|lease| i16::from(lease.shard.number()))
        .collect();
    let fences: Vec<(i16, i64)> = each!(connection, c => shards::table
        .filter(shards::number.eq_any(&numbers))
        .select((shards::number, shards::fence))
        .load(c))?;
    let fences: HashMap<i16, i64> = fences.into_iter().collect();
    let holds = |lease: &Fenced| fences.get(&i16::from(lease.shard.number())) == Some(&lease.fence);
    Ok(leases.iter().copied().filter(holds).collect())
}

/// Ends every lease: nobody else can be alive.
pub(crate) fn free_all(connection: &mut Connection) -> Result<(), Error> {
    each!(connection, c => diesel::update(shards::table)
        .set((shards::owner.eq(None::<String>), shards::until.eq(Moment(0))))
        .execute(c))?;
    each!(connection, c => diesel::delete(dispatchers::table).execute(c))?;
    Ok(())
}

/// The next sequence numbers of a shard: `count` of them, beginning with the one returned.
pub(crate) fn next_sequences(
    connection: &mut Connection,
    shard: Shard,
    count: i64,
) -> Result<i64, Error> {
    let last: i64 = each!(connection, c => diesel::update(shards::table.find(i16::from(shard.number())))
        .set(shards::sequence.eq(shards::sequence + count))
        .returning(shards::sequence)
        .get_result(c))?;
    Ok(last - count + 1)
}

/// Says that this dispatcher is alive; how many are.
fn announce(
    connection: &mut Connection,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<usize, Error> {
    each!(connection, c => diesel::insert_into(dispatchers::table)
        .values((dispatchers::owner.eq(owner), dispatchers::until.eq(Moment::from(until))))
        .on_conflict(dispatchers::owner)
        .do_update()
        .set(dispatchers::until.eq(Moment::from(until)))
        .execute(c))?;
    each!(connection, c => diesel::delete(dispatchers::table)
        .filter(dispatchers::until.le(Moment::from(now)))
        .execute(c))?;
    let live: i64 = each!(connection, c => dispatchers::table.count().get_result(c))?;
    Ok(usize::try_from(live).unwrap_or(1))
}

fn all(connection: &mut Connection) -> Result<Vec<ShardRow>, Error> {
    Ok(each!(connection, c => shards::table
        .order(shards::number)
        .select(ShardRow::as_select())
        .load(c))?)
}

fn numbers(of: &[Shard]) -> Vec<i16> {
    of.iter().map(|shard| i16::from(shard.number())).collect()
}

fn renew(connection: &mut Connection, keep: &[Shard], until: Timestamp) -> Result<(), Error> {
    each!(connection, c => diesel::update(shards::table.filter(shards::number.eq_any(numbers(keep))))
        .set(shards::until.eq(Moment::from(until)))
        .execute(c))?;
    Ok(())
}

fn give(connection: &mut Connection, give: &[Shard]) -> Result<(), Error> {
    each!(connection, c => diesel::update(shards::table.filter(shards::number.eq_any(numbers(give))))
        .set((shards::owner.eq(None::<String>), shards::until.eq(Moment(0))))
        .execute(c))?;
    Ok(())
}

fn take(
    connection: &mut Connection,
    take: &[Shard],
    owner: &str,
    until: Timestamp,
) -> Result<(), Error> {
    each!(connection, c => diesel::update(shards::table.filter(shards::number.eq_any(numbers(take))))
        .set((
            shards::owner.eq(Some(owner)),
            shards::fence.eq(shards::fence + 1),
            shards::until.eq(Moment::from(until)),
        ))
        .execute(c))?;
    Ok(())
}

/// Frees what the former owner of these shards had in its memory, and finds their backlogs.
fn adopt(
    connection: &mut Connection,
    taken: &[Shard],
) -> Result<Vec<(Shard, SubscriptionId, TenantId)>, Error> {
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    each!(connection, c => diesel::update(deliveries::table)
        .filter(deliveries::shard.eq_any(numbers(taken)))
        .filter(deliveries::state.eq(PENDING))
        .filter(deliveries::place.eq(Place::Claimed.code()))
        .set(deliveries::place.eq(Place::Scheduled.code()))
        .execute(c))?;
    let backlogs: Vec<(i16, Uid, Uid)> = each!(connection, c => deliveries::table
        .filter(deliveries::shard.eq_any(numbers(taken)))
        .filter(deliveries::state.eq(PENDING))
        .filter(deliveries::place.eq(Place::Backlog.code()))
        .select((deliveries::shard, deliveries::subscription_id, deliveries::tenant_id))
        .distinct()
        .load(c))?;
    Ok(backlogs
        .into_iter()
        .filter_map(|(shard, id, tenant)| {
            Some((
                Shard::new(u8::try_from(shard).ok()?)?,
                id.into(),
                tenant.into(),
            ))
        })
        .collect())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = shards)]
struct ShardRow {
    number: i16,
    owner: Option<String>,
    fence: i64,
    until: Moment,
}

impl ShardRow {
    fn lease(&self) -> Option<Lease> {
        let shard = Shard::new(u8::try_from(self.number).ok()?)?;
        Some(Lease {
            shard,
            owner: self.owner.clone(),
            until: self.until.into(),
        })
    }
}
