//! Messages and their history, as rows.

use super::parts;
use super::{Entry, Tracked, decode_source, decode_state, encode_source, encode_state};
use crate::dialect::array::columns;
use crate::error::Error;
use crate::schema::{message_history, messages};
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Nullable, SmallInt, Text};
use domain::Timestamp;
use domain::account::{Environment, Slug};
use domain::cost::Cost;
use domain::id::{CallbackId, MessageId};
use domain::json::Raw;
use domain::message::{Message, Registration};
use domain::poll::{Due, USUAL_DELAY};
use domain::report::FailureClass;
use domain::state::Standing;
use std::time::Duration;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = messages, treat_none_as_default_value = false)]
pub(crate) struct MessageRow {
    pub(crate) id: Uid,
    pub(crate) tenant_id: Uid,
    pub(crate) account_id: Uid,
    pub(crate) provider_account: String,
    pub(crate) provider: String,
    pub(crate) provider_message_id: Option<String>,
    pub(crate) client_reference: Option<String>,
    pub(crate) identity_key: Vec<u8>,
    pub(crate) recipient: String,
    pub(crate) sender: Option<String>,
    pub(crate) notification_id: Option<String>,
    pub(crate) parts: i32,
    pub(crate) metadata: Option<String>,
    pub(crate) environment: String,
    pub(crate) created_at: Moment,
    pub(crate) updated_at: Moment,
    pub(crate) state: i16,
    pub(crate) override_number: i32,
    pub(crate) standing_attempt: i32,
    pub(crate) provider_time: Option<Moment>,
    pub(crate) transition: i32,
    pub(crate) send_attempt: i32,
    pub(crate) decided_seen: i64,
    pub(crate) history_length: i32,
    pub(crate) sent_at: Option<Moment>,
    pub(crate) delivered_at: Option<Moment>,
    pub(crate) failure_reason: Option<String>,
    pub(crate) failure_class: Option<String>,
    pub(crate) network_code: Option<String>,
    pub(crate) part_standings: Option<String>,
    pub(crate) registered_cost: Option<String>,
    pub(crate) cost: Option<String>,
    pub(crate) poll_at: Option<Moment>,
    pub(crate) polls: i32,
    pub(crate) poll_from: Option<Moment>,
    pub(crate) poll_delay: Option<i64>,
    pub(crate) poll_account_id: Option<Uid>,
}

/// Counters of one message stay far below what the column holds.
pub(crate) fn narrow(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// As its column holds it: the amount, a space, the currency.
fn read_cost(text: String) -> Result<Cost, Error> {
    let cost = text.split_once(' ');
    let cost = cost.and_then(|(amount, currency)| Cost::new(amount, currency).ok());
    cost.ok_or_else(|| Error::unreadable("a message with an unreadable cost"))
}

/// In milliseconds.
fn encode_delay(delay: Duration) -> i64 {
    i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)
}

/// Of a message of an earlier release, the usual one.
pub(crate) fn decode_delay(millis: Option<i64>) -> Duration {
    millis
        .and_then(|millis| u64::try_from(millis).ok())
        .map_or(USUAL_DELAY, Duration::from_millis)
}

impl MessageRow {
    pub(super) fn new(message: &Message, identity: [u8; 16], history_length: i32) -> Self {
        let registration = message.registration.clone();
        Self {
            id: message.id.into(),
            tenant_id: message.tenant_id.into(),
            account_id: registration.account_id.into(),
            provider_account: registration.provider_account.into(),
            provider: registration.provider,
            provider_message_id: registration.provider_message_id,
            client_reference: registration.client_reference,
            identity_key: identity.to_vec(),
            recipient: registration.to,
            sender: registration.from,
            notification_id: registration.notification_id,
            parts: narrow(registration.parts),
            metadata: registration.metadata.map(|raw| raw.as_str().to_owned()),
            environment: registration.environment.into(),
            created_at: message.created_at.into(),
            updated_at: message.updated_at.into(),
            state: encode_state(message.state()),
            override_number: narrow(message.standing.override_number),
            standing_attempt: narrow(message.standing.send_attempt),
            provider_time: message.standing.provider_time.map(Moment::from),
            transition: narrow(message.transition),
            send_attempt: narrow(message.send_attempt),
            decided_seen: message.decided_seen,
            history_length,
            sent_at: message.sent_at.map(Moment::from),
            delivered_at: message.delivered_at.map(Moment::from),
            failure_reason: message.failure_reason.clone(),
            failure_class: message.failure_class.map(|class| class.as_str().to_owned()),
            network_code: message.network_code.clone(),
            part_standings: message.parts.as_ref().map(parts::to_text),
            registered_cost: registration.cost.as_ref().map(Cost::to_string),
            cost: message.told_cost.as_ref().map(Cost::to_string),
            poll_at: message.due.at.map(Moment::from),
            polls: narrow(message.due.polls),
            poll_from: Some(message.due.from.into()),
            poll_delay: Some(encode_delay(message.due.delay)),
            poll_account_id: Some(message.newest_sending().account_id.into()),
        }
    }
}

impl TryFrom<MessageRow> for Tracked {
    type Error = Error;

    fn try_from(row: MessageRow) -> Result<Self, Error> {
        let broken = |what: &str| Error::unreadable(format!("a message with an unreadable {what}"));
        let count = |number: i32| u32::try_from(number).map_err(|_| broken("number"));
        let slug: Slug = row
            .provider_account
            .parse()
            .map_err(|_| broken("account"))?;
        let environment: Environment =
            row.environment.parse().map_err(|_| broken("environment"))?;
        let standing = Standing::new(
            decode_state(row.state)?,
            count(row.override_number)?,
            count(row.standing_attempt)?,
            row.provider_time.map(Timestamp::from),
        );
        let registration = Registration {
            account_id: row.account_id.into(),
            provider_account: slug,
            provider: row.provider,
            provider_message_id: row.provider_message_id,
            client_reference: row.client_reference,
            to: row.recipient,
            from: row.sender,
            notification_id: row.notification_id,
            parts: count(row.parts)?,
            cost: row.registered_cost.map(read_cost).transpose()?,
            metadata: row
                .metadata
                .map(Raw::parse)
                .transpose()
                .map_err(|_| broken("metadata"))?,
            environment,
        };
        let due = Due {
            at: row.poll_at.map(Timestamp::from),
            polls: count(row.polls)?,
            from: row.poll_from.unwrap_or(row.created_at).into(),
            delay: decode_delay(row.poll_delay),
        };
        let message = Message {
            id: row.id.into(),
            tenant_id: row.tenant_id.into(),
            registration,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            standing,
            transition: count(row.transition)?,
            send_attempt: count(row.send_attempt)?,
            sent_again: Vec::new(),
            decided_seen: row.decided_seen,
            sent_at: row.sent_at.map(Timestamp::from),
            delivered_at: row.delivered_at.map(Timestamp::from),
            failure_reason: row.failure_reason,
            failure_class: row.failure_class.as_deref().and_then(FailureClass::parse),
            network_code: row.network_code,
            told_cost: row.cost.map(read_cost).transpose()?,
            due,
            parts: row
                .part_standings
                .as_deref()
                .map(parts::from_text)
                .transpose()?,
        };
        let identity = row
            .identity_key
            .try_into()
            .map_err(|_| broken("identity"))?;
        Ok(Self {
            message,
            identity,
            history_length: row.history_length,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = message_history, treat_none_as_default_value = false)]
pub(crate) struct HistoryRow {
    pub(super) message_id: Uid,
    ordinal: i32,
    received_at: Moment,
    provider_time: Option<Moment>,
    send_attempt: i32,
    word: String,
    state: Option<i16>,
    is_applied: bool,
    source: i16,
    callback_id: Option<Uid>,
    failure_reason: Option<String>,
    reason: Option<String>,
    actor: Option<String>,
    provider_response: Option<String>,
}

columns!(HistoryRow => "message_history" {
    message_id: Id,
    ordinal: Integer,
    received_at: Instant,
    provider_time: Nullable<Instant>,
    send_attempt: Integer,
    word: Text,
    state: Nullable<SmallInt>,
    is_applied: Bool,
    source: SmallInt,
    callback_id: Nullable<Id>,
    failure_reason: Nullable<Text>,
    reason: Nullable<Text>,
    actor: Nullable<Text>,
    provider_response: Nullable<Text>,
});

impl HistoryRow {
    pub(crate) fn new(message: MessageId, ordinal: i32, entry: Entry) -> Self {
        Self {
            message_id: message.into(),
            ordinal,
            received_at: entry.received_at.into(),
            provider_time: entry.provider_time.map(Moment::from),
            send_attempt: narrow(entry.send_attempt),
            word: entry.word,
            state: entry.state.map(encode_state),
            is_applied: entry.is_applied,
            source: encode_source(entry.source),
            callback_id: entry.callback_id.map(Uid::from),
            failure_reason: entry.failure_reason,
            reason: entry.reason,
            actor: entry.actor,
            provider_response: entry.provider_response,
        }
    }
}

impl TryFrom<HistoryRow> for Entry {
    type Error = Error;

    fn try_from(row: HistoryRow) -> Result<Self, Error> {
        Ok(Self {
            received_at: row.received_at.into(),
            provider_time: row.provider_time.map(Timestamp::from),
            send_attempt: u32::try_from(row.send_attempt).unwrap_or(1),
            word: row.word,
            state: row.state.map(decode_state).transpose()?,
            is_applied: row.is_applied,
            source: decode_source(row.source)?,
            callback_id: row.callback_id.map(CallbackId::from),
            failure_reason: row.failure_reason,
            reason: row.reason,
            actor: row.actor,
            provider_response: row.provider_response,
        })
    }
}
