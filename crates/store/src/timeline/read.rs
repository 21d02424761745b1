//! What a timeline is made of: one query for each kind, however much there is of it, and each by an index.

use super::{Line, MOST, Owed, Poll, Told, Tried, What};
use crate::callback::receipts_about;
use crate::connection::{Connection, each};
use crate::delivery::{DeliveryRow, decode_state};
use crate::error::Error;
use crate::message::{Entry, HistoryRow, MessageRow, Tracked};
use crate::poll::decode_outcome;
use crate::schema::{attempts, deliveries, events, message_history, messages, polls};
use crate::send_attempt::attach;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::delivery::State;
use domain::id::{CallbackId, MessageId, TenantId};
use domain::message::Message;
use domain::report::Source;
use std::collections::BTreeSet;
use std::time::Duration;

/// One more than is shown, to see whether there is more.
const REACH: i64 = 501;
const _: () = assert!(MOST == 500);
/// By how much the clocks of two processes may differ.
const SKEW: Duration = Duration::from_hours(1);

pub(super) fn message(
    connection: &mut Connection,
    tenant: TenantId,
    id: MessageId,
) -> Result<Option<Message>, Error> {
    let row: Option<MessageRow> = each!(connection, c => messages::table
        .filter(messages::id.eq(Uid::from(id)))
        .filter(messages::tenant_id.eq(Uid::from(tenant)))
        .select(MessageRow::as_select())
        .first(c)
        .optional())?;
    let Some(row) = row else {
        return Ok(None);
    };
    let mut message = Tracked::try_from(row)?.message;
    attach(connection, vec![&mut message])?;
    Ok(Some(message))
}

/// The newest polls of it, oldest first.
pub(super) fn polls(connection: &mut Connection, id: MessageId) -> Result<Vec<Line>, Error> {
    let rows: Vec<(Moment, i32, i16, Option<String>)> = each!(connection, c => polls::table
        .filter(polls::message_id.eq(Uid::from(id)))
        .order(polls::id.desc())
        .limit(REACH)
        .select((
            polls::at,
            polls::send_attempt,
            polls::outcome,
            polls::detail,
        ))
        .load(c))?;
    let line = |(at, send_attempt, outcome, detail): (Moment, i32, i16, Option<String>)| {
        Ok(Line {
            at: at.into(),
            what: What::Poll(Poll {
                send_attempt: u32::try_from(send_attempt).unwrap_or(1),
                outcome: decode_outcome(outcome)?,
                detail,
            }),
        })
    };
    rows.into_iter().rev().map(line).collect()
}

/// The newest entries, oldest first.
pub(super) fn history(connection: &mut Connection, id: MessageId) -> Result<Vec<Entry>, Error> {
    let rows: Vec<HistoryRow> = each!(connection, c => message_history::table
        .filter(message_history::message_id.eq(Uid::from(id)))
        .order(message_history::ordinal.desc())
        .limit(REACH)
        .select(HistoryRow::as_select())
        .load(c))?;
    rows.into_iter().rev().map(Entry::try_from).collect()
}

/// The receipts of the callbacks that a history names.
pub(super) fn receipts(
    connection: &mut Connection,
    message: &Message,
    history: &[Entry],
) -> Result<Vec<Line>, Error> {
    let called = history
        .iter()
        .filter(|entry| entry.source == Source::Callback);
    let ids: BTreeSet<CallbackId> = called
        .clone()
        .filter_map(|entry| entry.callback_id)
        .collect();
    let Some(since) = called.map(|entry| entry.received_at).min() else {
        return Ok(Vec::new());
    };
    let ids: Vec<CallbackId> = ids.into_iter().collect();
    let (tenant, since) = (message.tenant_id, since.minus(SKEW));
    let receipts = receipts_about(connection, tenant, message.id, &ids, since, REACH)?;
    let line = |receipt: crate::callback::Receipt| Line {
        at: receipt.received_at,
        what: What::Callback(receipt),
    };
    Ok(receipts.into_iter().map(line).collect())
}

/// Nothing is told of a message before it was registered: on PostgreSQL the days before are not looked
/// into.
pub(super) fn events(
    connection: &mut Connection,
    tenant: TenantId,
    id: MessageId,
) -> Result<Vec<Line>, Error> {
    let since = Uid::first_of(made_at(id).minus(SKEW));
    let rows: Vec<(Uid, String, Moment, Option<i64>)> = each!(connection, c => events::table
        .filter(events::message_id.eq(Uid::from(id)))
        .filter(events::id.ge(since))
        .filter(events::tenant_id.eq(Uid::from(tenant)))
        .order(events::id.desc())
        .limit(REACH)
        .select((
            events::id,
            events::event_type,
            events::created_at,
            events::sequence,
        ))
        .load(c))?;
    let line = |(id, event_type, created_at, sequence): (Uid, String, Moment, Option<i64>)| Line {
        at: created_at.into(),
        what: What::Event(Told {
            event_id: id.into(),
            event_type,
            sequence,
        }),
    };
    Ok(rows.into_iter().rev().map(line).collect())
}

/// When an id was made, which it says itself.
fn made_at(id: MessageId) -> Timestamp {
    let millis = Uid::from(id).0.as_u128() >> 80;
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(0))
}

pub(super) fn deliveries(
    connection: &mut Connection,
    tenant: TenantId,
    told: &[Line],
) -> Result<Vec<Line>, Error> {
    let ids: Vec<Uid> = told
        .iter()
        .filter_map(|line| match &line.what {
            What::Event(told) => Some(told.event_id.into()),
            _ => None,
        })
        .collect();
    let rows: Vec<DeliveryRow> = each!(connection, c => deliveries::table
        .filter(deliveries::event_id.eq_any(&ids))
        .filter(deliveries::tenant_id.eq(Uid::from(tenant)))
        .order(deliveries::id.desc())
        .limit(REACH)
        .select(DeliveryRow::as_select())
        .load(c))?;
    let line = |row: DeliveryRow| {
        let state = decode_state(row.state)?;
        Ok(Line {
            at: row.created_at.into(),
            what: What::Delivery(Owed {
                delivery_id: row.id.into(),
                event_id: row.event_id.into(),
                subscription_id: row.subscription_id.into(),
                state,
                next_attempt_at: (state == State::Pending).then(|| row.due_at.into()),
            }),
        })
    };
    rows.into_iter().rev().map(line).collect()
}

/// An attempt without the answer's body: that is told with its delivery.
#[derive(Queryable, Selectable)]
#[diesel(table_name = attempts)]
struct AttemptRow {
    id: Uid,
    delivery_id: Uid,
    number: i32,
    started_at: Moment,
    duration_ms: i64,
    status_code: Option<i32>,
    error: Option<String>,
}

/// The newest attempts at these deliveries, which are the tenant's own.
pub(super) fn attempts(connection: &mut Connection, owed: &[Line]) -> Result<Vec<Line>, Error> {
    let ids: Vec<Uid> = owed
        .iter()
        .filter_map(|line| match &line.what {
            What::Delivery(owed) => Some(owed.delivery_id.into()),
            _ => None,
        })
        .collect();
    let rows: Vec<AttemptRow> = each!(connection, c => attempts::table
        .filter(attempts::delivery_id.eq_any(&ids))
        .order((attempts::started_at.desc(), attempts::number.desc()))
        .limit(REACH)
        .select(AttemptRow::as_select())
        .load(c))?;
    let line = |row: AttemptRow| Line {
        at: row.started_at.into(),
        what: What::Attempt(Tried {
            attempt_id: row.id.into(),
            delivery_id: row.delivery_id.into(),
            number: u32::try_from(row.number).unwrap_or(0),
            duration_ms: row.duration_ms,
            status_code: row.status_code.and_then(|code| u16::try_from(code).ok()),
            error: row.error,
        }),
    };
    Ok(rows.into_iter().rev().map(line).collect())
}
