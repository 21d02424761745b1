//! How events are sent: as their webhook says, and what is kept of each attempt.

mod ending;
mod health;
mod rotating;
mod schedule;
mod shown;

use crate::app::{SOON, Tenant, TestApp, Webhook};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::providers::hmac_sha256_hex;
use testkit::{Endpoint, Reply};

/// A webhook for everything, with settings.
async fn webhook(tenant: &Tenant, endpoint: &Endpoint, settings: &Value) -> Webhook {
    let mut body = json!({ "url": endpoint.url("/hook"), "events": ["*"] });
    let members = settings.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(members);
    let made = tenant.api.post("/v1/webhooks", body).await.expect(201);
    Webhook {
        id: made["id"].as_str().unwrap().to_owned(),
        secret: made["secret"].as_str().unwrap().to_owned(),
    }
}

/// Replaces its settings.
async fn change(tenant: &Tenant, endpoint: &Endpoint, webhook: &Webhook, settings: &Value) {
    let mut body = json!({ "url": endpoint.url("/hook"), "events": ["*"] });
    let members = settings.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(members);
    let path = format!("/v1/webhooks/{}", webhook.id);
    tenant.api.put(&path, body).await.expect(200);
}

async fn settled(tenant: &Tenant, webhook: &Webhook, state: &str, number: usize) -> Vec<Value> {
    let is_settled = |all: &[Value]| {
        all.iter()
            .filter(|delivery| delivery["state"] == state)
            .count()
            == number
    };
    tenant.wait_for_deliveries(webhook, is_settled).await
}

#[tokio::test]
async fn the_method_the_headers_and_the_credentials_are_those_of_the_webhook() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let api_key = json!({ "method": "PATCH", "headers": { "X-Wing": "north", "Cookie": "a=b" },
        "endpoint_auth": { "type": "api_key", "header": "X-Api-Key", "value": "k 1" } });
    let hook = webhook(&tenant, &endpoint, &api_key).await;
    tenant.publish("job.created", json!({})).await;
    let hit = endpoint.wait_for(1, SOON).await.remove(0);
    assert_eq!(hit.method, "PATCH");
    assert_eq!(hit.header("x-wing"), Some("north"));
    assert_eq!(hit.header("cookie"), Some("a=b"));
    assert_eq!(hit.header("x-api-key"), Some("k 1"));
    hit.verify(&hook.secret).unwrap();
    let basic = json!({ "method": "PUT",
        "endpoint_auth": { "type": "basic", "username": "us", "password": "pä:ss" } });
    change(&tenant, &endpoint, &hook, &basic).await;
    tenant.publish("job.created", json!({})).await;
    let hit = endpoint.wait_for(2, SOON).await.remove(1);
    assert_eq!((hit.method.as_str(), hit.header("x-wing")), ("PUT", None));
    assert_eq!(hit.header("authorization"), Some("Basic dXM6cMOkOnNz"));
    let bearer = json!({ "endpoint_auth": { "type": "bearer", "token": "t-1" } });
    change(&tenant, &endpoint, &hook, &bearer).await;
    // The token stays, where none is sent.
    let kept = json!({ "endpoint_auth": { "type": "bearer" } });
    change(&tenant, &endpoint, &hook, &kept).await;
    tenant.publish("job.created", json!({})).await;
    let hit = endpoint.wait_for(3, SOON).await.remove(2);
    assert_eq!(hit.method, "POST");
    assert_eq!(hit.header("authorization"), Some("Bearer t-1"));
}

#[tokio::test]
async fn a_webhook_has_its_own_timeout() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Delay(Duration::from_millis(1_500), 200)]);
    let impatient = webhook(&tenant, &endpoint, &json!({ "timeout_seconds": 1 })).await;
    let patient = webhook(&tenant, &endpoint, &json!({ "timeout_seconds": 5 })).await;
    tenant.publish("job.created", json!({})).await;
    settled(&tenant, &patient, "delivered", 1).await;
    let all = tenant.wait_for_attempts(&impatient, 1).await;
    assert_eq!(all[0]["attempts"][0]["error"], "timeout");
}

#[tokio::test]
async fn receivers_of_older_kinds_get_the_signature_they_know() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let timestamped = json!({ "signing":
        { "schemes": ["v1", "sha256-timestamped"], "header_prefix": "X-Clinic" } });
    let hook = webhook(&tenant, &endpoint, &timestamped).await;
    tenant.publish("job.created", json!({})).await;
    let hit = endpoint.wait_for(1, SOON).await.remove(0);
    hit.verify(&hook.secret).unwrap();
    assert_eq!(hit.header("x-clinic-event"), Some("job.created"));
    let timestamp = hit.header("x-clinic-timestamp").unwrap().to_owned();
    assert_eq!(timestamp, hit.webhook_timestamp().to_string());
    let text = format!(
        "{timestamp}.{}",
        String::from_utf8(hit.body.clone()).unwrap()
    );
    let expected = format!("sha256={}", hmac_sha256_hex(&hook.secret, text.as_bytes()));
    assert_eq!(hit.header("x-clinic-signature"), Some(expected.as_str()));
    assert_eq!(hit.header("x-clinic-signature-previous"), None);
    let body_alone = json!({ "signing": { "schemes": ["sha256-body"] } });
    change(&tenant, &endpoint, &hook, &body_alone).await;
    tenant.publish("job.created", json!({})).await;
    let hit = endpoint.wait_for(2, SOON).await.remove(1);
    let expected = format!("sha256={}", hmac_sha256_hex(&hook.secret, &hit.body));
    assert_eq!(hit.header("x-tidings-signature"), Some(expected.as_str()));
    assert_eq!(hit.header("webhook-signature"), None);
}

#[tokio::test]
async fn what_is_too_long_is_sent_thin_and_the_same_on_every_attempt() {
    let public = [(
        "TIDINGS_SUBSCRIPTIONS__PUBLIC_URL",
        "https://api.example.com/",
    )];
    let app = TestApp::start_with(&public).await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Status(500), Reply::Status(500), Reply::Status(200)]);
    let small = json!({ "max_payload_bytes": 1_024 });
    let hook = webhook(&tenant, &endpoint, &small).await;
    let body = json!({ "type": "job.created", "data": { "text": "a".repeat(2_000) },
        "metadata": { "k": "v" }, "resource": { "type": "run", "id": "r-1", "data": { "n": 1 } } });
    let id = tenant.api.post("/v1/events", &body).await.expect(202)["id"].clone();
    tenant.wait_for_attempts(&hook, 1).await;
    // It would fit now, and was begun thin.
    change(&tenant, &endpoint, &hook, &json!({})).await;
    for attempts in 2..=3 {
        app.clock.advance(Duration::from_secs(3));
        tenant.wait_for_attempts(&hook, attempts).await;
    }
    let hits = endpoint.wait_for(3, SOON).await;
    for hit in &hits {
        assert_eq!(hit.body, hits[0].body);
        hit.verify(&hook.secret).unwrap();
    }
    let told = hits[0].json();
    let url = format!("https://api.example.com/v1/events/{}", id.as_str().unwrap());
    assert_eq!((&told["id"], &told["data_url"]), (&id, &json!(url)));
    assert_eq!(
        (&told["data"], &told["metadata"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(told["resource"], json!({ "type": "run", "id": "r-1" }));
    assert!(hits[0].body.len() < 1_024);
    let event = tenant
        .api
        .get(&format!("/v1/events/{}", id.as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(event["data"], body["data"]);
    // One that was begun whole stays whole.
    endpoint.answer_with([Reply::Status(500), Reply::Status(200)]);
    tenant.api.post("/v1/events", &body).await.expect(202);
    endpoint.wait_for(4, SOON).await;
    tenant.wait_for_attempts(&hook, 1).await;
    change(&tenant, &endpoint, &hook, &small).await;
    app.clock.advance(Duration::from_secs(2));
    let hits = endpoint.wait_for(5, SOON).await;
    assert_eq!(hits[3].body, hits[4].body);
    assert_eq!(hits[4].json()["data"], body["data"]);
}

#[tokio::test]
async fn no_more_requests_are_under_way_at_once_than_the_webhook_says() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Delay(Duration::from_secs(1), 200)]);
    let hook = webhook(&tenant, &endpoint, &json!({ "max_in_flight": 2 })).await;
    for number in 0..6 {
        tenant.publish("job.created", json!({ "n": number })).await;
    }
    let hits = endpoint.wait_for(6, SOON).await;
    settled(&tenant, &hook, "delivered", 6).await;
    // The third began when one of the first two had ended, and so on.
    for (hit, two_later) in hits.iter().zip(&hits[2..]) {
        let apart = two_later.at.duration_since(hit.at);
        assert!(apart >= Duration::from_millis(900), "{apart:?}");
    }
}
