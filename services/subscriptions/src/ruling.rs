//! `POST /v1/messages/{id}/state`: what a person says became of a message.

use crate::caller::Caller;
use crate::input::Faults;
use crate::message::{tell, view};
use crate::{Desk, failure, input};
use actix_web::http::Method;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::State;
use domain::id::{MessageId, TenantId};
use runtime::http::{Code, Problem, only};
use serde::Deserialize;
use store::message::{Ruled, Ruling};

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes.service(
        web::resource("/v1/messages/{id}/state")
            .route(web::post().to(rule))
            .default_service(only(&[Method::POST])),
    );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetState {
    state: String,
    reason: String,
    #[serde(default)]
    force: bool,
}

async fn rule(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<SetState>(&request, payload).await?;
    let missing = || failure::not_found("message");
    let id: MessageId = id.parse().map_err(|_| missing())?;
    let ruling = judge(wanted, caller)?;
    let context = &desk.context;
    let ruled = context.store.rule(caller.tenant, id, ruling.clone()).await;
    match ruled.map_err(failure::of_store)? {
        Ruled::Set { held, effects } => {
            tell(context, &effects);
            desk.count(&effects).await;
            if ruling.is_forced {
                note(caller.tenant, id, &ruling);
            }
            Ok(HttpResponse::Ok().json(view(*held)))
        }
        Ruled::WouldLose(state) => Err(Problem::new(
            Code::WouldLose,
            format!(
                "the message is {state} by a stronger statement; send \"force\": true to overrule it"
            ),
        )),
        Ruled::Missing => Err(missing()),
    }
}

/// What nobody but a person can take back is noted where a person cannot change it. The reason may name
/// somebody: it is in the history alone.
fn note(tenant: TenantId, message: MessageId, ruling: &Ruling) {
    tracing::info!(
        tenant.id = %tenant,
        message.id = %message,
        state = %ruling.state,
        actor = ruling.actor,
        "the state of a message was forced"
    );
}

fn judge(wanted: SetState, caller: Caller) -> Result<Ruling, Problem> {
    let mut faults = Faults::default();
    let state = State::parse(&wanted.state).filter(|state| *state != State::Pending);
    if state.is_none() {
        let states = State::ALL
            .into_iter()
            .filter(|state| *state != State::Pending)
            .map(State::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        faults.add("/state", format!("one of {states}"));
    }
    if wanted.reason.trim().is_empty() {
        faults.add("/reason", "say why: whoever looks at the message will ask");
    }
    faults.check_text("/reason", Some(&wanted.reason));
    faults.unless_any()?;
    let actor = if caller.is_operator {
        "operator"
    } else {
        "tenant"
    };
    Ok(Ruling {
        state: state.unwrap_or(State::Unknown),
        reason: wanted.reason,
        actor: actor.to_owned(),
        is_forced: wanted.force,
    })
}
