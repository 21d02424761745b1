//! `POST /v1/messages/{id}/state`: what a person says became of a message.

use crate::caller::Caller;
use crate::input::Faults;
use crate::message::{MessageView, tell, view};
use crate::openapi::{Routes, operation, word};
use crate::{Desk, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::State;
use domain::audit::Action;
use domain::id::{MessageId, TenantId};
use runtime::http::{Code, Problem};
use serde::Deserialize;
use store::audit::Target;
use store::message::{Ruled, Ruling};
use utoipa::ToSchema;

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(rule).refuses(&[Code::WouldLose]));
}

/// What a person says became of a message.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "state": "delivered", "reason": "the patient answered it by phone" })))]
struct SetState {
    /// Any state but `pending`.
    #[schema(schema_with = states)]
    state: String,
    /// Why: whoever looks at the message will ask.
    #[schema(min_length = 1, max_length = 128)]
    reason: String,
    /// Overrules a stronger statement. From then on only another person changes the state.
    #[serde(default)]
    force: bool,
}

fn states() -> utoipa::openapi::schema::Object {
    let said = State::ALL
        .into_iter()
        .filter(|state| *state != State::Pending);
    crate::openapi::said("Any state but `pending`.", word(said.map(State::as_str)))
}

/// Say what became of a message
///
/// Kept in its history with the reason and who said it, and told by webhook where it changes the state. A statement
/// that a stronger one outweighs is `409`, unless it is forced.
#[utoipa::path(
    post,
    path = "/v1/messages/{id}/state",
    tag = "Messages",
    operation_id = "set_message_state",
    params(("id" = MessageId, Path, description = "The message")),
    request_body = SetState,
    responses((status = 200, description = "The message as it is now", body = MessageView)),
)]
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
    let action = if ruling.is_forced {
        Action::MessageStateForced
    } else {
        Action::MessageStateSet
    };
    let ruled = context
        .acting(caller, caller.tenant, action, Target::Message(id))
        .rule(caller.tenant, id, ruling.clone())
        .await;
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
