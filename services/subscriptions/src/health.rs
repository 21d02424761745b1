//! `GET /v1/provider-accounts/{id}/health`: whether a provider's reports come, how fast, and what they say.

use crate::caller::Caller;
use crate::list::Query;
use crate::openapi::{OfTenant, Routes, operation};
use crate::{Desk, failure};
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use domain::health::Health;
use domain::id::AccountId;
use runtime::http::Problem;

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(get));
}

/// How a provider account fares
///
/// Whether its reports come by themselves, how fast, and whether its messages arrive: of the last hour, with the
/// day before to compare.
#[utoipa::path(
    get,
    path = "/v1/provider-accounts/{id}/health",
    tag = "Provider accounts",
    operation_id = "get_provider_account_health",
    params(("id" = AccountId, Path, description = "The provider account"), OfTenant),
    responses((status = 200, description = "How it fares", body = Health)),
)]
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
