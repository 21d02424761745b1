//! `/v1/event-types`: the types that ship, the operator's and a tenant's own.

mod add;
mod demand;
mod import;
mod own;
mod shown;

use crate::caller::Caller;
use crate::input::{self, Faults, present};
use crate::list::{PageView, Query};
use crate::openapi::{Paging, Routes, operation};
use crate::{Context, Desk, failure};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use catalog::{Chosen, Wanted, built_in};
use demand::{CreateType, CreateVersion};
use domain::catalog::is_name;
use domain::id::TenantId;
use domain::json::Raw;
use runtime::http::{Code, Problem};
use serde::{Deserialize, Deserializer};
use shown::{CategoryView, TypeView, VersionView, grouped};
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use store::Page;
use store::event_type::{Change, EventType, Version};
use utoipa::ToSchema;

pub(crate) use own::{Types, names_for};

/// The longest description, in characters.
const MAX_DESCRIPTION_CHARS: usize = 1_024;

pub(crate) fn routes(routes: &mut Routes) {
    routes
        .add(operation!(create).refuses(&[Code::Conflict]))
        .add(operation!(list))
        .add(operation!(import::import))
        .add(operation!(get))
        .add(operation!(change).refuses(&[Code::Forbidden]))
        .add(operation!(add_version).refuses(&[Code::Forbidden, Code::Conflict]))
        .add(operation!(get_version))
        // Before `/v1/webhooks/{id}`, which would take it for an id.
        .add(operation!(list_by_category));
}

/// What is to change of a type: at least one of these.
#[expect(clippy::option_option, reason = "null is not the same as nothing")]
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeEventType, min_properties = 1, examples(json!({ "deprecated": true })))]
struct ChangeType {
    /// What it tells; null takes that away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1024)]
    description: Option<Option<String>>,
    /// Whether it should not be used any more.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    deprecated: Option<bool>,
    /// Whether it cannot be published any more.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    archived: Option<bool>,
}

#[expect(clippy::option_option, reason = "null is not the same as nothing")]
fn nullable<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// A type that counts for a tenant.
enum Known {
    Shipped(&'static built_in::BuiltIn),
    Brought(EventType),
}

/// Bring an event type
///
/// Of your own; the operator's are every tenant's. Data that is published is held against its schema, JSON Schema draft
/// 2020-12, from then on.
#[utoipa::path(
    post,
    path = "/v1/event-types",
    tag = "Event types",
    operation_id = "create_event_type",
    request_body = CreateType,
    responses((status = 201, description = "It can be published", body = TypeView)),
)]
async fn create(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, body) = input::read::<CreateType>(&request, payload).await?;
    let context = &desk.context;
    let (of, version) = add::create(context, caller.tenant, body).await?;
    context.catalog.forget(&of.name);
    let shown = TypeView::of(&of, &version).whole(&version);
    Ok(HttpResponse::Created().json(shown))
}

/// Add a version of an event type
///
/// Of your own. One that breaks those who know the version before says so, and brings converters both ways: a webhook
/// stays in the version that it named first. A version never changes.
#[utoipa::path(
    post,
    path = "/v1/event-types/{name}/versions",
    tag = "Event types",
    operation_id = "add_event_type_version",
    params(("name" = String, Path, description = "The type")),
    request_body = CreateVersion,
    responses((status = 201, description = "It can be published", body = VersionView)),
)]
async fn add_version(
    name: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, body) = input::read::<CreateVersion>(&request, payload).await?;
    let context = &desk.context;
    own(context, caller, &name).await?;
    let version = add::add_version(context, caller.tenant, name.into_inner(), body).await?;
    Ok(HttpResponse::Created().json(VersionView::from(version)))
}

/// List event types
///
/// Those that ship, the operator's and your own, in the order of their names, without their schemas.
#[utoipa::path(
    get,
    path = "/v1/event-types",
    tag = "Event types",
    operation_id = "list_event_types",
    params(Paging),
    responses((status = 200, description = "A page of them", body = PageView<TypeView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["limit", "cursor"])?;
    let page = page(&desk.context, caller.tenant, &query).await?;
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, |view| view)))
}

/// List event types by category
///
/// The same list as that of event types, each category with its types.
#[utoipa::path(
    get,
    path = "/v1/webhooks/event-types",
    tag = "Event types",
    operation_id = "list_event_types_by_category",
    params(Paging),
    responses((status = 200, description = "A page of them", body = PageView<CategoryView>)),
)]
async fn list_by_category(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["limit", "cursor"])?;
    let page = page(&desk.context, caller.tenant, &query).await?;
    let page = Page {
        items: grouped(page.items),
        next: page.next,
    };
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, |view| view)))
}

/// The name that a page ends with.
struct Last(String);

impl FromStr for Last {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        is_name(text).then(|| Self(text.to_owned())).ok_or(())
    }
}

impl fmt::Display for Last {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

async fn page(
    context: &Context,
    tenant: TenantId,
    query: &Query,
) -> Result<Page<TypeView, Last>, Problem> {
    let window = query.window::<Last>(tenant)?;
    let (after, reach) = (window.before.map(|last| last.0), window.limit + 1);
    let brought = context
        .store
        .list_event_types(tenant, after.clone(), reach)
        .await
        .map_err(failure::of_store)?;
    let is_after = |name: &str| after.as_deref().is_none_or(|after| name > after);
    let shipped = built_in::all().iter().filter(|one| is_after(&one.name));
    let mut items: Vec<TypeView> = shipped.map(TypeView::shipped).collect();
    let brought = brought
        .iter()
        .filter(|(of, _)| built_in::find(&of.name).is_none());
    items.extend(brought.map(|(of, version)| TypeView::of(of, version)));
    items.sort_by(|one, other| one.name.cmp(&other.name));
    let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next = last.map(|last| Last(last.name.clone()));
    Ok(Page { items, next })
}

/// Read an event type
///
/// With the schema of its newest version, and what versions there are.
#[utoipa::path(
    get,
    path = "/v1/event-types/{name}",
    tag = "Event types",
    operation_id = "get_event_type",
    params(("name" = String, Path, description = "The type")),
    responses((status = 200, description = "The type", body = TypeView)),
)]
async fn get(
    name: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let context = &desk.context;
    let of = match find(context, caller.tenant, &name).await? {
        Known::Shipped(one) => {
            return Ok(HttpResponse::Ok().json(TypeView::shipped(one).whole_shipped(one)));
        }
        Known::Brought(of) => of,
    };
    let versions = context
        .store
        .event_type_versions(of.owner, of.name.clone(), 1, of.newest)
        .await
        .map_err(failure::of_store)?;
    let newest = versions.last().ok_or_else(failure::broken)?;
    let shown = TypeView::of(&of, newest).with(newest, &versions);
    Ok(HttpResponse::Ok().json(shown))
}

/// Read a version of an event type
///
/// With its schema and its converters.
#[utoipa::path(
    get,
    path = "/v1/event-types/{name}/versions/{number}",
    tag = "Event types",
    operation_id = "get_event_type_version",
    params(
        ("name" = String, Path, description = "The type"),
        ("number" = u32, Path, description = "The version"),
    ),
    responses((status = 200, description = "The version", body = VersionView)),
)]
async fn get_version(
    path: Path<(String, String)>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (name, number) = path.into_inner();
    let missing = || failure::not_found("version");
    let number: u32 = number.parse().map_err(|_| missing())?;
    let context = &desk.context;
    let shown = match find(context, caller.tenant, &name).await? {
        Known::Shipped(one) if number == built_in::VERSION => VersionView::shipped(one),
        Known::Shipped(_) => return Err(missing()),
        Known::Brought(of) => {
            let store = &context.store;
            let found = store.find_event_type_version(of.owner, of.name, number);
            let version: Option<Version> = found.await.map_err(failure::of_store)?;
            VersionView::from(version.ok_or_else(missing)?)
        }
    };
    Ok(HttpResponse::Ok().json(shown))
}

/// Change an event type
///
/// Of your own: what it tells, whether it should still be used, and whether it can be published. Its versions stay as
/// they are.
#[utoipa::path(
    patch,
    path = "/v1/event-types/{name}",
    tag = "Event types",
    operation_id = "change_event_type",
    params(("name" = String, Path, description = "The type")),
    request_body = ChangeType,
    responses((status = 200, description = "It is changed", body = TypeView)),
)]
async fn change(
    name: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, body) = input::read::<ChangeType>(&request, payload).await?;
    let context = &desk.context;
    own(context, caller, &name).await?;
    let mut faults = Faults::default();
    if let Some(description) = &body.description {
        check_description(&mut faults, description.as_deref());
    }
    if body.description.is_none() && body.deprecated.is_none() && body.archived.is_none() {
        faults.add(
            "",
            "write what is to be changed: description, deprecated or archived",
        );
    }
    faults.unless_any()?;
    let change = Change {
        description: body.description,
        is_deprecated: body.deprecated,
        is_archived: body.archived,
    };
    let changed = context
        .store
        .change_event_type(caller.tenant, name.to_string(), change, context.clock.now())
        .await
        .map_err(failure::of_store)?;
    let of = changed.ok_or_else(|| failure::not_found("event type"))?;
    context.catalog.forget(&of.name);
    let newest = context
        .store
        .find_event_type_version(of.owner, of.name.clone(), of.newest)
        .await
        .map_err(failure::of_store)?
        .ok_or_else(failure::broken)?;
    Ok(HttpResponse::Ok().json(TypeView::of(&of, &newest)))
}

/// A type that counts for a tenant.
async fn find(context: &Context, tenant: TenantId, name: &str) -> Result<Known, Problem> {
    if let Some(shipped) = built_in::find(name) {
        return Ok(Known::Shipped(shipped));
    }
    let found = context
        .store
        .find_event_types(tenant, vec![name.to_owned()])
        .await
        .map_err(failure::of_store)?;
    let found = found.into_iter().next();
    found
        .map(Known::Brought)
        .ok_or_else(|| failure::not_found("event type"))
}

/// That a type is the caller's to change.
async fn own(context: &Context, caller: Caller, name: &str) -> Result<(), Problem> {
    let refuse = |detail| Err(Problem::new(Code::Forbidden, detail));
    match find(context, caller.tenant, name).await? {
        Known::Shipped(_) => refuse("this type ships with Tidings"),
        Known::Brought(of) if of.owner != caller.tenant => refuse("this type is the operator's"),
        Known::Brought(_) => Ok(()),
    }
}

/// What is said of a type that there is not.
pub(crate) fn unknown(name: &str) -> Problem {
    let name = domain::text::cut(name, 128);
    let detail = format!("{name:?} is not an event type of the catalog");
    Problem::new(Code::UnknownEventType, detail.clone()).at("/type", detail)
}

/// Types that were asked for, and that there are not.
#[derive(Default)]
pub(crate) struct Strangers(HashSet<(TenantId, String)>);

impl Strangers {
    /// Looks for many types at once, so that nothing is asked for each of the events of these types.
    pub(crate) async fn among(
        context: &Context,
        asked: HashSet<(TenantId, String)>,
    ) -> Result<Self, store::Error> {
        context.catalog.learn(asked).await.map(Self)
    }

    pub(crate) fn refuse(&self, tenant: TenantId, name: &str) -> Result<(), Problem> {
        if self.0.contains(&(tenant, name.to_owned())) {
            return Err(unknown(name));
        }
        Ok(())
    }
}

/// The type and version that an event is published in.
pub(crate) async fn choose(
    context: &Context,
    tenant: TenantId,
    name: &str,
    version: Option<u32>,
) -> Result<Chosen, Problem> {
    let wanted = Wanted {
        tenant,
        name,
        version,
    };
    match context.catalog.find(wanted).await {
        Err(error) => Err(failure::of_store(error)),
        Ok(Chosen::Unknown) => Err(unknown(name)),
        Ok(Chosen::Archived) => {
            let detail = format!("{name} was archived and cannot be published any more");
            Err(input::invalid("/type", detail))
        }
        Ok(chosen) => Ok(chosen),
    }
}

/// Checks the data of an event; the version that it is of.
pub(crate) async fn check(chosen: &Chosen, data: &Raw) -> Result<u32, Problem> {
    let Chosen::Version { number, schema } = chosen else {
        return Err(failure::broken());
    };
    let checked = if schema.takes_long(data.as_str().len()) {
        let (schema, data) = (schema.clone(), data.clone());
        let checked = web::block(move || schema.check(&data)).await;
        checked.map_err(|_| failure::away())?
    } else {
        schema.check(data)
    };
    match checked {
        Ok(()) => Ok(*number),
        Err(faults) => Err(refusal("/data", faults)),
    }
}

/// What is wrong with something that is at a place of the request.
fn refusal(at: &str, found: Vec<catalog::Fault>) -> Problem {
    let mut faults = Faults::default();
    for fault in found {
        faults.add(format!("{at}{}", fault.pointer), fault.detail);
    }
    faults.unless_any().err().unwrap_or_else(failure::broken)
}

/// A description: text for people, of a bounded length.
fn check_description(faults: &mut Faults, text: Option<&str>) {
    let Some(text) = text else { return };
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.is_empty() || text.chars().count() > MAX_DESCRIPTION_CHARS {
        let detail = format!("write 1 to {MAX_DESCRIPTION_CHARS} characters");
        faults.add("/description", detail);
    } else if text.chars().any(is_odd) {
        faults.add("/description", "leave control characters out");
    }
}
