//! Leases on shards.

use crate::Store;
use crate::connection::{Connection, each};
use crate::delivery::{Place, is_pending_in, is_recalled};
use crate::dialect::{lease, lock};
use crate::error::Error;
use crate::schema::{deliveries, dispatchers, shards};
use crate::sql_types::{Moment, Uid};
use crate::subscription::{Broken, pace};
use diesel::prelude::*;
use domain::id::{SubscriptionId, TenantId};
use domain::shard::{LEASE, Lease, RENEW_EVERY, is_running, plan};
use domain::{Shard, Timestamp};
use std::collections::HashMap;
use std::time::Duration;

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
    /// Until when by its own clock, unless it renews.
    pub until: Option<Timestamp>,
    /// After how long to ask again, where that is before the next renewal: there are shards to give up,
    /// or a lease of a dispatcher runs out that has missed several renewals.
    pub again_in: Option<Duration>,
    /// Those it has anew: whatever it knew of them is void.
    pub adopted: Vec<Shard>,
    /// The subscriptions of adopted shards that have a backlog.
    pub backlogs: Waiting,
    /// Those of which something waits for its turn behind all others.
    pub later: Waiting,
    /// Their breakers that are not closed.
    pub broken: Vec<Broken>,
}

/// Of which subscriptions something waits.
pub type Waiting = Vec<(Shard, SubscriptionId, TenantId)>;

impl Store {
    /// Says that a dispatcher is alive, renews its leases, and takes or gives shards so that every
    /// live dispatcher has an equal share. `used` are those it knows to hold: another gets none of
    /// them before it has been told so.
    pub async fn lease_shards(&self, owner: String, used: Vec<Shard>) -> Result<Holding, Error> {
        let clock = self.clock.clone();
        self.write(move |connection| {
            // What the caller judges by its own clock begins before the store writes it.
            let until = clock.now().plus(LEASE);
            let rows = lease::shards(connection)?;
            let now = lease::now(connection, &clock)?;
            let live = announce(connection, &owner, now)?;
            let leases: Vec<Lease> = rows.iter().filter_map(ShardRow::lease).collect();
            let plan = plan(&owner, &used, &leases, live, now);
            give(connection, &plan.give)?;
            failpoint::reach!(StoreAfterGive if !plan.give.is_empty());
            let mut held = renew(connection, &plan.keep, now)?;
            let free = lock::unkept_shards(connection, numbers(&plan.take))?;
            let taken = take(connection, free, &owner, now)?;
            let adopted: Vec<Shard> = taken.iter().map(|lease| lease.shard).collect();
            held.extend(taken);
            release(connection, &adopted)?;
            Ok(Holding {
                shards: held,
                until: Some(until),
                again_in: if plan.leave.is_empty() {
                    next_free_in(&leases, &owner, now)
                } else {
                    Some(Duration::ZERO)
                },
                backlogs: waiting(connection, &adopted, Place::Backlog)?,
                later: waiting(connection, &adopted, Place::Later)?,
                broken: pace::broken(connection, &adopted)?,
                adopted,
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

fn next_free_in(leases: &[Lease], me: &str, now: Timestamp) -> Option<Duration> {
    let others = leases
        .iter()
        .filter(|lease| lease.owner.as_deref().is_some_and(|owner| owner != me));
    let ends = others
        .map(|lease| lease.until)
        .filter(|until| is_running(*until, now));
    let first = ends.min()?.since(now);
    (first < RENEW_EVERY).then_some(first)
}

/// Those of these leases that still hold, and hold until this transaction ends. In the transaction of
/// what they guard.
pub(crate) fn holding(
    connection: &mut Connection,
    leases: &[Fenced],
) -> Result<Vec<Fenced>, Error> {
    let fences = lease::fences(connection, &numbers_of(leases))?;
    Ok(those_held(leases, fences))
}

/// The numbers of the shards leased, each once, in order.
pub(crate) fn numbers_of(leases: &[Fenced]) -> Vec<i16> {
    let mut numbers: Vec<i16> = leases
        .iter()
        .map(|lease| i16::from(lease.shard.number()))
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Those of these leases whose fences are what the store has.
pub(crate) fn those_held(leases: &[Fenced], fences: Vec<(i16, i64)>) -> Vec<Fenced> {
    let fences: HashMap<i16, i64> = fences.into_iter().collect();
    let holds = |lease: &Fenced| fences.get(&i16::from(lease.shard.number())) == Some(&lease.fence);
    leases.iter().copied().filter(holds).collect()
}

/// Ends every lease: nobody else can be alive.
pub(crate) fn free_all(connection: &mut Connection) -> Result<(), Error> {
    each!(connection, c => diesel::update(shards::table)
        .set((shards::owner.eq(None::<String>), shards::until.eq(Moment(0))))
        .execute(c))?;
    each!(connection, c => diesel::delete(dispatchers::table).execute(c))?;
    Ok(())
}

/// Says that this dispatcher is alive; how many are.
fn announce(connection: &mut Connection, owner: &str, now: Timestamp) -> Result<usize, Error> {
    let until = Moment::from(now.plus(LEASE));
    each!(connection, c => diesel::insert_into(dispatchers::table)
        .values((dispatchers::owner.eq(owner), dispatchers::until.eq(until)))
        .on_conflict(dispatchers::owner)
        .do_update()
        .set(dispatchers::until.eq(until))
        .execute(c))?;
    each!(connection, c => diesel::delete(dispatchers::table)
        .filter(dispatchers::until.le(Moment::from(now)).or(dispatchers::until.gt(until)))
        .execute(c))?;
    let live: i64 = each!(connection, c => dispatchers::table.count().get_result(c))?;
    Ok(usize::try_from(live).unwrap_or(1))
}

fn numbers(of: &[Shard]) -> Vec<i16> {
    of.iter().map(|shard| i16::from(shard.number())).collect()
}

fn renew(
    connection: &mut Connection,
    keep: &[Shard],
    now: Timestamp,
) -> Result<Vec<Fenced>, Error> {
    let rows: Vec<(i16, i64)> = each!(connection, c => diesel::update(shards::table.filter(shards::number.eq_any(numbers(keep))))
        .set(shards::until.eq(Moment::from(now.plus(LEASE))))
        .returning((shards::number, shards::fence))
        .get_results(c))?;
    Ok(fenced(rows))
}

fn give(connection: &mut Connection, give: &[Shard]) -> Result<(), Error> {
    each!(connection, c => diesel::update(shards::table.filter(shards::number.eq_any(numbers(give))))
        .set((shards::owner.eq(None::<String>), shards::until.eq(Moment(0))))
        .execute(c))?;
    Ok(())
}

fn take(
    connection: &mut Connection,
    take: Vec<i16>,
    owner: &str,
    now: Timestamp,
) -> Result<Vec<Fenced>, Error> {
    let rows: Vec<(i16, i64)> = each!(connection, c => diesel::update(shards::table.filter(shards::number.eq_any(&take)))
        .set((
            shards::owner.eq(Some(owner)),
            shards::fence.eq(shards::fence + 1),
            shards::until.eq(Moment::from(now.plus(LEASE))),
        ))
        .returning((shards::number, shards::fence))
        .get_results(c))?;
    Ok(fenced(rows))
}

/// In the order of their numbers, whatever order the engine returns them in.
fn fenced(mut rows: Vec<(i16, i64)>) -> Vec<Fenced> {
    rows.sort_unstable();
    rows.into_iter()
        .filter_map(|(number, fence)| {
            let shard = shard_of(number)?;
            Some(Fenced { shard, fence })
        })
        .collect()
}

fn shard_of(number: i16) -> Option<Shard> {
    Shard::new(u8::try_from(number).ok()?)
}

/// Frees what the former owner of these shards had in its memory.
fn release(connection: &mut Connection, taken: &[Shard]) -> Result<(), Error> {
    if taken.is_empty() {
        return Ok(());
    }
    failpoint::reach!(StoreBeforeAdopt);
    for what in [is_pending_in(Place::Claimed), is_recalled()] {
        each!(connection, c => diesel::update(deliveries::table)
            .filter(deliveries::shard.eq_any(numbers(taken)))
            .filter(what)
            .set(deliveries::place.eq(Place::Scheduled.code()))
            .execute(c))?;
    }
    Ok(())
}

/// The subscriptions of these shards of which something waits in a place.
fn waiting(connection: &mut Connection, of: &[Shard], place: Place) -> Result<Waiting, Error> {
    if of.is_empty() {
        return Ok(Waiting::new());
    }
    let rows: Vec<(i16, Uid, Uid)> = each!(connection, c => deliveries::table
        .filter(deliveries::shard.eq_any(numbers(of)))
        .filter(is_pending_in(place))
        .select((deliveries::shard, deliveries::subscription_id, deliveries::tenant_id))
        .distinct()
        .load(c))?;
    Ok(rows
        .into_iter()
        .filter_map(|(shard, id, tenant)| Some((shard_of(shard)?, id.into(), tenant.into())))
        .collect())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = shards)]
pub(crate) struct ShardRow {
    number: i16,
    owner: Option<String>,
    until: Moment,
}

impl ShardRow {
    fn lease(&self) -> Option<Lease> {
        Some(Lease {
            shard: shard_of(self.number)?,
            owner: self.owner.clone(),
            until: self.until.into(),
        })
    }
}
