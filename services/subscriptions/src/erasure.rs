//! `/v1/erasures`: one phone number, forgotten wherever it is named.

use crate::caller::Caller;
use crate::list::Query;
use crate::{Context, Desk, failure, input, quarantine};
use actix_web::http::Method;
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::erasure::Number;
use domain::id::TenantId;
use runtime::http::{Problem, only};
use serde::{Deserialize, Serialize};
use store::page::Window;
use store::quarantine::{Filter, Quarantined};

/// How many refused requests are opened at a time.
const PAGE: u32 = 100;

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes.service(
        web::resource("/v1/erasures")
            .route(web::post().to(erase))
            .default_service(only(&[Method::POST])),
    );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Erase {
    phone: String,
}

/// What was done, in rows.
#[derive(Serialize)]
struct ErasureView {
    tenant_id: TenantId,
    erased_at: Timestamp,
    erased: CountsView,
}

#[derive(Serialize)]
struct CountsView {
    messages: usize,
    history: usize,
    callbacks: usize,
    events: usize,
    attempts: usize,
    orphans: usize,
    dead_letters: usize,
    quarantine: usize,
}

async fn erase(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let (_, wanted) = input::read::<Erase>(&request, payload).await?;
    let number = Number::parse(&wanted.phone).ok_or_else(|| {
        let form = "a phone number with its country code: + and 7 to 15 digits";
        input::invalid("/phone", form)
    })?;
    let context = &desk.context;
    let quarantine = erase_quarantined(context, tenant, &number).await?;
    let erased = context
        .store
        .erase(tenant, number)
        .await
        .map_err(failure::of_store)?;
    let counts = CountsView {
        messages: erased.messages,
        history: erased.history,
        callbacks: erased.callbacks,
        events: erased.events,
        attempts: erased.attempts,
        orphans: erased.orphans,
        dead_letters: erased.dead_letters,
        quarantine,
    };
    tell(tenant, caller, &counts);
    Ok(HttpResponse::Ok().json(ErasureView {
        tenant_id: tenant,
        erased_at: context.clock.now(),
        erased: counts,
    }))
}

/// What is sealed can be searched only once it is opened. What cannot be opened may name anybody.
async fn erase_quarantined(
    context: &Context,
    tenant: TenantId,
    number: &Number,
) -> Result<usize, Problem> {
    let mut erased = 0;
    let mut before = None;
    loop {
        let window = Window {
            before,
            limit: PAGE,
        };
        let page = context
            .store
            .list_quarantine(tenant, Filter::default(), window);
        let page = page.await.map_err(failure::of_store)?;
        for kept in page
            .items
            .iter()
            .filter(|kept| names(context, kept, number))
        {
            let released = context.store.release_quarantined(tenant, kept.id);
            released.await.map_err(failure::of_store)?;
            erased += 1;
        }
        before = page.next;
        if before.is_none() {
            return Ok(erased);
        }
    }
}

fn names(context: &Context, kept: &Quarantined, number: &Number) -> bool {
    let Ok(opened) = quarantine::open(context, kept) else {
        return true;
    };
    let is_named = reception::Kept::with(&opened, |request| {
        number.is_in(request.target.as_bytes())
            || number.is_in(request.body)
            || request.headers.iter().any(|(_, value)| number.is_in(value))
    });
    is_named.unwrap_or(true)
}

/// The trace that is left of an erasure: who, when and how much, but not the number.
fn tell(tenant: TenantId, caller: Caller, counts: &CountsView) {
    let by = if caller.is_operator {
        "operator"
    } else {
        "tenant"
    };
    tracing::info!(
        tenant.id = %tenant,
        by,
        messages = counts.messages,
        history = counts.history,
        callbacks = counts.callbacks,
        events = counts.events,
        attempts = counts.attempts,
        orphans = counts.orphans,
        dead_letters = counts.dead_letters,
        quarantine = counts.quarantine,
        "a phone number was erased"
    );
}
