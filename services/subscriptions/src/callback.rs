//! `/v1/callbacks`: what providers sent, and what became of it.

use crate::caller::Caller;
use crate::list::{Query, TIME};
use crate::{Desk, failure};
use actix_web::http::Method;
use actix_web::web::{self, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use domain::callback::{Kind, Status};
use domain::id::{CallbackId, MessageId};
use runtime::http::{Problem, only};
use serde::Serialize;
use std::collections::BTreeMap;
use store::callback::{Callback, Filter, ReportOutcome};

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/v1/callbacks")
                .route(web::get().to(list))
                .default_service(only(&[Method::GET])),
        )
        .service(
            web::resource("/v1/callbacks/{id}")
                .route(web::get().to(get))
                .default_service(only(&[Method::GET])),
        );
}

#[derive(Serialize)]
struct CallbackView {
    id: CallbackId,
    provider_account: String,
    kind: Kind,
    received_at: Timestamp,
    source_ip: String,
    status: Status,
    attempts: u32,
    error: Option<String>,
    processed_at: Option<Timestamp>,
    signature_checked: bool,
    answer: String,
    body_base64: String,
    headers: BTreeMap<String, Vec<String>>,
    receipts: u32,
    reports: Vec<ReportView>,
}

#[derive(Serialize)]
struct ReportView {
    outcome: &'static str,
    message_id: Option<MessageId>,
}

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
