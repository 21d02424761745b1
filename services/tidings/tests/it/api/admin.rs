//! The admin listener, and that no route is on two listeners.

use super::{PHONE, members, resources};
use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{Api, Endpoint, eventually};

const ADMIN: [&str; 3] = ["/livez", "/readyz", "/metrics"];

#[tokio::test]
async fn probes_say_that_the_process_lives_and_can_do_its_work() {
    let app = TestApp::start().await;
    let live = app.admin.get("/livez").await;
    assert_eq!((live.status, live.text.as_str()), (200, "ok\n"));
    let ready = app.admin.get_until("/readyz", |_| true, SOON).await;
    assert_eq!(members(&ready), ["checks", "ready"]);
    assert_eq!(ready["ready"], true);
    let checks = ready["checks"].as_object().unwrap();
    for name in ["store", "broker"] {
        assert!(checks.contains_key(name), "{ready}");
    }
    for check in checks.values() {
        assert_eq!(members(check), ["detail", "ok"]);
        assert!(
            check["ok"] == true && check["detail"].is_string(),
            "{ready}"
        );
    }
    for path in ADMIN {
        let head = app.admin.request("HEAD", path, &[], []).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""), "{path}");
        let answer = app.admin.request("POST", path, &[], []).await;
        answer.expect_problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
}

#[tokio::test]
async fn every_metric_is_there_once_there_was_something_to_count() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["*"]).await;
    let url = json!({ "url": endpoint.url("/") });
    tenant.api.post("/v1/webhooks/check", url).await.expect(200);
    tenant.message("clinic", "m-1", PHONE).await;
    let report =
        |id: &str| serde_json::from_str::<Value>(&stub_report(id, "DELIVRD", PHONE, None)).unwrap();
    let path = "/v1/callbacks/clinic/reports";
    app.ingress.post_json(path, report("m-1")).await.expect(200);
    app.ingress.post_json(path, report("m-2")).await.expect(200);
    app.ingress
        .post_json("/v1/callbacks/nobody/reports", report("m-1"))
        .await
        .expect(401);
    tenant.publish("job.created", json!({})).await;
    endpoint.wait_for(3, SOON).await;
    tell_in_an_older_version(&tenant, &endpoint).await;
    // Of one nothing is heard, and it is given up.
    let silent = tenant.message("clinic", "m-3", PHONE).await;
    app.clock.advance(Duration::from_hours(25));
    tenant.wait_for_state(&silent, "unknown").await;
    // The health of providers is looked at once a minute, by what was counted.
    tenant.message("clinic", "m-4", PHONE).await;
    app.ingress.post_json(path, report("m-4")).await.expect(200);
    let counted = |found: &Value| found["totals"]["applied"].as_u64() >= Some(1);
    let statistics = "/v1/statistics/callbacks";
    tenant.api.get_until(statistics, counted, SOON).await;
    app.clock.advance(Duration::from_mins(1));
    let metrics = eventually("all metrics are there", SOON, async || {
        let metrics = app.admin.get("/metrics").await;
        let is_there = |name: &&str| {
            let sample = |line: &str| line.starts_with(&**name) && !line.starts_with('#');
            metrics.text.lines().any(sample)
        };
        let missing: Vec<_> = telemetry::Metrics::names()
            .iter()
            .map(|name| name.as_str())
            .filter(|name| !is_there(name))
            .collect();
        if missing.is_empty() {
            Ok(metrics)
        } else {
            Err(format!("missing {missing:?}"))
        }
    })
    .await;
    let content_type = metrics.header("content-type").unwrap();
    assert!(
        content_type.starts_with("text/plain; version=0.0.4"),
        "{content_type}"
    );
    // Nobody's number, name or id is a label.
    for private in [PHONE, &PHONE[1..], "m-1", &tenant.id, "Clinic", "clinic"] {
        assert!(
            !metrics.text.contains(private),
            "{private} is in the metrics"
        );
    }
}

/// An event that a webhook gets in another version than it is published in.
async fn tell_in_an_older_version(tenant: &Tenant, endpoint: &Endpoint) {
    let first = json!({ "name": "shop.opened", "schema": { "type": "object" }, "example": {} });
    let made = tenant.api.post("/v1/event-types", first).await;
    made.expect(201);
    tenant.webhook(endpoint, &["shop.opened"]).await;
    let schema = json!({ "type": "object", "properties": { "till": { "type": "integer" } } });
    let second = json!({ "schema": schema, "example": {} });
    let path = "/v1/event-types/shop.opened/versions";
    tenant.api.post(path, second).await.expect(201);
    tenant.publish("shop.opened", json!({ "till": 1 })).await;
}

#[tokio::test]
async fn no_route_is_on_two_listeners() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let door = Api::new(app.ingress.base_url(), &tenant.key);
    for path in ADMIN {
        tenant.api.get(path).await.expect_problem(404, "not_found");
        door.get(path).await.expect_problem(404, "not_found");
    }
    for (path, methods) in &resources() {
        for method in methods.split(", ") {
            let answer = app.admin.request(method, path, &[], []).await;
            answer.expect_problem(404, "not_found");
            // The door's own paths begin as the API's list of callbacks does.
            if !path.starts_with("/v1/callbacks") {
                let answer = door.request(method, path, &[], []).await;
                answer.expect_problem(404, "not_found");
            }
        }
    }
    for path in ["/openapi.json", "/docs", "/docs/viewer.js"] {
        for elsewhere in [&app.admin, &door] {
            elsewhere.get(path).await.expect_problem(404, "not_found");
        }
    }
    let report = stub_report("m-1", "DELIVRD", PHONE, None);
    for path in [
        "/v1/callbacks/clinic/reports",
        "/v1/callbacks/clinic/token/reports",
        "/api/webhooks/africastalking/delivery",
        "/api/webhooks/legacy/stub/delivery",
    ] {
        for api in [&tenant.api, &app.admin] {
            let answer = api.post_bytes(path, &[], report.clone()).await;
            answer.expect_problem(404, "not_found");
        }
    }
}
