//! `/v1/security-events`: what the door refused and noticed.

use crate::caller::Caller;
use crate::list::{self, PageView, Query, TIME};
use crate::openapi::{Between, OfTenant, Paging, Routes, operation, parameters, query, text, word};
use crate::{Desk, failure};
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::id::SecurityEventId;
use domain::security::{Reason, SecurityEvent};
use runtime::http::Problem;
use serde::Serialize;
use std::net::IpAddr;
use store::security::Filter;
use utoipa::ToSchema;

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(list)).add(operation!(get));
}

parameters! {
    /// Of which security events.
    Filters:
    query("account", "Of the account of this slug", text(list::MAX_VALUE_BYTES)),
    query("type", "Of this type", word(Reason::ALL.map(Reason::as_str))),
    query("source_ip", "From this IP address", text(list::MAX_VALUE_BYTES)),
}

/// Something that was refused at the door, or was odd about what was not.
#[derive(Serialize, ToSchema)]
#[schema(as = SecurityEvent, examples(json!({
    "id": "sec_01h455vb4pex5vsknk084sn02q",
    "type": "invalid_signature",
    "provider_account": "clinic-ke",
    "source_ip": "203.0.113.7",
    "at": "2026-11-23T21:09:00.000Z",
    "count": 12,
    "detail": null,
})))]
struct SecurityEventView {
    /// Its id.
    id: SecurityEventId,
    /// What it was.
    #[serde(rename = "type")]
    reason: Reason,
    /// The slug that was called.
    provider_account: Option<String>,
    /// From which address; null where many are told together.
    #[schema(value_type = Option<String>)]
    source_ip: Option<IpAddr>,
    /// When it was first seen.
    at: Timestamp,
    /// How often, since.
    count: u32,
    /// More about it.
    detail: Option<String>,
}

/// List security events
///
/// What was refused at the door and why. What is alike and close in time is told together, with its `count`.
#[utoipa::path(
    get,
    path = "/v1/security-events",
    tag = "Security",
    operation_id = "list_security_events",
    params(Filters, Between, OfTenant, Paging),
    responses((status = 200, description = "A page of them", body = PageView<SecurityEventView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let names = [
        "account",
        "type",
        "source_ip",
        "after",
        "before",
        "tenant",
        "limit",
        "cursor",
    ];
    let query = Query::read(&request, &names)?;
    let tenant = query.tenant(caller, &desk).await?;
    let window = query.window(tenant)?;
    let address = |text: &str| text.parse().ok().map(|ip: IpAddr| ip.to_canonical());
    let filter = Filter {
        provider_account: query.text("account").map(str::to_owned),
        reason: query.parsed("type", Reason::parse, &reasons())?,
        source_ip: query
            .parsed("source_ip", address, "an IP address")?
            .map(|source| source.to_string()),
        after: query.parsed("after", Timestamp::parse_rfc3339, TIME)?,
        before: query.parsed("before", Timestamp::parse_rfc3339, TIME)?,
    };
    let page = desk
        .context
        .store
        .list_security_events(tenant, filter, window)
        .await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(tenant, page, SecurityEventView::from)))
}

/// Read a security event
///
/// One of those that the list has.
#[utoipa::path(
    get,
    path = "/v1/security-events/{id}",
    tag = "Security",
    operation_id = "get_security_event",
    params(("id" = SecurityEventId, Path, description = "The security event"), OfTenant),
    responses((status = 200, description = "The security event", body = SecurityEventView)),
)]
async fn get(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let missing = || failure::not_found("security event");
    let id: SecurityEventId = id.parse().map_err(|_| missing())?;
    let found = desk.context.store.find_security_event(tenant, id).await;
    let event = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(SecurityEventView::from(event)))
}

/// The types, as an error names them.
pub(crate) fn reasons() -> String {
    format!("one of {}", Reason::ALL.map(Reason::as_str).join(", "))
}

impl From<SecurityEvent> for SecurityEventView {
    fn from(event: SecurityEvent) -> Self {
        Self {
            id: event.id,
            reason: event.reason,
            provider_account: event.provider_account,
            source_ip: event.source_ip,
            at: event.at,
            count: event.count,
            detail: event.detail,
        }
    }
}
