//! `/v1/tenants`, which the operator has, and `/v1/tenant`, which is the caller's own.

use crate::access::{Fresh, KEY};
use crate::caller::{Caller, Operator};
use crate::input::Faults;
use crate::list::{MAX_VALUE_BYTES, PageView, Query};
use crate::openapi::{Paging, Routes, operation, parameters, query, said, text, word};
use crate::plan::{self, LimitsView};
use crate::{Context, Desk, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::access::Role;
use domain::audit::{Action, Actor};
use domain::id::{KeyId, TenantId};
use domain::plan::USUAL;
use domain::{Clock, Random, Timestamp};
use runtime::http::{Code, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use store::Store;
use store::audit::{Act, Seen, Shown, Target};
use store::key::NewKey;
use store::tenant::{Change, Changed, Filter, State, Tenant};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use wire::Hint;

/// What a tenant's first key is called.
const FIRST_KEY: &str = "first key";

pub(crate) fn routes(routes: &mut Routes) {
    let of_platform = [Code::Conflict];
    routes
        .add(operation!(get_own))
        .add(operation!(create))
        .add(operation!(list))
        .add(operation!(get))
        .add(operation!(change))
        .add(operation!(delete).refuses(&of_platform))
        .add(operation!(suspend).refuses(&of_platform))
        .add(operation!(resume).refuses(&of_platform));
}

parameters! {
    /// Of which tenants.
    Filters:
    query("name", "Of this name", text(MAX_VALUE_BYTES)),
    query("name_prefix", "Whose names begin with this, at least 3 characters", text(MAX_VALUE_BYTES)),
    query("plan", "Of this plan", plan::name()),
    query("state", "In this state", word(State::ALL.map(State::as_str))),
}

/// A tenant to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "name": "Clinic of Kisumu" })))]
struct CreateTenant {
    /// What people call it.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// Its plan; `standard` where none is named.
    #[schema(max_length = 63)]
    plan: Option<String>,
}

/// What is to change of a tenant: what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "name": "Clinic of Siaya" })))]
struct ChangeTenant {
    /// What people call it.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 128)]
    name: Option<String>,
    /// Its plan, which holds at once.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = String, required = false, max_length = 63)]
    plan: Option<String>,
}

/// A tenant that was just made, with its key, which is shown only now.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeTenant, examples(json!({
    "id": "ten_01h455vb4pex5vsknk084sn02q",
    "name": "Clinic of Kisumu",
    "plan": "standard",
    "api_key": "tk_live_W6ph5Mm5Pz8GgiULbPgzG37mj9g3S0m9Uo2fE1yQ8bI",
})))]
pub struct MadeTenantView {
    /// Its id.
    id: TenantId,
    /// What people call it.
    name: String,
    /// Its plan.
    plan: String,
    /// The key of its requests. Keep it: it is shown only now.
    api_key: String,
}

/// A tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = Tenant, examples(json!({
    "id": "ten_01h455vb4pex5vsknk084sn02q",
    "name": "Clinic of Kisumu",
    "plan": "standard",
    "state": "active",
    "suspended_at": null,
    "created_at": "2026-11-23T21:09:00.000Z",
})))]
pub(crate) struct TenantView {
    /// Its id.
    id: TenantId,
    /// What people call it.
    name: String,
    /// Its plan.
    plan: String,
    /// Whether its keys open anything.
    #[schema(schema_with = states)]
    state: &'static str,
    /// Since when it is suspended.
    suspended_at: Option<Timestamp>,
    /// When it was made.
    created_at: Timestamp,
    /// What its plan limits, and how much of it is used; only where one tenant is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = LimitsView, required = false)]
    limits: Option<LimitsView>,
}

fn states() -> Object {
    said(
        "`active`, or `suspended`: then its keys open nothing, and nothing is sent for it.",
        word(State::ALL.map(State::as_str)),
    )
}

/// Make a tenant
///
/// With its first API key, of the role `owner`, which is shown only in this answer.
#[utoipa::path(
    post,
    path = "/v1/tenants",
    tag = "Tenants",
    operation_id = "create_tenant",
    request_body = CreateTenant,
    responses((status = 201, description = "It is made", body = MadeTenantView)),
)]
async fn create(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    Operator(caller): Operator,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<CreateTenant>(&request, payload).await?;
    let context = &desk.context;
    check(&context.store, Some(&wanted.name), wanted.plan.as_deref()).await?;
    let (tenant, key, secret) = prepare(&context.clock, &context.random, wanted.name, wanted.plan);
    let store = context.acting(
        caller,
        tenant.id,
        Action::TenantCreated,
        Target::Tenant(tenant.id),
    );
    let made = make(&store, tenant, key, secret).await?;
    Ok(HttpResponse::Created().json(made))
}

/// Makes a tenant and its first key. Also for the command line, which may have no server to ask.
pub async fn create_tenant(
    store: &Store,
    clock: &Clock,
    random: &Random,
    name: String,
    plan: Option<String>,
) -> Result<MadeTenantView, Problem> {
    check(store, Some(&name), plan.as_deref()).await?;
    let (tenant, key, secret) = prepare(clock, random, name, plan);
    let act = Act {
        actor: Actor::Operator,
        tenant_id: tenant.id,
        action: Action::TenantCreated,
        target: Target::Tenant(tenant.id),
        source_ip: None,
        request_id: None,
        show: Arc::new(|seen| match seen {
            Seen::Tenant(it) => {
                Shown::open(serde_json::to_value(view(it.clone())).unwrap_or_default())
            }
            _ => Shown::open(Value::Null),
        }),
    };
    make(&store.acting(act), tenant, key, secret).await
}

/// A tenant and its first key, with its text, as they are asked for.
fn prepare(
    clock: &Clock,
    random: &Random,
    name: String,
    plan: Option<String>,
) -> (Tenant, NewKey, String) {
    let plan = plan.unwrap_or_else(|| USUAL.to_owned());
    let now = clock.now();
    let secret = Fresh::new(KEY, random);
    let tenant = Tenant {
        id: TenantId::new(now, random),
        name,
        plan,
        state: State::Active,
        state_at: None,
        created_at: now,
    };
    let key = NewKey {
        id: KeyId::new(now, random),
        hash: secret.hash,
        prefix: secret.prefix(),
        name: FIRST_KEY.to_owned(),
        role: Role::Owner,
        scopes: None,
        expires_at: None,
    };
    (tenant, key, secret.text)
}

async fn make(
    store: &Store,
    tenant: Tenant,
    key: NewKey,
    api_key: String,
) -> Result<MadeTenantView, Problem> {
    let made = store.create_tenant(tenant.clone(), key).await;
    if !made.map_err(failure::of_store)? {
        return Err(plan::gone());
    }
    let Tenant { id, name, plan, .. } = tenant;
    Ok(MadeTenantView {
        id,
        name,
        plan,
        api_key,
    })
}

/// List tenants
///
/// Newest first. Those that were deleted are not among them.
#[utoipa::path(
    get,
    path = "/v1/tenants",
    tag = "Tenants",
    operation_id = "list_tenants",
    params(Filters, Paging),
    responses((status = 200, description = "A page of them", body = PageView<TenantView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    let known = ["limit", "cursor", "name", "name_prefix", "plan", "state"];
    let query = Query::read(&request, &known)?;
    let any = |text: &str| Some(text.to_owned());
    let plan = query.text("plan");
    check(&desk.context.store, None, plan).await?;
    let filter = Filter {
        name: query.asked("name", any, any, "a text")?,
        plan: plan.map(str::to_owned),
        state: query.parsed("state", parse_state, "active or suspended")?,
    };
    let window = query.window(TenantId::PLATFORM)?;
    let page = desk.context.store.list_tenants(filter, window).await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(TenantId::PLATFORM, page, view)))
}

/// Read a tenant
///
/// By its id.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}",
    tag = "Tenants",
    operation_id = "get_tenant",
    params(("id" = TenantId, Path, description = "The tenant")),
    responses((status = 200, description = "The tenant", body = TenantView)),
)]
async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    shown(&desk, parse(&id)?).await
}

/// Read your own tenant
///
/// Whose key was sent: a way to see whether a key works, and whether the tenant is suspended.
#[utoipa::path(
    get,
    path = "/v1/tenant",
    tag = "Tenants",
    operation_id = "get_own_tenant",
    responses((status = 200, description = "The tenant", body = TenantView)),
)]
async fn get_own(desk: web::Data<Desk>, caller: Caller) -> Result<HttpResponse, Problem> {
    shown(&desk, caller.tenant).await
}

async fn shown(desk: &Desk, id: TenantId) -> Result<HttpResponse, Problem> {
    let store = &desk.context.store;
    let found = store.find_tenant(id).await;
    let found = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    let limits = store.find_limits(id).await.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(TenantView {
        limits: Some(limits.into()),
        ..view(found)
    }))
}

/// Change a tenant
///
/// What the body does not name stays.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{id}",
    tag = "Tenants",
    operation_id = "change_tenant",
    params(("id" = TenantId, Path, description = "The tenant")),
    request_body = ChangeTenant,
    responses((status = 200, description = "It is changed", body = TenantView)),
)]
async fn change(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    Operator(caller): Operator,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<ChangeTenant>(&request, payload).await?;
    let id = parse(&id)?;
    let (name, plan) = (wanted.name.as_deref(), wanted.plan.as_deref());
    check(&desk.context.store, name, plan).await?;
    let is_other_plan = wanted.plan.is_some();
    let change = Change {
        name: wanted.name,
        plan: wanted.plan,
    };
    let changed = desk
        .context
        .acting(caller, id, Action::TenantUpdated, Target::Tenant(id))
        .update_tenant(id, change)
        .await;
    let changed = match changed.map_err(failure::of_store)? {
        Changed::To(tenant) => tenant,
        Changed::Missing => return Err(missing()),
        Changed::NoSuchPlan => return Err(plan::gone()),
    };
    if is_other_plan {
        desk.keys.forget();
        desk.context.broker.hint(Hint::Subscriptions);
    }
    Ok(HttpResponse::Ok().json(view(changed)))
}

/// Suspend a tenant
///
/// Its keys open nothing until it is resumed, and nothing is sent to its webhooks; callbacks are taken in as before.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/suspend",
    tag = "Tenants",
    operation_id = "suspend_tenant",
    params(("id" = TenantId, Path, description = "The tenant")),
    responses((status = 200, description = "The tenant", body = TenantView)),
)]
async fn suspend(
    id: Path<String>,
    desk: web::Data<Desk>,
    Operator(caller): Operator,
) -> Result<HttpResponse, Problem> {
    set_state(&id, &desk, caller, State::Suspended).await
}

/// Resume a tenant
///
/// Its keys open again what they did, and what its webhooks are owed is sent.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/resume",
    tag = "Tenants",
    operation_id = "resume_tenant",
    params(("id" = TenantId, Path, description = "The tenant")),
    responses((status = 200, description = "The tenant", body = TenantView)),
)]
async fn resume(
    id: Path<String>,
    desk: web::Data<Desk>,
    Operator(caller): Operator,
) -> Result<HttpResponse, Problem> {
    set_state(&id, &desk, caller, State::Active).await
}

async fn set_state(
    id: &str,
    desk: &Desk,
    caller: Caller,
    state: State,
) -> Result<HttpResponse, Problem> {
    let id = parse(id)?;
    refuse_platform(id)?;
    let action = match state {
        State::Suspended => Action::TenantSuspended,
        State::Active => Action::TenantResumed,
    };
    let store = desk.context.acting(caller, id, action, Target::Tenant(id));
    let Context { clock, broker, .. } = &desk.context;
    let changed = store.set_tenant_state(id, state, clock.now()).await;
    let changed = changed.map_err(failure::of_store)?.ok_or_else(missing)?;
    desk.keys.forget();
    broker.hint(Hint::Subscriptions);
    tracing::info!(tenant.id = %id, state = state.as_str(), "a tenant's state was set");
    Ok(HttpResponse::Ok().json(view(changed)))
}

/// Delete a tenant
///
/// It is gone at once, and cannot be had back; what it has is removed within minutes.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{id}",
    tag = "Tenants",
    operation_id = "delete_tenant",
    params(("id" = TenantId, Path, description = "The tenant")),
    responses((status = 204, description = "It is gone")),
)]
async fn delete(
    id: Path<String>,
    desk: web::Data<Desk>,
    Operator(caller): Operator,
) -> Result<HttpResponse, Problem> {
    let id = parse(&id)?;
    refuse_platform(id)?;
    let store = desk
        .context
        .acting(caller, id, Action::TenantDeleted, Target::Tenant(id));
    let Context { clock, broker, .. } = &desk.context;
    let deleted = store.delete_tenant(id, clock.now()).await;
    if !deleted.map_err(failure::of_store)? {
        return Err(missing());
    }
    desk.keys.forget();
    broker.hint(Hint::Subscriptions);
    broker.hint(Hint::Accounts);
    tracing::info!(tenant.id = %id, "a tenant was deleted; its rows are removed in a few minutes");
    Ok(HttpResponse::NoContent().finish())
}

async fn check(store: &Store, name: Option<&str>, plan: Option<&str>) -> Result<(), Problem> {
    let mut faults = Faults::default();
    faults.check_text("/name", name);
    if let Some(plan) = plan
        && let Some(detail) = plan::unknown(store, plan).await?
    {
        faults.add("/plan", detail);
    }
    faults.unless_any()
}

fn refuse_platform(id: TenantId) -> Result<(), Problem> {
    if id != TenantId::PLATFORM {
        return Ok(());
    }
    let detail = "this is the platform's own tenant, which is there as long as the installation is";
    Err(Problem::new(Code::Conflict, detail))
}

fn parse(id: &str) -> Result<TenantId, Problem> {
    id.parse().map_err(|_| missing())
}

fn parse_state(name: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| state.as_str() == name)
}

fn missing() -> Problem {
    failure::not_found("tenant")
}

pub(crate) fn view(tenant: Tenant) -> TenantView {
    let is_suspended = tenant.state == State::Suspended;
    TenantView {
        id: tenant.id,
        name: tenant.name,
        plan: tenant.plan,
        state: tenant.state.as_str(),
        suspended_at: tenant.state_at.filter(|_| is_suspended),
        created_at: tenant.created_at,
        limits: None,
    }
}
