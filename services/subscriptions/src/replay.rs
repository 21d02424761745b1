//! `/v1/replays`: old events, told again.

mod demand;

use crate::caller::Caller;
use crate::list::{PageView, Query};
use crate::openapi::{Paging, Routes, operation};
use crate::{Desk, event_type, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use demand::CreateReplay;
use domain::Timestamp;
use domain::id::{EventId, ReplayId, SubscriptionId};
use domain::replay::{Selection, State};
use runtime::http::{Code, Problem};
use serde::Serialize;
use store::replay::{Changed, Demand, Replay, Wish};
use utoipa::ToSchema;

pub(crate) fn routes(routes: &mut Routes) {
    let ended = [Code::Conflict];
    routes
        .add(operation!(create).refuses(&[Code::UnknownEventType]))
        .add(operation!(list))
        .add(operation!(get))
        .add(operation!(pause).refuses(&ended))
        .add(operation!(resume).refuses(&ended))
        .add(operation!(cancel).refuses(&ended));
}

/// A replay: old events, told again.
#[derive(Serialize, ToSchema)]
#[schema(as = Replay, examples(json!({
    "id": "rpl_01h455vb4pex5vsknk084sn02q",
    "state": "running",
    "total": 1200,
    "done": 300,
    "deliveries": 300,
    "webhook_id": "sub_01h455vb4pex5vsknk084sn02q",
    "events": {
        "from": "2026-11-22T00:00:00.000Z",
        "to": "2026-11-23T00:00:00.000Z",
        "types": ["sms.delivered"],
    },
    "per_second": 50,
    "created_at": "2026-11-23T21:09:00.000Z",
    "ended_at": null,
})))]
struct ReplayView {
    /// Its id.
    id: ReplayId,
    /// How far it is.
    state: State,
    /// How many events there were when it was asked for.
    total: u64,
    /// Of how many the deliveries are made.
    done: u64,
    /// How many deliveries that are.
    deliveries: u64,
    /// The webhook that is told; null: every one that wants the events.
    webhook_id: Option<SubscriptionId>,
    /// Which events.
    events: EventsView,
    /// How many in each second; null: as fast as it goes.
    per_second: Option<u32>,
    /// When it was asked for.
    created_at: Timestamp,
    /// When it ended.
    ended_at: Option<Timestamp>,
}

/// Which events.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ReplayedEvents)]
enum EventsView {
    /// These.
    Ids {
        /// Their ids.
        ids: Vec<EventId>,
    },
    /// Those of a time.
    Range {
        /// From this moment on.
        from: Timestamp,
        /// Until this one.
        to: Timestamp,
        /// Of these types; null: of all.
        types: Option<Vec<String>>,
    },
}

/// How many events there are.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayCount, examples(json!({ "total": 1200 })))]
struct CountView {
    /// How many would be told.
    total: u64,
}

/// Tell old events again
///
/// To one webhook, or to all that want them: by their ids, or those of a time. Receivers see the same `webhook-id` and
/// `webhook-replay: true`. Ask with `dry_run` first: the answer says how many events there are.
#[utoipa::path(
    post,
    path = "/v1/replays",
    tag = "Replays",
    operation_id = "create_replay",
    request_body = CreateReplay,
    responses(
        (status = 202, description = "It runs", body = ReplayView),
        (status = 200, description = "How many events would be told: a dry run", body = CountView),
    ),
)]
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
        return Ok(HttpResponse::Ok().json(CountView { total }));
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

/// List replays
///
/// Newest first, those that ended included.
#[utoipa::path(
    get,
    path = "/v1/replays",
    tag = "Replays",
    operation_id = "list_replays",
    params(Paging),
    responses((status = 200, description = "A page of them", body = PageView<ReplayView>)),
)]
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

/// Read a replay
///
/// How far it is: `done` of `total` events.
#[utoipa::path(
    get,
    path = "/v1/replays/{id}",
    tag = "Replays",
    operation_id = "get_replay",
    params(("id" = ReplayId, Path, description = "The replay")),
    responses((status = 200, description = "The replay", body = ReplayView)),
)]
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

/// Pause a replay
///
/// `409` where it has ended.
#[utoipa::path(
    post,
    path = "/v1/replays/{id}/pause",
    tag = "Replays",
    operation_id = "pause_replay",
    params(("id" = ReplayId, Path, description = "The replay")),
    responses((status = 200, description = "The replay", body = ReplayView)),
)]
async fn pause(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    change(&id, &desk, caller, Wish::Pause).await
}

/// Resume a replay
///
/// `409` where it has ended.
#[utoipa::path(
    post,
    path = "/v1/replays/{id}/resume",
    tag = "Replays",
    operation_id = "resume_replay",
    params(("id" = ReplayId, Path, description = "The replay")),
    responses((status = 200, description = "The replay", body = ReplayView)),
)]
async fn resume(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    change(&id, &desk, caller, Wish::Resume).await
}

/// Cancel a replay
///
/// Deliveries that are made already stay. `409` where it has ended otherwise.
#[utoipa::path(
    post,
    path = "/v1/replays/{id}/cancel",
    tag = "Replays",
    operation_id = "cancel_replay",
    params(("id" = ReplayId, Path, description = "The replay")),
    responses((status = 200, description = "The replay", body = ReplayView)),
)]
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
