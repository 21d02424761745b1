//! `/v1/dead-letters`: jobs that were given up, having them done again, and purging them.

mod demand;

use crate::caller::Caller;
use crate::list::Query;
use crate::{Desk, failure, input};
use actix_web::http::Method;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use demand::{Cancel, Purge, Requeue};
use domain::Timestamp;
use domain::id::{CallbackId, DeadLetterId, TenantId};
use runtime::http::{Problem, only};
use serde::Serialize;
use serde_json::json;
use store::dead_letter::{DeadLetter, Filter};
use wire::Queue;

/// How many pages of 500 one request changes at the most; the answer says what is left.
const MOST_PAGES: usize = 100;

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/v1/dead-letters")
                .route(web::get().to(list))
                .default_service(only(&[Method::GET])),
        )
        .service(
            web::resource("/v1/dead-letters/requeue")
                .route(web::post().to(requeue))
                .default_service(only(&[Method::POST])),
        )
        .service(
            web::resource("/v1/dead-letters/cancel")
                .route(web::post().to(cancel))
                .default_service(only(&[Method::POST])),
        )
        .service(
            web::resource("/v1/dead-letters/purge")
                .route(web::post().to(purge))
                .default_service(only(&[Method::POST])),
        )
        .service(
            web::resource("/v1/dead-letters/{id}")
                .route(web::get().to(get))
                .default_service(only(&[Method::GET])),
        )
        .service(
            web::resource("/v1/dead-letters/{id}/requeue")
                .route(web::post().to(requeue_one))
                .default_service(only(&[Method::POST])),
        );
}

#[derive(Serialize)]
struct DeadLetterView {
    id: DeadLetterId,
    queue: String,
    kind: String,
    provider_account: Option<String>,
    callback_id: Option<CallbackId>,
    reason: String,
    last_error: Option<String>,
    attempts: u32,
    first_seen_at: Timestamp,
    died_at: Timestamp,
    requeue_at: Option<Timestamp>,
    size_bytes: u32,
    body_base64: Option<String>,
}

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

/// Marks one to be done again: the tracker publishes it within about a second.
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
        .store
        .mark_for_requeue(tenant, filter, demand::USUAL_RATE, 0)
        .await;
    marked.map_err(failure::of_store)?;
    Ok(HttpResponse::Accepted().json(json!({ "id": letter.id, "status": "requeueing" })))
}

/// Marks all that a filter wants.
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
    let store = &desk.context.store;
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
    Ok(HttpResponse::Accepted().json(json!({ "matching": matching, "requeueing": marked })))
}

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
    let mut cancelled = 0;
    for _ in 0..MOST_PAGES {
        let page = desk.context.store.cancel_requeue(tenant, filter.clone());
        let page = page.await.map_err(failure::of_store)?;
        if page == 0 {
            break;
        }
        cancelled += page;
    }
    Ok(HttpResponse::Ok().json(json!({ "cancelled": cancelled })))
}

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
    let mut purged = 0;
    for _ in 0..MOST_PAGES {
        // What dies meanwhile was not counted, and nobody has seen it.
        if purged >= matching {
            break;
        }
        let page = desk
            .context
            .store
            .purge_dead_letters(tenant, filter.clone());
        let page = page.await.map_err(failure::of_store)?;
        if page == 0 {
            break;
        }
        purged += page;
    }
    Ok(HttpResponse::Ok().json(json!({ "matching": matching, "purged": purged })))
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
    HttpResponse::Ok().json(json!({ "matching": matching }))
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
