//! `/v1/messages`: registering and reading messages.

mod view;

pub(crate) use view::view;

use crate::caller::Caller;
use crate::first_poll::asked;
use crate::input::Faults;
use crate::list::{Query, TIME};
use crate::{Context, Desk, failure, input};
use actix_web::http::Method;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::account::Slug;
use domain::cost::Cost;
use domain::id::{MessageId, TenantId};
use domain::json::Raw;
use domain::message::Registration;
use domain::report::FailureClass;
use domain::{State, Timestamp, phone};
use runtime::http::{Code, Problem, only};
use serde::Deserialize;
use store::account::Account;
use store::ledger::Effects;
use store::message::{Filter, Held, NewMessage, Registered};
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
    cost: Option<WantedCost>,
    metadata: Option<Raw>,
    #[serde(default, deserialize_with = "input::present")]
    environment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedCost {
    /// A number, or a text with one: its digits are kept as they are written.
    amount: Raw,
    currency: String,
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
    let registration = judge(wanted, account.clone())?;
    let new = NewMessage {
        plan: desk
            .waits
            .plan(&account, &asked(&registration, context.clock.now())),
        registration,
    };
    let registered = context.store.register_message(caller.tenant, new).await;
    match registered.map_err(failure::of_store)? {
        Registered::New { message, effects } => {
            failpoint::reach!(SubscriptionsBeforeMessageHint if !effects.shards.is_empty());
            tell(context, &effects);
            desk.count(&effects).await;
            let held = Held {
                message: *message,
                history: Vec::new(),
            };
            Ok(HttpResponse::Created().json(view(held)))
        }
        Registered::Same(held) => Ok(HttpResponse::Ok().json(view(*held))),
        Registered::Conflict(existing) => Err(conflict(existing)),
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
            "provider_message_id_prefix",
            "client_reference",
            "client_reference_prefix",
            "notification_id",
            "notification_id_prefix",
            "to",
            "to_prefix",
            "state",
            "failure_class",
            "after",
            "before",
            "limit",
            "cursor",
        ],
    )?;
    let window = query.window(caller.tenant)?;
    let any = |text: &str| (!text.contains('\0')).then(|| text.to_owned());
    let states = State::ALL.map(State::as_str).join(", ");
    let classes = FailureClass::ALL.map(FailureClass::as_str).join(", ");
    let classes = format!("one of {classes}");
    let filter = Filter {
        provider_message_id: query.asked("provider_message_id", any, any, "a text")?,
        client_reference: query.asked("client_reference", any, any, "a text")?,
        notification_id: query.asked("notification_id", any, any, "a text")?,
        // An unencoded plus in a query is a space.
        to: query.asked(
            "to",
            |to| phone::normalise(to.trim_start()),
            phone_beginning,
            "a phone number, like +260970000001, or its beginning, like +26097",
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

/// The beginning of a number in E.164; the plus may be lost in a query.
fn phone_beginning(text: &str) -> Option<String> {
    let digits = text.trim_start().trim_start_matches('+');
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| format!("+{digits}"))
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
pub(crate) async fn find_account(
    context: &Context,
    tenant: TenantId,
    slug: &str,
) -> Result<Account, Problem> {
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
    check_ids(
        &mut faults,
        wanted.provider_message_id.as_deref(),
        wanted.client_reference.as_deref(),
    );
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
    let cost = wanted.cost.and_then(|cost| read_cost(&mut faults, &cost));
    let environment = faults.read_environment(wanted.environment.as_deref(), account.environment);
    faults.unless_any()?;
    let compared = |id: Option<String>| id.map(|id| compared(&account.provider, id));
    let (id, reference) = (
        compared(wanted.provider_message_id),
        compared(wanted.client_reference),
    );
    Ok(Registration {
        account_id: account.id,
        provider_account: account.slug,
        provider: account.provider,
        provider_message_id: id,
        client_reference: reference,
        to,
        from: wanted.from,
        notification_id: wanted.notification_id,
        parts,
        cost,
        metadata: wanted.metadata,
        environment,
    })
}

fn read_cost(faults: &mut Faults, wanted: &WantedCost) -> Option<Cost> {
    let text: Option<String> = serde_json::from_str(wanted.amount.as_str()).ok();
    let amount = text.unwrap_or_else(|| wanted.amount.as_str().to_owned());
    // Which of the two it is shows with one that fits.
    if let Err(error) = Cost::new(&amount, "KES") {
        faults.add("/cost/amount", error.to_string());
    }
    if let Err(error) = Cost::new("0", &wanted.currency) {
        faults.add("/cost/currency", error.to_string());
    }
    Cost::new(&amount, &wanted.currency).ok()
}

/// By what reports are matched.
pub(crate) fn check_ids(faults: &mut Faults, id: Option<&str>, reference: Option<&str>) {
    if id.is_none() && reference.is_none() {
        faults.add(
            "",
            "name a provider_message_id or a client_reference: reports are matched by them",
        );
    }
    faults.check_text("/provider_message_id", id);
    faults.check_text("/client_reference", reference);
}

/// An id in the form in which those of a provider's reports come.
pub(crate) fn compared(provider: &str, id: String) -> String {
    match providers::registry::find(provider) {
        Some(provider) => provider.message_id(&id).to_owned(),
        None => id,
    }
}

/// Names what is registered under the same ids already.
pub(crate) fn conflict(existing: MessageId) -> Problem {
    let detail = "another message is registered under the same ids";
    Problem::new(Code::Conflict, detail).with("existing_id", existing.to_string())
}

/// Tells that a message changed its state.
pub(crate) fn tell(context: &Context, effects: &Effects) {
    let now = context.clock.now();
    for change in &effects.changes {
        let metrics = &context.metrics;
        metrics.state_change(&change.provider, change.to.as_str());
        metrics.stage(Stage::State, now.since(change.received_at).as_secs_f64());
    }
    for _ in 0..effects.raised {
        context.metrics.event("tidings");
    }
    for shard in &effects.shards {
        context.broker.hint(Hint::Events(*shard));
    }
}
