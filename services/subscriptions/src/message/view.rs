//! How a message is shown.

use domain::account::{Environment, Slug};
use domain::cost::Cost;
use domain::id::{CallbackId, MessageId};
use domain::json::Raw;
use domain::report::{FailureClass, Source};
use domain::send_attempt::Sending;
use domain::{State, Timestamp};
use serde::Serialize;
use store::message::{Entry, Held};
use utoipa::ToSchema;

/// A message: what was sent, and what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Message, examples(json!({
    "id": "msg_01h455vb4pex5vsknk084sn02q",
    "provider": "africastalking",
    "provider_account": "clinic-ke",
    "provider_message_id": "ATXid_1",
    "client_reference": null,
    "to": "+254700000001",
    "from": "CLINIC",
    "notification_id": "reminder-7",
    "metadata": { "visit": 7 },
    "parts_total": 1,
    "parts_delivered": 1,
    "state": "delivered",
    "is_final": true,
    "failure_reason": null,
    "failure_class": null,
    "network_code": "63902",
    "cost": { "amount": "0.80", "currency": "KES" },
    "created_at": "2026-11-23T21:09:00.000Z",
    "updated_at": "2026-11-23T21:09:04.200Z",
    "sent_at": "2026-11-23T21:09:01.100Z",
    "delivered_at": "2026-11-23T21:09:04.000Z",
    "delivery_duration_ms": 4000,
    "send_attempt": 1,
    "send_attempts": [{
        "number": 1,
        "provider": "africastalking",
        "provider_account": "clinic-ke",
        "provider_message_id": "ATXid_1",
        "client_reference": null,
        "created_at": "2026-11-23T21:09:00.000Z",
    }],
    "environment": "production",
    "history": [{
        "received_at": "2026-11-23T21:09:04.200Z",
        "provider_time": "2026-11-23T21:09:04.000Z",
        "send_attempt": 1,
        "word": "Success",
        "state": "delivered",
        "applied": true,
        "source": "callback",
        "callback_id": "cb_01h455vb4pex5vsknk084sn02q",
        "failure_reason": null,
        "reason": null,
        "actor": null,
        "provider_response": null,
    }],
})))]
pub(crate) struct MessageView {
    /// Its id.
    id: MessageId,
    /// The provider it was last sent through.
    provider: String,
    /// The account it was last sent through.
    provider_account: Slug,
    /// The provider's id of it.
    provider_message_id: Option<String>,
    /// The reference that you gave the provider.
    client_reference: Option<String>,
    /// The number it goes to; empty once that number was erased.
    to: String,
    /// From whom.
    from: Option<String>,
    /// Your notification that it is part of.
    notification_id: Option<String>,
    /// What you wanted to see again with it.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Raw>,
    /// In how many parts it is sent.
    parts_total: u32,
    /// How many of them are on the phone.
    parts_delivered: u32,
    /// What became of it.
    state: State,
    /// Whether it ended.
    is_final: bool,
    /// Why it was not delivered, in the provider's word.
    failure_reason: Option<String>,
    /// What kind of failure that is.
    #[schema(value_type = Option<FailureClass>)]
    failure_class: Option<&'static str>,
    /// The network, as the provider names it.
    network_code: Option<String>,
    /// What it cost.
    cost: Option<Cost>,
    /// When it was registered.
    created_at: Timestamp,
    /// When something was last said of it.
    updated_at: Timestamp,
    /// When it was sent: the provider's time where it told one.
    sent_at: Option<Timestamp>,
    /// When it was delivered: the provider's time where it told one.
    delivered_at: Option<Timestamp>,
    /// From its registration to there.
    delivery_duration_ms: Option<i64>,
    /// How often it was sent.
    send_attempt: u32,
    /// Each time it was sent.
    send_attempts: Vec<SendAttemptView>,
    /// Where it belongs.
    environment: Environment,
    /// What was said of it, oldest first.
    history: Vec<EntryView>,
}

/// One thing that was said of a message.
#[derive(Serialize, ToSchema)]
#[schema(as = HistoryEntry)]
struct EntryView {
    /// When it reached us.
    received_at: Timestamp,
    /// When it happened, where the provider told it.
    provider_time: Option<Timestamp>,
    /// Which time of being sent it is about.
    send_attempt: u32,
    /// The provider's word.
    word: String,
    /// The state that the word means; null where it is on no list.
    state: Option<State>,
    /// Whether it changed the state.
    applied: bool,
    /// Who said it: `callback`, `poll` or `manual`.
    #[schema(value_type = Source)]
    source: &'static str,
    /// The callback it came with.
    callback_id: Option<CallbackId>,
    /// Why it was not delivered, in the provider's word.
    failure_reason: Option<String>,
    /// Why a person set the state, and who.
    reason: Option<String>,
    /// Who set it.
    actor: Option<String>,
    /// What else the provider answered, raw.
    provider_response: Option<String>,
}

/// One time that a message was sent.
#[derive(Serialize, ToSchema)]
#[schema(as = SendAttempt)]
struct SendAttemptView {
    /// The first is 1.
    number: u32,
    /// The provider.
    provider: String,
    /// The account.
    provider_account: Slug,
    /// The provider's id of it.
    provider_message_id: Option<String>,
    /// The reference that you gave the provider.
    client_reference: Option<String>,
    /// When it was registered.
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
