//! `POST /v1/messages/{id}/attempts`: a message is sent again.

use crate::caller::Caller;
use crate::first_poll::asked_of;
use crate::input::Faults;
use crate::message::{check_ids, compared, conflict, find_account, tell, view};
use crate::{Desk, failure, input};
use actix_web::http::Method;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::id::MessageId;
use domain::send_attempt::{MAX_SEND_ATTEMPTS, SendAttempt};
use runtime::http::{Problem, only};
use serde::Deserialize;
use store::account::Account;
use store::send_attempt::SentAgain;

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes.service(
        web::resource("/v1/messages/{id}/attempts")
            .route(web::post().to(send_again))
            .default_service(only(&[Method::POST])),
    );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendAgain {
    provider_account: String,
    provider_message_id: Option<String>,
    client_reference: Option<String>,
}

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
