//! `POST /v1/messages/{id}/attempts`: a message is sent again.

use crate::caller::Caller;
use crate::first_poll::asked_of;
use crate::input::Faults;
use crate::message::{MessageView, check_ids, compared, conflict, find_account, tell, view};
use crate::openapi::{Routes, operation};
use crate::{Desk, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::account::Slug;
use domain::id::MessageId;
use domain::send_attempt::{MAX_SEND_ATTEMPTS, SendAttempt};
use runtime::http::{Code, Problem};
use serde::Deserialize;
use store::account::Account;
use store::send_attempt::SentAgain;
use utoipa::ToSchema;

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(send_again).refuses(&[Code::Conflict]));
}

/// With what a message was sent again.
///
/// Reports are matched by `provider_message_id`, else by `client_reference`: name one of them at least.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "provider_account": "clinic-ke", "provider_message_id": "ATXid_2" })))]
struct SendAgain {
    /// The slug of the account it was sent through this time.
    #[schema(value_type = Slug)]
    provider_account: String,
    /// The provider's new id of it.
    #[schema(min_length = 1, max_length = 128)]
    provider_message_id: Option<String>,
    /// The reference that you gave the provider this time.
    #[schema(min_length = 1, max_length = 128)]
    client_reference: Option<String>,
}

/// Say that a message was sent again
///
/// Through the same provider or another. It is `pending` again unless it was delivered, and the reports of every time
/// it was sent count. The same attempt again is answered with `200`; ids that belong to another message with `409` and
/// its `existing_id`.
#[utoipa::path(
    post,
    path = "/v1/messages/{id}/attempts",
    tag = "Messages",
    operation_id = "send_message_again",
    params(("id" = MessageId, Path, description = "The message")),
    request_body = SendAgain,
    responses(
        (status = 201, description = "The message with its new send attempt", body = MessageView),
        (status = 200, description = "This send attempt was there already", body = MessageView),
    ),
)]
async fn send_again(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<SendAgain>(&request, payload).await?;
    let missing = || failure::not_found("message");
    let id: MessageId = id.parse().map_err(|_| missing())?;
    let context = &desk.context;
    let account = find_account(context, caller.tenant, &wanted.provider_account).await?;
    let store = &context.store;
    let known = store.find_message(caller.tenant, id).await;
    let known = known.map_err(failure::of_store)?.ok_or_else(missing)?;
    let attempt = judge(wanted, &account, context.clock.now())?;
    let asked = asked_of(&known.message.registration, &attempt.sending());
    let plan = desk.waits.plan(&account, &asked);
    let sent = store.send_again(caller.tenant, id, attempt, plan).await;
    match sent.map_err(failure::of_store)? {
        SentAgain::New { held, effects } => {
            tell(context, &effects);
            desk.count(&effects).await;
            Ok(HttpResponse::Created().json(view(*held)))
        }
        SentAgain::Same(held) => Ok(HttpResponse::Ok().json(view(*held))),
        SentAgain::Conflict(existing) => Err(conflict(existing)),
        SentAgain::TooMany => Err(input::invalid(
            "",
            format!("a message has at most {MAX_SEND_ATTEMPTS} send attempts"),
        )),
        SentAgain::Missing => Err(missing()),
    }
}

fn judge(wanted: SendAgain, account: &Account, now: Timestamp) -> Result<SendAttempt, Problem> {
    let mut faults = Faults::default();
    check_ids(
        &mut faults,
        wanted.provider_message_id.as_deref(),
        wanted.client_reference.as_deref(),
    );
    faults.unless_any()?;
    let compared = |id: Option<String>| id.map(|id| compared(&account.provider, id));
    let (id, reference) = (
        compared(wanted.provider_message_id),
        compared(wanted.client_reference),
    );
    Ok(SendAttempt {
        // The store counts.
        number: 0,
        account_id: account.id,
        provider_account: account.slug.clone(),
        provider: account.provider.clone(),
        provider_message_id: id,
        client_reference: reference,
        created_at: now,
    })
}
