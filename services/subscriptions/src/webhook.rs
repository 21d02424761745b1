//! `/v1/webhooks`: subscriptions and their deliveries.

mod attempt;
mod pins;
mod rotation;
mod settings;

use crate::caller::Caller;
use crate::input::Faults;
use crate::list::Query;
use crate::{Context, Desk, event_type, failure, input};
use actix_web::http::Method;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use attempt::AttemptView;
use domain::Timestamp;
use domain::account::Environment;
use domain::delivery::{self, State};
use domain::id::{DeliveryId, EventId, ReplayId, SubscriptionId, TenantId};
use domain::subscription::{DisabledReason, Interest, InvalidPatterns, Pattern};
use runtime::http::{Code, Problem, only};
use serde::{Deserialize, Serialize};
use settings::{
    Asked, AskedAuth, AskedRateLimit, AskedRetry, AskedSigning, Judged, Kept, SettingsView,
};
use signing::WebhookSecret;
use std::collections::BTreeMap;
use store::delivery::{Delivery, Filter};
use store::subscription::{Change, EndpointSecret, Health, Subscription};
use wire::Hint;

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/v1/webhooks")
                .route(web::post().to(create))
                .route(web::get().to(list))
                .default_service(only(&[Method::GET, Method::POST])),
        )
        .service(
            web::resource("/v1/webhooks/{id}")
                .route(web::get().to(get))
                .route(web::put().to(replace))
                .route(web::delete().to(delete))
                .default_service(only(&[Method::GET, Method::PUT, Method::DELETE])),
        )
        .service(
            web::resource("/v1/webhooks/{id}/secret/rotate")
                .route(web::post().to(rotation::rotate))
                .default_service(only(&[Method::POST])),
        )
        .service(
            web::resource("/v1/webhooks/{id}/deliveries")
                .route(web::get().to(deliveries))
                .default_service(only(&[Method::GET])),
        );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteWebhook {
    url: String,
    events: Vec<String>,
    secret: Option<String>,
    name: Option<String>,
    description: Option<String>,
    #[serde(default, deserialize_with = "input::present")]
    environment: Option<String>,
    #[serde(default, deserialize_with = "input::present")]
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "input::present")]
    method: Option<String>,
    #[serde(default, deserialize_with = "input::present")]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "input::present")]
    retry: Option<AskedRetry>,
    rate_limit: Option<AskedRateLimit>,
    #[serde(default, deserialize_with = "input::present")]
    max_in_flight: Option<i64>,
    #[serde(default, deserialize_with = "input::present")]
    timeout_seconds: Option<i64>,
    #[serde(default, deserialize_with = "input::present")]
    max_payload_bytes: Option<i64>,
    #[serde(default, deserialize_with = "input::present")]
    signing: Option<AskedSigning>,
    #[serde(default, deserialize_with = "input::present")]
    endpoint_auth: Option<AskedAuth>,
    #[serde(default, deserialize_with = "input::present")]
    versions: Option<BTreeMap<String, i64>>,
}

/// What was asked for, judged.
struct Wanted {
    url: String,
    patterns: Vec<Pattern>,
    secret: Option<WebhookSecret>,
    name: Option<String>,
    description: Option<String>,
    environment: Environment,
    is_enabled: bool,
    settings: Judged,
}

#[derive(Serialize)]
struct WebhookView {
    id: SubscriptionId,
    url: String,
    events: Vec<String>,
    name: Option<String>,
    description: Option<String>,
    environment: Environment,
    enabled: bool,
    #[serde(flatten)]
    settings: SettingsView,
    state: &'static str,
    disabled_reason: Option<&'static str>,
    health: HealthView,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

#[derive(Serialize)]
struct HealthView {
    last_success_at: Option<Timestamp>,
    last_failure_at: Option<Timestamp>,
    delivered: i64,
    failed: i64,
    success_rate: Option<f64>,
    breaker: &'static str,
}

/// A delivery, as it is shown.
#[derive(Serialize)]
pub(crate) struct DeliveryView {
    id: DeliveryId,
    event_id: EventId,
    event_type: String,
    subscription_id: SubscriptionId,
    state: State,
    error: Option<String>,
    attempts: Vec<AttemptView>,
    next_attempt_at: Option<Timestamp>,
    created_at: Timestamp,
    replay_id: Option<ReplayId>,
}

async fn create(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, body) = input::read::<WriteWebhook>(&request, payload).await?;
    let context = &desk.context;
    let wanted = judge(&desk, caller.tenant, body, None).await?;
    let secret = match wanted.secret {
        Some(secret) => secret,
        None => WebhookSecret::from_bytes(&context.random.bytes::<32>()).map_err(our_fault)?,
    };
    let now = context.clock.now();
    let id = SubscriptionId::new(now, &context.random);
    let Kept {
        settings,
        headers,
        endpoint_secret,
    } = wanted.settings.seal(context, caller.tenant, id);
    let subscription = Subscription {
        interest: Interest {
            subscription_id: id,
            tenant_id: caller.tenant,
            environment: wanted.environment,
            patterns: wanted.patterns,
            since_position: 0,
        },
        url: wanted.url,
        secret: seal(context, caller.tenant, id, &secret),
        previous_secrets: Vec::new(),
        name: wanted.name,
        description: wanted.description,
        settings,
        headers,
        endpoint_secret: match endpoint_secret {
            EndpointSecret::Becomes(secret) => secret,
            EndpointSecret::Stays => None,
        },
        is_enabled: wanted.is_enabled,
        disabled_reason: (!wanted.is_enabled).then_some(DisabledReason::Manual),
        disabled_at: (!wanted.is_enabled).then_some(now),
        created_at: now,
        updated_at: now,
        health: Health::default(),
    };
    context
        .store
        .create_subscription(subscription.clone())
        .await
        .map_err(failure::of_store)?;
    context.broker.hint(Hint::Subscriptions);
    let shown = WebhookView {
        secret: Some(secret.reveal()),
        ..view(context, subscription)?
    };
    Ok(HttpResponse::Created().json(shown))
}

async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["limit", "cursor"])?;
    let window = query.window(caller.tenant)?;
    let context = &desk.context;
    let page = context
        .store
        .list_subscriptions(caller.tenant, window)
        .await
        .map_err(failure::of_store)?;
    let views = page.items.into_iter().map(|item| view(context, item));
    let page = store::Page {
        items: views.collect::<Result<Vec<_>, _>>()?,
        next: page.next,
    };
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, |view| view)))
}

async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let found = find(&desk, caller.tenant, &id).await?;
    Ok(HttpResponse::Ok().json(view(&desk.context, found)?))
}

/// Replaces everything but the secrets, which stay unless others are given.
async fn replace(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, body) = input::read::<WriteWebhook>(&request, payload).await?;
    let context = &desk.context;
    let already = find(&desk, caller.tenant, &id).await?;
    let id = already.interest.subscription_id;
    let wanted = judge(&desk, caller.tenant, body, Some(&already)).await?;
    let Kept {
        settings,
        headers,
        endpoint_secret,
    } = wanted.settings.seal(context, caller.tenant, id);
    let change = Change {
        url: wanted.url,
        patterns: wanted.patterns,
        secret: wanted
            .secret
            .map(|secret| seal(context, caller.tenant, id, &secret)),
        name: wanted.name,
        description: wanted.description,
        environment: wanted.environment,
        settings,
        headers,
        endpoint_secret,
        is_enabled: wanted.is_enabled,
        updated_at: context.clock.now(),
    };
    let changed = context
        .store
        .update_subscription(caller.tenant, id, change)
        .await;
    let changed = changed
        .map_err(failure::of_store)?
        .ok_or_else(|| failure::not_found("webhook"))?;
    context.broker.hint(Hint::Subscriptions);
    Ok(HttpResponse::Ok().json(view(context, changed)?))
}

/// Ends a subscription and cancels what is still owed to it. Should the process die in between, the
/// dispatcher cancels what it meets.
async fn delete(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let context = &desk.context;
    let id = parse_id(&id)?;
    let deleted = context
        .store
        .delete_subscription(caller.tenant, id, context.clock.now())
        .await;
    if !deleted.map_err(failure::of_store)? {
        return Err(failure::not_found("webhook"));
    }
    context.broker.hint(Hint::Subscriptions);
    while context
        .store
        .cancel_deliveries(id)
        .await
        .map_err(failure::of_store)?
    {}
    Ok(HttpResponse::NoContent().finish())
}

async fn deliveries(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["state", "event_id", "limit", "cursor"])?;
    let window = query.window(caller.tenant)?;
    let filter = Filter {
        wanted: query.parsed(
            "state",
            delivery::Wanted::parse,
            "pending, retrying, delivered, failed or cancelled",
        )?,
        event_id: query.parsed(
            "event_id",
            |text| text.parse().ok(),
            "an id that begins with evt_",
        )?,
    };
    let subscription = find(&desk, caller.tenant, &id)
        .await?
        .interest
        .subscription_id;
    let store = &desk.context.store;
    let page = store
        .list_deliveries(caller.tenant, subscription, filter, window)
        .await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, DeliveryView::from)))
}

async fn judge(
    desk: &Desk,
    tenant: TenantId,
    body: WriteWebhook,
    already: Option<&Subscription>,
) -> Result<Wanted, Problem> {
    let context = &desk.context;
    let mut faults = Faults::default();
    faults.check_text("/name", body.name.as_deref());
    faults.check_text("/description", body.description.as_deref());
    let environment = faults.read_environment(body.environment.as_deref(), Environment::default());
    let secret = match body.secret.as_deref().map(WebhookSecret::parse) {
        None => None,
        Some(Ok(secret)) => Some(secret),
        Some(Err(error)) => {
            faults.add("/secret", error.to_string());
            None
        }
    };
    let asked = Asked {
        method: body.method,
        headers: body.headers,
        retry: body.retry,
        rate_limit: body.rate_limit,
        max_in_flight: body.max_in_flight,
        timeout_seconds: body.timeout_seconds,
        max_payload_bytes: body.max_payload_bytes,
        signing: body.signing,
        endpoint_auth: body.endpoint_auth,
    };
    let mut settings = settings::judge(context, asked, already, &mut faults);
    faults.unless_any()?;
    let patterns = event_type::read_patterns(context, tenant, "/events", &body.events).await?;
    settings.pin(pins::judge(context, tenant, body.versions, &patterns, already).await?);
    context.policy.judge_url(&body.url).map_err(|refusal| {
        let detail = format!("this URL is not allowed: {refusal}");
        Problem::new(Code::UrlNotAllowed, detail.clone()).at("/url", detail)
    })?;
    Ok(Wanted {
        url: body.url,
        patterns,
        secret,
        name: body.name,
        description: body.description,
        environment,
        is_enabled: body.enabled.unwrap_or(true),
        settings,
    })
}

/// What is wrong with the patterns of a member.
pub(crate) fn refuse_patterns(at: &str, error: InvalidPatterns) -> Problem {
    let detail = error.to_string();
    match error {
        InvalidPatterns::Unknown(index, _) => {
            Problem::new(Code::UnknownEventType, detail.clone()).at(format!("{at}/{index}"), detail)
        }
        InvalidPatterns::Empty | InvalidPatterns::TooMany | InvalidPatterns::AllBesideOthers => {
            input::invalid(at, detail)
        }
    }
}

fn seal(
    context: &Context,
    tenant: TenantId,
    id: SubscriptionId,
    secret: &WebhookSecret,
) -> Vec<u8> {
    let bound_to = domain::secret::subscription_secret(tenant, id);
    context
        .vault
        .seal(&bound_to, secret.as_bytes(), context.random.bytes())
}

fn our_fault(error: signing::Error) -> Problem {
    tracing::error!(%error, "a secret could not be made");
    Problem::new(Code::InternalError, "a secret could not be made")
}

fn parse_id(id: &str) -> Result<SubscriptionId, Problem> {
    id.parse().map_err(|_| failure::not_found("webhook"))
}

pub(crate) async fn find(desk: &Desk, tenant: TenantId, id: &str) -> Result<Subscription, Problem> {
    let found = desk
        .context
        .store
        .find_subscription(tenant, parse_id(id)?)
        .await;
    found
        .map_err(failure::of_store)?
        .ok_or_else(|| failure::not_found("webhook"))
}

fn view(context: &Context, subscription: Subscription) -> Result<WebhookView, Problem> {
    let settings = settings::view(context, &subscription)?;
    let Subscription {
        interest,
        health,
        is_enabled,
        ..
    } = subscription;
    Ok(WebhookView {
        id: interest.subscription_id,
        url: subscription.url,
        events: interest.patterns.iter().map(ToString::to_string).collect(),
        name: subscription.name,
        description: subscription.description,
        environment: interest.environment,
        enabled: is_enabled,
        settings,
        state: if is_enabled { "active" } else { "disabled" },
        disabled_reason: subscription.disabled_reason.map(DisabledReason::as_str),
        health: health.into(),
        created_at: subscription.created_at,
        updated_at: subscription.updated_at,
        secret: None,
    })
}

impl From<Health> for HealthView {
    fn from(health: Health) -> Self {
        let all = health.delivered + health.failed;
        #[expect(clippy::cast_precision_loss, reason = "a ratio for people to look at")]
        let success_rate = (all > 0).then(|| health.delivered as f64 / all as f64);
        Self {
            last_success_at: health.last_success_at,
            last_failure_at: health.last_failure_at,
            delivered: health.delivered,
            failed: health.failed,
            success_rate,
            breaker: health.breaker.as_str(),
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            event_type: delivery.event_type,
            subscription_id: delivery.subscription_id,
            state: delivery.state,
            error: delivery.error,
            attempts: delivery
                .attempts
                .into_iter()
                .map(AttemptView::from)
                .collect(),
            next_attempt_at: delivery.next_attempt_at,
            created_at: delivery.created_at,
            replay_id: delivery.replay_id,
        }
    }
}
