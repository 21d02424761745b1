//! `/v1/orphans`: reports that wait for their messages.

use crate::caller::Caller;
use crate::list::{Query, TIME};
use crate::{Desk, failure};
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::id::OrphanId;
use runtime::http::{Problem, only};
use serde::Serialize;
use store::orphan::{Filter, Waiting};

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes.service(
        web::resource("/v1/orphans")
            .route(web::get().to(list))
            .default_service(only(&[Method::GET])),
    );
}

#[derive(Serialize)]
struct OrphanView {
    id: OrphanId,
    provider_account: Option<String>,
    provider_message_id: Option<String>,
    client_reference: Option<String>,
    to: Option<String>,
    word: String,
    provider_time: Option<Timestamp>,
    received_at: Timestamp,
}

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
