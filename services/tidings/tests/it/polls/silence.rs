//! The end of messages of which nothing is heard.

use super::{FIRST, PHONE, Scene, known};
use crate::app::SOON;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Endpoint, Hit};

/// A little more than the greatest age.
const A_DAY: Duration = Duration::from_secs(24 * 3_600 + 5);

/// What was told of a message, each once: a clock that jumps ends leases, and what was under way is sent again.
fn told_of(hits: &[Hit], message: &str) -> Vec<Value> {
    let mut told: Vec<Value> = Vec::new();
    for hit in hits.iter().map(Hit::json) {
        let is_known = told.iter().any(|known| known["id"] == hit["id"]);
        if hit["data"]["message_id"] == message && !is_known {
            told.push(hit);
        }
    }
    told
}

/// Waits until so much was told of a message; what that is.
async fn wait_for_told(endpoint: &Endpoint, message: &str, times: usize) -> Vec<Value> {
    let is_told = |hits: &[Hit]| told_of(hits, message).len() >= times;
    let hits = endpoint.wait_until(is_told, SOON).await;
    told_of(&hits, message)
}

#[tokio::test]
async fn a_message_of_an_account_without_an_api_ends_by_the_accounts_rule_and_says_why() {
    let scene = Scene::new().await;
    let endpoint = Endpoint::start().await;
    scene.tenant.webhook(&endpoint, &["sms.*"]).await;
    let none = json!({ "status_api": null });
    let rule = json!({ "status_api": null,
        "silence": { "state": "expired", "after_seconds": 3_600 } });
    scene.account("default", "", none).await;
    scene.account("expires", "", rule).await;
    let unknown = scene.tenant.message("default", "m-1", PHONE).await;
    let expired = scene.tenant.message("expires", "m-1", PHONE).await;
    scene.app.clock.advance(Duration::from_secs(3_590));
    scene.is_not_asked().await;
    assert_eq!(scene.find(&expired).await["state"], "pending");
    scene.app.clock.advance(Duration::from_secs(11));
    let found = scene.tenant.wait_for_state(&expired, "expired").await;
    let entry = &found["history"][0];
    assert_eq!(
        (&entry["word"], &entry["source"]),
        (&json!("silence"), &json!("poll"))
    );
    assert_eq!(found["failure_reason"], "no report came");
    assert_eq!(scene.find(&unknown).await["state"], "pending");
    scene.app.clock.advance(A_DAY);
    scene.tenant.wait_for_state(&unknown, "unknown").await;
    let told = wait_for_told(&endpoint, &expired, 1).await;
    assert_eq!(told[0]["type"], "sms.expired");
    let told = wait_for_told(&endpoint, &unknown, 1).await;
    assert_eq!(told[0]["type"], "sms.unknown");
    assert_eq!(scene.provider.hits().len(), 0);

    // A late report corrects it, and contradicts nobody: no provider had said that it expired.
    let report = json!({ "messageId": "m-1", "status": "DELIVRD", "to": PHONE });
    let path = "/v1/callbacks/expires/reports";
    scene.app.ingress.post_json(path, report).await.expect(200);
    scene.tenant.wait_for_state(&expired, "delivered").await;
    let told = wait_for_told(&endpoint, &expired, 2).await;
    assert_eq!(told[1]["type"], "sms.delivered");
    scene.app.clock.advance(A_DAY);
    scene.is_not_asked().await;
    assert_eq!(told_of(&endpoint.hits(), &expired).len(), 2);
}

#[tokio::test]
async fn a_message_that_is_asked_about_to_its_end_is_given_up_after_the_last_answer() {
    let scene = Scene::with(&[], json!({ "silence": { "state": "expired" } })).await;
    let endpoint = Endpoint::start().await;
    scene.tenant.webhook(&endpoint, &["sms.*"]).await;
    scene.knows(&[("m-2", "UNKNOWN"), ("m-3", "ENROUTE")]);
    let silent = scene.tenant.message("clinic", "m-1", PHONE).await;
    let unknown = scene.tenant.message("clinic", "m-2", PHONE).await;
    let sent = scene.tenant.message("clinic", "m-3", PHONE).await;
    scene.app.clock.advance(FIRST);
    scene.asked(1).await;
    scene.tenant.wait_for_state(&unknown, "unknown").await;
    scene.tenant.wait_for_state(&sent, "sent").await;
    // Nine more answers until the last, at the age of a day.
    for _ in 0..8 {
        let before = scene.provider.hits().len();
        scene.app.clock.advance(Duration::from_hours(11));
        scene.asked(before + 1).await;
        assert_eq!(scene.find(&silent).await["state"], "pending");
    }
    scene.app.clock.advance(Duration::from_hours(11));
    for given_up in [&silent, &sent] {
        scene.tenant.wait_for_state(given_up, "expired").await;
    }
    assert_eq!(scene.find(&unknown).await["state"], "unknown");
    scene.app.clock.advance(A_DAY * 2);
    scene.is_not_asked().await;
    wait_for_told(&endpoint, &silent, 1).await;
    let told = told_of(&endpoint.hits(), &unknown);
    assert_eq!(told.len(), 1, "unknown is told once");
    // Who wants to know all the same can ask.
    scene
        .provider
        .answer_at("/status", known(&[("m-2", "DELIVRD")]));
    let path = format!("/v1/messages/{unknown}/poll");
    scene.tenant.api.post(&path, json!({})).await.expect(202);
    scene.tenant.wait_for_state(&unknown, "delivered").await;
}

#[tokio::test]
async fn a_message_that_the_provider_cannot_find_by_anything_is_given_up_unasked() {
    let scene = Scene::new().await;
    let body = json!({ "provider_account": "clinic", "client_reference": "r-1", "to": PHONE });
    let made = scene
        .tenant
        .api
        .post("/v1/messages", body)
        .await
        .expect(201);
    let message = made["id"].as_str().unwrap();
    scene.app.clock.advance(A_DAY);
    scene.tenant.wait_for_state(message, "unknown").await;
    assert_eq!(scene.provider.hits().len(), 0);
}

#[tokio::test]
async fn a_message_whose_account_is_deleted_or_loses_its_api_is_given_up_in_time() {
    let scene = Scene::new().await;
    scene.account("kept", "", json!({})).await;
    let orphaned = scene.tenant.message("clinic", "m-1", PHONE).await;
    let unasked = scene.tenant.message("kept", "m-2", PHONE).await;
    let list = scene
        .tenant
        .api
        .get("/v1/provider-accounts")
        .await
        .expect(200);
    for account in list["data"].as_array().unwrap() {
        let own = format!("/v1/provider-accounts/{}", account["id"].as_str().unwrap());
        if account["slug"] == "kept" {
            let without = super::account("kept", Value::Null);
            let changed = scene.tenant.api.put(&own, without).await.expect(200);
            assert_eq!(changed["status_api"], Value::Null);
        } else {
            scene.tenant.api.delete(&own).await.expect(204);
        }
    }
    scene.app.clock.advance(FIRST);
    scene.is_not_asked().await;
    for message in [&orphaned, &unasked] {
        assert_eq!(scene.find(message).await["state"], "pending");
    }
    scene.app.clock.advance(A_DAY);
    for message in [&orphaned, &unasked] {
        scene.tenant.wait_for_state(message, "unknown").await;
    }
    assert_eq!(scene.provider.hits().len(), 0);
}
