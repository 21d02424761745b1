//! `/v1/erasures`: one phone number, forgotten wherever it is named.

use crate::caller::Caller;
use crate::list::Query;
use crate::openapi::{OfTenant, Routes, operation};
use crate::{Context, Desk, failure, input, quarantine};
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::audit::Action;
use domain::erasure::Number;
use domain::id::TenantId;
use runtime::http::Problem;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::audit::Target;
use store::page::Window;
use store::quarantine::{Filter, Quarantined};
use utoipa::ToSchema;

/// How many refused requests are opened at a time.
const PAGE: u32 = 100;

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(erase));
}

/// A number to forget.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ErasePhone, examples(json!({ "phone": "+254700000001" })))]
struct Erase {
    /// The number with its country code: `+` and 7 to 15 digits.
    phone: String,
}

/// What was done, in rows.
#[derive(Serialize, ToSchema)]
#[schema(as = Erasure, examples(json!({
    "tenant_id": "ten_01h455vb4pex5vsknk084sn02q",
    "erased_at": "2026-11-23T21:09:00.000Z",
    "erased": {
        "messages": 3,
        "history": 9,
        "callbacks": 6,
        "events": 6,
        "attempts": 6,
        "orphans": 0,
        "dead_letters": 0,
        "quarantine": 0,
    },
})))]
struct ErasureView {
    /// Whose data it was.
    tenant_id: TenantId,
    /// When.
    erased_at: Timestamp,
    /// How much of what.
    erased: CountsView,
}

/// How much of what.
#[derive(Serialize, ToSchema)]
#[schema(as = ErasureCounts)]
struct CountsView {
    /// Messages to or from the number.
    messages: usize,
    /// Entries of their histories.
    history: usize,
    /// Callbacks that name it.
    callbacks: usize,
    /// Events that name it.
    events: usize,
    /// Attempts whose answers name it.
    attempts: usize,
    /// Reports that wait for their message.
    orphans: usize,
    /// Jobs that were given up.
    dead_letters: usize,
    /// Tests of webhooks that name it.
    webhook_tests: usize,
    /// Refused requests.
    quarantine: usize,
}

/// Forget a phone number
///
/// Wherever it is named. What is left of a message keeps its state and its ids. Nothing brings the number back.
#[utoipa::path(
    post,
    path = "/v1/erasures",
    tag = "Messages",
    operation_id = "erase_phone",
    params(OfTenant),
    request_body = Erase,
    responses((status = 200, description = "What was erased", body = ErasureView)),
)]
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
    // It is done in many transactions: this one says that it began. The number is nowhere in it.
    context
        .acting(caller, tenant, Action::ErasureBegun, Target::Said)
        .note_act("phone", json!({}))
        .await
        .map_err(failure::of_store)?;
    let erased = erase_all(context, tenant, &number).await?;
    tell(tenant, caller, &erased);
    Ok(HttpResponse::Ok().json(ErasureView {
        tenant_id: tenant,
        erased_at: context.clock.now(),
        erased,
    }))
}

async fn erase_all(
    context: &Context,
    tenant: TenantId,
    number: &Number,
) -> Result<CountsView, Problem> {
    let quarantine = erase_quarantined(context, tenant, number).await?;
    let erased = context.store.erase(tenant, number.clone()).await;
    let erased = erased.map_err(failure::of_store)?;
    Ok(CountsView {
        messages: erased.messages,
        history: erased.history,
        callbacks: erased.callbacks,
        events: erased.events,
        attempts: erased.attempts,
        orphans: erased.orphans,
        dead_letters: erased.dead_letters,
        webhook_tests: erased.webhook_tests,
        quarantine,
    })
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
        webhook_tests = counts.webhook_tests,
        quarantine = counts.quarantine,
        "a phone number was erased"
    );
}
