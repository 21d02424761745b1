//! What the system tells the platform of itself.

use crate::app::{SOON, TestApp};
use serde_json::Value;
use std::time::Duration;
use testkit::Endpoint;

/// Waits until the platform tenant has so many events of a type; all of them, newest first.
async fn told(app: &TestApp, event_type: &str, wanted: usize) -> Vec<Value> {
    told_where(app, event_type, wanted, |_| true).await
}

/// As [`told`], those of which this is so.
async fn told_where(
    app: &TestApp,
    event_type: &str,
    wanted: usize,
    is_so: impl Fn(&Value) -> bool,
) -> Vec<Value> {
    let path = format!("/v1/events?type={event_type}");
    let those = |found: &Value| -> Vec<Value> {
        let all = found["data"].as_array().unwrap().iter();
        all.filter(|event| is_so(event)).cloned().collect()
    };
    let so_many = |found: &Value| those(found).len() >= wanted;
    those(&app.operator.get_until(&path, so_many, 2 * SOON).await)
}

#[tokio::test]
async fn a_task_that_fails_is_told_to_the_platform_once_a_minute_and_to_no_tenant() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let body = serde_json::json!({ "url": endpoint.url("/hook"), "events": ["system.*"] });
    app.operator.post("/v1/webhooks", body).await.expect(201);
    tenant.webhook(&endpoint, &["*"]).await;
    app.change_store("alter table replays rename to lost").await;
    let of_task = |event: &Value| event["data"]["task"] == "subscriptions.count";
    let errors = async || told_where(&app, "system.error", 1, of_task).await;
    let event = errors().await.remove(0);
    assert_eq!(event["source"], "tidings");
    assert_eq!(event["resource"]["type"], "process");
    assert_eq!(event["resource"]["id"], event["data"]["process"]["id"]);
    let reason = event["data"]["reason"].as_str().unwrap();
    assert!(reason.contains("replays"), "{reason}");
    let hit = endpoint.wait_for(1, SOON).await.remove(0).json();
    assert_eq!(hit["type"], "system.error");
    // It goes on failing, and says no more of it for now.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(errors().await.len(), 1);
    app.change_store("alter table lost rename to replays").await;
    let none = tenant.api.get("/v1/events").await.expect(200);
    assert!(none["data"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn that_the_process_is_not_ready_is_told_and_that_it_is_again() {
    let app = TestApp::start().await;
    app.change_store("alter table shards rename to lost").await;
    let unready = told(&app, "system.health_check", 1).await.remove(0);
    assert_eq!(unready["data"]["ready"], false);
    let failing = unready["data"]["failing"].as_object().unwrap();
    assert!(failing.contains_key("dispatcher"), "{unready}");
    app.change_store("alter table lost rename to shards").await;
    let is_ready = |said: &Value| said["ready"] == true;
    app.admin.get_until("/readyz", is_ready, 2 * SOON).await;
    app.clock.advance(Duration::from_mins(1));
    let ready = told(&app, "system.health_check", 2).await.remove(0);
    assert_eq!(ready["data"]["ready"], true);
    assert_eq!(
        ready["data"]["unready_since"],
        unready["data"]["unready_since"]
    );
}
