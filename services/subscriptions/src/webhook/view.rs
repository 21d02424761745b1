//! Webhooks and their deliveries, as they are asked for and shown.

use super::attempt::AttemptView;
use super::settings::{self, AskedAuth, AskedRateLimit, AskedRetry, AskedSigning, SettingsView};
use crate::{Context, input};
use domain::Timestamp;
use domain::account::Environment;
use domain::breaker;
use domain::delivery::State;
use domain::id::{DeliveryId, EventId, ReplayId, SubscriptionId};
use domain::subscription::{DisabledReason, Method, State as SubscriptionState};
use runtime::http::Problem;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::delivery::Delivery;
use store::subscription::{Health, Subscription};
use utoipa::ToSchema;

/// A webhook to make, or what one is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "url": "https://clinic.example.com/hooks/sms",
    "events": ["sms.delivered", "sms.failed"],
    "name": "Ward display",
})))]
pub(super) struct WriteWebhook {
    /// Where events are sent: `http` or `https`, without user-info, and nothing inside a private network unless
    /// the operator allows it.
    pub url: String,
    /// Types of events, beginnings of types like `sms.*`, or `*` alone for all.
    #[schema(min_items = 1)]
    pub events: Vec<String>,
    /// With what requests are signed: `whsec_` and base64 of 24 to 64 bytes. One is made where none is given; a
    /// change without one keeps it.
    pub secret: Option<String>,
    /// What people call it.
    #[schema(min_length = 1, max_length = 128)]
    pub name: Option<String>,
    /// What it is for.
    #[schema(min_length = 1, max_length = 128)]
    pub description: Option<String>,
    /// Only events of this environment are sent; `production` unless you say otherwise.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = Environment, required = false)]
    pub environment: Option<String>,
    /// Whether anything is sent at all; true unless you say otherwise.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = bool, required = false)]
    pub enabled: Option<bool>,
    /// The method of its requests; `POST` unless you say otherwise.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = Method, required = false)]
    pub method: Option<String>,
    /// Headers of your own: at most 32, and 8 KiB of names and values.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = BTreeMap<String, String>, required = false)]
    pub headers: Option<BTreeMap<String, String>>,
    /// When a delivery is tried again.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = AskedRetry, required = false)]
    pub retry: Option<AskedRetry>,
    /// How many attempts may begin in a while; none limits nothing.
    pub rate_limit: Option<AskedRateLimit>,
    /// How many requests may be under way at once; 16 unless you say otherwise.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = i64, required = false, minimum = 1, maximum = 256)]
    pub max_in_flight: Option<i64>,
    /// How long one attempt may take; 10 unless you or the operator say otherwise.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = i64, required = false, minimum = 1, maximum = 30)]
    pub timeout_seconds: Option<i64>,
    /// The longest body; over it an event is sent without its data.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = i64, required = false, minimum = 1024, maximum = 1_048_576)]
    pub max_payload_bytes: Option<i64>,
    /// How requests are signed; as Standard Webhooks has it unless you say otherwise.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = AskedSigning, required = false)]
    pub signing: Option<AskedSigning>,
    /// How requests prove themselves besides the signature.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = AskedAuth, required = false)]
    pub endpoint_auth: Option<AskedAuth>,
    /// In which version it gets events of these types. Where you say nothing, a type stays in the version that it was
    /// in, and one that you name for the first time is in its newest.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = BTreeMap<String, u32>, required = false)]
    pub versions: Option<BTreeMap<String, i64>>,
}

/// A webhook: which events go where, and how.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook, examples(json!({
    "id": "sub_01h455vb4pex5vsknk084sn02q",
    "url": "https://clinic.example.com/hooks/sms",
    "events": ["sms.delivered", "sms.failed"],
    "name": "Ward display",
    "description": null,
    "environment": "production",
    "enabled": true,
    "method": "POST",
    "headers": {},
    "retry": { "preset": "standard" },
    "rate_limit": null,
    "max_in_flight": 16,
    "timeout_seconds": 10,
    "max_payload_bytes": 1_048_576,
    "signing": { "schemes": ["v1"], "header_prefix": null },
    "endpoint_auth": { "type": "none" },
    "versions": {},
    "state": "active",
    "disabled_reason": null,
    "health": {
        "last_success_at": "2026-11-23T21:09:04.500Z",
        "last_failure_at": null,
        "delivered": 12,
        "failed": 0,
        "success_rate": 1.0,
        "failing_since": null,
        "breaker": "closed",
    },
    "created_at": "2026-11-23T21:09:00.000Z",
    "updated_at": "2026-11-23T21:09:00.000Z",
})))]
pub(crate) struct WebhookView {
    /// Its id.
    pub(super) id: SubscriptionId,
    /// Where events are sent.
    url: String,
    /// Types of events, and beginnings of types.
    events: Vec<String>,
    /// What people call it.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Only events of this environment are sent.
    environment: Environment,
    /// Whether anything is sent at all.
    enabled: bool,
    #[serde(flatten)]
    settings: SettingsView,
    /// `active` or `disabled`.
    #[schema(schema_with = states)]
    state: &'static str,
    /// Why nothing is sent.
    #[schema(schema_with = disabled_reasons)]
    disabled_reason: Option<&'static str>,
    /// How its endpoint fares.
    health: HealthView,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
    /// Its secret: shown only when it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub(super) secret: Option<String>,
}

/// How an endpoint fares.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookHealth)]
struct HealthView {
    /// When it last took an event.
    last_success_at: Option<Timestamp>,
    /// When it last did not.
    last_failure_at: Option<Timestamp>,
    /// How many events it took.
    delivered: i64,
    /// How many it did not, for good.
    failed: i64,
    /// The part it took of all that ended; null while none has.
    success_rate: Option<f64>,
    /// Since when it has had nothing but failures; null while it has not.
    failing_since: Option<Timestamp>,
    /// Whether it is left alone for a while: `open` means that it is.
    #[schema(schema_with = breakers)]
    breaker: &'static str,
}

/// One event owed to one webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery, examples(json!({
    "id": "dlv_01h455vb4pex5vsknk084sn02q",
    "event_id": "evt_01h455vb4pex5vsknk084sn02q",
    "event_type": "sms.delivered",
    "subscription_id": "sub_01h455vb4pex5vsknk084sn02q",
    "state": "delivered",
    "error": null,
    "attempts": [{
        "number": 1,
        "started_at": "2026-11-23T21:09:04.400Z",
        "duration_ms": 83,
        "timing": {
            "dns_ms": 4,
            "connect_ms": 12,
            "tls_ms": 31,
            "first_byte_ms": 36,
            "total_ms": 83,
        },
        "status_code": 204,
        "error": null,
        "error_detail": null,
        "method": "POST",
        "request_headers": { "webhook-id": "evt_01h455vb4pex5vsknk084sn02q" },
        "response_headers": { "server": "nginx" },
        "response_body": "",
        "response_cut": false,
        "payload_bytes": 812,
        "payload_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }],
    "next_attempt_at": null,
    "created_at": "2026-11-23T21:09:04.300Z",
    "replay_id": null,
})))]
pub(crate) struct DeliveryView {
    /// Its id.
    id: DeliveryId,
    /// The event.
    event_id: EventId,
    /// The event's type.
    event_type: String,
    /// The webhook.
    subscription_id: SubscriptionId,
    /// How far it is.
    state: State,
    /// What went wrong the last time, or why it ended without success.
    error: Option<String>,
    /// Every attempt, oldest first.
    attempts: Vec<AttemptView>,
    /// When it is tried next.
    next_attempt_at: Option<Timestamp>,
    /// When it came to be owed.
    created_at: Timestamp,
    /// The replay that had it told again.
    replay_id: Option<ReplayId>,
}

fn states() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "`active` or `disabled`.",
        crate::openapi::word(["active", "disabled"]),
    )
}

fn disabled_reasons() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "Why nothing is sent.",
        crate::openapi::word_or_null(DisabledReason::ALL.map(DisabledReason::as_str)),
    )
}

fn breakers() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "Whether it is left alone for a while: `open` means that it is.",
        crate::openapi::word(breaker::State::ALL.map(breaker::State::as_str)),
    )
}

pub(super) fn view(context: &Context, subscription: Subscription) -> Result<WebhookView, Problem> {
    let settings = settings::view(context, &subscription)?;
    let Subscription {
        interest,
        health,
        is_enabled,
        ..
    } = subscription;
    Ok(WebhookView {
        id: interest.subscription_id,
        url: subscription.url,
        events: interest.patterns.iter().map(ToString::to_string).collect(),
        name: subscription.name,
        description: subscription.description,
        environment: interest.environment,
        enabled: is_enabled,
        settings,
        state: if is_enabled {
            SubscriptionState::Active.as_str()
        } else {
            SubscriptionState::Disabled.as_str()
        },
        disabled_reason: subscription.disabled_reason.map(DisabledReason::as_str),
        health: health.into(),
        created_at: subscription.created_at,
        updated_at: subscription.updated_at,
        secret: None,
    })
}

impl From<Health> for HealthView {
    fn from(health: Health) -> Self {
        let all = health.delivered + health.failed;
        #[expect(clippy::cast_precision_loss, reason = "a ratio for people to look at")]
        let success_rate = (all > 0).then(|| health.delivered as f64 / all as f64);
        Self {
            last_success_at: health.last_success_at,
            last_failure_at: health.last_failure_at,
            delivered: health.delivered,
            failed: health.failed,
            success_rate,
            failing_since: health.failing_since,
            breaker: health.breaker.as_str(),
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            event_type: delivery.event_type,
            subscription_id: delivery.subscription_id,
            state: delivery.state,
            error: delivery.error,
            attempts: delivery
                .attempts
                .into_iter()
                .map(AttemptView::from)
                .collect(),
            next_attempt_at: delivery.next_attempt_at,
            created_at: delivery.created_at,
            replay_id: delivery.replay_id,
        }
    }
}
