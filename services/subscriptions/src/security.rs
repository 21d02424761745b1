//! `/v1/security-events`: what the door refused and noticed.

use crate::caller::Caller;
use crate::list::{Query, TIME};
use crate::{Desk, failure};
use actix_web::http::Method;
use actix_web::web::{self, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::id::SecurityEventId;
use domain::security::{Reason, SecurityEvent};
use runtime::http::{Problem, only};
use serde::Serialize;
use std::net::IpAddr;
use store::security::Filter;

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/v1/security-events")
                .route(web::get().to(list))
                .default_service(only(&[Method::GET])),
        )
        .service(
            web::resource("/v1/security-events/{id}")
                .route(web::get().to(get))
                .default_service(only(&[Method::GET])),
        );
}

#[derive(Serialize)]
struct SecurityEventView {
    id: SecurityEventId,
    #[serde(rename = "type")]
    reason: Reason,
    provider_account: Option<String>,
    source_ip: Option<IpAddr>,
    at: Timestamp,
    count: u32,
    detail: Option<String>,
}

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
