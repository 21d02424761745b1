//! How deliveries end, and what an endpoint may ask for.

use super::{change, settled, webhook};
use crate::app::{SOON, Tenant, TestApp, Webhook};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Endpoint, Reply};

async fn shown(tenant: &Tenant, webhook: &Webhook) -> Value {
    let path = format!("/v1/webhooks/{}", webhook.id);
    tenant.api.get(&path).await.expect(200)
}

async fn until_disabled(tenant: &Tenant, webhook: &Webhook, reason: &str) {
    let path = format!("/v1/webhooks/{}", webhook.id);
    let is_disabled = |shown: &Value| {
        shown["state"] == "disabled"
            && shown["disabled_reason"] == reason
            && shown["enabled"] == false
    };
    tenant.api.get_until(&path, is_disabled, SOON).await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_left_alone_and_what_it_is_owed_is_held_until_it_is_enabled() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Status(500), Reply::Status(410)]);
    let hook = webhook(&tenant, &endpoint, &json!({})).await;
    let held = tenant.publish("job.created", json!({ "n": 1 })).await;
    tenant.wait_for_attempts(&hook, 1).await;
    let gone = tenant.publish("job.created", json!({ "n": 2 })).await;
    until_disabled(&tenant, &hook, "gone").await;
    app.clock.advance(Duration::from_mins(1));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let all = settled(&tenant, &hook, "failed", 1).await;
    let of = |id: &str| {
        all.iter()
            .find(|delivery| delivery["event_id"] == id)
            .unwrap()
    };
    assert_eq!(of(&gone)["error"], "gone");
    assert_eq!(of(&held)["state"], "pending");
    assert_eq!(endpoint.hits().len(), 2, "nothing more leaves");
    // Nothing is made for it meanwhile.
    let missed = tenant.publish("job.created", json!({ "n": 3 })).await;
    let is_told = |event: &Value| event["sequence"].is_i64();
    let path = format!("/v1/events/{missed}");
    tenant.api.get_until(&path, is_told, SOON).await;
    endpoint.answer_with([Reply::Status(200)]);
    change(&tenant, &endpoint, &hook, &json!({})).await;
    let enabled = shown(&tenant, &hook).await;
    assert_eq!(
        (&enabled["state"], &enabled["disabled_reason"]),
        (&json!("active"), &Value::Null)
    );
    settled(&tenant, &hook, "delivered", 1).await;
    assert_eq!(endpoint.hits().len(), 3);
    assert_eq!(endpoint.hits()[2].webhook_id(), held);
}

#[tokio::test]
async fn what_is_held_for_longer_than_30_days_has_failed() {
    let mut app = TestApp::start().await;
    let mut tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Status(500), Reply::Status(410)]);
    let hook = webhook(&tenant, &endpoint, &json!({})).await;
    let paused = webhook(
        &tenant,
        &endpoint,
        &json!({ "retry": { "delays": [3_600] } }),
    )
    .await;
    endpoint.answer_with([Reply::Status(500), Reply::Status(500), Reply::Status(410)]);
    tenant.publish("job.created", json!({})).await;
    tenant.wait_for_attempts(&hook, 1).await;
    tenant.wait_for_attempts(&paused, 1).await;
    change(&tenant, &endpoint, &paused, &json!({ "enabled": false })).await;
    tenant.publish("job.created", json!({})).await;
    until_disabled(&tenant, &hook, "gone").await;
    let ended = async |app: &mut TestApp, tenant: &mut Tenant, days: u64| {
        app.clock.advance(Duration::from_hours(24 * days));
        app.restart().await;
        *tenant = app.again(tenant);
    };
    ended(&mut app, &mut tenant, 29).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    settled(&tenant, &hook, "pending", 1).await;
    ended(&mut app, &mut tenant, 2).await;
    let all = settled(&tenant, &hook, "failed", 2).await;
    assert_eq!(all[1]["error"], "held_too_long");
    // Its owner paused the other one, and takes the time that is wanted.
    settled(&tenant, &paused, "pending", 1).await;
}

#[tokio::test]
async fn an_endpoint_may_give_one_delivery_up_or_all() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([
        Reply::with(500, &[("webhook-delivery", "abort-message")], ""),
        Reply::with(500, &[("Webhook-Delivery", "surprise")], ""),
    ]);
    let hook = webhook(&tenant, &endpoint, &json!({})).await;
    tenant.publish("job.created", json!({})).await;
    let all = settled(&tenant, &hook, "failed", 1).await;
    assert_eq!(
        (&all[0]["error"], &all[0]["attempts"][1]),
        (&json!("aborted"), &Value::Null)
    );
    // What is not known is no wish.
    tenant.publish("job.created", json!({})).await;
    let tried = |all: &[Value]| all.len() == 2 && all[0]["attempts"] != json!([]);
    let all = tenant.wait_for_deliveries(&hook, tried).await;
    assert_eq!(
        (&all[0]["state"], &all[0]["error"]),
        (&json!("pending"), &Value::Null)
    );
    assert_eq!(shown(&tenant, &hook).await["state"], "active");
    endpoint.answer_with([Reply::with(200, &[("webhook-delivery", "Disable")], "")]);
    app.clock.advance(Duration::from_secs(2));
    settled(&tenant, &hook, "delivered", 1).await;
    until_disabled(&tenant, &hook, "asked").await;
}

#[tokio::test]
async fn an_answer_from_the_old_url_does_not_disable_the_new_one() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (old, new) = (Endpoint::start().await, Endpoint::start().await);
    old.answer_with([Reply::Delay(Duration::from_secs(1), 410)]);
    let hook = webhook(&tenant, &old, &json!({})).await;
    tenant.publish("job.created", json!({})).await;
    old.wait_for(1, SOON).await;
    app.clock.advance(Duration::from_millis(5));
    change(&tenant, &new, &hook, &json!({})).await;
    settled(&tenant, &hook, "failed", 1).await;
    assert_eq!(shown(&tenant, &hook).await["state"], "active");
    tenant.publish("job.created", json!({})).await;
    new.wait_for(1, SOON).await;
}
