//! `/v1/deliveries`, and what is asked for many deliveries of a webhook: retrying and cancelling.

use crate::caller::Caller;
use crate::input::{self, Faults, present};
use crate::openapi::{Routes, operation, word};
use crate::webhook::{self, DeliveryView};
use crate::{Desk, event_type, failure, list};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::delivery::{State, Wanted};
use domain::id::{DeliveryId, SubscriptionId};
use domain::subscription::Pattern;
use domain::{Shard, Timestamp, replay};
use runtime::http::{Code, Problem};
use serde::{Deserialize, Serialize};
use store::delivery::Recovered;
use store::sweep::{Action, Filter};
use utoipa::ToSchema;
use wire::Hint;

pub(crate) fn routes(routes: &mut Routes) {
    routes
        .add(operation!(get))
        .add(operation!(retry).refuses(&[Code::Conflict]))
        .add(operation!(cancel).refuses(&[Code::Conflict]))
        .add(operation!(retry_many).refuses(&[Code::UnknownEventType]))
        .add(operation!(cancel_many).refuses(&[Code::UnknownEventType]));
}

/// Which deliveries of a webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ManyDeliveries, examples(json!({
    "state": "pending",
    "event_types": ["sms.*"],
    "after": "2026-11-23T00:00:00Z",
    "dry_run": true,
})))]
struct Many {
    /// How far they are. To retry: `failed`, `cancelled`, `retrying` or `pending`; to cancel: `pending` or
    /// `retrying`.
    #[schema(schema_with = wanted)]
    state: String,
    /// Of these types of events, or beginnings of types.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false, min_items = 1)]
    event_types: Option<Vec<String>>,
    /// Made after this moment.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Timestamp, required = false)]
    after: Option<String>,
    /// Made before this moment.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Timestamp, required = false)]
    before: Option<String>,
    /// Only says how many there are.
    #[serde(default)]
    dry_run: bool,
}

/// How many deliveries were meant.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveriesMatched, examples(json!({ "matched": 120 })))]
struct MatchedView {
    /// How many there are.
    matched: u64,
}

fn wanted() -> utoipa::openapi::schema::Object {
    let undelivered = Wanted::ALL
        .into_iter()
        .filter(|wanted| *wanted != Wanted::In(State::Delivered));
    crate::openapi::said(
        "How far they are. To retry: `failed`, `cancelled`, `retrying` or `pending`; to cancel: `pending` or `retrying`.",
        word(undelivered.map(Wanted::as_str)),
    )
}

/// Read a delivery
///
/// With every attempt: what was sent, what came back, how long it took.
#[utoipa::path(
    get,
    path = "/v1/deliveries/{id}",
    tag = "Deliveries",
    operation_id = "get_delivery",
    params(("id" = DeliveryId, Path, description = "The delivery")),
    responses((status = 200, description = "The delivery", body = DeliveryView)),
)]
async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let found = desk
        .context
        .store
        .find_delivery(caller.tenant, parse_id(&id)?)
        .await;
    let found = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(DeliveryView::from(found)))
}

/// Retry a delivery
///
/// At once; one that ended without success with a fresh budget of attempts. `409` where it is delivered, or its webhook
/// deleted.
#[utoipa::path(
    post,
    path = "/v1/deliveries/{id}/retry",
    tag = "Deliveries",
    operation_id = "retry_delivery",
    params(("id" = DeliveryId, Path, description = "The delivery")),
    responses((status = 202, description = "It is tried again", body = DeliveryView)),
)]
async fn retry(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let retried = desk
        .context
        .store
        .retry_delivery(caller.tenant, parse_id(&id)?)
        .await;
    let view = judge(&desk, retried.map_err(failure::of_store)?)?;
    Ok(HttpResponse::Accepted().json(view))
}

/// Cancel a delivery
///
/// That is pending. An attempt that is under way goes on, and may still deliver it. `409` where it ended.
#[utoipa::path(
    post,
    path = "/v1/deliveries/{id}/cancel",
    tag = "Deliveries",
    operation_id = "cancel_delivery",
    params(("id" = DeliveryId, Path, description = "The delivery")),
    responses((status = 200, description = "It is cancelled", body = DeliveryView)),
)]
async fn cancel(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let cancelled = desk
        .context
        .store
        .cancel_delivery(caller.tenant, parse_id(&id)?)
        .await;
    let view = judge(&desk, cancelled.map_err(failure::of_store)?)?;
    Ok(HttpResponse::Ok().json(view))
}

fn judge(desk: &Desk, recovered: Recovered) -> Result<DeliveryView, Problem> {
    let conflict = |detail| Err(Problem::new(Code::Conflict, detail));
    match recovered {
        Recovered::Done(delivery) => {
            let shard = Shard::of_subscription(delivery.subscription_id);
            desk.context.broker.hint(Hint::Deliveries(shard));
            Ok(DeliveryView::from(*delivery))
        }
        Recovered::Ended(State::Delivered) => {
            conflict("it is delivered; replay the event to have it told again")
        }
        Recovered::Ended(_) => conflict("it has ended; nothing of it is pending"),
        Recovered::Ownerless => conflict("its webhook was deleted"),
        Recovered::Missing => Err(missing()),
    }
}

/// Retry many deliveries of a webhook
///
/// Say how far they are, and perhaps of which types and which time. Ask with `dry_run` first.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/deliveries/retry",
    tag = "Deliveries",
    operation_id = "retry_webhook_deliveries",
    params(("id" = SubscriptionId, Path, description = "The webhook")),
    request_body = Many,
    responses(
        (status = 200, description = "How many there are", body = MatchedView),
        (status = 202, description = "How many there are; it is being done", body = MatchedView),
    ),
)]
async fn retry_many(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let allowed = [
        Wanted::In(State::Failed),
        Wanted::In(State::Cancelled),
        Wanted::Retrying,
        Wanted::In(State::Pending),
    ];
    let (_, body) = input::read::<Many>(&request, payload).await?;
    sweep(&id, &desk, caller, Action::Retry, body, &allowed).await
}

/// Cancel many deliveries of a webhook
///
/// Say how far they are, and perhaps of which types and which time. Ask with `dry_run` first.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/deliveries/cancel",
    tag = "Deliveries",
    operation_id = "cancel_webhook_deliveries",
    params(("id" = SubscriptionId, Path, description = "The webhook")),
    request_body = Many,
    responses(
        (status = 200, description = "How many there are", body = MatchedView),
        (status = 202, description = "How many there are; it is being done", body = MatchedView),
    ),
)]
async fn cancel_many(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let allowed = [Wanted::In(State::Pending), Wanted::Retrying];
    let (_, body) = input::read::<Many>(&request, payload).await?;
    sweep(&id, &desk, caller, Action::Cancel, body, &allowed).await
}

/// Says how many there are; unless that is all that was asked for, has it done.
async fn sweep(
    id: &str,
    desk: &Desk,
    caller: Caller,
    action: Action,
    body: Many,
    allowed: &[Wanted],
) -> Result<HttpResponse, Problem> {
    let dry_run = body.dry_run;
    let types = body.event_types.as_deref();
    let own = event_type::names_for(&desk.context, caller.tenant, types).await?;
    let filter = check(body, allowed, &own)?;
    let subscription = webhook::find(desk, caller.tenant, id)
        .await?
        .interest
        .subscription_id;
    let store = &desk.context.store;
    let matched = store
        .count_deliveries(caller.tenant, subscription, filter.clone())
        .await
        .map_err(failure::of_store)?;
    let answer = MatchedView { matched };
    if dry_run {
        return Ok(HttpResponse::Ok().json(answer));
    }
    store
        .begin_sweep(caller.tenant, subscription, action, filter)
        .await
        .map_err(failure::of_store)?;
    Ok(HttpResponse::Accepted().json(answer))
}

fn check(body: Many, allowed: &[Wanted], own: &[String]) -> Result<Filter, Problem> {
    let mut faults = Faults::default();
    let wanted = Wanted::parse(&body.state).filter(|wanted| allowed.contains(wanted));
    if wanted.is_none() {
        let names: Vec<&str> = allowed.iter().map(|wanted| wanted.as_str()).collect();
        faults.add("/state", format!("one of {}", names.join(", ")));
    }
    let mut time = |at, text: Option<String>| {
        let text = text?;
        let time = Timestamp::parse_rfc3339(&text);
        if time.is_none() {
            faults.add(at, list::TIME);
        }
        time
    };
    let (after, before) = (time("/after", body.after), time("/before", body.before));
    faults.unless_any()?;
    let event_types = match body.event_types {
        None => None,
        Some(types) => {
            let patterns = Pattern::parse_list(&types, own)
                .map_err(|error| webhook::refuse_patterns("/event_types", error))?;
            Some(replay::types_of(&patterns, own))
        }
    };
    let wanted = wanted.ok_or_else(failure::broken)?;
    Ok(Filter {
        wanted,
        event_types,
        after,
        before,
    })
}

fn parse_id(id: &str) -> Result<DeliveryId, Problem> {
    id.parse().map_err(|_| missing())
}

fn missing() -> Problem {
    failure::not_found("delivery")
}
