//! `/v1/notifications`: what became of all messages of one.

use crate::caller::Caller;
use crate::input::MAX_TEXT_CHARS;
use crate::{Desk, failure};
use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::{self, Path, ServiceConfig};
use domain::notification::NotificationData;
use runtime::http::{Problem, only};

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes.service(
        web::resource("/v1/notifications/{id}")
            .route(web::get().to(get))
            .default_service(only(&[Method::GET])),
    );
}

async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let missing = || failure::not_found("notification");
    let id = id.into_inner();
    // No message was registered with any other.
    if id.chars().count() > MAX_TEXT_CHARS || id.chars().any(char::is_control) {
        return Err(missing());
    }
    let found = desk
        .context
        .store
        .find_notification(caller.tenant, id)
        .await;
    let notification = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(NotificationData::from(&notification)))
}
