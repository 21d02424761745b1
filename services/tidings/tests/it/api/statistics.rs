//! How many callbacks came, and what became of them: exact, by hour and provider.

use super::{PHONE, assert_refused, members};
use crate::app::{SOON, Tenant, TestApp};
use domain::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::providers::{africastalking_report, stub_report};

const PATH: &str = "/v1/statistics/callbacks";
const HOUR: Duration = Duration::from_hours(1);
const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Moves time to five past an hour, so that nothing falls on both sides of one.
fn align(app: &TestApp) -> Timestamp {
    let now = app.clock.now().as_millis();
    let hour = i64::try_from(HOUR.as_millis()).unwrap();
    let next = (now.div_euclid(hour) + 1) * hour;
    let until = u64::try_from(next - now).unwrap();
    app.clock
        .advance(Duration::from_millis(until) + Duration::from_mins(5));
    Timestamp::from_millis(next)
}

async fn report(app: &TestApp, account: &str, id: &str, word: &str) {
    let path = format!("/v1/callbacks/{account}/reports");
    let body = stub_report(id, word, PHONE, None);
    app.ingress.post_raw(&path, &[JSON], body).await.expect(200);
}

/// Waits until the totals are as wanted; all of it.
async fn counted(tenant: &Tenant, query: &str, totals: Value) -> Value {
    let wanted = totals.as_object().unwrap().clone();
    let is_wanted = move |found: &Value| wanted.iter().all(|(name, n)| &found["totals"][name] == n);
    let path = format!("{PATH}{query}");
    tenant.api.get_until(&path, is_wanted, SOON).await
}

#[tokio::test]
async fn a_known_load_is_counted_exactly_by_hour_and_provider() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("Clinic").await, app.tenant("Other").await);
    tenant.account("stub", "clinic").await;
    tenant.account("africastalking", "clinic-at").await;
    other.account("stub", "other").await;
    let hour = align(&app);
    for number in 0..5 {
        let id = format!("m-{number}");
        tenant.message("clinic", &id, PHONE).await;
        report(&app, "clinic", &id, "DELIVRD").await;
    }
    // Twice more the same, one that lost, one that nobody knows, one that says nothing known.
    report(&app, "clinic", "m-0", "DELIVRD").await;
    report(&app, "clinic", "m-0", "DELIVRD").await;
    report(&app, "clinic", "m-1", "ACCEPTD").await;
    report(&app, "clinic", "x-1", "DELIVRD").await;
    report(&app, "clinic", "m-2", "PERHAPS").await;
    report(&app, "other", "x-1", "DELIVRD").await;
    let body = africastalking_report("at-1", "Success", PHONE, &[]);
    let path = "/v1/callbacks/clinic-at/reports";
    app.ingress.post_raw(path, &[FORM], body).await.expect(200);
    let totals = json!({ "received": 11, "processed": 11 });
    let found = counted(&tenant, "", totals).await;
    assert_eq!(members(&found), ["data", "totals"]);
    let data = found["data"].as_array().unwrap();
    let providers: Vec<_> = data.iter().map(|row| &row["provider"]).collect();
    assert_eq!(providers, ["africastalking", "stub"]);
    for row in data {
        assert_eq!(row["hour"], json!(hour));
    }
    let stub = &data[1];
    let names = [
        "applied",
        "dead_lettered",
        "duplicate",
        "failed",
        "hour",
        "orphaned",
        "processed",
        "processing_ms",
        "provider",
        "received",
        "stale",
        "unmapped",
    ];
    assert_eq!(members(stub), names);
    let counts = [
        ("received", 10),
        ("processed", 10),
        ("failed", 0),
        ("dead_lettered", 0),
        ("applied", 5),
        ("duplicate", 2),
        ("stale", 1),
        ("orphaned", 1),
        ("unmapped", 1),
    ];
    for (name, count) in counts {
        assert_eq!(stub[name], count, "{name} of {stub}");
    }
    let quantiles = &stub["processing_ms"];
    assert_eq!(members(quantiles), ["p50", "p95", "p99"]);
    let of = |name: &str| quantiles[name].as_u64().unwrap();
    assert!(of("p50") <= of("p95") && of("p95") <= of("p99") && of("p99") < 10_000);
    assert_eq!(data[0]["orphaned"], 1);
    assert_eq!(found["totals"]["orphaned"], 2);

    app.clock.advance(HOUR);
    report(&app, "clinic", "m-3", "ACCEPTD").await;
    counted(&tenant, "", json!({ "received": 12, "processed": 12 })).await;
    let next = hour.plus(HOUR);
    for (query, received) in [
        (format!("?after={next}"), 1),
        (format!("?before={next}"), 11),
        (format!("?after={hour}&before={next}&provider=stub"), 10),
        ("?account=clinic".to_owned(), 11),
        ("?account=clinic&provider=africastalking".to_owned(), 0),
        ("?account=other".to_owned(), 0),
        ("?account=nobody".to_owned(), 0),
        ("?provider=orange".to_owned(), 0),
    ] {
        let found = tenant.api.get(&format!("{PATH}{query}")).await.expect(200);
        assert_eq!(found["totals"]["received"], received, "{query}");
    }
    counted(&other, "", json!({ "received": 1, "orphaned": 1 })).await;
    // A day later nothing of it is the last day's.
    app.clock.advance(25 * HOUR);
    let found = tenant.api.get(PATH).await.expect(200);
    assert_eq!(
        (&found["data"], &found["totals"]["received"]),
        (&json!([]), &json!(0))
    );
    assert_eq!(found["totals"]["processing_ms"]["p50"], Value::Null);
}

#[tokio::test]
async fn a_polite_end_hands_in_what_was_counted_last() {
    let mut app = TestApp::start().await;
    let mut tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    for round in 1..=3 {
        tenant.message("clinic", &format!("m-{round}"), PHONE).await;
        report(&app, "clinic", &format!("m-{round}"), "DELIVRD").await;
        app.restart().await;
        tenant = app.again(&tenant);
        let totals = json!({ "received": round, "processed": round, "applied": round });
        counted(&tenant, "", totals).await;
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_counted_once_however_often_it_is_tried() {
    let app = TestApp::start_with(&[("TIDINGS_TRACKER__MAX_ATTEMPTS", "2")]).await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    tenant.message("clinic", "m-1", PHONE).await;
    align(&app);
    app.change_store("update messages set state = 99").await;
    report(&app, "clinic", "m-1", "DELIVRD").await;
    counted(&tenant, "", json!({ "received": 1, "failed": 1 })).await;
    app.clock.advance(Duration::from_secs(5));
    let totals = json!({ "received": 1, "processed": 0, "failed": 1, "dead_lettered": 1 });
    counted(&tenant, "", totals).await;
    app.change_store("update messages set state = 0").await;
    let letters = "/v1/dead-letters";
    let is_there = |found: &Value| found["data"].as_array().is_some_and(|all| all.len() == 1);
    tenant.api.get_until(letters, is_there, SOON).await;
    let all = json!({ "filter": {} });
    tenant.api.post(&format!("{letters}/requeue"), all).await;
    let totals = json!({ "received": 1, "processed": 1, "applied": 1, "dead_lettered": 1 });
    counted(&tenant, "", totals).await;
}

#[tokio::test]
async fn statistics_that_make_no_sense_are_refused_and_only_the_operator_names_a_tenant() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    report(&app, "clinic", "m-1", "DELIVRD").await;
    counted(&tenant, "", json!({ "received": 1 })).await;
    for (query, at) in [
        ("provider=pigeon", "/provider"),
        ("account=No%20Slug", "/account"),
        ("after=yesterday", "/after"),
        ("before=1", "/before"),
        (
            "after=2026-01-02T00:00:00Z&before=2026-01-01T00:00:00Z",
            "/after",
        ),
        (
            "after=2026-01-01T00:00:00Z&before=2026-01-01T00:00:00Z",
            "/after",
        ),
        (
            "after=2026-01-01T00:00:00Z&before=2026-02-01T00:00:00.001Z",
            "/after",
        ),
        ("hour=1", "/hour"),
        ("provider=stub&provider=stub", "/provider"),
    ] {
        assert_refused(&tenant.api.get(&format!("{PATH}?{query}")).await, &[at]);
    }
    let month = "?after=2026-01-01T00:00:00Z&before=2026-02-01T00:00:00Z";
    tenant.api.get(&format!("{PATH}{month}")).await.expect(200);
    let named = format!("{PATH}?tenant={}", tenant.id);
    tenant
        .api
        .get(&named)
        .await
        .expect_problem(403, "forbidden");
    let found = app.operator.get(&named).await.expect(200);
    assert_eq!(found["totals"]["received"], 1);
    let own = app.operator.get(PATH).await.expect(200);
    assert_eq!(own["totals"]["received"], 0);
}
