//! `/v1/orphans`: reports that wait for their messages.

use crate::caller::Caller;
use crate::list::{self, PageView, Query, TIME};
use crate::openapi::{Between, OfTenant, Paging, Routes, operation, parameters, query, text};
use crate::{Desk, failure};
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::id::OrphanId;
use runtime::http::Problem;
use serde::Serialize;
use store::orphan::{Filter, Waiting};
use utoipa::ToSchema;

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(list));
}

parameters! {
    /// Of which reports.
    Filters:
    query("account", "That came to the account of this slug", text(list::MAX_VALUE_BYTES)),
    query("provider_message_id", "Of this id of the provider", text(list::MAX_VALUE_BYTES)),
}

/// A report that waits for its message.
#[derive(Serialize, ToSchema)]
#[schema(as = Orphan, examples(json!({
    "id": "orp_01h455vb4pex5vsknk084sn02q",
    "provider_account": "clinic-ke",
    "provider_message_id": "ATXid_9",
    "client_reference": null,
    "to": "+254700000001",
    "word": "Success",
    "provider_time": null,
    "received_at": "2026-11-23T21:09:00.000Z",
})))]
struct OrphanView {
    /// Its id.
    id: OrphanId,
    /// The slug of the account it came to; null where that was deleted.
    provider_account: Option<String>,
    /// The provider's id of the message.
    provider_message_id: Option<String>,
    /// The reference that the sender gave the provider.
    client_reference: Option<String>,
    /// The number it says the message went to.
    to: Option<String>,
    /// The provider's word for what became of it.
    word: String,
    /// When it happened, where the provider told it.
    provider_time: Option<Timestamp>,
    /// When it reached us.
    received_at: Timestamp,
}

/// List orphans
///
/// Reports that no message matches yet: register the message, and they join it.
#[utoipa::path(
    get,
    path = "/v1/orphans",
    tag = "Orphans",
    operation_id = "list_orphans",
    params(Filters, Between, OfTenant, Paging),
    responses((status = 200, description = "A page of them", body = PageView<OrphanView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let names = [
        "account",
        "provider_message_id",
        "after",
        "before",
        "tenant",
        "limit",
        "cursor",
    ];
    let query = Query::read(&request, &names)?;
    let tenant = query.tenant(caller, &desk).await?;
    let window = query.window(tenant)?;
    let filter = Filter {
        provider_account: query.text("account").map(str::to_owned),
        provider_message_id: query.text("provider_message_id").map(str::to_owned),
        after: query.parsed("after", Timestamp::parse_rfc3339, TIME)?,
        before: query.parsed("before", Timestamp::parse_rfc3339, TIME)?,
    };
    let page = desk
        .context
        .store
        .list_orphans(tenant, filter, window)
        .await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(tenant, page, OrphanView::from)))
}

impl From<Waiting> for OrphanView {
    fn from(waiting: Waiting) -> Self {
        let report = waiting.report;
        Self {
            id: waiting.id,
            provider_account: waiting.provider_account,
            provider_message_id: report.provider_message_id,
            client_reference: report.client_reference,
            to: report.recipient,
            word: report.word,
            provider_time: report.provider_time,
            received_at: waiting.received_at,
        }
    }
}
