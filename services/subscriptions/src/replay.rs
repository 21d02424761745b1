//! `/v1/replays`: old events, told again.

mod demand;

use crate::caller::Caller;
use crate::list::Query;
use crate::{Desk, event_type, failure, input};
use actix_web::http::Method;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use demand::CreateReplay;
use domain::Timestamp;
use domain::id::{EventId, ReplayId, SubscriptionId};
use domain::replay::{Selection, State};
use runtime::http::{Code, Problem, only};
use serde::Serialize;
use serde_json::json;
use store::replay::{Changed, Demand, Replay, Wish};

pub(crate) fn routes(routes: &mut ServiceConfig) {
    let post = || only(&[Method::POST]);
    routes
        .service(
            web::resource("/v1/replays")
                .route(web::post().to(create))
                .route(web::get().to(list))
                .default_service(only(&[Method::GET, Method::POST])),
        )
        .service(
            web::resource("/v1/replays/{id}")
                .route(web::get().to(get))
                .default_service(only(&[Method::GET])),
        )
        .service(
            web::resource("/v1/replays/{id}/pause")
                .route(web::post().to(pause))
                .default_service(post()),
        )
        .service(
            web::resource("/v1/replays/{id}/resume")
                .route(web::post().to(resume))
                .default_service(post()),
        )
        .service(
            web::resource("/v1/replays/{id}/cancel")
                .route(web::post().to(cancel))
                .default_service(post()),
        );
}

#[derive(Serialize)]
struct ReplayView {
    id: ReplayId,
    state: State,
    /// How many events there were when it was asked for.
    total: u64,
    /// Of how many the deliveries are made.
    done: u64,
    deliveries: u64,
    webhook_id: Option<SubscriptionId>,
    events: EventsView,
    per_second: Option<u32>,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum EventsView {
    Ids {
        ids: Vec<EventId>,
    },
    Range {
        from: Timestamp,
        to: Timestamp,
        types: Option<Vec<String>>,
    },
}

async fn create(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, body) = input::read::<CreateReplay>(&request, payload).await?;
    let dry_run = body.dry_run;
    let context = &desk.context;
    let own = event_type::names_for(context, caller.tenant, body.types()).await?;
    let wanted = body.check(&own)?;
    let (store, since) = (
        &context.store,
        context.clock.now().minus(context.replayable),
    );
    if let Some(id) = wanted.webhook_id {
        let found = store.find_subscription(caller.tenant, id).await;
        if found.map_err(failure::of_store)?.is_none() {
            return Err(demand::unknown_webhook());
        }
    }
    if dry_run {
        let total = store
            .count_selected(caller.tenant, wanted.selection, since)
            .await;
        let total = total.map_err(failure::of_store)?;
        return Ok(HttpResponse::Ok().json(json!({ "total": total })));
    }
    let begun = store
        .begin_replay(Demand {
            tenant_id: caller.tenant,
            subscription_id: wanted.webhook_id,
            selection: wanted.selection,
            per_second: wanted.per_second,
            since,
        })
        .await;
    let begun = begun.map_err(failure::of_store)?;
    Ok(HttpResponse::Accepted().json(ReplayView::from(begun)))
}

async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["limit", "cursor"])?;
    let window = query.window(caller.tenant)?;
    let page = desk.context.store.list_replays(caller.tenant, window).await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, ReplayView::from)))
}

async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let found = desk
        .context
        .store
        .find_replay(caller.tenant, parse_id(&id)?)
        .await;
    let found = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(ReplayView::from(found)))
}

async fn pause(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    change(&id, &desk, caller, Wish::Pause).await
}

async fn resume(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    change(&id, &desk, caller, Wish::Resume).await
}

async fn cancel(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    change(&id, &desk, caller, Wish::Cancel).await
}

async fn change(
    id: &str,
    desk: &Desk,
    caller: Caller,
    wish: Wish,
) -> Result<HttpResponse, Problem> {
    let changed = desk
        .context
        .store
        .change_replay(caller.tenant, parse_id(id)?, wish)
        .await;
    match changed.map_err(failure::of_store)? {
        Changed::Done(replay) => Ok(HttpResponse::Ok().json(ReplayView::from(*replay))),
        Changed::Ended(state) => {
            let detail = format!("the replay is {state} and stays so");
            Err(Problem::new(Code::Conflict, detail))
        }
        Changed::Missing => Err(missing()),
    }
}

fn parse_id(id: &str) -> Result<ReplayId, Problem> {
    id.parse().map_err(|_| missing())
}

fn missing() -> Problem {
    failure::not_found("replay")
}

impl From<Replay> for ReplayView {
    fn from(replay: Replay) -> Self {
        Self {
            id: replay.id,
            state: replay.state,
            total: replay.total,
            done: replay.done,
            deliveries: replay.deliveries,
            webhook_id: replay.subscription_id,
            events: replay.selection.into(),
            per_second: replay.per_second,
            created_at: replay.created_at,
            ended_at: replay.ended_at,
        }
    }
}

impl From<Selection> for EventsView {
    fn from(selection: Selection) -> Self {
        match selection {
            Selection::Ids { ids } => Self::Ids { ids },
            Selection::Range { from, to, types } => Self::Range { from, to, types },
        }
    }
}
