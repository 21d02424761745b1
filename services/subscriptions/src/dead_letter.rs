//! `/v1/dead-letters`: jobs that were given up, having them done again, and purging them.

mod demand;

use crate::caller::Caller;
use crate::list::{self, PageView, Query};
use crate::openapi::{Between, OfTenant, Paging, Routes, operation, parameters, query, text, word};
use crate::{Desk, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use demand::{Cancel, Purge, Requeue};
use domain::Timestamp;
use domain::audit::Action;
use domain::id::{CallbackId, DeadLetterId, TenantId};
use runtime::http::Problem;
use serde::Serialize;
use store::audit::Target;
use store::dead_letter::{DeadLetter, Filter};
use utoipa::ToSchema;
use wire::Queue;

/// How many pages of 500 one request changes at the most; the answer says what is left.
const MOST_PAGES: usize = 100;

pub(crate) fn routes(routes: &mut Routes) {
    routes
        .add(operation!(list))
        .add(operation!(requeue))
        .add(operation!(cancel))
        .add(operation!(purge))
        .add(operation!(get))
        .add(operation!(requeue_one));
}

parameters! {
    /// Of which dead letters.
    Filters:
    query("queue", "From this queue", word(Queue::ALL.map(Queue::as_str))),
    query("kind", "Of this kind of job", text(list::MAX_VALUE_BYTES)),
    query("account", "Of the account of this slug", text(list::MAX_VALUE_BYTES)),
}

/// A job that was given up.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter, examples(json!({
    "id": "dlt_01h455vb4pex5vsknk084sn02q",
    "queue": "callbacks",
    "kind": "callback",
    "provider_account": "clinic-ke",
    "callback_id": "cb_01h455vb4pex5vsknk084sn02q",
    "reason": "attempts_exhausted",
    "last_error": "the store refused it",
    "attempts": 5,
    "first_seen_at": "2026-11-23T21:09:00.000Z",
    "died_at": "2026-11-23T21:09:31.000Z",
    "requeue_at": null,
    "size_bytes": 214,
    "body_base64": null,
})))]
struct DeadLetterView {
    /// Its id.
    id: DeadLetterId,
    /// From which queue it came.
    queue: String,
    /// What kind of job it is.
    kind: String,
    /// The slug of the account it is of.
    provider_account: Option<String>,
    /// The callback it is of.
    callback_id: Option<CallbackId>,
    /// Why it was given up.
    reason: String,
    /// What went wrong the last time.
    last_error: Option<String>,
    /// How often it was tried.
    attempts: u32,
    /// When it was first tried.
    first_seen_at: Timestamp,
    /// When it was given up.
    died_at: Timestamp,
    /// When it is done again, where that was asked for.
    requeue_at: Option<Timestamp>,
    /// How long it is.
    size_bytes: u32,
    /// The job as it was; null in lists.
    #[schema(content_encoding = "base64")]
    body_base64: Option<String>,
}

/// One that is done again.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterRequeued, examples(json!({
    "id": "dlt_01h455vb4pex5vsknk084sn02q",
    "status": "requeueing",
})))]
struct RequeuedView {
    /// The dead letter.
    id: DeadLetterId,
    /// Always `requeueing`.
    status: &'static str,
}

/// How many a filter matches, and with how many of them something was done.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = DeadLettersMatched, examples(json!({ "matching": 12, "requeueing": 12 })))]
struct MatchedView {
    /// How many it matches.
    matching: u64,
    /// How many are done again; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    requeueing: Option<u64>,
    /// How many are gone; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    purged: Option<u64>,
}

/// How many stay given up.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLettersCancelled, examples(json!({ "cancelled": 12 })))]
struct CancelledView {
    /// How many would have been done again, and are not.
    cancelled: u64,
}

/// List dead letters
///
/// Jobs that were tried as often as they may be. Nothing is done with them until you say so.
#[utoipa::path(
    get,
    path = "/v1/dead-letters",
    tag = "Dead letters",
    operation_id = "list_dead_letters",
    params(Filters, Between, OfTenant, Paging),
    responses((status = 200, description = "A page of them", body = PageView<DeadLetterView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let names = [
        "queue", "kind", "account", "after", "before", "tenant", "limit", "cursor",
    ];
    let query = Query::read(&request, &names)?;
    let tenant = query.tenant(caller, &desk).await?;
    let window = query.window(tenant)?;
    let queue = query.parsed("queue", Queue::parse, &demand::queues())?;
    let filter = Filter {
        id: None,
        queue: queue.map(|queue| queue.as_str().to_owned()),
        kind: query.text("kind").map(str::to_owned),
        provider_account: query.text("account").map(str::to_owned),
        after: query.parsed("after", Timestamp::parse_rfc3339, demand::TIME)?,
        before: query.parsed("before", Timestamp::parse_rfc3339, demand::TIME)?,
    };
    let page = desk
        .context
        .store
        .list_dead_letters(tenant, filter, window)
        .await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(tenant, page, DeadLetterView::from)))
}

/// Read a dead letter
///
/// With the job as it was.
#[utoipa::path(
    get,
    path = "/v1/dead-letters/{id}",
    tag = "Dead letters",
    operation_id = "get_dead_letter",
    params(("id" = DeadLetterId, Path, description = "The dead letter"), OfTenant),
    responses((status = 200, description = "The dead letter", body = DeadLetterView)),
)]
async fn get(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let letter = find(&desk, tenant, &id).await?;
    Ok(HttpResponse::Ok().json(DeadLetterView::from(letter)))
}

/// Have a dead letter done again
///
/// Within about a second.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/{id}/requeue",
    tag = "Dead letters",
    operation_id = "requeue_dead_letter",
    params(("id" = DeadLetterId, Path, description = "The dead letter"), OfTenant),
    responses((status = 202, description = "It will be done again", body = RequeuedView)),
)]
async fn requeue_one(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let letter = find(&desk, tenant, &id).await?;
    let filter = Filter {
        id: Some(letter.id),
        ..Filter::default()
    };
    let marked = desk
        .context
        .acting(caller, tenant, Action::DeadLettersRequeued, Target::Said)
        .mark_for_requeue(tenant, filter, demand::USUAL_RATE, 0)
        .await;
    marked.map_err(failure::of_store)?;
    Ok(HttpResponse::Accepted().json(RequeuedView {
        id: letter.id,
        status: "requeueing",
    }))
}

/// Have dead letters done again
///
/// All that the filter matches, so many in each second. Ask with `dry_run` first: the answer says how many there are.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/requeue",
    tag = "Dead letters",
    operation_id = "requeue_dead_letters",
    params(OfTenant),
    request_body = Requeue,
    responses(
        (status = 200, description = "How many would be done again", body = MatchedView),
        (status = 202, description = "They will be done again", body = MatchedView),
    ),
)]
async fn requeue(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let (_, demand): (_, Requeue) = input::read(&request, payload).await?;
    let (filter, per_second) = (demand.filter.check()?, demand::rate(demand.per_second)?);
    let matching = count(&desk, tenant, &filter).await?;
    if demand.dry_run {
        return Ok(would_match(matching));
    }
    let store = desk
        .context
        .acting(caller, tenant, Action::DeadLettersRequeued, Target::Said);
    let mut marked = 0;
    for _ in 0..MOST_PAGES {
        // What dies again meanwhile is not done again and again.
        if marked >= matching {
            break;
        }
        let page = store.mark_for_requeue(tenant, filter.clone(), per_second, marked);
        let page = page.await.map_err(failure::of_store)?;
        if page == 0 {
            break;
        }
        marked += page;
    }
    Ok(HttpResponse::Accepted().json(MatchedView {
        matching,
        requeueing: Some(marked),
        purged: None,
    }))
}

/// Leave dead letters dead
///
/// Those that the filter matches and that wait to be done again.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/cancel",
    tag = "Dead letters",
    operation_id = "cancel_dead_letters",
    params(OfTenant),
    request_body = Cancel,
    responses((status = 200, description = "How many wait no more", body = CancelledView)),
)]
async fn cancel(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let (_, demand): (_, Cancel) = input::read(&request, payload).await?;
    let filter = demand.filter.check()?;
    let store = desk
        .context
        .acting(caller, tenant, Action::DeadLettersCancelled, Target::Said);
    let mut cancelled = 0;
    for _ in 0..MOST_PAGES {
        let page = store.cancel_requeue(tenant, filter.clone());
        let page = page.await.map_err(failure::of_store)?;
        if page == 0 {
            break;
        }
        cancelled += page;
    }
    Ok(HttpResponse::Ok().json(CancelledView { cancelled }))
}

/// Purge dead letters
///
/// All that the filter matches, for ever. Ask with `dry_run` first: the answer says how many there are.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/purge",
    tag = "Dead letters",
    operation_id = "purge_dead_letters",
    params(OfTenant),
    request_body = Purge,
    responses((status = 200, description = "How many there were, and how many are gone", body = MatchedView)),
)]
async fn purge(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let (_, demand): (_, Purge) = input::read(&request, payload).await?;
    let filter = demand.filter.check()?;
    let matching = count(&desk, tenant, &filter).await?;
    if demand.dry_run {
        return Ok(would_match(matching));
    }
    let store = desk
        .context
        .acting(caller, tenant, Action::DeadLettersPurged, Target::Said);
    let mut purged = 0;
    for _ in 0..MOST_PAGES {
        // What dies meanwhile was not counted, and nobody has seen it.
        if purged >= matching {
            break;
        }
        let page = store.purge_dead_letters(tenant, filter.clone());
        let page = page.await.map_err(failure::of_store)?;
        if page == 0 {
            break;
        }
        purged += page;
    }
    Ok(HttpResponse::Ok().json(MatchedView {
        matching,
        requeueing: None,
        purged: Some(purged),
    }))
}

async fn find(desk: &Desk, tenant: TenantId, id: &str) -> Result<DeadLetter, Problem> {
    let missing = || failure::not_found("dead letter");
    let id: DeadLetterId = id.parse().map_err(|_| missing())?;
    let found = desk.context.store.find_dead_letter(tenant, id).await;
    found.map_err(failure::of_store)?.ok_or_else(missing)
}

async fn count(desk: &Desk, tenant: TenantId, filter: &Filter) -> Result<u64, Problem> {
    let counted = desk
        .context
        .store
        .count_dead_letters(tenant, filter.clone());
    counted.await.map_err(failure::of_store)
}

fn would_match(matching: u64) -> HttpResponse {
    HttpResponse::Ok().json(MatchedView {
        matching,
        ..MatchedView::default()
    })
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id,
            queue: letter.queue,
            kind: letter.kind,
            provider_account: letter.provider_account,
            callback_id: letter.callback_id,
            reason: letter.reason,
            last_error: letter.last_error,
            attempts: letter.attempts,
            first_seen_at: letter.first_seen_at,
            died_at: letter.died_at,
            requeue_at: letter.requeue_at,
            size_bytes: letter.size_bytes,
            body_base64: letter.payload.map(|payload| STANDARD.encode(payload)),
        }
    }
}
