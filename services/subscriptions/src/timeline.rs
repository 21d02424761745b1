//! `GET /v1/messages/{id}/timeline`: everything of one message, in order of time.

use crate::caller::Caller;
use crate::list::Query;
use crate::openapi::{OfTenant, Routes, operation};
use crate::{Desk, failure};
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use domain::account::Slug;
use domain::callback::Status;
use domain::delivery::State as DeliveryState;
use domain::id::{AttemptId, CallbackId, DeliveryId, EventId, MessageId, SubscriptionId};
use domain::message::{Message, Outcome};
use domain::poll::Outcome as PollOutcome;
use domain::report::Source;
use domain::send_attempt::SendAttempt;
use domain::{State, Timestamp};
use runtime::http::Problem;
use serde::Serialize;
use store::callback::Receipt;
use store::message::Entry;
use store::timeline::{Line, Owed, Poll, Timeline, Told, Tried, What};
use utoipa::ToSchema;

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(get));
}

/// Everything of one message, in order of time.
#[derive(Serialize, ToSchema)]
#[schema(as = Timeline, examples(json!({
    "data": [
        {
            "at": "2026-11-23T21:09:00.000Z",
            "kind": "registered",
            "message_id": "msg_01h455vb4pex5vsknk084sn02q",
            "provider_account": "clinic-ke",
            "provider_message_id": "ATXid_1",
            "client_reference": null,
        },
        {
            "at": "2026-11-23T21:09:04.200Z",
            "kind": "report",
            "source": "callback",
            "callback_id": "cb_01h455vb4pex5vsknk084sn02q",
            "send_attempt": 1,
            "word": "Success",
            "state": "delivered",
            "applied": true,
            "provider_time": "2026-11-23T21:09:04.000Z",
            "failure_reason": null,
        },
    ],
    "truncated": false,
})))]
struct TimelineView {
    /// What happened, oldest first.
    data: Vec<LineView>,
    /// Whether there is more than is shown.
    truncated: bool,
}

/// One thing that happened.
#[derive(Serialize, ToSchema)]
#[schema(as = TimelineLine)]
struct LineView {
    /// When.
    at: Timestamp,
    #[serde(flatten)]
    what: WhatView,
}

/// What happened, by its `kind`.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = TimelineEntry)]
enum WhatView {
    /// The message was registered.
    Registered {
        /// The message.
        message_id: MessageId,
        /// The account it was sent through.
        provider_account: Slug,
        /// The provider's id of it.
        provider_message_id: Option<String>,
        /// The reference that you gave the provider.
        client_reference: Option<String>,
    },
    /// It was sent again.
    SendAttempt {
        /// For the how manieth time.
        send_attempt: u32,
        /// The account it was sent through.
        provider_account: Slug,
        /// The provider's id of it.
        provider_message_id: Option<String>,
        /// The reference that you gave the provider.
        client_reference: Option<String>,
    },
    /// The provider was asked.
    Poll {
        /// About which time of being sent.
        send_attempt: u32,
        /// What came of it.
        #[schema(value_type = PollOutcome)]
        outcome: &'static str,
        /// More about it.
        detail: Option<String>,
    },
    /// A callback came that speaks of it.
    Callback {
        /// The callback.
        callback_id: CallbackId,
        /// The slug of the account it came to.
        provider_account: String,
        /// Whether the same came before.
        repeated: bool,
        /// How far the work on it is.
        status: Status,
        /// When it was done.
        processed_at: Option<Timestamp>,
        /// What came of its reports of this message.
        #[schema(value_type = Vec<Outcome>)]
        outcomes: Vec<&'static str>,
    },
    /// A provider said what became of it.
    Report {
        /// How we heard it.
        #[schema(value_type = Source)]
        source: &'static str,
        /// The callback it came with.
        callback_id: Option<CallbackId>,
        /// Which time of being sent it is about.
        send_attempt: u32,
        /// The provider's word.
        word: String,
        /// The state that the word means.
        state: Option<State>,
        /// Whether it changed the state.
        applied: bool,
        /// When it happened, where the provider told it.
        provider_time: Option<Timestamp>,
        /// Why it was not delivered.
        failure_reason: Option<String>,
    },
    /// A person said what became of it.
    Ruling {
        /// Which time of being sent it is about.
        send_attempt: u32,
        /// The state.
        state: Option<State>,
        /// Whether it changed the state.
        applied: bool,
        /// Why.
        reason: Option<String>,
        /// Who.
        actor: Option<String>,
    },
    /// An event was raised.
    Event {
        /// The event.
        event_id: EventId,
        /// Its type.
        #[serde(rename = "type")]
        event_type: String,
        /// Its place among the tenant's events; null until it has one.
        sequence: Option<i64>,
    },
    /// The event is owed to a webhook.
    Delivery {
        /// The delivery.
        delivery_id: DeliveryId,
        /// The event.
        event_id: EventId,
        /// The webhook.
        subscription_id: SubscriptionId,
        /// How far it is.
        state: DeliveryState,
        /// When it is tried next.
        next_attempt_at: Option<Timestamp>,
    },
    /// The endpoint was called.
    Attempt {
        /// The attempt.
        attempt_id: AttemptId,
        /// The delivery.
        delivery_id: DeliveryId,
        /// The first is 1.
        number: u32,
        /// How long it took.
        duration_ms: i64,
        /// What the endpoint answered.
        status_code: Option<u16>,
        /// What went wrong.
        error: Option<String>,
    },
}

/// Read the timeline of a message
///
/// Every callback, report, event, delivery and attempt of it in order of time: to see where news was lost.
#[utoipa::path(
    get,
    path = "/v1/messages/{id}/timeline",
    tag = "Messages",
    operation_id = "get_message_timeline",
    params(("id" = MessageId, Path, description = "The message"), OfTenant),
    responses((status = 200, description = "The timeline", body = TimelineView)),
)]
async fn get(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let missing = || failure::not_found("message");
    let id: MessageId = id.parse().map_err(|_| missing())?;
    let found = desk.context.store.timeline(tenant, id).await;
    let timeline = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(TimelineView::from(timeline)))
}

impl From<Timeline> for TimelineView {
    fn from(timeline: Timeline) -> Self {
        Self {
            data: timeline.lines.into_iter().map(LineView::from).collect(),
            truncated: timeline.is_truncated,
        }
    }
}

impl From<Line> for LineView {
    fn from(line: Line) -> Self {
        let what = match line.what {
            What::Registered(message) => registered(*message),
            What::SendAttempt(attempt) => attempt.into(),
            What::Poll(poll) => poll.into(),
            What::Callback(receipt) => receipt.into(),
            What::Report(entry) => report(entry),
            What::Ruling(entry) => ruling(entry),
            What::Event(told) => told.into(),
            What::Delivery(owed) => owed.into(),
            What::Attempt(tried) => tried.into(),
        };
        Self { at: line.at, what }
    }
}

fn registered(message: Message) -> WhatView {
    let registration = message.registration;
    WhatView::Registered {
        message_id: message.id,
        provider_account: registration.provider_account,
        provider_message_id: registration.provider_message_id,
        client_reference: registration.client_reference,
    }
}

fn report(entry: Entry) -> WhatView {
    WhatView::Report {
        source: entry.source.as_str(),
        callback_id: entry.callback_id,
        send_attempt: entry.send_attempt,
        word: entry.word,
        state: entry.state,
        applied: entry.is_applied,
        provider_time: entry.provider_time,
        failure_reason: entry.failure_reason,
    }
}

fn ruling(entry: Entry) -> WhatView {
    WhatView::Ruling {
        send_attempt: entry.send_attempt,
        state: entry.state,
        applied: entry.is_applied,
        reason: entry.reason,
        actor: entry.actor,
    }
}

impl From<SendAttempt> for WhatView {
    fn from(attempt: SendAttempt) -> Self {
        Self::SendAttempt {
            send_attempt: attempt.number,
            provider_account: attempt.provider_account,
            provider_message_id: attempt.provider_message_id,
            client_reference: attempt.client_reference,
        }
    }
}

impl From<Poll> for WhatView {
    fn from(poll: Poll) -> Self {
        Self::Poll {
            send_attempt: poll.send_attempt,
            outcome: poll.outcome.as_str(),
            detail: poll.detail,
        }
    }
}

impl From<Receipt> for WhatView {
    fn from(receipt: Receipt) -> Self {
        let outcomes = receipt.outcomes.into_iter().map(Outcome::as_str);
        Self::Callback {
            callback_id: receipt.callback_id,
            provider_account: receipt.provider_account,
            repeated: receipt.is_repeated,
            status: receipt.status,
            processed_at: receipt.processed_at,
            outcomes: outcomes.collect(),
        }
    }
}

impl From<Told> for WhatView {
    fn from(told: Told) -> Self {
        Self::Event {
            event_id: told.event_id,
            event_type: told.event_type,
            sequence: told.sequence,
        }
    }
}

impl From<Owed> for WhatView {
    fn from(owed: Owed) -> Self {
        Self::Delivery {
            delivery_id: owed.delivery_id,
            event_id: owed.event_id,
            subscription_id: owed.subscription_id,
            state: owed.state,
            next_attempt_at: owed.next_attempt_at,
        }
    }
}

impl From<Tried> for WhatView {
    fn from(tried: Tried) -> Self {
        Self::Attempt {
            attempt_id: tried.attempt_id,
            delivery_id: tried.delivery_id,
            number: tried.number,
            duration_ms: tried.duration_ms,
            status_code: tried.status_code,
            error: tried.error,
        }
    }
}
