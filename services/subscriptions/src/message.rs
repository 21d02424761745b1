//! `/v1/messages`: registering and reading messages.

mod view;

pub(crate) use view::{MessageView, view};

use crate::caller::Caller;
use crate::first_poll::asked;
use crate::input::Faults;
use crate::list::{self, PageView, Query, TIME};
use crate::openapi::{Between, Paging, Routes, operation, parameters, query, text, word};
use crate::{Context, Desk, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::account::{Environment, Slug};
use domain::cost::Cost;
use domain::id::{MessageId, TenantId};
use domain::json::Raw;
use domain::message::Registration;
use domain::report::FailureClass;
use domain::{State, Timestamp, phone};
use runtime::http::{Code, Problem};
use serde::Deserialize;
use store::account::Account;
use store::ledger::Effects;
use store::message::{Filter, Held, NewMessage, Registered};
use telemetry::Stage;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use wire::Hint;

/// The most parts a message is sent in.
const MAX_PARTS: u32 = 255;

pub(crate) fn routes(routes: &mut Routes) {
    routes
        .add(operation!(register).refuses(&[Code::Conflict]))
        .add(operation!(list))
        .add(operation!(get));
}

parameters! {
    /// Of which messages.
    Filters:
    query("provider_message_id", "Of this id of the provider", text(list::MAX_VALUE_BYTES)),
    query(
        "provider_message_id_prefix",
        "Whose id of the provider begins so: at least 3 characters, and not beside the whole id",
        text(list::MAX_VALUE_BYTES),
    ),
    query("client_reference", "Of this reference of yours", text(list::MAX_VALUE_BYTES)),
    query(
        "client_reference_prefix",
        "Whose reference begins so: at least 3 characters, and not beside the whole reference",
        text(list::MAX_VALUE_BYTES),
    ),
    query("notification_id", "Of this notification", text(list::MAX_VALUE_BYTES)),
    query(
        "notification_id_prefix",
        "Whose notification's id begins so: at least 3 characters, and not beside the whole id",
        text(list::MAX_VALUE_BYTES),
    ),
    query("to", "To this number, like `+260970000001`", text(list::MAX_VALUE_BYTES)),
    query(
        "to_prefix",
        "To numbers that begin so, like `+26097`; not beside the whole number",
        text(list::MAX_VALUE_BYTES),
    ),
    query("state", "In this state", word(State::ALL.map(State::as_str))),
    query(
        "failure_class",
        "That failed so",
        word(FailureClass::ALL.map(FailureClass::as_str)),
    ),
}

/// A message that was sent, or is about to be.
///
/// Reports are matched by `provider_message_id`, else by `client_reference`: name one of them at least.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "provider_account": "clinic-ke",
    "provider_message_id": "ATXid_1",
    "to": "+254700000001",
    "from": "CLINIC",
    "notification_id": "reminder-7",
    "metadata": { "visit": 7 },
})))]
struct RegisterMessage {
    /// The slug of the account it was sent through.
    #[schema(value_type = Slug)]
    provider_account: String,
    /// The provider's id of it.
    #[schema(min_length = 1, max_length = 128)]
    provider_message_id: Option<String>,
    /// The reference that you gave the provider.
    #[schema(min_length = 1, max_length = 128)]
    client_reference: Option<String>,
    /// The number it goes to: `+` and 7 to 15 digits. Spaces and hyphens are taken out.
    to: String,
    /// From whom.
    #[schema(min_length = 1, max_length = 128)]
    from: Option<String>,
    /// Your notification that it is part of.
    #[schema(min_length = 1, max_length = 128)]
    notification_id: Option<String>,
    /// In how many parts it is sent.
    #[schema(minimum = 1, maximum = 255)]
    parts: Option<u32>,
    /// What it costs.
    cost: Option<WantedCost>,
    /// Whatever you want to see again with it: at most 16 KiB, nested at most 8 deep.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Raw>,
    /// Where it belongs; where its account does, unless you say otherwise.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = Environment, required = false)]
    environment: Option<String>,
}

/// What a message costs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WriteCost)]
struct WantedCost {
    /// A number, or a text with one: its digits are kept as they are written. At most 12 digits, and 8 after
    /// the point.
    #[schema(schema_with = amount)]
    amount: Raw,
    /// Three letters (ISO 4217).
    #[schema(pattern = "^[A-Za-z]{3}$")]
    currency: String,
}

/// A number, or a text with one.
fn amount() -> Schema {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(r"^[0-9]{1,12}(\.[0-9]{1,8})?$"));
    let number = ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(Some(0))
        .maximum(Some(999_999_999_999_i64));
    let amount = OneOfBuilder::new().item(text).item(number).description(Some(
        "A number, or a text with one: its digits are kept as they are written. At most 12 digits, and 8 after the \
         point.",
    ));
    Schema::OneOf(amount.build())
}

/// Register a message
///
/// So that its reports are matched and its webhooks told. It is `pending` until the provider says something; reports
/// that came before it join it within seconds. The same message again is answered with `200` and the message there
/// is; another one under the same ids with `409` and its `existing_id`.
#[utoipa::path(
    post,
    path = "/v1/messages",
    tag = "Messages",
    operation_id = "register_message",
    request_body = RegisterMessage,
    responses(
        (status = 201, description = "It is registered", body = MessageView),
        (status = 200, description = "It was registered before", body = MessageView),
    ),
)]
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

/// List messages
///
/// With their history, newest first.
#[utoipa::path(
    get,
    path = "/v1/messages",
    tag = "Messages",
    operation_id = "list_messages",
    params(Filters, Between, Paging),
    responses((status = 200, description = "A page of them", body = PageView<MessageView>)),
)]
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

/// Read a message
///
/// What was sent, what became of it, and everything that was said of it, oldest first.
#[utoipa::path(
    get,
    path = "/v1/messages/{id}",
    tag = "Messages",
    operation_id = "get_message",
    params(("id" = MessageId, Path, description = "The message")),
    responses((status = 200, description = "The message with its history", body = MessageView)),
)]
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
