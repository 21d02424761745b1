//! Deliveries and their attempts.

pub(crate) mod attempt;
mod body;
mod claim;
mod detail;
mod held;
mod recover;
mod row;

pub use attempt::{Attempt, Recorded, Then};
pub use claim::{Claimed, Room};
pub use held::GivenUp;
pub use recover::Recovered;
pub(crate) use row::{AttemptRow, DeliveryRow};

use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::event::Kept;
use crate::page::{Page, Window};
use crate::schema::{attempts, deliveries, events};
use crate::sql_types::Uid;
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bool, SmallInt};
use domain::Timestamp;
use domain::attempt::Detail;
use domain::delivery::{State, Wanted};
use domain::id::{DeliveryId, EventId, ReplayId, SubscriptionId, TenantId};
use std::collections::HashMap;

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
    /// Whether what it sends was kept with it: it is not what its event says by itself.
    pub has_body: bool,
    /// How many of them were made before its budget began: the schedule counts those after.
    pub budget_from: u32,
    /// The replay that made it.
    pub replay_id: Option<ReplayId>,
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
    /// The stable name of why it failed.
    pub error: Option<String>,
    /// What was tried, in order.
    pub attempts: Vec<Tried>,
    /// When it is tried next, while it is pending.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The replay that made it.
    pub replay_id: Option<ReplayId>,
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
    /// What else was kept; none of attempts before it was.
    pub detail: Option<Detail>,
}

/// Which deliveries of a subscription.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these.
    pub wanted: Option<Wanted>,
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
    /// Behind all others of its subscription, also those that are yet to come: replays, and what was
    /// retried together with others.
    Later,
}

impl Place {
    pub(crate) const fn code(self) -> i16 {
        match self {
            Self::Scheduled => 0,
            Self::Claimed => 1,
            Self::Backlog => 2,
            Self::Later => 3,
        }
    }
}

pub(crate) const PENDING: i16 = encode_state(State::Pending);
pub(crate) const CANCELLED: i16 = encode_state(State::Cancelled);
/// Nothing is done about these any more.
pub(crate) const ENDED: [i16; 3] = [
    encode_state(State::Delivered),
    encode_state(State::Failed),
    encode_state(State::Cancelled),
];

/// That a delivery is pending and where, said in constants: a partial index serves a statement that
/// is planned once for all parameters only where that names the index's condition itself.
pub(crate) fn is_pending_in(place: Place) -> SqlLiteral<Bool> {
    sql(match place {
        Place::Scheduled => "deliveries.state = 0 and deliveries.place = 0",
        Place::Claimed => "deliveries.state = 0 and deliveries.place = 1",
        Place::Backlog => "deliveries.state = 0 and deliveries.place = 2",
        Place::Later => "deliveries.state = 0 and deliveries.place = 3",
    })
}

/// That a delivery is wanted, likewise.
pub(crate) fn is_wanted(wanted: Wanted) -> SqlLiteral<Bool> {
    sql(match wanted {
        Wanted::In(State::Pending) => "deliveries.state = 0",
        Wanted::Retrying => "deliveries.state = 0 and deliveries.attempts > 0",
        Wanted::In(State::Delivered) => "deliveries.state = 1",
        Wanted::In(State::Failed) => "deliveries.state = 2",
        Wanted::In(State::Cancelled) => "deliveries.state = 3",
    })
}

/// That a delivery was cancelled while its owner had it in memory.
pub(crate) fn is_recalled() -> SqlLiteral<Bool> {
    sql("deliveries.state = 3 and deliveries.place = 1")
}

/// Where a delivery is that is cancelled: what is in its owner's memory stays there, until he lets go of
/// it.
pub(crate) fn cancelled_place() -> SqlLiteral<SmallInt> {
    sql("case when deliveries.place = 1 then 1 else 0 end")
}

/// Where a delivery is that is retried together with others: what is in its owner's memory stays there.
pub(crate) fn retried_place() -> SqlLiteral<SmallInt> {
    sql("case when deliveries.place = 1 then 1 else 3 end")
}

impl Store {
    /// Cancels up to 500 pending deliveries of subscriptions that were deleted; whether there may
    /// be more.
    pub async fn cancel_deliveries(&self, of: &[SubscriptionId]) -> Result<bool, Error> {
        let of: Vec<Uid> = of.iter().copied().map(Uid::from).collect();
        self.write(move |connection| {
            let ids: Vec<Uid> = each!(connection, c => deliveries::table
                .filter(deliveries::subscription_id.eq_any(&of))
                .filter(deliveries::state.eq(PENDING))
                .select(deliveries::id)
                .limit(500)
                .load(c))?;
            each!(connection, c => diesel::update(deliveries::table)
                .filter(deliveries::id.eq_any(&ids))
                .filter(deliveries::state.eq(PENDING))
                .set((
                    deliveries::state.eq(CANCELLED),
                    deliveries::place.eq(cancelled_place()),
                ))
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
                if let Some(wanted) = filter.wanted {
                    query = query.filter(is_wanted(wanted));
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

pub(crate) fn with_attempts(
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
    let mut by_delivery: HashMap<Uid, Vec<AttemptRow>> = HashMap::new();
    for row in tried {
        by_delivery.entry(row.delivery_id).or_default().push(row);
    }
    rows.into_iter()
        .map(|row| {
            let (state, replay_id) = (decode_state(row.state)?, row.replay_id());
            let tried = by_delivery.remove(&row.id).unwrap_or_default();
            Ok(Delivery {
                id: row.id.into(),
                event_id: row.event_id.into(),
                event_type: types.get(&row.event_id).cloned().unwrap_or_default(),
                subscription_id: row.subscription_id.into(),
                state,
                error: row.error,
                attempts: tried
                    .into_iter()
                    .map(|tried| tried.tried(row.event_id.into()))
                    .collect(),
                next_attempt_at: (state == State::Pending).then(|| row.due_at.into()),
                created_at: row.created_at.into(),
                replay_id,
            })
        })
        .collect()
}

pub(crate) const fn encode_state(state: State) -> i16 {
    match state {
        State::Pending => 0,
        State::Delivered => 1,
        State::Failed => 2,
        State::Cancelled => 3,
    }
}

pub(crate) fn decode_state(code: i16) -> Result<State, Error> {
    State::ALL
        .into_iter()
        .find(|state| encode_state(*state) == code)
        .ok_or_else(|| Error::unreadable(format!("a delivery in the state {code}")))
}
