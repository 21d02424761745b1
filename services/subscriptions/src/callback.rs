//! `/v1/callbacks`: what providers sent, and what became of it.

use crate::caller::Caller;
use crate::list::{self, PageView, Query, TIME};
use crate::openapi::{Between, OfTenant, Paging, Routes, operation, parameters, query, text, word};
use crate::{Desk, failure};
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use domain::callback::{Kind, Status};
use domain::id::{CallbackId, MessageId};
use domain::message::Outcome;
use runtime::http::Problem;
use serde::Serialize;
use std::collections::BTreeMap;
use store::callback::{Callback, Filter, ReportOutcome};
use utoipa::{PartialSchema, ToSchema};

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(list)).add(operation!(get));
}

parameters! {
    /// Of which callbacks.
    Filters:
    query("account", "That came to the account of this slug", text(list::MAX_VALUE_BYTES)),
    query("kind", "Of this kind", word(Kind::ALL.map(Kind::as_str))),
    query("status", "That the work has come this far on", Status::schema()),
}

/// What a provider sent, and what came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Callback, examples(json!({
    "id": "cb_01h455vb4pex5vsknk084sn02q",
    "provider_account": "clinic-ke",
    "kind": "reports",
    "received_at": "2026-11-23T21:09:04.200Z",
    "source_ip": "203.0.113.7",
    "status": "processed",
    "attempts": 1,
    "error": null,
    "processed_at": "2026-11-23T21:09:04.300Z",
    "signature_checked": false,
    "answer": "accepted",
    "body_base64": "aWQ9QVRYaWRfMSZzdGF0dXM9U3VjY2Vzcw==",
    "headers": { "content-type": ["application/x-www-form-urlencoded"] },
    "receipts": 1,
    "reports": [{ "outcome": "applied", "message_id": "msg_01h455vb4pex5vsknk084sn02q" }],
})))]
struct CallbackView {
    /// Its id: the same for everything that says the same.
    id: CallbackId,
    /// The slug of the account it came to.
    provider_account: String,
    /// Which URL was called.
    kind: Kind,
    /// When it came first.
    received_at: Timestamp,
    /// From which address.
    source_ip: String,
    /// How far the work on it is.
    status: Status,
    /// How often that was tried.
    attempts: u32,
    /// What went wrong the last time.
    error: Option<String>,
    /// When it was done.
    processed_at: Option<Timestamp>,
    /// Whether a signature was checked, and not only a key, a token or an address.
    signature_checked: bool,
    /// What the provider was answered.
    answer: String,
    /// What was sent, as it was.
    #[schema(content_encoding = "base64")]
    body_base64: String,
    /// The headers it was sent with, without credentials.
    headers: BTreeMap<String, Vec<String>>,
    /// How often it came.
    receipts: u32,
    /// What came of each report in it.
    reports: Vec<ReportView>,
}

/// What came of a report.
#[derive(Serialize, ToSchema)]
#[schema(as = CallbackReport)]
struct ReportView {
    /// What came of it.
    #[schema(value_type = Outcome)]
    outcome: &'static str,
    /// The message it is about.
    message_id: Option<MessageId>,
}

/// List callbacks
///
/// What providers sent, as it was, and what came of each report in it.
#[utoipa::path(
    get,
    path = "/v1/callbacks",
    tag = "Callbacks",
    operation_id = "list_callbacks",
    params(Filters, Between, OfTenant, Paging),
    responses((status = 200, description = "A page of them", body = PageView<CallbackView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let names = [
        "account", "kind", "status", "after", "before", "tenant", "limit", "cursor",
    ];
    let query = Query::read(&request, &names)?;
    let tenant = query.tenant(caller, &desk).await?;
    let window = query.window(tenant)?;
    let kinds = Kind::ALL.map(Kind::as_str).join(", ");
    let filter = Filter {
        provider_account: query.text("account").map(str::to_owned),
        kind: query.parsed("kind", Kind::parse, &format!("one of {kinds}"))?,
        status: query.parsed(
            "status",
            Status::parse,
            "received, processed, failed or dead_lettered",
        )?,
        after: query.parsed("after", Timestamp::parse_rfc3339, TIME)?,
        before: query.parsed("before", Timestamp::parse_rfc3339, TIME)?,
    };
    let page = desk
        .context
        .store
        .list_callbacks(tenant, filter, window)
        .await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(tenant, page, CallbackView::from)))
}

/// Read a callback
///
/// There from the moment the tracker first sees it, which is a moment after the provider was answered.
#[utoipa::path(
    get,
    path = "/v1/callbacks/{id}",
    tag = "Callbacks",
    operation_id = "get_callback",
    params(("id" = CallbackId, Path, description = "The callback"), OfTenant),
    responses((status = 200, description = "The callback", body = CallbackView)),
)]
async fn get(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let id: CallbackId = id.parse().map_err(|_| failure::not_found("callback"))?;
    let found = desk
        .context
        .store
        .find_callback(tenant, id)
        .await
        .map_err(failure::of_store)?;
    let callback = found.ok_or_else(|| failure::not_found("callback"))?;
    Ok(HttpResponse::Ok().json(CallbackView::from(callback)))
}

impl From<Callback> for CallbackView {
    fn from(callback: Callback) -> Self {
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in callback.headers {
            headers.entry(name).or_default().push(value);
        }
        Self {
            id: callback.id,
            provider_account: callback.provider_account,
            kind: callback.kind,
            received_at: callback.received_at,
            source_ip: callback.source_ip,
            status: callback.status,
            attempts: callback.attempts,
            error: callback.error,
            processed_at: callback.processed_at,
            signature_checked: callback.signature_checked,
            answer: callback.answer,
            body_base64: STANDARD.encode(callback.body),
            headers,
            receipts: callback.receipts,
            reports: callback.reports.into_iter().map(ReportView::from).collect(),
        }
    }
}

impl From<ReportOutcome> for ReportView {
    fn from(report: ReportOutcome) -> Self {
        Self {
            outcome: report.outcome.as_str(),
            message_id: report.message_id,
        }
    }
}
