//! `/v1/deliveries`, and what is asked for many deliveries of a webhook: retrying and cancelling.

use crate::caller::Caller;
use crate::input::{self, Faults, present};
use crate::webhook::{self, DeliveryView};
use crate::{Desk, event_type, failure, list};
use actix_web::http::Method;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::delivery::{State, Wanted};
use domain::id::DeliveryId;
use domain::subscription::Pattern;
use domain::{Shard, Timestamp, replay};
use runtime::http::{Code, Problem, only};
use serde::Deserialize;
use serde_json::json;
use store::delivery::Recovered;
use store::sweep::{Action, Filter};
use wire::Hint;

pub(crate) fn routes(routes: &mut ServiceConfig) {
    let post = || only(&[Method::POST]);
    routes
        .service(
            web::resource("/v1/deliveries/{id}")
                .route(web::get().to(get))
                .default_service(only(&[Method::GET])),
        )
        .service(
            web::resource("/v1/deliveries/{id}/retry")
                .route(web::post().to(retry))
                .default_service(post()),
        )
        .service(
            web::resource("/v1/deliveries/{id}/cancel")
                .route(web::post().to(cancel))
                .default_service(post()),
        )
        .service(
            web::resource("/v1/webhooks/{id}/deliveries/retry")
                .route(web::post().to(retry_many))
                .default_service(post()),
        )
        .service(
            web::resource("/v1/webhooks/{id}/deliveries/cancel")
                .route(web::post().to(cancel_many))
                .default_service(post()),
        );
}

/// Which deliveries of a webhook.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    state: String,
    #[serde(default, deserialize_with = "present")]
    event_types: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    after: Option<String>,
    #[serde(default, deserialize_with = "present")]
    before: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

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

/// Has one tried again at once; one that ended without success with a fresh budget.
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

/// Cancels a pending one. An attempt that is under way goes on, and may still deliver it.
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
    let answer = json!({ "matched": matched });
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
