//! How a message is shown.

use domain::account::{Environment, Slug};
use domain::cost::Cost;
use domain::id::{CallbackId, MessageId};
use domain::json::Raw;
use domain::report::FailureClass;
use domain::send_attempt::Sending;
use domain::{State, Timestamp};
use serde::Serialize;
use store::message::{Entry, Held};

#[derive(Serialize)]
pub(crate) struct MessageView {
    id: MessageId,
    provider: String,
    provider_account: Slug,
    provider_message_id: Option<String>,
    client_reference: Option<String>,
    to: String,
    from: Option<String>,
    notification_id: Option<String>,
    metadata: Option<Raw>,
    parts_total: u32,
    parts_delivered: u32,
    state: State,
    is_final: bool,
    failure_reason: Option<String>,
    failure_class: Option<&'static str>,
    network_code: Option<String>,
    cost: Option<Cost>,
    created_at: Timestamp,
    updated_at: Timestamp,
    sent_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    delivery_duration_ms: Option<i64>,
    send_attempt: u32,
    send_attempts: Vec<SendAttemptView>,
    environment: Environment,
    history: Vec<EntryView>,
}

#[derive(Serialize)]
struct EntryView {
    received_at: Timestamp,
    provider_time: Option<Timestamp>,
    send_attempt: u32,
    word: String,
    state: Option<State>,
    applied: bool,
    source: &'static str,
    callback_id: Option<CallbackId>,
    failure_reason: Option<String>,
    /// Why a person set the state, and who.
    reason: Option<String>,
    actor: Option<String>,
    /// What else the provider answered, raw.
    provider_response: Option<String>,
}

#[derive(Serialize)]
struct SendAttemptView {
    number: u32,
    provider: String,
    provider_account: Slug,
    provider_message_id: Option<String>,
    client_reference: Option<String>,
    created_at: Timestamp,
}

/// Its ids are those of the newest send attempt.
pub(crate) fn view(held: Held) -> MessageView {
    let Held { message, history } = held;
    let (state, parts_delivered) = (message.state(), message.parts_delivered());
    let cost = message.cost().cloned();
    let delivery_duration_ms = message.delivery_duration_ms();
    let send_attempts = message.sendings().map(SendAttemptView::from).collect();
    let newest = SendAttemptView::from(message.sending(message.send_attempt));
    let registration = message.registration;
    MessageView {
        id: message.id,
        provider: newest.provider,
        provider_account: newest.provider_account,
        provider_message_id: newest.provider_message_id,
        client_reference: newest.client_reference,
        to: registration.to,
        from: registration.from,
        notification_id: registration.notification_id,
        metadata: registration.metadata,
        parts_total: registration.parts,
        parts_delivered,
        state,
        is_final: state.is_final(),
        failure_reason: message.failure_reason,
        failure_class: message.failure_class.map(FailureClass::as_str),
        network_code: message.network_code,
        cost,
        created_at: message.created_at,
        updated_at: message.updated_at,
        sent_at: message.sent_at,
        delivered_at: message.delivered_at,
        delivery_duration_ms,
        send_attempt: message.send_attempt,
        send_attempts,
        environment: registration.environment,
        history: history.into_iter().map(EntryView::from).collect(),
    }
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self {
            received_at: entry.received_at,
            provider_time: entry.provider_time,
            send_attempt: entry.send_attempt,
            word: entry.word,
            state: entry.state,
            applied: entry.is_applied,
            source: entry.source.as_str(),
            callback_id: entry.callback_id,
            failure_reason: entry.failure_reason,
            reason: entry.reason,
            actor: entry.actor,
            provider_response: entry.provider_response,
        }
    }
}

impl From<Sending<'_>> for SendAttemptView {
    fn from(sending: Sending<'_>) -> Self {
        Self {
            number: sending.number,
            provider: sending.provider.to_owned(),
            provider_account: sending.provider_account.clone(),
            provider_message_id: sending.provider_message_id.map(str::to_owned),
            client_reference: sending.client_reference.map(str::to_owned),
            created_at: sending.created_at,
        }
    }
}
