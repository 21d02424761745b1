//! Events: immutable facts told to tenants.

use crate::account::Environment;
use crate::clock::Timestamp;
use crate::id::{EventId, MessageId, TenantId};
use crate::json::Raw;
use crate::message::Message;
use crate::state::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The largest `data` of a published event, in bytes.
pub const MAX_DATA_BYTES: usize = 256 * 1024;

/// A fact. Written once, with what causes it; never changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its id: the `webhook-id` of every delivery of it.
    pub id: EventId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its type, from the catalog.
    pub event_type: String,
    /// The version of the type's schema.
    pub version: u32,
    /// Where it belongs.
    pub environment: Environment,
    /// When it was written.
    pub created_at: Timestamp,
    /// What raised it.
    pub source: String,
    /// What it is about.
    pub resource: Option<Resource>,
    /// Who and what caused it, as published.
    pub context: Option<Raw>,
    /// The publisher's own object.
    pub metadata: Option<Raw>,
    /// The fact itself, kept as the text it was.
    pub data: Raw,
    /// The message and the number of its transition, for events that tell one.
    pub transition: Option<(MessageId, u32)>,
    /// The trace that caused it, as a W3C `traceparent`.
    pub traceparent: Option<String>,
    /// When what caused it reached us, to measure how long the news took.
    pub caused_at: Timestamp,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its kind: `message`, or the publisher's own word.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: String,
    /// More about it, as published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub data: Option<Raw>,
}

/// What an `sms.*` event says about a message.
#[derive(Debug, Serialize)]
pub struct MessageData<'a> {
    message_id: MessageId,
    provider: &'a str,
    provider_account: &'a str,
    provider_message_id: Option<&'a str>,
    client_reference: Option<&'a str>,
    to: &'a str,
    from: Option<&'a str>,
    state: State,
    previous_state: State,
    is_final: bool,
    occurred_at: Timestamp,
    failure_reason: Option<&'a str>,
    failure_class: Option<&'static str>,
    network_code: Option<&'a str>,
    parts_delivered: u32,
    parts_total: u32,
    notification_id: Option<&'a str>,
    metadata: Option<&'a Raw>,
    send_attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    states: Option<[State; 2]>,
}

impl<'a> MessageData<'a> {
    /// The news that `message` left `previous_state`. Its ids are those of the send attempt that the
    /// state stands on.
    pub fn of_transition(
        message: &'a Message,
        previous_state: State,
        occurred_at: Timestamp,
    ) -> Self {
        let send_attempt = message.standing.send_attempt;
        Self::of_attempt(message, send_attempt, previous_state, occurred_at)
    }

    /// News that a report of a send attempt of `message` brought.
    pub fn of_attempt(
        message: &'a Message,
        send_attempt: u32,
        previous_state: State,
        occurred_at: Timestamp,
    ) -> Self {
        let registration = &message.registration;
        let sending = message.sending(send_attempt);
        Self {
            message_id: message.id,
            provider: sending.provider,
            provider_account: sending.provider_account.as_str(),
            provider_message_id: sending.provider_message_id,
            client_reference: sending.client_reference,
            to: &registration.to,
            from: registration.from.as_deref(),
            state: message.state(),
            previous_state,
            is_final: message.state().is_final(),
            occurred_at,
            failure_reason: message.failure_reason.as_deref(),
            failure_class: message
                .failure_class
                .map(crate::report::FailureClass::as_str),
            network_code: message.network_code.as_deref(),
            parts_delivered: message.parts_delivered(),
            parts_total: registration.parts,
            notification_id: registration.notification_id.as_deref(),
            metadata: registration.metadata.as_ref(),
            send_attempt: sending.number,
            states: None,
        }
    }

    /// The news that two contradicting states were reported for a send attempt of `message`.
    pub fn of_conflict(
        message: &'a Message,
        send_attempt: u32,
        previous_state: State,
        states: [State; 2],
        occurred_at: Timestamp,
    ) -> Self {
        Self {
            states: Some(states),
            ..Self::of_attempt(message, send_attempt, previous_state, occurred_at)
        }
    }
}
