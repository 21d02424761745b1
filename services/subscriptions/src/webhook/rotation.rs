//! `POST /v1/webhooks/{id}/secret/rotate`: a new secret, and how long the one before it still signs.

use super::{find, our_fault, seal};
use crate::caller::Caller;
use crate::input::Faults;
use crate::{Context, Desk, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::audit::Action;
use domain::id::SubscriptionId;
use runtime::http::{Code, Problem};
use serde::{Deserialize, Serialize};
use signing::WebhookSecret;
use std::time::Duration;
use store::audit::Target;
use store::subscription::{PreviousSecret, Rotated, Rotation, Subscription};
use utoipa::ToSchema;
use wire::Hint;

/// How long the secret before signs, unless it is said: a day.
const USUAL_OVERLAP_SECONDS: i64 = 86_400;
const MAX_OVERLAP_SECONDS: i64 = 30 * 86_400;
/// How often a rotation is tried that meets others.
const TRIES: u32 = 5;

/// How to rotate a secret.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RotateSecret, examples(json!({ "overlap_seconds": 86_400 })))]
struct Rotate {
    /// How long the secret before signs beside the new one: a day unless you say otherwise, 0 for not at all.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = i64, required = false, minimum = 0, maximum = 2_592_000)]
    overlap_seconds: Option<i64>,
}

/// A new secret.
#[derive(Serialize, ToSchema)]
#[schema(as = RotatedSecret, examples(json!({
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw0aMlRZy9jGk=",
    "previous_expires_at": "2026-11-24T21:09:00.000Z",
})))]
struct RotatedView {
    /// The secret. Keep it: it is shown only now.
    secret: String,
    /// Until when the one before signs beside it; null: no more.
    previous_expires_at: Option<Timestamp>,
}

/// Rotate the secret of a webhook
///
/// Both secrets sign until the overlap ends: change your endpoint meanwhile. `409` where others change it at the same
/// time, again and again.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/secret/rotate",
    tag = "Webhooks",
    operation_id = "rotate_webhook_secret",
    params(("id" = SubscriptionId, Path, description = "The webhook")),
    request_body = Rotate,
    responses((status = 200, description = "The new secret", body = RotatedView)),
)]
pub(super) async fn rotate(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, asked) = input::read::<Rotate>(&request, payload).await?;
    let overlap = judge(&asked)?;
    let context = &desk.context;
    let secret = WebhookSecret::from_bytes(&context.random.bytes::<32>()).map_err(our_fault)?;
    for _ in 0..TRIES {
        let subscription = find(&desk, caller.tenant, &id).await?;
        let now = context.clock.now();
        let previous_expires_at = overlap.map(|overlap| now.plus(overlap));
        let rotation = plan(context, &subscription, &secret, previous_expires_at, now)?;
        let id = subscription.interest.subscription_id;
        let rotated = context
            .acting(
                caller,
                caller.tenant,
                Action::WebhookSecretRotated,
                Target::Said,
            )
            .rotate_secret(caller.tenant, id, rotation)
            .await
            .map_err(failure::of_store)?;
        match rotated {
            Rotated::Changed => {}
            Rotated::Gone => return Err(failure::not_found("webhook")),
            Rotated::Done => {
                context.broker.hint(Hint::Subscriptions);
                return Ok(HttpResponse::Ok().json(RotatedView {
                    secret: secret.reveal(),
                    previous_expires_at,
                }));
            }
        }
    }
    let detail = "the secret is being changed by others: look at it, and try again";
    Err(Problem::new(Code::Conflict, detail))
}

/// How long the secret before goes on to sign; none where it ends at once.
fn judge(asked: &Rotate) -> Result<Option<Duration>, Problem> {
    let seconds = asked.overlap_seconds.unwrap_or(USUAL_OVERLAP_SECONDS);
    let mut faults = Faults::default();
    if !(0..=MAX_OVERLAP_SECONDS).contains(&seconds) {
        let detail = format!("write 0 to {MAX_OVERLAP_SECONDS} seconds");
        faults.add("/overlap_seconds", detail);
    }
    faults.unless_any()?;
    let overlap = Duration::from_secs(seconds.unsigned_abs());
    Ok((!overlap.is_zero()).then_some(overlap))
}

fn plan(
    context: &Context,
    subscription: &Subscription,
    secret: &WebhookSecret,
    previous_expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Rotation, Problem> {
    let interest = &subscription.interest;
    let (tenant, id) = (interest.tenant_id, interest.subscription_id);
    let previous = previous_expires_at.map(|expires_at| {
        let bound_to = domain::secret::subscription_secret(tenant, id);
        let old = context.vault.open(&bound_to, &subscription.secret)?;
        // In the order of time, as every id of ours.
        let row = SubscriptionId::new(now, &context.random).0;
        let bound_to = domain::secret::previous_secret(tenant, row);
        Ok(PreviousSecret {
            id: row,
            secret: context.vault.seal(&bound_to, &old, context.random.bytes()),
            expires_at,
        })
    });
    Ok(Rotation {
        from: subscription.secret.clone(),
        to: seal(context, tenant, id, secret),
        previous: previous.transpose().map_err(our_fault)?,
        at: now,
    })
}
