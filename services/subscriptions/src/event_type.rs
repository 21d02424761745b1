//! `/v1/event-types`: the types that ship, the operator's and a tenant's own.

mod add;
mod demand;
mod import;
mod shown;

use crate::caller::Caller;
use crate::input::{self, Faults, present};
use crate::list::Query;
use crate::webhook::refuse_patterns;
use crate::{Context, Desk, failure};
use actix_web::http::Method;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use catalog::{Chosen, Wanted, built_in};
use demand::{CreateType, CreateVersion};
use domain::catalog::is_name;
use domain::id::TenantId;
use domain::json::Raw;
use domain::subscription::Pattern;
use runtime::http::{Code, Problem, only};
use serde::{Deserialize, Deserializer};
use shown::{TypeView, VersionView, grouped};
use std::fmt;
use std::str::FromStr;
use store::Page;
use store::event_type::{Change, EventType, Version};

/// The longest description, in characters.
const MAX_DESCRIPTION_CHARS: usize = 1_024;

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/v1/event-types")
                .route(web::post().to(create))
                .route(web::get().to(list))
                .default_service(only(&[Method::GET, Method::POST])),
        )
        .service(
            web::resource("/v1/event-types/import")
                .route(web::post().to(import::import))
                .default_service(only(&[Method::POST])),
        )
        .service(
            web::resource("/v1/event-types/{name}")
                .route(web::get().to(get))
                .route(web::patch().to(change))
                .default_service(only(&[Method::GET, Method::PATCH])),
        )
        .service(
            web::resource("/v1/event-types/{name}/versions")
                .route(web::post().to(add_version))
                .default_service(only(&[Method::POST])),
        )
        .service(
            web::resource("/v1/event-types/{name}/versions/{number}")
                .route(web::get().to(get_version))
                .default_service(only(&[Method::GET])),
        )
        // Before `/v1/webhooks/{id}`, which would take it for an id.
        .service(
            web::resource("/v1/webhooks/event-types")
                .route(web::get().to(list_by_category))
                .default_service(only(&[Method::GET])),
        );
}

#[expect(clippy::option_option, reason = "null is not the same as nothing")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeType {
    /// Null takes it away.
    #[serde(default, deserialize_with = "nullable")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    deprecated: Option<bool>,
    #[serde(default, deserialize_with = "present")]
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

async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["limit", "cursor"])?;
    let page = page(&desk.context, caller.tenant, &query).await?;
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, |view| view)))
}

/// The same in the order of categories, which is that of the names.
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
    let refuse = |code, detail: String| Err(Problem::new(code, detail.clone()).at("/type", detail));
    match context.catalog.find(wanted).await {
        Err(error) => Err(failure::of_store(error)),
        Ok(Chosen::Unknown) => {
            let name = domain::text::cut(name, 128);
            let detail = format!("{name:?} is not an event type of the catalog");
            refuse(Code::UnknownEventType, detail)
        }
        Ok(Chosen::Archived) => {
            let detail = format!("{name} was archived and cannot be published any more");
            refuse(Code::InvalidRequest, detail)
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

/// Reads names and patterns of types, which have to be there.
pub(crate) async fn read_patterns(
    context: &Context,
    tenant: TenantId,
    at: &str,
    texts: &[String],
) -> Result<Vec<Pattern>, Problem> {
    // Most subscriptions name what ships: nothing has to be asked then.
    if let Ok(patterns) = Pattern::parse_list(texts, &[]) {
        return Ok(patterns);
    }
    let own = names_for(context, tenant, Some(texts)).await?;
    Pattern::parse_list(texts, &own).map_err(|error| refuse_patterns(at, error))
}

/// The names of the types that others brought and that count for a tenant, where any are asked for.
pub(crate) async fn names_for(
    context: &Context,
    tenant: TenantId,
    asked: Option<&[String]>,
) -> Result<Vec<String>, Problem> {
    if asked.is_none() {
        return Ok(Vec::new());
    }
    let names = context.store.event_type_names(tenant).await;
    names.map_err(failure::of_store)
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
