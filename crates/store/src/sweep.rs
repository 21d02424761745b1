//! Sweeps: many deliveries of a subscription that are retried or cancelled at once. A sweep is a row until
//! the owner of the subscription's shard has done it, a page at a time.

use crate::Store;
use crate::audit::Recorder;
use crate::connection::{Connection, each};
use crate::delivery::{
    CANCELLED, DeliveryRow, PENDING, Place, cancelled_place, is_wanted, retried_place,
};
use crate::error::Error;
use crate::recovery::PAGE;
use crate::schema::{deliveries, events, sweeps};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::delivery::{State, Wanted};
use domain::id::{SubscriptionId, SweepId, TenantId};
use domain::{Shard, Timestamp};
use serde_json::json;
use std::collections::HashMap;

/// What is done to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// As [`Store::retry_delivery`]; each behind whatever else waits for the subscription.
    Retry,
    /// As [`Store::cancel_delivery`].
    Cancel,
}

/// Which deliveries of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// How far they are.
    pub wanted: Wanted,
    /// Of events of these types; none for all.
    pub event_types: Option<Vec<String>>,
    /// Made at or after this.
    pub after: Option<Timestamp>,
    /// Made before this; none for now.
    pub before: Option<Timestamp>,
}

impl Store {
    /// How many deliveries of a tenant's subscription a filter wants now.
    pub async fn count_deliveries(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        filter: Filter,
    ) -> Result<u64, Error> {
        let (after, before) = self.bounds(&filter);
        self.read(move |connection| {
            let count: i64 = each!(connection, c => {
                let mut query = deliveries::table
                    .filter(deliveries::subscription_id.eq(Uid::from(subscription)))
                    .filter(deliveries::tenant_id.eq(Uid::from(tenant)))
                    .filter(deliveries::id.gt(after))
                    .filter(deliveries::id.lt(before))
                    .filter(is_wanted(filter.wanted))
                    .select(diesel::dsl::count_star())
                    .into_boxed();
                if let Some(types) = filter.event_types {
                    query = query.filter(diesel::dsl::exists(
                        events::table
                            .filter(events::id.eq(deliveries::event_id))
                            .filter(events::event_type.eq_any(types)),
                    ));
                }
                query.get_result(c)
            })?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
        .await
    }

    /// Has all that a filter wants retried or cancelled, soon and whatever happens. What is made from
    /// now on is not among it.
    pub async fn begin_sweep(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        action: Action,
        filter: Filter,
    ) -> Result<(), Error> {
        let (reached, before) = self.bounds(&filter);
        let what = json!({
            "state": filter.wanted.as_str(),
            "event_types": filter.event_types,
            "after": filter.after,
            "before": filter.before,
        });
        let row = SweepRow {
            id: SweepId::new(self.clock.now(), &self.random).into(),
            tenant_id: tenant.into(),
            subscription_id: subscription.into(),
            shard: i16::from(Shard::of_subscription(subscription).number()),
            action: encode_action(action),
            wanted: encode_wanted(filter.wanted),
            event_types: filter.event_types.map(|types| types.join(",")),
            reached,
            before,
        };
        let recorder = self.recorder();
        self.write(move |connection| {
            each!(connection, c => diesel::insert_into(sweeps::table)
                .values(&row)
                .execute(c))?;
            let of = Some(subscription.to_string());
            Recorder::note(recorder.as_ref(), connection, "webhook", of, what.clone())
        })
        .await
    }

    /// The ids between which a filter's deliveries are: an id begins with when it was made.
    fn bounds(&self, filter: &Filter) -> (Uid, Uid) {
        let next = Timestamp::from_millis(self.clock.now().as_millis() + 1);
        let before = filter.before.map_or(next, |before| before.min(next));
        let after = filter.after.map_or(Uid::NONE, Uid::first_of);
        (after, Uid::first_of(before))
    }
}

/// A page of a sweep, found and not done yet.
pub(crate) struct Page {
    sweep: SweepRow,
    ids: Vec<Uid>,
    reached: Option<Uid>,
}

impl Page {
    /// Whose owner does it.
    pub(crate) fn shard(&self) -> Shard {
        Shard::of_subscription(self.sweep.subscription_id.into())
    }
}

/// The next page of the oldest sweep of these shards.
pub(crate) fn next(connection: &mut Connection, numbers: &[i16]) -> Result<Option<Page>, Error> {
    let sweep: Option<SweepRow> = each!(connection, c => sweeps::table
        .filter(sweeps::shard.eq_any(numbers))
        .order((sweeps::shard, sweeps::id))
        .select(SweepRow::as_select())
        .first(c)
        .optional())?;
    let Some(sweep) = sweep else {
        return Ok(None);
    };
    let wanted = decode_wanted(sweep.wanted)?;
    let rows: Vec<(Uid, Uid)> = each!(connection, c => deliveries::table
        .filter(deliveries::subscription_id.eq(sweep.subscription_id))
        .filter(deliveries::tenant_id.eq(sweep.tenant_id))
        .filter(deliveries::id.gt(sweep.reached))
        .filter(deliveries::id.lt(sweep.before))
        .filter(is_wanted(wanted))
        .order(deliveries::id)
        .select((deliveries::id, deliveries::event_id))
        .limit(PAGE)
        .load(c))?;
    let is_full = i64::try_from(rows.len()) == Ok(PAGE);
    let reached = rows.last().filter(|_| is_full).map(|(id, _)| *id);
    let ids = of_types(connection, &sweep, rows)?;
    Ok(Some(Page {
        sweep,
        ids,
        reached,
    }))
}

/// Those whose events are of the wanted types.
fn of_types(
    connection: &mut Connection,
    sweep: &SweepRow,
    rows: Vec<(Uid, Uid)>,
) -> Result<Vec<Uid>, Error> {
    let Some(types) = &sweep.event_types else {
        return Ok(rows.into_iter().map(|(id, _)| id).collect());
    };
    let event_ids: Vec<Uid> = rows.iter().map(|(_, event)| *event).collect();
    let known: Vec<(Uid, String)> = each!(connection, c => events::table
        .filter(events::id.eq_any(event_ids))
        .select((events::id, events::event_type))
        .load(c))?;
    let known: HashMap<Uid, String> = known.into_iter().collect();
    let is_wanted = |event: &Uid| {
        let of = known.get(event);
        of.is_some_and(|of| types.split(',').any(|name| name == of))
    };
    let wanted = rows.into_iter().filter(|(_, event)| is_wanted(event));
    Ok(wanted.map(|(id, _)| id).collect())
}

/// Does a page, in the transaction that says how far the sweep is. The subscription, where something of it
/// waits for its turn now.
pub(crate) fn apply(
    connection: &mut Connection,
    page: &Page,
    now: Timestamp,
) -> Result<Option<(SubscriptionId, TenantId)>, Error> {
    let sweep = &page.sweep;
    let wanted = decode_wanted(sweep.wanted)?;
    lock(connection, &page.ids)?;
    let changed = match decode_action(sweep.action)? {
        Action::Retry => retry(connection, &page.ids, wanted, now)?,
        Action::Cancel => {
            cancel(connection, &page.ids)?;
            0
        }
    };
    failpoint::reach!(StoreBeforeRecovery);
    match page.reached {
        Some(reached) => each!(connection, c => diesel::update(sweeps::table.find(sweep.id))
            .set(sweeps::reached.eq(reached))
            .execute(c))?,
        None => each!(connection, c => diesel::delete(sweeps::table.find(sweep.id)).execute(c))?,
    };
    let subscription = (sweep.subscription_id.into(), sweep.tenant_id.into());
    Ok((changed > 0).then_some(subscription))
}

/// On PostgreSQL, in the order of the ids: two transactions never wait for one another.
fn lock(connection: &mut Connection, ids: &[Uid]) -> Result<(), Error> {
    let query = deliveries::table
        .filter(deliveries::id.eq_any(ids))
        .order(deliveries::id);
    if let Connection::Postgres(session) = connection {
        let query = query.select(DeliveryRow::as_select()).for_update();
        let _: Vec<DeliveryRow> = query.load(session.raw())?;
    }
    Ok(())
}

fn retry(
    connection: &mut Connection,
    ids: &[Uid],
    wanted: Wanted,
    now: Timestamp,
) -> Result<usize, Error> {
    let now = Moment::from(now);
    match wanted {
        Wanted::In(State::Failed | State::Cancelled) => {
            Ok(each!(connection, c => diesel::update(deliveries::table)
                .filter(deliveries::id.eq_any(ids))
                .filter(is_wanted(wanted))
                .set((
                    deliveries::state.eq(PENDING),
                    deliveries::place.eq(retried_place()),
                    deliveries::budget_from.eq(deliveries::attempts),
                    deliveries::error.eq(None::<String>),
                    deliveries::due_at.eq(now),
                ))
                .execute(c))?)
        }
        // What is in memory or in a backlog is due already.
        Wanted::Retrying | Wanted::In(State::Pending) => {
            Ok(each!(connection, c => diesel::update(deliveries::table)
                .filter(deliveries::id.eq_any(ids))
                .filter(deliveries::state.eq(PENDING))
                .filter(deliveries::place.eq(Place::Scheduled.code()))
                .set((
                    deliveries::place.eq(Place::Later.code()),
                    deliveries::due_at.eq(now),
                ))
                .execute(c))?)
        }
        Wanted::In(State::Delivered) => Ok(0),
    }
}

fn cancel(connection: &mut Connection, ids: &[Uid]) -> Result<(), Error> {
    each!(connection, c => diesel::update(deliveries::table)
        .filter(deliveries::id.eq_any(ids))
        .filter(deliveries::state.eq(PENDING))
        .set((
            deliveries::state.eq(CANCELLED),
            deliveries::place.eq(cancelled_place()),
        ))
        .execute(c))?;
    Ok(())
}

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sweeps, treat_none_as_default_value = false)]
struct SweepRow {
    id: Uid,
    tenant_id: Uid,
    subscription_id: Uid,
    shard: i16,
    action: i16,
    wanted: i16,
    event_types: Option<String>,
    reached: Uid,
    before: Uid,
}

const fn encode_action(action: Action) -> i16 {
    match action {
        Action::Retry => 0,
        Action::Cancel => 1,
    }
}

fn decode_action(code: i16) -> Result<Action, Error> {
    [Action::Retry, Action::Cancel]
        .into_iter()
        .find(|action| encode_action(*action) == code)
        .ok_or_else(|| Error::unreadable(format!("a sweep with the action {code}")))
}

const fn encode_wanted(wanted: Wanted) -> i16 {
    match wanted {
        Wanted::In(state) => crate::delivery::encode_state(state),
        Wanted::Retrying => 4,
    }
}

fn decode_wanted(code: i16) -> Result<Wanted, Error> {
    Wanted::ALL
        .into_iter()
        .find(|wanted| encode_wanted(*wanted) == code)
        .ok_or_else(|| Error::unreadable(format!("a sweep of deliveries {code}")))
}
