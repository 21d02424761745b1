//! `/v1/webhooks`: subscriptions and their deliveries.

pub(crate) mod allowance;
mod attempt;
mod bulk;
mod check;
mod filter;
mod patch;
mod pins;
mod rotation;
mod sample;
mod settings;
mod template;
mod trial;
mod view;

pub(crate) use settings::{AskedRateLimit, judge_rate_limit};
pub(crate) use view::DeliveryView;

use crate::caller::Caller;
use crate::event_type::Types;
use crate::input::Faults;
use crate::list::{PageView, Query};
use crate::openapi::{Paging, Routes, operation, parameters, query, word};
use crate::{Context, Desk, failure, input, plan};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::account::Environment;
use domain::audit::Action;
use domain::delivery;
use domain::id::{EventId, SubscriptionId, TenantId};
use domain::subscription::{DisabledReason, Interest, InvalidPatterns, Pattern};
use runtime::http::{Code, Problem};
use settings::{Asked, Judged, Kept};
use signing::WebhookSecret;
use store::audit::Target;
use store::delivery::Filter;
use store::subscription::{Change, EndpointSecret, Health, Made, Subscription};
use utoipa::PartialSchema;
use view::{WebhookView, WriteWebhook, view};
use wire::Hint;

pub(crate) fn routes(routes: &mut Routes) {
    let refused = [Code::UrlNotAllowed, Code::UnknownEventType];
    let no_more = [Code::LimitReached];
    template::routes(routes);
    routes
        .add(operation!(create).refuses(&refused).refuses(&no_more))
        .add(operation!(list))
        // What has a name of its own comes before what is named by an id.
        .add(operation!(bulk::bulk).refuses(&[Code::InvalidCursor]))
        .add(operation!(check::of_url).refuses(&[Code::UrlNotAllowed]))
        .add(operation!(get))
        .add(operation!(replace).refuses(&refused))
        .add(operation!(patch::patch).refuses(&refused))
        .add(operation!(delete))
        .add(operation!(patch::enable))
        .add(operation!(patch::disable))
        .add(operation!(trial::test).refuses(&[Code::UnknownEventType]))
        .add(operation!(trial::list))
        .add(operation!(check::of_webhook))
        .add(operation!(rotation::rotate).refuses(&[Code::Conflict]))
        .add(operation!(deliveries));
}

parameters! {
    /// Of which deliveries.
    Filters:
    query("state", "That are this far", word(delivery::Wanted::ALL.map(delivery::Wanted::as_str))),
    query("event_id", "Of this event", EventId::schema()),
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

/// Make a webhook
///
/// Events that are published from then on are sent to it; older ones by a replay. The answer has the secret that its
/// requests are signed with: it is shown only now.
#[utoipa::path(
    post,
    path = "/v1/webhooks",
    tag = "Webhooks",
    operation_id = "create_webhook",
    request_body = WriteWebhook,
    responses((status = 201, description = "It is made", body = WebhookView)),
)]
async fn create(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, body) = input::read::<WriteWebhook>(&request, payload).await?;
    let context = &desk.context;
    let types = types_for(context, caller.tenant, &body).await?;
    let (subscription, secret) = new(context, caller.tenant, body, &types)?;
    let made = context
        .acting(caller, caller.tenant, Action::WebhookCreated, Target::Said)
        .create_subscription(subscription.clone())
        .await
        .map_err(failure::of_store)?;
    if let Some(refused) = note_made(context, &made, 1) {
        return Err(refused);
    }
    Ok(HttpResponse::Created().json(show_new(context, subscription, &secret)?))
}

/// Counts what was made of so many, and says where it is; why the others were not.
fn note_made(context: &Context, made: &Made, asked: usize) -> Option<Problem> {
    plan::note(context, [], &made.told);
    if made.number > 0 {
        context.broker.hint(Hint::Subscriptions);
    }
    let used = made.refused.as_ref()?;
    for _ in made.number..asked {
        context.metrics.limit_refusal(used.limit.as_str());
    }
    Some(plan::used_up(used, context.clock.now()))
}

/// A subscription as it was asked for, and its secret.
fn new(
    context: &Context,
    tenant: TenantId,
    body: WriteWebhook,
    types: &Types,
) -> Result<(Subscription, WebhookSecret), Problem> {
    let wanted = judge(context, body, None, types)?;
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
    } = wanted.settings.seal(context, tenant, id);
    let subscription = Subscription {
        interest: Interest {
            subscription_id: id,
            tenant_id: tenant,
            environment: wanted.environment,
            patterns: wanted.patterns,
            since_position: 0,
        },
        url: wanted.url,
        secret: seal(context, tenant, id, &secret),
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
    Ok((subscription, secret))
}

/// A webhook as the audit log shows it, and what is secret of it.
pub(crate) fn shown(
    context: &Context,
    subscription: &Subscription,
) -> (Option<WebhookView>, Vec<Vec<u8>>) {
    let interest = &subscription.interest;
    let (tenant, id) = (interest.tenant_id, interest.subscription_id);
    let open = |bound_to: &str, sealed: &[u8]| {
        let opened = context.vault.open(bound_to, sealed);
        opened.map(|opened| opened.to_vec()).unwrap_or_default()
    };
    let endpoint = subscription
        .endpoint_secret
        .as_ref()
        .map(|sealed| open(&domain::secret::endpoint_secret(tenant, id), sealed));
    let secrets = vec![
        open(
            &domain::secret::subscription_secret(tenant, id),
            &subscription.secret,
        ),
        endpoint.unwrap_or_default(),
    ];
    (view(context, subscription.clone()).ok(), secrets)
}

/// As it is shown when it was made: with its secret, this once.
fn show_new(
    context: &Context,
    made: Subscription,
    secret: &WebhookSecret,
) -> Result<WebhookView, Problem> {
    let mut shown = view(context, made)?;
    shown.secret = Some(secret.reveal());
    Ok(shown)
}

/// List webhooks
///
/// Newest first, each with how its endpoint fares. `event_type` finds those that would receive it, by a pattern too.
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    tag = "Webhooks",
    operation_id = "list_webhooks",
    params(filter::Wanted, Paging),
    responses((status = 200, description = "A page of them", body = PageView<WebhookView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let known = [&["limit", "cursor"][..], &filter::NAMES].concat();
    let query = Query::read(&request, &known)?;
    let (filter, window) = (filter::read(&query)?, query.window(caller.tenant)?);
    let context = &desk.context;
    let page = context
        .store
        .list_subscriptions(caller.tenant, filter, window)
        .await
        .map_err(failure::of_store)?;
    let views = page.items.into_iter().map(|item| view(context, item));
    let page = store::Page {
        items: views.collect::<Result<Vec<_>, _>>()?,
        next: page.next,
    };
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, |view| view)))
}

/// Read a webhook
///
/// With how its endpoint fares, and without its secret.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}",
    tag = "Webhooks",
    operation_id = "get_webhook",
    params(("id" = SubscriptionId, Path, description = "The webhook")),
    responses((status = 200, description = "The webhook", body = WebhookView)),
)]
async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let found = find(&desk, caller.tenant, &id).await?;
    Ok(HttpResponse::Ok().json(view(&desk.context, found)?))
}

/// Change a webhook
///
/// Replaces everything but the secrets, which stay unless others are given: what is left out has its default.
#[utoipa::path(
    put,
    path = "/v1/webhooks/{id}",
    tag = "Webhooks",
    operation_id = "replace_webhook",
    params(("id" = SubscriptionId, Path, description = "The webhook")),
    request_body = WriteWebhook,
    responses((status = 200, description = "It is changed", body = WebhookView)),
)]
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
    let types = types_for(context, caller.tenant, &body).await?;
    let wanted = judge(context, body, Some(&already), &types)?;
    let change = change_of(context, caller.tenant, id, wanted);
    let changed = context
        .acting(caller, caller.tenant, Action::WebhookUpdated, Target::Said)
        .update_subscription(caller.tenant, id, change)
        .await;
    let changed = changed
        .map_err(failure::of_store)?
        .ok_or_else(|| failure::not_found("webhook"))?;
    context.broker.hint(Hint::Subscriptions);
    Ok(HttpResponse::Ok().json(view(context, changed)?))
}

/// What is wanted, as a change of the subscription that there is.
fn change_of(context: &Context, tenant: TenantId, id: SubscriptionId, wanted: Wanted) -> Change {
    let Kept {
        settings,
        headers,
        endpoint_secret,
    } = wanted.settings.seal(context, tenant, id);
    Change {
        url: wanted.url,
        patterns: wanted.patterns,
        secret: wanted
            .secret
            .map(|secret| seal(context, tenant, id, &secret)),
        name: wanted.name,
        description: wanted.description,
        environment: wanted.environment,
        settings,
        headers,
        endpoint_secret,
        is_enabled: wanted.is_enabled,
        updated_at: context.clock.now(),
    }
}

/// Delete a webhook
///
/// What is still owed to it is cancelled.
#[utoipa::path(
    delete,
    path = "/v1/webhooks/{id}",
    tag = "Webhooks",
    operation_id = "delete_webhook",
    params(("id" = SubscriptionId, Path, description = "The webhook")),
    responses((status = 204, description = "It is gone")),
)]
async fn delete(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let context = &desk.context;
    let id = parse_id(&id)?;
    let deleted = context
        .acting(caller, caller.tenant, Action::WebhookDeleted, Target::Said)
        .delete_subscription(caller.tenant, id, context.clock.now())
        .await;
    if !deleted.map_err(failure::of_store)? {
        return Err(failure::not_found("webhook"));
    }
    context.broker.hint(Hint::Subscriptions);
    // Should the process die in between, the dispatcher cancels what it meets.
    while context
        .store
        .cancel_deliveries(&[id])
        .await
        .map_err(failure::of_store)?
    {}
    Ok(HttpResponse::NoContent().finish())
}

/// List the deliveries of a webhook
///
/// With every attempt: what was sent, what came back, how long it took.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}/deliveries",
    tag = "Deliveries",
    operation_id = "list_webhook_deliveries",
    params(("id" = SubscriptionId, Path, description = "The webhook"), Filters, Paging),
    responses((status = 200, description = "A page of them", body = PageView<DeliveryView>)),
)]
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

/// The types that others brought, where a body may name one.
async fn types_for(
    context: &Context,
    tenant: TenantId,
    body: &WriteWebhook,
) -> Result<Types, Problem> {
    // Most subscriptions name what ships: nothing has to be asked then.
    if body.versions.is_none() && Pattern::parse_list(&body.events, &[]).is_ok() {
        return Ok(Types::default());
    }
    Types::of(context, tenant).await
}

/// Judges what is asked for. It asks the store nothing: it is called where that has the subscription locked, too.
fn judge(
    context: &Context,
    body: WriteWebhook,
    already: Option<&Subscription>,
    types: &Types,
) -> Result<Wanted, Problem> {
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
    let patterns = Pattern::parse_list(&body.events, types.names())
        .map_err(|error| refuse_patterns("/events", error))?;
    settings.pin(pins::judge(body.versions, &patterns, already, types)?);
    // One that stays was judged when it was taken in, and is whenever it is dialled.
    if already.is_none_or(|already| already.url != body.url) {
        context.policy.judge_url(&body.url).map_err(refuse_url)?;
    }
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

fn refuse_url(refusal: egress::Refusal) -> Problem {
    let detail = format!("this URL is not allowed: {refusal}");
    Problem::new(Code::UrlNotAllowed, detail.clone()).at("/url", detail)
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
