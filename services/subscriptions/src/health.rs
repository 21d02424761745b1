//! `GET /v1/provider-accounts/{id}/health`: whether a provider's reports come, how fast, and what they say.

use crate::caller::Caller;
use crate::list::Query;
use crate::{Desk, failure};
use actix_web::http::Method;
use actix_web::web::{self, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::id::AccountId;
use runtime::http::{Problem, only};

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes.service(
        web::resource("/v1/provider-accounts/{id}/health")
            .route(web::get().to(get))
            .default_service(only(&[Method::GET])),
    );
}

async fn get(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let missing = || failure::not_found("provider account");
    let id: AccountId = id.parse().map_err(|_| missing())?;
    let found = desk.context.store.find_health(tenant, id).await;
    let health = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(health))
}
