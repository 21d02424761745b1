//! Deliveries and their attempts.

use crate::Store;
use crate::connection::{Connection, each};
use crate::directory::Directory;
use crate::error::Error;
use crate::event::{EventRow, Kept};
use crate::page::{Page, Window};
use crate::schema::{attempts, deliveries, events, subscriptions};
use crate::shard::{Fenced, holding};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::delivery::State;
use domain::id::{AttemptId, DeliveryId, EventId, SubscriptionId, TenantId};
use domain::{Shard, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// An event, and the deliveries of it that the caller now has in its memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Owed {
    /// The event, stamped.
    pub event: Kept,
    /// To whom.
    pub to: Vec<Recipient>,
}

/// One delivery of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient {
    /// Its id.
    pub delivery_id: DeliveryId,
    /// To which subscription.
    pub subscription_id: SubscriptionId,
    /// How many attempts were made.
    pub attempts: u32,
}

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

/// What an attempt did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// Of which delivery.
    pub delivery_id: DeliveryId,
    /// To which subscription.
    pub subscription_id: SubscriptionId,
    /// Under which lease.
    pub lease: Fenced,
    /// Its number, from 1.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
    /// What the endpoint answered.
    pub status_code: Option<u16>,
    /// The stable name of the error; none for success.
    pub error: Option<&'static str>,
    /// The first 16 KiB of the answer's body.
    pub response_body: Option<String>,
    /// What follows.
    pub then: Then,
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The delivery has ended in this state.
    End(State),
    /// It is tried again at this moment.
    RetryAt(Timestamp),
}

/// A delivery with its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Which event.
    pub event_id: EventId,
    /// Of which type.
    pub event_type: String,
    /// To which subscription.
    pub subscription_id: SubscriptionId,
    /// How far it is.
    pub state: State,
    /// What was tried, in order.
    pub attempts: Vec<Tried>,
    /// When it is tried next, while it is pending.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An attempt, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its number, from 1.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
    /// What the endpoint answered.
    pub status_code: Option<u16>,
    /// The stable name of the error; none for success.
    pub error: Option<String>,
    /// The first 16 KiB of the answer's body.
    pub response_body: Option<String>,
}

/// Which deliveries of a subscription.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<State>,
    /// Of this event.
    pub event_id: Option<EventId>,
}

/// Where a pending delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Found by its time.
    Scheduled,
    /// In the memory of its shard's owner.
    Claimed,
    /// Behind others of its subscription.
    Backlog,
}

impl Place {
    pub(crate) const fn code(self) -> i16 {
        match self {
            Self::Scheduled => 0,
            Self::Claimed => 1,
            Self::Backlog => 2,
        }
    }
}

pub(crate) const PENDING: i16 = encode_state(State::Pending);

/// How many deliveries one claim takes at the most.
const CLAIM: i64 = 256;

impl Store {
    /// Takes deliveries that are due into memory, of the shards that are leased. What there is no
    /// room for goes to its subscription's backlog, out of the way of the others.
    pub async fn claim_due(
        &self,
        leases: Vec<Fenced>,
        mut room: Room,
        directory: &Directory,
    ) -> Result<Claimed, Error> {
        let (clock, directory) = (self.clock.clone(), directory.clone());
        self.write(move |connection| {
            let leases = holding(connection, &leases)?;
            let numbers: Vec<i16> = leases.iter().map(|l| i16::from(l.shard.number())).collect();
            let rows: Vec<DeliveryRow> = each!(connection, c => deliveries::table
                .filter(deliveries::shard.eq_any(&numbers))
                .filter(deliveries::state.eq(PENDING))
                .filter(deliveries::place.eq(Place::Scheduled.code()))
                .filter(deliveries::due_at.le(Moment::from(clock.now())))
                .limit(CLAIM)
                .select(DeliveryRow::as_select())
                .load(c))?;
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
            let owed = with_events(connection, fitting, &directory)?;
            Ok(Claimed {
                owed,
                backlogs,
                more,
            })
        })
        .await
    }

    /// Takes up to `limit` deliveries of a subscription's backlog into memory, oldest first.
    pub async fn claim_backlog(
        &self,
        lease: Fenced,
        subscription: SubscriptionId,
        limit: usize,
        directory: &Directory,
    ) -> Result<Claimed, Error> {
        let directory = directory.clone();
        self.write(move |connection| {
            if holding(connection, &[lease])?.is_empty() {
                return Err(Error::LeaseLost);
            }
            let limit = i64::try_from(limit).unwrap_or(CLAIM).min(CLAIM);
            let rows: Vec<DeliveryRow> = each!(connection, c => deliveries::table
                .filter(deliveries::shard.eq(i16::from(lease.shard.number())))
                .filter(deliveries::subscription_id.eq(Uid::from(subscription)))
                .filter(deliveries::state.eq(PENDING))
                .filter(deliveries::place.eq(Place::Backlog.code()))
                .order(deliveries::due_at)
                .limit(limit)
                .select(DeliveryRow::as_select())
                .load(c))?;
            let more = i64::try_from(rows.len()).unwrap_or(limit) == limit;
            place(connection, &rows, Place::Claimed)?;
            let owed = with_events(connection, rows, &directory)?;
            Ok(Claimed {
                owed,
                backlogs: Vec::new(),
                more,
            })
        })
        .await
    }

    /// Puts deliveries that were in memory back behind the others of their subscription: it is
    /// disabled.
    pub async fn set_aside(&self, ids: Vec<DeliveryId>) -> Result<(), Error> {
        self.write(move |connection| {
            let ids: Vec<Uid> = ids.into_iter().map(Uid::from).collect();
            each!(connection, c => diesel::update(deliveries::table)
                .filter(deliveries::id.eq_any(&ids))
                .filter(deliveries::state.eq(PENDING))
                .set(deliveries::place.eq(Place::Backlog.code()))
                .execute(c))?;
            Ok(())
        })
        .await
    }

    /// Records attempts and what follows from them. An attempt of a lease that has passed on, or
    /// one recorded before, changes nothing; the shards whose leases are lost.
    pub async fn record_attempts(&self, batch: Vec<Attempt>) -> Result<Vec<Shard>, Error> {
        self.write(move |connection| {
            let mut leases: Vec<Fenced> = batch.iter().map(|attempt| attempt.lease).collect();
            leases.sort_unstable_by_key(|lease| (lease.shard, lease.fence));
            leases.dedup();
            let held = holding(connection, &leases)?;
            let mut fared: BTreeMap<SubscriptionId, Fared> = BTreeMap::new();
            for attempt in batch.iter().filter(|attempt| held.contains(&attempt.lease)) {
                if record(connection, attempt)? {
                    fared
                        .entry(attempt.subscription_id)
                        .or_default()
                        .count(attempt);
                }
            }
            for (id, fared) in fared {
                fared.write(connection, id)?;
            }
            Ok(leases
                .into_iter()
                .filter(|l| !held.contains(l))
                .map(|l| l.shard)
                .collect())
        })
        .await
    }

    /// Cancels up to 500 pending deliveries of a subscription that was deleted; whether there may
    /// be more.
    pub async fn cancel_deliveries(&self, subscription: SubscriptionId) -> Result<bool, Error> {
        self.write(move |connection| {
            let ids: Vec<Uid> = each!(connection, c => deliveries::table
                .filter(deliveries::subscription_id.eq(Uid::from(subscription)))
                .filter(deliveries::state.eq(PENDING))
                .select(deliveries::id)
                .limit(500)
                .load(c))?;
            each!(connection, c => diesel::update(deliveries::table)
                .filter(deliveries::id.eq_any(&ids))
                .set(deliveries::state.eq(encode_state(State::Cancelled)))
                .execute(c))?;
            Ok(ids.len() == 500)
        })
        .await
    }

    /// A subscription's deliveries, newest first, with their attempts.
    pub async fn list_deliveries(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        filter: Filter,
        window: Window<DeliveryId>,
    ) -> Result<Page<Delivery, DeliveryId>, Error> {
        self.read(move |connection| {
            let rows: Vec<DeliveryRow> = each!(connection, c => {
                let mut query = deliveries::table
                    .filter(deliveries::subscription_id.eq(Uid::from(subscription)))
                    .filter(deliveries::tenant_id.eq(Uid::from(tenant)))
                    .order(deliveries::id.desc())
                    .limit(window.reach())
                    .select(DeliveryRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(deliveries::id.lt(Uid::from(before)));
                }
                if let Some(state) = filter.state {
                    query = query.filter(deliveries::state.eq(encode_state(state)));
                }
                if let Some(event) = filter.event_id {
                    query = query.filter(deliveries::event_id.eq(Uid::from(event)));
                }
                query.load(c)
            })?;
            let page = window.page(rows, |row: &DeliveryRow| DeliveryId::from(row.id));
            Ok(Page {
                items: with_attempts(connection, page.items)?,
                next: page.next,
            })
        })
        .await
    }

    /// The deliveries of an event, with their attempts: at most 100.
    pub async fn deliveries_of_event(
        &self,
        tenant: TenantId,
        event: EventId,
    ) -> Result<Vec<Delivery>, Error> {
        self.read(move |connection| {
            let rows: Vec<DeliveryRow> = each!(connection, c => deliveries::table
                .filter(deliveries::event_id.eq(Uid::from(event)))
                .filter(deliveries::tenant_id.eq(Uid::from(tenant)))
                .order(deliveries::id.desc())
                .limit(100)
                .select(DeliveryRow::as_select())
                .load(c))?;
            with_attempts(connection, rows)
        })
        .await
    }
}

/// How attempts of one subscription fared, summed over a batch.
#[derive(Default)]
struct Fared {
    delivered: i64,
    failed: i64,
    last_success_at: Option<Timestamp>,
    last_failure_at: Option<Timestamp>,
}

impl Fared {
    fn count(&mut self, attempt: &Attempt) {
        let (number, last) = match attempt.error {
            None => (&mut self.delivered, &mut self.last_success_at),
            Some(_) => (&mut self.failed, &mut self.last_failure_at),
        };
        *number += 1;
        *last = (*last).max(Some(attempt.started_at));
    }

    fn write(self, connection: &mut Connection, id: SubscriptionId) -> Result<(), Error> {
        let (success, failure) = (self.last_success_at, self.last_failure_at);
        each!(connection, c => {
            diesel::update(subscriptions::table.find(Uid::from(id)))
                .set((
                    subscriptions::delivered.eq(subscriptions::delivered + self.delivered),
                    subscriptions::failed.eq(subscriptions::failed + self.failed),
                    success.map(|at| subscriptions::last_success_at.eq(Some(Moment::from(at)))),
                    failure.map(|at| subscriptions::last_failure_at.eq(Some(Moment::from(at)))),
                ))
                .execute(c)
        })?;
        Ok(())
    }
}

/// Whether the attempt was not recorded before.
fn record(connection: &mut Connection, attempt: &Attempt) -> Result<bool, Error> {
    let inserted = each!(connection, c => diesel::insert_into(attempts::table)
        .values(AttemptRow::from(attempt))
        .on_conflict_do_nothing()
        .execute(c))?;
    if inserted == 0 {
        return Ok(false);
    }
    let number = i32::try_from(attempt.number).unwrap_or(i32::MAX);
    let id = Uid::from(attempt.delivery_id);
    let (state, due_at) = match attempt.then {
        Then::End(state) => (state, attempt.started_at),
        Then::RetryAt(at) => (State::Pending, at),
    };
    each!(connection, c => diesel::update(deliveries::table.find(id))
        .filter(deliveries::state.eq(PENDING))
        .set((
            deliveries::attempts.eq(number),
            deliveries::state.eq(encode_state(state)),
            deliveries::place.eq(Place::Scheduled.code()),
            deliveries::due_at.eq(Moment::from(due_at)),
        ))
        .execute(c))?;
    Ok(true)
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
    directory
        .lock()
        .learn(connection, rows.iter().map(|row| row.tenant_id.into()))?;
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

fn with_attempts(
    connection: &mut Connection,
    rows: Vec<DeliveryRow>,
) -> Result<Vec<Delivery>, Error> {
    let ids: Vec<Uid> = rows.iter().map(|row| row.id).collect();
    let tried: Vec<AttemptRow> = each!(connection, c => attempts::table
        .filter(attempts::delivery_id.eq_any(&ids))
        .order((attempts::delivery_id, attempts::number))
        .select(AttemptRow::as_select())
        .load(c))?;
    let event_ids: Vec<Uid> = rows.iter().map(|row| row.event_id).collect();
    let types: Vec<(Uid, String)> = each!(connection, c => events::table
        .filter(events::id.eq_any(&event_ids))
        .select((events::id, events::event_type))
        .load(c))?;
    let types: HashMap<Uid, String> = types.into_iter().collect();
    let mut by_delivery: HashMap<Uid, Vec<Tried>> = HashMap::new();
    for row in tried {
        by_delivery
            .entry(row.delivery_id)
            .or_default()
            .push(row.into());
    }
    rows.into_iter()
        .map(|row| {
            let state = decode_state(row.state)?;
            Ok(Delivery {
                id: row.id.into(),
                event_id: row.event_id.into(),
                event_type: types.get(&row.event_id).cloned().unwrap_or_default(),
                subscription_id: row.subscription_id.into(),
                state,
                attempts: by_delivery.remove(&row.id).unwrap_or_default(),
                next_attempt_at: (state == State::Pending).then(|| row.due_at.into()),
                created_at: row.created_at.into(),
            })
        })
        .collect()
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = deliveries, treat_none_as_default_value = false)]
pub(crate) struct DeliveryRow {
    pub id: Uid,
    pub tenant_id: Uid,
    pub event_id: Uid,
    pub subscription_id: Uid,
    pub shard: i16,
    pub state: i16,
    pub place: i16,
    pub attempts: i32,
    pub due_at: Moment,
    pub created_at: Moment,
}

impl DeliveryRow {
    pub(crate) fn recipient(&self) -> Recipient {
        Recipient {
            delivery_id: self.id.into(),
            subscription_id: self.subscription_id.into(),
            attempts: u32::try_from(self.attempts).unwrap_or(0),
        }
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = attempts, treat_none_as_default_value = false)]
struct AttemptRow {
    delivery_id: Uid,
    number: i32,
    id: Uid,
    started_at: Moment,
    duration_ms: i64,
    status_code: Option<i32>,
    error: Option<String>,
    response_body: Option<String>,
}

impl From<&Attempt> for AttemptRow {
    fn from(attempt: &Attempt) -> Self {
        Self {
            delivery_id: attempt.delivery_id.into(),
            number: i32::try_from(attempt.number).unwrap_or(i32::MAX),
            id: attempt.id.into(),
            started_at: attempt.started_at.into(),
            duration_ms: attempt.duration_ms,
            status_code: attempt.status_code.map(i32::from),
            error: attempt.error.map(str::to_owned),
            response_body: attempt.response_body.clone(),
        }
    }
}

impl From<AttemptRow> for Tried {
    fn from(row: AttemptRow) -> Self {
        Self {
            number: u32::try_from(row.number).unwrap_or(0),
            started_at: row.started_at.into(),
            duration_ms: row.duration_ms,
            status_code: row.status_code.and_then(|code| u16::try_from(code).ok()),
            error: row.error,
            response_body: row.response_body,
        }
    }
}

pub(crate) const fn encode_state(state: State) -> i16 {
    match state {
        State::Pending => 0,
        State::Delivered => 1,
        State::Failed => 2,
        State::Cancelled => 3,
    }
}

fn decode_state(code: i16) -> Result<State, Error> {
    State::ALL
        .into_iter()
        .find(|state| encode_state(*state) == code)
        .ok_or_else(|| Error::unreadable(format!("a delivery in the state {code}")))
}
