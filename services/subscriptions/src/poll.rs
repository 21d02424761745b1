//! `POST /v1/messages/{id}/poll`: has a message's provider asked now.

use crate::caller::Caller;
use crate::first_poll::{asked_of, can_ask};
use crate::message::{MessageView, view};
use crate::openapi::{Routes, operation};
use crate::{Desk, failure};
use actix_web::HttpResponse;
use actix_web::web::{self, Path};
use domain::id::MessageId;
use domain::message::Message;
use runtime::http::{Code, Problem};
use store::poll::Wished;
use wire::Hint;

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(poll).refuses(&[Code::Conflict]));
}

/// Ask the provider what became of a message
///
/// Now, and not when it would be asked by itself. What it answers is applied as a report is, a moment later. `409`
/// where the provider cannot be asked, or there is nothing to ask any more.
#[utoipa::path(
    post,
    path = "/v1/messages/{id}/poll",
    tag = "Messages",
    operation_id = "poll_message",
    params(("id" = MessageId, Path, description = "The message")),
    responses((status = 202, description = "It will be asked", body = MessageView)),
)]
async fn poll(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let missing = || failure::not_found("message");
    let id: MessageId = id.parse().map_err(|_| missing())?;
    let store = &desk.context.store;
    let found = store.find_message(caller.tenant, id).await;
    let held = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    refuse_unless_askable(&desk, &held.message).await?;
    match store
        .poll_now(caller.tenant, id)
        .await
        .map_err(failure::of_store)?
    {
        Wished::Due(held) => {
            desk.context.broker.hint(Hint::Polls);
            Ok(HttpResponse::Accepted().json(view(*held)))
        }
        Wished::Decided(state) => Err(refuse(format!(
            "the message is {state}: there is nothing to ask"
        ))),
        Wished::Missing => Err(missing()),
    }
}

async fn refuse_unless_askable(desk: &Desk, message: &Message) -> Result<(), Problem> {
    if !desk.context.poller.enabled {
        return Err(refuse(
            "providers are not asked here: poller.enabled is off",
        ));
    }
    let sending = message.newest_sending();
    let store = &desk.context.store;
    let found = store.find_account_by_id(sending.account_id).await;
    let Some(account) = found.map_err(failure::of_store)? else {
        return Err(refuse("the account of this message was deleted"));
    };
    if account.status_api.is_none() {
        return Err(refuse("the account of this message has no status_api"));
    }
    if !can_ask(&account, &asked_of(&message.registration, &sending)) {
        return Err(refuse(
            "the provider cannot be asked about this message: it lacks the id that the provider knows it by, its \
             number was erased, or the provider has no API that tells what became of messages",
        ));
    }
    Ok(())
}

fn refuse(detail: impl Into<String>) -> Problem {
    Problem::new(Code::Conflict, detail.into())
}
