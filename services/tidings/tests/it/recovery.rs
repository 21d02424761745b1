//! An endpoint was down: its deliveries are tried again, or given up, by hand.

use crate::app::{SOON, Tenant, TestApp, Webhook};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Endpoint, Reply};

const HOUR: &str = "1h";

/// An app whose deliveries are tried twice, with so much time in between, whatever fails.
async fn start(wait: &str) -> (TestApp, Tenant, Endpoint, Webhook) {
    let settings = [
        ("TIDINGS_DISPATCHER__RETRY", wait),
        ("TIDINGS_DISPATCHER__BREAKER__MIN_REQUESTS", "10000"),
    ];
    let app = TestApp::start_with(&settings).await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    (app, tenant, endpoint, webhook)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

async fn wait_for_state(tenant: &Tenant, delivery: &str, state: &str) -> Value {
    let path = format!("/v1/deliveries/{delivery}");
    tenant
        .api
        .get_until(&path, |found| found["state"] == state, SOON)
        .await
}

fn numbers(delivery: &Value) -> Vec<u64> {
    let attempts = delivery["attempts"].as_array().unwrap().iter();
    attempts.map(|a| a["number"].as_u64().unwrap()).collect()
}

async fn listed(tenant: &Tenant, webhook: &Webhook, query: &str) -> Vec<Value> {
    let path = format!("/v1/webhooks/{}/deliveries?limit=100&{query}", webhook.id);
    let found = tenant.api.get(&path).await.expect(200);
    found["data"].as_array().unwrap().clone()
}

async fn until_listed(
    tenant: &Tenant,
    webhook: &Webhook,
    query: &str,
    wanted: usize,
) -> Vec<Value> {
    let path = format!("/v1/webhooks/{}/deliveries?limit=100&{query}", webhook.id);
    let is_wanted = |found: &Value| found["data"].as_array().unwrap().len() == wanted;
    let found = tenant.api.get_until(&path, is_wanted, SOON).await;
    found["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_failed_delivery_is_found_and_retried_with_a_fresh_budget() {
    let (app, tenant, endpoint, webhook) = start(HOUR).await;
    endpoint.answer_with(500);
    let event = tenant.publish("job.created", json!({ "n": 1 })).await;
    tenant.wait_for_attempts(&webhook, 1).await;
    app.clock.advance(Duration::from_mins(73));
    let failed = until_listed(&tenant, &webhook, "state=failed", 1).await;
    assert_eq!(failed[0]["event_id"], event.as_str());
    assert_eq!(failed[0]["replay_id"], Value::Null);
    let id = text(&failed[0], "id");
    let path = format!("/v1/deliveries/{id}");
    assert_eq!(tenant.api.get(&path).await.expect(200), failed[0]);

    let retry = format!("{path}/retry");
    let retried = tenant.api.post(&retry, json!({})).await.expect(202);
    assert_eq!(retried["state"], "pending");
    // The whole schedule again: at once, and an hour later.
    let waits = |found: &Value| found["attempts"].as_array().unwrap().len() == 3;
    let waiting = tenant.api.get_until(&path, waits, SOON).await;
    assert_eq!(waiting["state"], "pending");
    app.clock.advance(Duration::from_mins(73));
    let failed = wait_for_state(&tenant, &id, "failed").await;
    assert_eq!(numbers(&failed), [1, 2, 3, 4]);

    endpoint.answer_with(200);
    tenant.api.post(&retry, json!({})).await.expect(202);
    let delivered = wait_for_state(&tenant, &id, "delivered").await;
    assert_eq!(numbers(&delivered), [1, 2, 3, 4, 5]);
    let hits = endpoint.hits();
    assert_eq!(hits.len(), 5);
    for hit in &hits {
        assert_eq!(
            (hit.webhook_id(), &hit.body),
            (event.as_str(), &hits[0].body)
        );
    }
    for what in ["retry", "cancel"] {
        let answer = tenant.api.post(&format!("{path}/{what}"), json!({})).await;
        answer.expect_problem(409, "conflict");
    }
}

#[tokio::test]
async fn a_delivery_that_waits_for_its_retry_is_found_and_tried_at_once() {
    let (_app, tenant, endpoint, webhook) = start(HOUR).await;
    endpoint.answer_with([Reply::Status(500), Reply::Status(200)]);
    let event = tenant.publish("job.created", json!({})).await;
    let waiting = until_listed(&tenant, &webhook, "state=retrying", 1).await;
    let by_event = format!("state=retrying&event_id={event}");
    assert_eq!(listed(&tenant, &webhook, &by_event).await, waiting);
    let id = text(&waiting[0], "id");
    let retry = format!("/v1/deliveries/{id}/retry");
    tenant.api.post(&retry, json!({})).await.expect(202);
    let delivered = wait_for_state(&tenant, &id, "delivered").await;
    assert_eq!(numbers(&delivered), [1, 2]);
    assert!(listed(&tenant, &webhook, "state=retrying").await.is_empty());
}

#[tokio::test]
async fn a_cancelled_delivery_is_not_tried_until_it_is_retried() {
    let (app, tenant, endpoint, webhook) = start(HOUR).await;
    endpoint.answer_with([Reply::Status(500), Reply::Status(200)]);
    tenant.publish("job.created", json!({})).await;
    let waiting = until_listed(&tenant, &webhook, "state=retrying", 1).await;
    let id = text(&waiting[0], "id");
    let cancel = format!("/v1/deliveries/{id}/cancel");
    for _ in 0..2 {
        let cancelled = tenant.api.post(&cancel, json!({})).await.expect(200);
        assert_eq!(cancelled["state"], "cancelled");
        assert_eq!(cancelled["next_attempt_at"], Value::Null);
    }
    app.clock.advance(Duration::from_hours(2));
    tenant.publish("job.created", json!({})).await;
    endpoint.wait_for(2, SOON).await;
    let other = until_listed(&tenant, &webhook, "state=delivered", 1).await;
    assert_ne!(text(&other[0], "id"), id);
    let retry = format!("/v1/deliveries/{id}/retry");
    tenant.api.post(&retry, json!({})).await.expect(202);
    wait_for_state(&tenant, &id, "delivered").await;
    assert_eq!(endpoint.hits().len(), 3);
}

#[tokio::test]
async fn what_waits_in_memory_behind_a_hanging_request_is_not_sent_after_it_was_cancelled() {
    let settings = [
        ("TIDINGS_DISPATCHER__RETRY", HOUR),
        ("TIDINGS_DISPATCHER__TIMEOUT", "8"),
        ("TIDINGS_DISPATCHER__BREAKER__MIN_REQUESTS", "10000"),
    ];
    let app = TestApp::start_with(&settings).await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    endpoint.answer_with(Reply::Hang);
    for n in 0..40 {
        tenant.publish("job.created", json!({ "n": n })).await;
    }
    until_listed(&tenant, &webhook, "state=pending", 40).await;
    let under_way = endpoint.wait_for(16, SOON).await.len();
    let all = json!({ "state": "pending" });
    let path = format!("/v1/webhooks/{}/deliveries/cancel", webhook.id);
    let answer = tenant.api.post(&path, all.clone()).await.expect(202);
    assert_eq!(answer, json!({ "matched": 40 }));
    let cancelled = until_listed(&tenant, &webhook, "state=cancelled", 40).await;
    // Those under way end as they end, and stay cancelled.
    let tried = |found: &[Value]| {
        let attempts = found
            .iter()
            .map(|d| d["attempts"].as_array().unwrap().len());
        attempts.sum::<usize>() == under_way
    };
    tenant.wait_for_deliveries(&webhook, tried).await;
    endpoint.answer_with(200);
    let event = tenant.publish("job.created", json!({})).await;
    let hits = endpoint.wait_for(under_way + 1, SOON).await;
    assert_eq!(hits.len(), under_way + 1);
    assert_eq!(hits[under_way].webhook_id(), event);
    assert_eq!(
        listed(&tenant, &webhook, "state=cancelled").await.len(),
        cancelled.len()
    );
}

#[tokio::test]
async fn an_attempt_under_way_may_still_deliver_what_was_cancelled() {
    let (_app, tenant, endpoint, webhook) = start(HOUR).await;
    endpoint.answer_with(Reply::Delay(Duration::from_secs(2), 200));
    tenant.publish("job.created", json!({})).await;
    endpoint.wait_for(1, SOON).await;
    let pending = until_listed(&tenant, &webhook, "state=pending", 1).await;
    let id = text(&pending[0], "id");
    let cancel = format!("/v1/deliveries/{id}/cancel");
    let cancelled = tenant.api.post(&cancel, json!({})).await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    let delivered = wait_for_state(&tenant, &id, "delivered").await;
    assert_eq!(numbers(&delivered), [1]);
}

#[tokio::test]
async fn many_are_retried_at_once_also_when_the_process_ends_in_between() {
    let (mut app, tenant, endpoint, webhook) = start("1").await;
    endpoint.answer_with(500);
    for n in 0..30 {
        let event_type = if n % 3 == 0 {
            "job.failed"
        } else {
            "job.created"
        };
        tenant.publish(event_type, json!({ "n": n })).await;
    }
    app.clock.advance(Duration::from_secs(3));
    let failed = until_listed(&tenant, &webhook, "state=failed", 30).await;
    endpoint.answer_with(200);
    endpoint.take_hits();
    let path = format!("/v1/webhooks/{}/deliveries/retry", webhook.id);
    let created = json!({ "state": "failed", "event_types": ["job.created"], "dry_run": true });
    let answer = tenant.api.post(&path, created).await.expect(200);
    assert_eq!(answer, json!({ "matched": 20 }));
    let times = json!({
        "state": "failed", "after": "2020-01-01T00:00:00Z", "before": failed[29]["created_at"],
        "dry_run": true,
    });
    let answer = tenant.api.post(&path, times).await.expect(200);
    assert_eq!(answer, json!({ "matched": 0 }));
    assert_eq!(listed(&tenant, &webhook, "state=failed").await.len(), 30);

    let created = json!({ "state": "failed", "event_types": ["job.created"] });
    let answer = tenant.api.post(&path, created).await.expect(202);
    assert_eq!(answer, json!({ "matched": 20 }));
    app.restart().await;
    let tenant = app.again(&tenant);
    until_listed(&tenant, &webhook, "state=delivered", 20).await;
    let left = listed(&tenant, &webhook, "state=failed").await;
    assert_eq!(left.len(), 10);
    assert!(left.iter().all(|d| d["event_type"] == "job.failed"));
    assert_eq!(endpoint.hits().len(), 20);
}

#[tokio::test]
async fn a_tenant_reaches_its_own_deliveries_alone() {
    let (app, tenant, endpoint, webhook) = start(HOUR).await;
    endpoint.answer_with(500);
    tenant.publish("job.created", json!({})).await;
    let waiting = until_listed(&tenant, &webhook, "state=retrying", 1).await;
    let path = format!("/v1/deliveries/{}", text(&waiting[0], "id"));
    let other = app.tenant("Other").await;
    let many = format!("/v1/webhooks/{}/deliveries", webhook.id);
    other.api.get(&path).await.expect_problem(404, "not_found");
    for (path, body) in [
        (format!("{path}/retry"), json!({})),
        (format!("{path}/cancel"), json!({})),
        (format!("{many}/retry"), json!({ "state": "retrying" })),
        (format!("{many}/cancel"), json!({ "state": "retrying" })),
    ] {
        let answer = other.api.post(&path, body).await;
        answer.expect_problem(404, "not_found");
    }
    assert_eq!(listed(&tenant, &webhook, "state=retrying").await, waiting);
}

#[tokio::test]
async fn what_is_asked_for_many_is_said_exactly() {
    let (_app, tenant, _endpoint, webhook) = start(HOUR).await;
    let path = format!("/v1/webhooks/{}/deliveries", webhook.id);
    for (what, body, code, pointer) in [
        ("retry", json!({}), "invalid_request", "/state"),
        (
            "retry",
            json!({ "state": null }),
            "invalid_request",
            "/state",
        ),
        (
            "retry",
            json!({ "state": "delivered" }),
            "invalid_request",
            "/state",
        ),
        (
            "retry",
            json!({ "state": "lost" }),
            "invalid_request",
            "/state",
        ),
        (
            "cancel",
            json!({ "state": "failed" }),
            "invalid_request",
            "/state",
        ),
        (
            "cancel",
            json!({ "state": "cancelled" }),
            "invalid_request",
            "/state",
        ),
        (
            "retry",
            json!({ "state": "failed", "after": "yesterday" }),
            "invalid_request",
            "/after",
        ),
        (
            "cancel",
            json!({ "state": "pending", "before": null }),
            "invalid_request",
            "/before",
        ),
        (
            "retry",
            json!({ "state": "failed", "event_types": [] }),
            "invalid_request",
            "/event_types",
        ),
        (
            "retry",
            json!({ "state": "failed", "event_types": ["job.created", "fax.sent"] }),
            "unknown_event_type",
            "/event_types/1",
        ),
        (
            "retry",
            json!({ "state": "failed", "dry_run": "yes" }),
            "invalid_request",
            "/dry_run",
        ),
        (
            "retry",
            json!({ "state": "failed", "types": ["*"] }),
            "invalid_request",
            "/types",
        ),
    ] {
        let refused = tenant.api.post(&format!("{path}/{what}"), body).await;
        let refused = refused.expect_problem(422, code);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    for query in ["state=lost", "state=failed&state=failed", "event_id=dlv_1"] {
        let answer = tenant.api.get(&format!("{path}?{query}")).await;
        answer.expect_problem(422, "invalid_request");
    }
    for id in ["dlv_1", "evt_00000000000000000000000000", "%20"] {
        let answer = tenant.api.get(&format!("/v1/deliveries/{id}")).await;
        answer.expect_problem(404, "not_found");
    }
}
