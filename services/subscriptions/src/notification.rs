//! `/v1/notifications`: what became of all messages of one.

use crate::caller::Caller;
use crate::input::MAX_TEXT_CHARS;
use crate::openapi::{Routes, operation};
use crate::{Desk, failure};
use actix_web::HttpResponse;
use actix_web::web::{self, Path};
use domain::notification::NotificationData;
use runtime::http::Problem;

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(get));
}

/// Read a notification
///
/// How many of its messages are in which state, and the state they make together. The id is your own: the
/// `notification_id` that its messages were registered with.
#[utoipa::path(
    get,
    path = "/v1/notifications/{id}",
    tag = "Notifications",
    operation_id = "get_notification",
    params(("id" = String, Path, description = "Your id of the notification", min_length = 1, max_length = 128)),
    responses((status = 200, description = "The notification", body = NotificationData<'static>)),
)]
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
