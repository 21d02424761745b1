//! `/v1/plans`, which the operator has: what tenants may use.

use crate::caller::Operator;
use crate::input::Faults;
use crate::list::{PageView, Query};
use crate::openapi::{Paging, Routes, operation};
use crate::webhook::{AskedRateLimit, judge_rate_limit};
use crate::{Context, Desk, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::audit::Action;
use domain::id::TenantId;
use domain::plan::{
    self, Limit, MAX_EVENTS_PER_DAY, MAX_NAME_BYTES, MAX_OWN_PLANS, MAX_WEBHOOKS, Plan, Use,
};
use domain::subscription::RateLimit;
use runtime::http::{Code, Problem};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use store::audit::Target;
use store::event::Published;
use store::news::Told;
use store::plan::{Deleted, Limits, Put};
use store::{Page, Store};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use wire::Hint;

/// What the name of a plan is.
const NAMES: &str = "a-z, 0-9 and -, at most 63 characters, not beginning with -";

pub(crate) fn routes(routes: &mut Routes) {
    routes
        .add(operation!(list))
        .add(operation!(get))
        .add(operation!(put).refuses(&[Code::Conflict]))
        .add(operation!(delete).refuses(&[Code::Conflict]));
}

/// What a plan limits: null, or nothing, is no limit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "events_per_day": 50_000,
    "webhooks": 20,
    "rate_limit": { "per_minute": 120, "per_hour": null },
})))]
struct WritePlan {
    /// How many events a tenant may publish in a day, UTC.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    events_per_day: Option<i64>,
    /// How many webhooks it may have.
    #[schema(minimum = 0, maximum = 1_000_000)]
    webhooks: Option<i64>,
    /// How many attempts may begin to each of its webhooks. Where a webhook has a limit of its own too, both hold.
    rate_limit: Option<AskedRateLimit>,
}

/// A plan: what its tenants may use. Null is no limit.
#[derive(Serialize, ToSchema)]
#[schema(as = Plan, examples(json!({
    "name": "starter",
    "built_in": true,
    "events_per_day": 10_000,
    "webhooks": null,
    "rate_limit": { "per_minute": 60, "per_hour": 1_000 },
})))]
struct PlanView {
    /// Its name.
    name: String,
    /// Whether it ships with Tidings, and stays as it is.
    built_in: bool,
    /// How many events a tenant may publish in a day, UTC.
    events_per_day: Option<u64>,
    /// How many webhooks it may have.
    webhooks: Option<u32>,
    /// How many attempts may begin to each of its webhooks.
    rate_limit: Option<RateLimit>,
}

/// What the plan of a tenant limits, and how much of it is used. Null is no limit.
#[derive(Serialize, ToSchema)]
#[schema(as = TenantLimits)]
pub(crate) struct LimitsView {
    /// Of events that it publishes in a day, UTC. Those that Tidings raises itself do not count.
    events_per_day: Option<UseView>,
    /// Of webhooks that it has.
    webhooks: Option<UseView>,
    /// How many attempts may begin to each of its webhooks.
    rate_limit: Option<RateLimit>,
}

/// How much of a limit is used.
#[derive(Serialize, ToSchema)]
#[schema(as = LimitUse)]
struct UseView {
    /// So much.
    #[schema(minimum = 0)]
    used: u64,
    /// Of so much.
    #[schema(minimum = 0)]
    allowed: u64,
    /// When it is counted anew, where it is.
    resets_at: Option<Timestamp>,
}

/// List plans
///
/// Those that ship and your own, in the order of their names.
#[utoipa::path(
    get,
    path = "/v1/plans",
    tag = "Tenants",
    operation_id = "list_plans",
    params(Paging),
    responses((status = 200, description = "A page of them", body = PageView<PlanView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["limit", "cursor"])?;
    let window = query.window::<Last>(TenantId::PLATFORM)?;
    let plans = desk.context.store.list_plans().await;
    let mut items = plans.map_err(failure::of_store)?;
    if let Some(Last(last)) = window.before {
        items.retain(|plan| plan.name > last);
    }
    let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
    let has_more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| has_more);
    let next = last.map(|last| Last(last.name.clone()));
    let page = Page { items, next };
    Ok(HttpResponse::Ok().json(query.show(TenantId::PLATFORM, page, PlanView::from)))
}

/// The name that a page ends with.
struct Last(String);

impl FromStr for Last {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Last {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Read a plan
///
/// By its name.
#[utoipa::path(
    get,
    path = "/v1/plans/{name}",
    tag = "Tenants",
    operation_id = "get_plan",
    params(("name" = String, Path, description = "The plan")),
    responses((status = 200, description = "The plan", body = PlanView)),
)]
async fn get(
    name: Path<String>,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    let found = desk.context.store.find_plan(known(name)?).await;
    let found = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(PlanView::from(found)))
}

/// Make or replace a plan
///
/// Of your own: those that ship stay as they are. What it limits holds at once for the tenants that have it.
#[utoipa::path(
    put,
    path = "/v1/plans/{name}",
    tag = "Tenants",
    operation_id = "put_plan",
    params(("name" = String, Path, description = "The plan: a-z, 0-9 and -, at most 63 characters, not beginning with -")),
    request_body = WritePlan,
    responses(
        (status = 200, description = "It has these limits now", body = PlanView),
        (status = 201, description = "It is made", body = PlanView),
    ),
)]
async fn put(
    name: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    Operator(caller): Operator,
) -> Result<HttpResponse, Problem> {
    let (_, body) = input::read::<WritePlan>(&request, payload).await?;
    let name = name.into_inner();
    if !plan::is_name(&name) {
        let detail = format!("the name of a plan is {NAMES}");
        return Err(Problem::new(Code::InvalidRequest, detail));
    }
    let plan = judge(name, &body)?;
    let context = &desk.context;
    let put = context
        .acting(caller, caller.tenant, Action::PlanUpdated, Target::Said)
        .put_plan(plan.clone())
        .await;
    let mut response = match put.map_err(failure::of_store)? {
        Put::Made => HttpResponse::Created(),
        Put::Replaced => HttpResponse::Ok(),
        Put::Shipped => return Err(shipped()),
        Put::TooMany => {
            let detail =
                format!("there may be {MAX_OWN_PLANS} plans of your own: delete one first");
            return Err(Problem::new(Code::Conflict, detail));
        }
    };
    desk.keys.forget();
    context.broker.hint(Hint::Subscriptions);
    Ok(response.json(PlanView::from(plan)))
}

/// Delete a plan
///
/// Of your own, which no tenant has.
#[utoipa::path(
    delete,
    path = "/v1/plans/{name}",
    tag = "Tenants",
    operation_id = "delete_plan",
    params(("name" = String, Path, description = "The plan")),
    responses((status = 204, description = "It is gone")),
)]
async fn delete(
    name: Path<String>,
    desk: web::Data<Desk>,
    Operator(caller): Operator,
) -> Result<HttpResponse, Problem> {
    let deleted = desk
        .context
        .acting(caller, caller.tenant, Action::PlanDeleted, Target::Said)
        .delete_plan(known(name)?)
        .await;
    match deleted.map_err(failure::of_store)? {
        Deleted::Gone => Ok(HttpResponse::NoContent().finish()),
        Deleted::Missing => Err(missing()),
        Deleted::Shipped => Err(shipped()),
        Deleted::InUse => {
            let detail = "a tenant has this plan: give its tenants another one first";
            Err(Problem::new(Code::Conflict, detail))
        }
    }
}

fn judge(name: String, body: &WritePlan) -> Result<Plan, Problem> {
    let mut faults = Faults::default();
    let mut within = |asked: Option<i64>, most: u64, pointer: &str| {
        let asked = asked.map(|asked| u64::try_from(asked).ok().filter(|asked| *asked <= most));
        if asked == Some(None) {
            faults.add(pointer, format!("a whole number from 0 to {most}, or null"));
        }
        asked.flatten()
    };
    let events_per_day = within(body.events_per_day, MAX_EVENTS_PER_DAY, "/events_per_day");
    let webhooks = within(body.webhooks, MAX_WEBHOOKS.into(), "/webhooks");
    let asked = body.rate_limit.as_ref();
    let rate_limit = asked.and_then(|asked| judge_rate_limit(asked, &mut faults));
    faults.unless_any()?;
    Ok(Plan {
        name,
        is_shipped: false,
        events_per_day,
        webhooks: webhooks.and_then(|number| u32::try_from(number).ok()),
        rate_limit,
    })
}

/// What there could be a plan of.
fn known(name: Path<String>) -> Result<String, Problem> {
    let name = name.into_inner();
    plan::is_name(&name).then_some(name).ok_or_else(missing)
}

fn missing() -> Problem {
    failure::not_found("plan")
}

fn shipped() -> Problem {
    let detail = "this plan ships with Tidings and stays as it is: make one of your own";
    Problem::new(Code::Conflict, detail)
}

/// What is said where there is no plan of this name; none where there is.
pub(crate) async fn unknown(store: &Store, name: &str) -> Result<Option<String>, Problem> {
    let plans = store.list_plans().await.map_err(failure::of_store)?;
    let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
    let is_known = names.contains(&name);
    Ok((!is_known).then(|| format!("the plans are: {}", names.join(", "))))
}

/// A plan that was there a moment ago.
pub(crate) fn gone() -> Problem {
    input::invalid("/plan", "there is no such plan any more")
}

/// The name of a plan, in bodies and queries.
pub(crate) fn name() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(MAX_NAME_BYTES))
        .build()
}

/// A limit that is used up: of what is counted anew, when that is.
pub(crate) fn used_up(used: &Use, now: Timestamp) -> Problem {
    let Use {
        limit,
        plan,
        used: so_much,
        allowed,
        resets_at,
    } = used;
    let problem = match limit {
        Limit::EventsPerDay => {
            let detail = format!(
                "{so_much} of {allowed} events are published today, as many as the plan {plan} allows in a day"
            );
            Problem::new(Code::QuotaExceeded, detail)
        }
        Limit::Webhooks => {
            let detail = format!(
                "there are {so_much} webhooks, and the plan {plan} allows {allowed}: delete one first"
            );
            Problem::new(Code::LimitReached, detail)
        }
    };
    let problem = problem
        .with("limit", limit.as_str())
        .with("plan", plan.as_str())
        .with("used", *so_much)
        .with("allowed", *allowed)
        .with("resets_at", resets_at.map(|at| at.to_string()));
    let Some(resets_at) = resets_at else {
        return problem;
    };
    let wait = resets_at.since(now).as_millis();
    let seconds = u64::try_from(wait.div_ceil(1_000)).unwrap_or(u64::MAX);
    problem.retry_after(seconds.max(1))
}

/// Counts what was published and refused, and what was told of limits, and says where that is.
pub(crate) fn note<'a>(
    context: &Context,
    done: impl IntoIterator<Item = &'a Published>,
    told: &Told,
) {
    for published in done {
        if let Published::Refused(used) = published {
            context.metrics.limit_refusal(used.limit.as_str());
        }
    }
    (0..told.events).for_each(|_| context.metrics.event("tidings"));
    for shard in &told.shards {
        context.broker.hint(Hint::Events(*shard));
    }
}

impl From<Plan> for PlanView {
    fn from(plan: Plan) -> Self {
        Self {
            name: plan.name,
            built_in: plan.is_shipped,
            events_per_day: plan.events_per_day,
            webhooks: plan.webhooks,
            rate_limit: plan.rate_limit,
        }
    }
}

impl From<Limits> for LimitsView {
    fn from(limits: Limits) -> Self {
        let shown = |used: Use| UseView {
            used: used.used,
            allowed: used.allowed,
            resets_at: used.resets_at,
        };
        Self {
            events_per_day: limits.events_per_day.map(shown),
            webhooks: limits.webhooks.map(shown),
            rate_limit: limits.rate_limit,
        }
    }
}
