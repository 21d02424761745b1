//! Changing secrets.

use super::{settled, webhook};
use crate::app::{SOON, Tenant, TestApp, Webhook};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Endpoint, Hit};

async fn rotate(tenant: &Tenant, webhook: &Webhook, body: Value) -> Value {
    let path = format!("/v1/webhooks/{}/secret/rotate", webhook.id);
    tenant.api.post(&path, body).await.expect(200)
}

async fn next_hit(tenant: &Tenant, endpoint: &Endpoint) -> Hit {
    let seen = endpoint.hits().len();
    tenant.publish("job.created", json!({})).await;
    endpoint.wait_for(seen + 1, SOON).await.remove(seen)
}

fn signatures(hit: &Hit) -> usize {
    hit.header("webhook-signature").unwrap().split(' ').count()
}

/// Whether the first signature is of this secret.
fn is_first(hit: &Hit, secret: &str) -> bool {
    let mut alone = hit.clone();
    for (name, value) in &mut alone.headers {
        if name == "webhook-signature" {
            *value = value.split(' ').next().unwrap().to_owned();
        }
    }
    alone.verify(secret).is_ok()
}

#[tokio::test]
async fn the_secret_before_goes_on_to_sign_for_as_long_as_it_was_given() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let signing = json!({ "signing": { "schemes": ["v1", "sha256-body"] } });
    let hook = webhook(&tenant, &endpoint, &signing).await;
    let first = rotate(&tenant, &hook, json!({ "overlap_seconds": 120 })).await;
    let second = first["secret"].as_str().unwrap();
    assert!(second.starts_with("whsec_") && second != hook.secret);
    let expires = first["previous_expires_at"].as_str().unwrap();
    let expires = domain::Timestamp::parse_rfc3339(expires).unwrap();
    let left = expires.since(app.clock.now());
    assert!(left <= Duration::from_mins(2) && left > Duration::from_secs(100));
    let hit = next_hit(&tenant, &endpoint).await;
    hit.verify(&hook.secret).unwrap();
    assert!(is_first(&hit, second) && signatures(&hit) == 2);
    assert!(hit.header("x-tidings-signature-previous").is_some());
    // A day, where nothing is said; two of them at the most.
    let third = rotate(&tenant, &hook, json!({})).await["secret"].clone();
    let fourth = rotate(&tenant, &hook, json!({})).await["secret"].clone();
    let (third, fourth) = (third.as_str().unwrap(), fourth.as_str().unwrap());
    let hit = next_hit(&tenant, &endpoint).await;
    assert!(is_first(&hit, fourth) && signatures(&hit) == 3);
    for secret in [second, third] {
        hit.verify(secret).unwrap();
    }
    hit.verify(&hook.secret).unwrap_err();
    // At once, which ends all.
    let last = rotate(&tenant, &hook, json!({ "overlap_seconds": 0 })).await;
    assert_eq!(last["previous_expires_at"], Value::Null);
    let hit = next_hit(&tenant, &endpoint).await;
    assert!(is_first(&hit, last["secret"].as_str().unwrap()) && signatures(&hit) == 1);
    assert_eq!(hit.header("x-tidings-signature-previous"), None);
    settled(&tenant, &hook, "delivered", 3).await;
    // None is shown again.
    let path = format!("/v1/webhooks/{}", hook.id);
    let shown = tenant.api.get(&path).await.expect(200);
    assert!(!shown.to_string().contains("whsec_"));
}

#[tokio::test]
async fn a_secret_whose_time_is_over_signs_nothing_and_is_removed() {
    let mut app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let hook = webhook(&tenant, &endpoint, &json!({})).await;
    let rotated = rotate(&tenant, &hook, json!({ "overlap_seconds": 60 })).await;
    app.clock.advance(Duration::from_secs(61));
    let hit = next_hit(&tenant, &endpoint).await;
    assert_eq!(signatures(&hit), 1);
    assert!(is_first(&hit, rotated["secret"].as_str().unwrap()));
    app.restart().await;
    // What is left of it goes at the start.
    testkit::eventually("the secret is gone", SOON, async || {
        let touched = app
            .change_store("update previous_secrets set expires_at = expires_at")
            .await;
        (touched == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_is_set_holds_at_once_and_alone() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let hook = webhook(&tenant, &endpoint, &json!({})).await;
    rotate(&tenant, &hook, json!({})).await;
    let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    super::change(&tenant, &endpoint, &hook, &json!({ "secret": own })).await;
    let hit = next_hit(&tenant, &endpoint).await;
    assert!(is_first(&hit, own) && signatures(&hit) == 1);
}

#[tokio::test]
async fn rotations_at_once_lose_no_secret() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let hook = webhook(&tenant, &endpoint, &json!({})).await;
    let (one, other) = tokio::join!(
        rotate(&tenant, &hook, json!({})),
        rotate(&tenant, &hook, json!({}))
    );
    let hit = next_hit(&tenant, &endpoint).await;
    assert_eq!(signatures(&hit), 3);
    for secret in [&one["secret"], &other["secret"], &json!(hook.secret)] {
        hit.verify(secret.as_str().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_rotation_is_of_ones_own_webhook_and_within_a_month() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let endpoint = Endpoint::start().await;
    let hook = webhook(&tenant, &endpoint, &json!({})).await;
    let path = format!("/v1/webhooks/{}/secret/rotate", hook.id);
    let answer = other.api.post(&path, json!({})).await;
    answer.expect_problem(404, "not_found");
    for (body, pointer) in [
        (json!({ "overlap_seconds": -1 }), "/overlap_seconds"),
        (json!({ "overlap_seconds": 2_592_001 }), "/overlap_seconds"),
        (json!({ "overlap_seconds": null }), "/overlap_seconds"),
        (json!({ "overlap_seconds": "1" }), "/overlap_seconds"),
        (json!({ "overlap": 1 }), "/overlap"),
    ] {
        let answer = tenant.api.post(&path, body).await;
        let problem = answer.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let hit = next_hit(&tenant, &endpoint).await;
    hit.verify(&hook.secret).unwrap();
}
