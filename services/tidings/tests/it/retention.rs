//! What is old goes by itself, each kind in its time; what is owed stays.

use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{Endpoint, eventually};

const PHONE: &str = "+254700000001";
const JSON: (&str, &str) = ("content-type", "application/json");

/// Days pass. What is old is forgotten at the start, and every ten minutes.
async fn wait(app: &mut TestApp, tenant: &mut Tenant, days: u64) {
    app.clock.advance(Duration::from_hours(24 * days));
    app.restart().await;
    *tenant = app.again(tenant);
}

async fn is_gone(tenant: &Tenant, path: &str) {
    eventually("what is old is forgotten", SOON, async || {
        (tenant.api.get(path).await.status == 404).then_some(())
    })
    .await;
}

async fn report(app: &TestApp, id: &str) -> String {
    let body = stub_report(id, "DELIVRD", PHONE, None);
    let path = "/v1/callbacks/clinic/reports";
    let answer = app.ingress.post_raw(path, &[JSON], body).await;
    answer.expect(200)["callback_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn each_kind_goes_in_its_time_and_what_is_pending_stays() {
    let years_of_retries = vec!["25d"; 50].join(",");
    let mut app = TestApp::start_with(&[("TIDINGS_DISPATCHER__RETRY", &years_of_retries)]).await;
    let mut tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let (prompt, broken) = (Endpoint::start().await, Endpoint::start().await);
    broken.answer_with([testkit::Reply::Status(500)]);
    let told = tenant.webhook(&prompt, &["*"]).await;
    let owed = tenant.webhook(&broken, &["sms.delivered"]).await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    let callback = report(&app, "m-1").await;
    let orphan = report(&app, "m-2").await;
    tenant.wait_for_state(&message, "delivered").await;
    let plain = tenant.publish("job.created", json!({})).await;
    let both = |all: &[Value]| all.len() == 2 && all.iter().all(|d| d["state"] == "delivered");
    tenant.wait_for_deliveries(&told, both).await;
    tenant.wait_for_attempts(&owed, 1).await;
    let path = |kind: &str, id: &str| format!("/v1/{kind}/{id}");

    wait(&mut app, &mut tenant, 31).await;
    is_gone(&tenant, &path("callbacks", &callback)).await;
    is_gone(&tenant, &path("callbacks", &orphan)).await;
    let silent = |all: &[Value]| all.len() == 2 && all.iter().all(|d| d["attempts"] == json!([]));
    tenant.wait_for_deliveries(&told, silent).await;
    tenant.wait_for_attempts(&owed, 2).await;
    let given_up = |text: &str| text.contains("tidings_orphans_expired_total 1\n");
    eventually("the orphan is given up", SOON, async || {
        given_up(&app.admin.get("/metrics").await.text).then_some(())
    })
    .await;

    wait(&mut app, &mut tenant, 60).await;
    is_gone(&tenant, &path("events", &plain)).await;
    let none = |all: &[Value]| all.is_empty();
    tenant.wait_for_deliveries(&told, none).await;
    let kept = tenant.wait_for_attempts(&owed, 3).await;
    assert_eq!(kept[0]["state"], "pending");
    tenant.wait_for_state(&message, "delivered").await;

    wait(&mut app, &mut tenant, 310).await;
    is_gone(&tenant, &path("messages", &message)).await;
    let kept = tenant.wait_for_attempts(&owed, 4).await;
    assert_eq!(kept[0]["state"], "pending");
    let event = path("events", kept[0]["event_id"].as_str().unwrap());
    let event = tenant.api.get(&event).await.expect(200);
    assert_eq!(event["type"], "sms.delivered");
}
