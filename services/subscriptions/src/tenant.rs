//! `/v1/tenants`, which the operator has, and `/v1/tenant`, which is the caller's own.

use crate::access::{Fresh, KEY};
use crate::caller::{Caller, Operator};
use crate::input::Faults;
use crate::list::Query;
use crate::{Context, Desk, failure, input};
use actix_web::http::Method;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::access::Role;
use domain::id::{KeyId, TenantId};
use domain::{Clock, Random, Timestamp};
use runtime::http::{Code, Problem, only};
use serde::{Deserialize, Serialize};
use store::Store;
use store::key::NewKey;
use store::tenant::{Change, Filter, State, Tenant};
use wire::Hint;

/// The plans there are.
const PLANS: [&str; 1] = ["standard"];
/// What a tenant's first key is called.
const FIRST_KEY: &str = "first key";

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/v1/tenant")
                .route(web::get().to(get_own))
                .default_service(only(&[Method::GET])),
        )
        .service(
            web::resource("/v1/tenants")
                .route(web::post().to(create))
                .route(web::get().to(list))
                .default_service(only(&[Method::GET, Method::POST])),
        )
        .service(
            web::resource("/v1/tenants/{id}")
                .route(web::get().to(get))
                .route(web::patch().to(change))
                .route(web::delete().to(delete))
                .default_service(only(&[Method::GET, Method::PATCH, Method::DELETE])),
        )
        .service(
            web::resource("/v1/tenants/{id}/suspend")
                .route(web::post().to(suspend))
                .default_service(only(&[Method::POST])),
        )
        .service(
            web::resource("/v1/tenants/{id}/resume")
                .route(web::post().to(resume))
                .default_service(only(&[Method::POST])),
        );
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
    #[schema(examples("standard"))]
    plan: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeTenant {
    #[serde(default, deserialize_with = "input::present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "input::present")]
    plan: Option<String>,
}

/// A tenant that was just made, with its key, which is shown only now.
#[derive(Serialize)]
pub struct MadeTenantView {
    id: TenantId,
    /// What people call it.
    name: String,
    /// Its plan.
    plan: String,
    /// The key of its requests. Keep it: it is shown only now.
    api_key: String,
}

#[derive(Serialize)]
struct TenantView {
    id: TenantId,
    name: String,
    plan: String,
    state: &'static str,
    suspended_at: Option<Timestamp>,
    created_at: Timestamp,
}

async fn create(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<CreateTenant>(&request, payload).await?;
    let Context {
        store,
        clock,
        random,
        ..
    } = &desk.context;
    let made = create_tenant(store, clock, random, wanted.name, wanted.plan).await?;
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
    let plan = plan.unwrap_or_else(|| PLANS[0].to_owned());
    check(Some(&name), Some(&plan))?;
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
    store
        .create_tenant(tenant.clone(), key)
        .await
        .map_err(failure::of_store)?;
    let Tenant { id, name, plan, .. } = tenant;
    Ok(MadeTenantView {
        id,
        name,
        plan,
        api_key: secret.text,
    })
}

async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    let known = ["limit", "cursor", "name", "name_prefix", "plan", "state"];
    let query = Query::read(&request, &known)?;
    let any = |text: &str| Some(text.to_owned());
    let is_plan = |text: &str| PLANS.contains(&text).then(|| text.to_owned());
    let filter = Filter {
        name: query.asked("name", any, any, "a text")?,
        plan: query.parsed("plan", is_plan, &format!("one of {}", PLANS.join(", ")))?,
        state: query.parsed("state", parse_state, "active or suspended")?,
    };
    let window = query.window(TenantId::PLATFORM)?;
    let page = desk.context.store.list_tenants(filter, window).await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(TenantId::PLATFORM, page, view)))
}

async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    shown(&desk, parse(&id)?).await
}

async fn get_own(desk: web::Data<Desk>, caller: Caller) -> Result<HttpResponse, Problem> {
    shown(&desk, caller.tenant).await
}

async fn shown(desk: &Desk, id: TenantId) -> Result<HttpResponse, Problem> {
    let found = desk.context.store.find_tenant(id).await;
    let found = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(view(found)))
}

async fn change(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<ChangeTenant>(&request, payload).await?;
    let id = parse(&id)?;
    check(wanted.name.as_deref(), wanted.plan.as_deref())?;
    let change = Change {
        name: wanted.name,
        plan: wanted.plan,
    };
    let changed = desk.context.store.update_tenant(id, change).await;
    let changed = changed.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(view(changed)))
}

async fn suspend(
    id: Path<String>,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    set_state(&id, &desk, State::Suspended).await
}

async fn resume(
    id: Path<String>,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    set_state(&id, &desk, State::Active).await
}

async fn set_state(id: &str, desk: &Desk, state: State) -> Result<HttpResponse, Problem> {
    let id = parse(id)?;
    refuse_platform(id)?;
    let Context {
        store,
        clock,
        broker,
        ..
    } = &desk.context;
    let changed = store.set_tenant_state(id, state, clock.now()).await;
    let changed = changed.map_err(failure::of_store)?.ok_or_else(missing)?;
    desk.keys.forget();
    broker.hint(Hint::Subscriptions);
    tracing::info!(tenant.id = %id, state = state.as_str(), "a tenant's state was set");
    Ok(HttpResponse::Ok().json(view(changed)))
}

/// From now on the tenant is gone; what is theirs is removed by [`crate::house`].
async fn delete(
    id: Path<String>,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    let id = parse(&id)?;
    refuse_platform(id)?;
    let Context {
        store,
        clock,
        broker,
        ..
    } = &desk.context;
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

fn check(name: Option<&str>, plan: Option<&str>) -> Result<(), Problem> {
    let mut faults = Faults::default();
    faults.check_text("/name", name);
    if plan.is_some_and(|plan| !PLANS.contains(&plan)) {
        faults.add("/plan", format!("the plans are: {}", PLANS.join(", ")));
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

fn view(tenant: Tenant) -> TenantView {
    let is_suspended = tenant.state == State::Suspended;
    TenantView {
        id: tenant.id,
        name: tenant.name,
        plan: tenant.plan,
        state: tenant.state.as_str(),
        suspended_at: tenant.state_at.filter(|_| is_suspended),
        created_at: tenant.created_at,
    }
}
