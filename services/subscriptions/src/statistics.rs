//! `GET /v1/statistics/callbacks`: how many callbacks came and what became of them, by hour and provider.

use crate::caller::Caller;
use crate::list::{Query, TIME};
use crate::openapi::{OfTenant, Routes, operation, parameters, query, word};
use crate::{Desk, failure, input};
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::account::Slug;
use domain::histogram::Histogram;
use domain::tally::{SLOTS_AN_HOUR, Slot, Sums};
use providers::registry;
use runtime::http::Problem;
use serde::Serialize;
use std::ops::Range;
use std::time::Duration;
use store::tally::Filter;
use utoipa::{PartialSchema, ToSchema};

/// What is told unless a time is named.
const USUAL: Duration = Duration::from_hours(24);
/// How much is told at the most.
const MOST: Duration = Duration::from_hours(24 * 31);

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(callbacks));
}

parameters! {
    /// Of which callbacks, and of which time.
    Filters:
    query(
        "provider",
        "Of this provider",
        word(registry::all().iter().map(|provider| provider.name())),
    ),
    query("account", "That came to the account of this slug", Slug::schema()),
    query(
        "after",
        "From this moment on: a day before `before` unless you say otherwise, at most 31",
        Timestamp::schema(),
    ),
    query("before", "Until this moment: now, unless you say otherwise", Timestamp::schema()),
}

/// What came, by hour and provider, and all together.
#[derive(Serialize, ToSchema)]
#[schema(as = CallbackStatistics, examples(json!({
    "data": [{
        "hour": "2026-11-23T21:00:00.000Z",
        "provider": "africastalking",
        "received": 120,
        "processed": 120,
        "failed": 0,
        "dead_lettered": 0,
        "applied": 118,
        "duplicate": 1,
        "stale": 1,
        "orphaned": 0,
        "unmapped": 0,
        "processing_ms": { "p50": 12, "p95": 40, "p99": 95 },
    }],
    "totals": {
        "received": 120,
        "processed": 120,
        "failed": 0,
        "dead_lettered": 0,
        "applied": 118,
        "duplicate": 1,
        "stale": 1,
        "orphaned": 0,
        "unmapped": 0,
        "processing_ms": { "p50": 12, "p95": 40, "p99": 95 },
    },
})))]
struct StatisticsView {
    /// Hours in which something came, oldest first.
    data: Vec<HourView>,
    /// All of it.
    totals: CountsView,
}

/// What came from one provider in one hour.
#[derive(Serialize, ToSchema)]
#[schema(as = CallbackHour)]
struct HourView {
    /// When the hour began.
    hour: Timestamp,
    /// The provider.
    provider: String,
    #[serde(flatten)]
    counts: CountsView,
}

/// How many callbacks came, and what came of their reports.
#[derive(Serialize, ToSchema)]
#[schema(as = CallbackCounts)]
struct CountsView {
    /// Callbacks that came.
    received: u64,
    /// Of which the work was done.
    processed: u64,
    /// How often the work failed, to be tried again.
    failed: u64,
    /// That were given up.
    dead_lettered: u64,
    /// Reports that changed a message.
    applied: u64,
    /// That had come before.
    duplicate: u64,
    /// That a stronger one outweighs.
    stale: u64,
    /// That no message matched.
    orphaned: u64,
    /// Whose word is on no list.
    unmapped: u64,
    /// How long it took from a callback's receipt until its work was done.
    processing_ms: QuantilesView,
}

/// Half, 95 and 99 of 100 took at most this long, in milliseconds; null where nothing was done.
#[derive(Serialize, ToSchema)]
#[schema(as = Quantiles)]
struct QuantilesView {
    /// The median.
    p50: Option<u64>,
    /// The 95th percentile.
    p95: Option<u64>,
    /// The 99th percentile.
    p99: Option<u64>,
}

/// Count callbacks
///
/// How many came, what became of them and how fast, by hour and provider.
#[utoipa::path(
    get,
    path = "/v1/statistics/callbacks",
    tag = "Statistics",
    operation_id = "count_callbacks",
    params(Filters, OfTenant),
    responses((status = 200, description = "The counts", body = StatisticsView)),
)]
async fn callbacks(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let names = ["provider", "account", "after", "before", "tenant"];
    let query = Query::read(&request, &names)?;
    let tenant = query.tenant(caller, &desk).await?;
    let known = registry::all().iter().map(|provider| provider.name());
    let known = known.collect::<Vec<_>>().join(", ");
    let is_known = |name: &str| registry::find(name).map(|_| name.to_owned());
    let provider = query.parsed("provider", is_known, &format!("one of {known}"))?;
    let slug = query.parsed(
        "account",
        |slug| slug.parse::<Slug>().ok(),
        "the slug of a provider account",
    )?;
    let slots = slots(&query, desk.context.clock.now())?;
    let store = &desk.context.store;
    let mut filter = Filter {
        account_id: None,
        provider,
        slots,
    };
    if let Some(slug) = slug {
        let found = store.find_account_by_slug(slug).await;
        let found = found.map_err(failure::of_store)?;
        // Another tenant's account is one of which nothing came.
        let Some(own) = found.filter(|account| account.tenant_id == tenant) else {
            return Ok(HttpResponse::Ok().json(view(Vec::new())));
        };
        filter.account_id = Some(own.id);
    }
    let sums = store.sum_callbacks(tenant, filter).await;
    let sums = sums.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(view(sums.into_iter().collect())))
}

/// The slots that begin in the time asked for; one that has begun before it is told whole.
fn slots(query: &Query, now: Timestamp) -> Result<Range<Slot>, Problem> {
    let before = query.parsed("before", Timestamp::parse_rfc3339, TIME)?;
    let before = before.unwrap_or(now);
    let after = query.parsed("after", Timestamp::parse_rfc3339, TIME)?;
    let after = after.unwrap_or_else(|| before.minus(USUAL));
    if after >= before {
        return Err(input::invalid("/after", "a time before `before`"));
    }
    if before.since(after) > MOST {
        return Err(input::invalid("/after", "at most 31 days before `before`"));
    }
    let first_after = Slot::of(before.minus(Duration::from_millis(1)))
        .0
        .saturating_add(1);
    Ok(Slot::of(after)..Slot(first_after))
}

fn view(sums: Vec<(store::tally::HourOf, Sums)>) -> StatisticsView {
    let mut totals = Sums::default();
    for (_, of_hour) in &sums {
        totals.merge(of_hour);
    }
    let hours = sums.into_iter().map(|((hour, provider), sums)| HourView {
        hour: Slot(hour.saturating_mul(SLOTS_AN_HOUR)).start(),
        provider,
        counts: counts(&sums),
    });
    StatisticsView {
        data: hours.collect(),
        totals: counts(&totals),
    }
}

fn counts(sums: &Sums) -> CountsView {
    CountsView {
        received: sums.received,
        processed: sums.processed,
        failed: sums.failed,
        dead_lettered: sums.dead_lettered,
        applied: sums.applied,
        duplicate: sums.duplicate,
        stale: sums.stale,
        orphaned: sums.orphaned,
        unmapped: sums.unmapped,
        processing_ms: quantiles(&sums.processing),
    }
}

fn quantiles(histogram: &Histogram) -> QuantilesView {
    QuantilesView {
        p50: histogram.quantile(500),
        p95: histogram.quantile(950),
        p99: histogram.quantile(990),
    }
}
