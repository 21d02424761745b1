//! `/v1/messages`: registering and reading messages.

use crate::caller::Caller;
use crate::input::Faults;
use crate::list::{Query, TIME};
use crate::{Context, Desk, failure, input};
use actix_web::http::Method;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::account::{Environment, Slug};
use domain::id::{CallbackId, MessageId, TenantId};
use domain::json::Raw;
use domain::message::Registration;
use domain::report::FailureClass;
use domain::{State, Timestamp, phone};
use runtime::http::{Code, Problem, only};
use serde::{Deserialize, Serialize};
use store::account::Account;
use store::ledger::Effects;
use store::message::{Entry, Filter, Held, Registered};
use telemetry::Stage;
use wire::Hint;

/// The most parts a message is sent in.
const MAX_PARTS: u32 = 255;

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/v1/messages")
                .route(web::post().to(register))
                .route(web::get().to(list))
                .default_service(only(&[Method::GET, Method::POST])),
        )
        .service(
            web::resource("/v1/messages/{id}")
                .route(web::get().to(get))
                .default_service(only(&[Method::GET])),
        );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterMessage {
    provider_account: String,
    provider_message_id: Option<String>,
    client_reference: Option<String>,
    to: String,
    from: Option<String>,
    notification_id: Option<String>,
    parts: Option<u32>,
    metadata: Option<Raw>,
    #[serde(default, deserialize_with = "input::present")]
    environment: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct MessageView {
    id: MessageId,
    provider: String,
    provider_account: Slug,
    provider_message_id: Option<String>,
    client_reference: Option<String>,
    to: String,
    from: Option<String>,
    notification_id: Option<String>,
    metadata: Option<Raw>,
    parts_total: u32,
    parts_delivered: u32,
    state: State,
    is_final: bool,
    failure_reason: Option<String>,
    failure_class: Option<&'static str>,
    network_code: Option<String>,
    /// No report of today's providers tells a cost.
    cost: Option<()>,
    created_at: Timestamp,
    updated_at: Timestamp,
    sent_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    delivery_duration_ms: Option<i64>,
    send_attempt: u32,
    environment: Environment,
    history: Vec<EntryView>,
}

#[derive(Serialize)]
struct EntryView {
    received_at: Timestamp,
    provider_time: Option<Timestamp>,
    send_attempt: u32,
    word: String,
    state: Option<State>,
    applied: bool,
    source: &'static str,
    callback_id: Option<CallbackId>,
    failure_reason: Option<String>,
    /// Why a person set the state, and who.
    reason: Option<String>,
    actor: Option<String>,
}

async fn register(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<RegisterMessage>(&request, payload).await?;
    let context = &desk.context;
    let account = find_account(context, caller.tenant, &wanted.provider_account).await?;
    let registration = judge(wanted, account)?;
    let registered = context
        .store
        .register_message(caller.tenant, registration)
        .await;
    match registered.map_err(failure::of_store)? {
        Registered::New { message, effects } => {
            failpoint::reach!(SubscriptionsBeforeMessageHint if !effects.shards.is_empty());
            tell(context, &effects);
            let held = Held {
                message: *message,
                history: Vec::new(),
            };
            Ok(HttpResponse::Created().json(view(held)))
        }
        Registered::Same(held) => Ok(HttpResponse::Ok().json(view(*held))),
        Registered::Conflict(existing) => {
            let detail = "another message is registered under the same ids";
            let problem = Problem::new(Code::Conflict, detail);
            Err(problem.with("existing_id", existing.to_string()))
        }
    }
}

async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(
        &request,
        &[
            "provider_message_id",
            "client_reference",
            "notification_id",
            "to",
            "state",
            "failure_class",
            "after",
            "before",
            "limit",
            "cursor",
        ],
    )?;
    let window = query.window(caller.tenant)?;
    let text = |name| query.text(name).map(str::to_owned);
    let states = State::ALL.map(State::as_str).join(", ");
    let classes = FailureClass::ALL.map(FailureClass::as_str).join(", ");
    let classes = format!("one of {classes}");
    let filter = Filter {
        provider_message_id: text("provider_message_id"),
        client_reference: text("client_reference"),
        notification_id: text("notification_id"),
        // An unencoded plus in a query is a space.
        to: query.parsed(
            "to",
            |to| phone::normalise(to.trim_start()),
            "a phone number, like +260970000001",
        )?,
        state: query.parsed("state", State::parse, &format!("one of {states}"))?,
        failure_class: query.parsed("failure_class", FailureClass::parse, &classes)?,
        after: query.parsed("after", Timestamp::parse_rfc3339, TIME)?,
        before: query.parsed("before", Timestamp::parse_rfc3339, TIME)?,
    };
    let page = desk
        .context
        .store
        .list_messages(caller.tenant, filter, window)
        .await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, view)))
}

async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let id: MessageId = id.parse().map_err(|_| failure::not_found("message"))?;
    let found = desk.context.store.find_message(caller.tenant, id).await;
    let held = found
        .map_err(failure::of_store)?
        .ok_or_else(|| failure::not_found("message"))?;
    Ok(HttpResponse::Ok().json(view(held)))
}

/// The account a message may name. One that is unknown and one of another tenant are the same.
async fn find_account(context: &Context, tenant: TenantId, slug: &str) -> Result<Account, Problem> {
    let refuse = || {
        input::invalid(
            "/provider_account",
            "you have no provider account with this slug",
        )
    };
    let slug: Slug = slug.parse().map_err(|_| refuse())?;
    let found = context
        .store
        .find_usable_account(tenant, slug)
        .await
        .map_err(failure::of_store)?;
    found.ok_or_else(refuse)
}

fn judge(wanted: RegisterMessage, account: Account) -> Result<Registration, Problem> {
    let mut faults = Faults::default();
    if wanted.provider_message_id.is_none() && wanted.client_reference.is_none() {
        faults.add(
            "",
            "name a provider_message_id or a client_reference: reports are matched by them",
        );
    }
    faults.check_text(
        "/provider_message_id",
        wanted.provider_message_id.as_deref(),
    );
    faults.check_text("/client_reference", wanted.client_reference.as_deref());
    faults.check_text("/from", wanted.from.as_deref());
    faults.check_text("/notification_id", wanted.notification_id.as_deref());
    faults.check_metadata("/metadata", wanted.metadata.as_ref());
    let to = phone::parse(&wanted.to).unwrap_or_else(|| {
        faults.add("/to", "write + and 7 to 15 digits, like +260970000001");
        String::new()
    });
    let parts = wanted.parts.unwrap_or(1);
    if !(1..=MAX_PARTS).contains(&parts) {
        faults.add("/parts", format!("a whole number from 1 to {MAX_PARTS}"));
    }
    let environment = faults.read_environment(wanted.environment.as_deref(), account.environment);
    faults.unless_any()?;
    // In the form in which the ids of reports come.
    let provider = providers::registry::find(&account.provider);
    let compared = |id: String| match provider {
        Some(provider) => provider.message_id(&id).to_owned(),
        None => id,
    };
    Ok(Registration {
        account_id: account.id,
        provider_account: account.slug,
        provider: account.provider,
        provider_message_id: wanted.provider_message_id.map(compared),
        client_reference: wanted.client_reference.map(compared),
        to,
        from: wanted.from,
        notification_id: wanted.notification_id,
        parts,
        metadata: wanted.metadata,
        environment,
    })
}

/// Tells that a message changed its state.
pub(crate) fn tell(context: &Context, effects: &Effects) {
    let now = context.clock.now();
    for (provider, state, received_at) in &effects.changes {
        context.metrics.state_change(provider, state.as_str());
        context
            .metrics
            .stage(Stage::State, now.since(*received_at).as_secs_f64());
    }
    for _ in 0..effects.raised {
        context.metrics.event("tidings");
    }
    for shard in &effects.shards {
        context.broker.hint(Hint::Events(*shard));
    }
}

pub(crate) fn view(held: Held) -> MessageView {
    let Held { message, history } = held;
    let (state, parts_delivered) = (message.state(), message.parts_delivered());
    let delivery_duration_ms = message.delivery_duration_ms();
    let registration = message.registration;
    MessageView {
        id: message.id,
        provider: registration.provider,
        provider_account: registration.provider_account,
        provider_message_id: registration.provider_message_id,
        client_reference: registration.client_reference,
        to: registration.to,
        from: registration.from,
        notification_id: registration.notification_id,
        metadata: registration.metadata,
        parts_total: registration.parts,
        parts_delivered,
        state,
        is_final: state.is_final(),
        failure_reason: message.failure_reason,
        failure_class: message.failure_class.map(FailureClass::as_str),
        network_code: message.network_code,
        cost: None,
        created_at: message.created_at,
        updated_at: message.updated_at,
        sent_at: message.sent_at,
        delivered_at: message.delivered_at,
        delivery_duration_ms,
        send_attempt: message.send_attempt,
        environment: registration.environment,
        history: history.into_iter().map(EntryView::from).collect(),
    }
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self {
            received_at: entry.received_at,
            provider_time: entry.provider_time,
            send_attempt: entry.send_attempt,
            word: entry.word,
            state: entry.state,
            applied: entry.is_applied,
            source: entry.source.as_str(),
            callback_id: entry.callback_id,
            failure_reason: entry.failure_reason,
            reason: entry.reason,
            actor: entry.actor,
        }
    }
}
