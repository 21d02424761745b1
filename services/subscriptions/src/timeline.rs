//! `GET /v1/messages/{id}/timeline`: everything of one message, in order of time.

use crate::caller::Caller;
use crate::list::Query;
use crate::{Desk, failure};
use actix_web::http::Method;
use actix_web::web::{self, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::account::Slug;
use domain::callback::Status;
use domain::delivery::State as DeliveryState;
use domain::id::{AttemptId, CallbackId, DeliveryId, EventId, MessageId, SubscriptionId};
use domain::message::{Message, Outcome};
use domain::send_attempt::SendAttempt;
use domain::{State, Timestamp};
use runtime::http::{Problem, only};
use serde::Serialize;
use store::callback::Receipt;
use store::message::Entry;
use store::timeline::{Line, Owed, Poll, Timeline, Told, Tried, What};

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes.service(
        web::resource("/v1/messages/{id}/timeline")
            .route(web::get().to(get))
            .default_service(only(&[Method::GET])),
    );
}

#[derive(Serialize)]
struct TimelineView {
    data: Vec<LineView>,
    truncated: bool,
}

#[derive(Serialize)]
struct LineView {
    at: Timestamp,
    #[serde(flatten)]
    what: WhatView,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum WhatView {
    Registered {
        message_id: MessageId,
        provider_account: Slug,
        provider_message_id: Option<String>,
        client_reference: Option<String>,
    },
    SendAttempt {
        send_attempt: u32,
        provider_account: Slug,
        provider_message_id: Option<String>,
        client_reference: Option<String>,
    },
    Poll {
        send_attempt: u32,
        outcome: &'static str,
        detail: Option<String>,
    },
    Callback {
        callback_id: CallbackId,
        provider_account: String,
        repeated: bool,
        status: Status,
        processed_at: Option<Timestamp>,
        outcomes: Vec<&'static str>,
    },
    Report {
        source: &'static str,
        callback_id: Option<CallbackId>,
        send_attempt: u32,
        word: String,
        state: Option<State>,
        applied: bool,
        provider_time: Option<Timestamp>,
        failure_reason: Option<String>,
    },
    Ruling {
        send_attempt: u32,
        state: Option<State>,
        applied: bool,
        reason: Option<String>,
        actor: Option<String>,
    },
    Event {
        event_id: EventId,
        #[serde(rename = "type")]
        event_type: String,
        sequence: Option<i64>,
    },
    Delivery {
        delivery_id: DeliveryId,
        event_id: EventId,
        subscription_id: SubscriptionId,
        state: DeliveryState,
        next_attempt_at: Option<Timestamp>,
    },
    Attempt {
        attempt_id: AttemptId,
        delivery_id: DeliveryId,
        number: u32,
        duration_ms: i64,
        status_code: Option<u16>,
        error: Option<String>,
    },
}

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
