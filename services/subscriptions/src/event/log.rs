//! The event log: by what events are, newest first. With a place in `after` it is the feed.

use super::{EventView, feed, view};
use crate::caller::Caller;
use crate::input::{Faults, MAX_TEXT_CHARS};
use crate::list::{MAX_VALUE_BYTES, PageView, Query, TIME};
use crate::openapi::{Paging, parameters, query, text};
use crate::{Desk, failure};
use actix_web::{HttpRequest, HttpResponse, web};
use domain::Timestamp;
use domain::account::{Environment, InvalidEnvironment};
use runtime::http::Problem;
use store::event::{About, Filter};
use utoipa::PartialSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

const NAMES: [&str; 10] = [
    "type",
    "category",
    "resource_type",
    "resource_id",
    "environment",
    "after",
    "before",
    "wait",
    "limit",
    "cursor",
];
/// No type or category is longer, in bytes.
const MAX_TYPE_BYTES: usize = 128;

parameters! {
    /// Which events, and in which order.
    Filters:
    query(
        "type",
        "Of this type, like `job.created`, or of all that begin so, like `job.*`",
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(r"^[a-z0-9_.-]{1,128}(\.\*)?$"))
            .build(),
    ),
    query(
        "category",
        "Whose type begins with this category, like `job`",
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[a-z0-9_.-]{1,128}$"))
            .build(),
    ),
    query("resource_type", "About resources of this type", text(MAX_TEXT_CHARS)),
    query(
        "resource_id",
        "About this resource; name its `resource_type` too",
        text(MAX_TEXT_CHARS),
    ),
    query("environment", "Of this environment", Environment::schema()),
    query(
        "after",
        "A moment: only those after it. Or a place in the feed, oldest first: `start`, `now`, or the \
         `next_cursor` of the feed's page before",
        text(MAX_VALUE_BYTES),
    ),
    query("before", "Only those before this moment; not of the feed", Timestamp::schema()),
    query(
        "wait",
        "For how many seconds the feed waits where it has nothing; of the feed alone",
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .maximum(Some(feed::MAX_WAIT_SECONDS))
            .build(),
    ),
}

/// List events, or follow them
///
/// Newest first, without their deliveries. With a place in `after` it is the feed: oldest first, in the order of
/// their `sequence`, and `next_cursor` is never null, but where to read on, with the same filters. With `wait` it is
/// answered as soon as there is something.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "Events",
    operation_id = "list_events",
    params(Filters, Paging),
    responses((status = 200, description = "A page of them", body = PageView<EventView>)),
)]
pub(super) async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &NAMES)?;
    let filter = filter(&query)?;
    if let Some(place) = place(&query) {
        return feed::read(&query, place, filter, &desk, caller).await;
    }
    let filter = Filter {
        after: query.parsed("after", Timestamp::parse_rfc3339, TIME)?,
        before: query.parsed("before", Timestamp::parse_rfc3339, TIME)?,
        ..filter
    };
    let why = "only the feed waits: ask with after=start, after=now or a next_cursor of the feed";
    refuse(&query, &["wait"], why)?;
    let window = query.window(caller.tenant)?;
    let store = &desk.context.store;
    let page = store.list_events(caller.tenant, filter, window).await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, |kept| view(kept, None))))
}

/// The place in the feed that `after` names. Every time in RFC 3339 has a colon, and no place has one.
fn place(query: &Query) -> Option<&str> {
    query.text("after").filter(|after| !after.contains(':'))
}

/// Refuses what belongs to the other way of reading.
pub(super) fn refuse(query: &Query, names: &[&str], why: &str) -> Result<(), Problem> {
    let mut faults = Faults::default();
    for name in names.iter().filter(|name| query.text(name).is_some()) {
        faults.add(format!("/{name}"), why);
    }
    faults.unless_any()
}

/// What events are asked for, whatever their times.
fn filter(query: &Query) -> Result<Filter, Problem> {
    let mut filter = Filter {
        environment: query.parsed(
            "environment",
            |text| text.parse::<Environment>().ok(),
            &InvalidEnvironment.to_string(),
        )?,
        about: about(query)?,
        ..Filter::default()
    };
    match query.parsed("type", parse_type, "a type, like job.created, or job.*")? {
        None => {}
        Some(Asked::Exactly(event_type)) => filter.event_type = Some(event_type),
        Some(Asked::Beginning(beginning)) => filter.beginnings.push(beginning),
    }
    let category = query.parsed("category", parse_name, "a category, like job")?;
    filter.beginnings.extend(category.map(|name| name + "."));
    Ok(filter)
}

enum Asked {
    Exactly(String),
    /// With its dot.
    Beginning(String),
}

/// A type that is none is asked for in vain, and is no fault: events outlive types.
fn parse_type(text: &str) -> Option<Asked> {
    let Some(beginning) = text.strip_suffix(".*") else {
        return parse_name(text).map(Asked::Exactly);
    };
    parse_name(beginning).map(|beginning| Asked::Beginning(beginning + "."))
}

fn parse_name(text: &str) -> Option<String> {
    let is_plain =
        |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'.' | b'-');
    let fits = (1..=MAX_TYPE_BYTES).contains(&text.len()) && text.bytes().all(is_plain);
    fits.then(|| text.to_owned())
}

fn about(query: &Query) -> Result<Option<About>, Problem> {
    let (kind, id) = (query.text("resource_type"), query.text("resource_id"));
    let mut faults = Faults::default();
    faults.check_text("/resource_type", kind);
    faults.check_text("/resource_id", id);
    if kind.is_none() && id.is_some() {
        faults.add("/resource_id", "name its resource_type too");
    }
    faults.unless_any()?;
    Ok(kind.map(|kind| About::new(kind.to_owned(), id.map(str::to_owned))))
}
