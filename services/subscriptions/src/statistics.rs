//! `GET /v1/statistics/callbacks`: how many callbacks came and what became of them, by hour and provider.

use crate::caller::Caller;
use crate::list::{Query, TIME};
use crate::{Desk, failure, input};
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::account::Slug;
use domain::histogram::Histogram;
use domain::tally::{SLOTS_AN_HOUR, Slot, Sums};
use providers::registry;
use runtime::http::{Problem, only};
use serde::Serialize;
use std::ops::Range;
use std::time::Duration;
use store::tally::Filter;

/// What is told unless a time is named.
const USUAL: Duration = Duration::from_hours(24);
/// How much is told at the most.
const MOST: Duration = Duration::from_hours(24 * 31);

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes.service(
        web::resource("/v1/statistics/callbacks")
            .route(web::get().to(callbacks))
            .default_service(only(&[Method::GET])),
    );
}

#[derive(Serialize)]
struct StatisticsView {
    data: Vec<HourView>,
    totals: CountsView,
}

#[derive(Serialize)]
struct HourView {
    hour: Timestamp,
    provider: String,
    #[serde(flatten)]
    counts: CountsView,
}

#[derive(Serialize)]
struct CountsView {
    received: u64,
    processed: u64,
    failed: u64,
    dead_lettered: u64,
    applied: u64,
    duplicate: u64,
    stale: u64,
    orphaned: u64,
    unmapped: u64,
    processing_ms: QuantilesView,
}

#[derive(Serialize)]
struct QuantilesView {
    p50: Option<u64>,
    p95: Option<u64>,
    p99: Option<u64>,
}

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
