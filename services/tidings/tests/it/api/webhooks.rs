//! Webhooks: what is shown of a subscription, how it changes, how it is.

use super::{id, ids, members};
use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Endpoint, Reply};

const SHOWN: [&str; 22] = [
    "created_at",
    "description",
    "disabled_reason",
    "enabled",
    "endpoint_auth",
    "environment",
    "events",
    "headers",
    "health",
    "id",
    "max_in_flight",
    "max_payload_bytes",
    "method",
    "name",
    "rate_limit",
    "retry",
    "signing",
    "state",
    "timeout_seconds",
    "updated_at",
    "url",
    "versions",
];
const OWN_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test]
async fn a_webhook_shows_everything_and_its_secret_only_when_it_is_made() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let body = json!({ "url": endpoint.url("/a?b=c"), "events": ["sms.*", "job.created"] });
    let made = tenant.api.post("/v1/webhooks", &body).await.expect(201);
    let mut with_secret = SHOWN.to_vec();
    with_secret.insert(16, "secret");
    assert_eq!(members(&made), with_secret);
    let secret = made["secret"].as_str().unwrap();
    assert!(
        secret.starts_with("whsec_") && secret.len() >= 6 + 32,
        "{secret}"
    );
    assert!(id(&made).starts_with("sub_"));
    assert_eq!(
        (&made["url"], &made["events"]),
        (&body["url"], &body["events"])
    );
    assert_eq!(
        (&made["name"], &made["description"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(made["environment"], "production");
    assert_eq!(made["enabled"], true);
    assert_eq!(
        (&made["state"], &made["disabled_reason"]),
        (&json!("active"), &Value::Null)
    );
    let health = json!({ "last_success_at": null, "last_failure_at": null, "delivered": 0,
        "failed": 0, "success_rate": null, "failing_since": null, "breaker": "closed" });
    assert_eq!(made["health"], health);
    assert_eq!(made["created_at"], made["updated_at"]);

    let mut expected = made.clone();
    expected.as_object_mut().unwrap().remove("secret");
    let path = format!("/v1/webhooks/{}", id(&made));
    let found = tenant.api.get(&path).await.expect(200);
    assert_eq!(found, expected);
    assert_eq!(members(&found), SHOWN);
    let list = tenant.api.get("/v1/webhooks").await.expect(200);
    assert_eq!(list, json!({ "data": [expected], "next_cursor": null }));

    // The same URL twice is two subscriptions, with secrets of their own.
    let second = tenant.api.post("/v1/webhooks", &body).await.expect(201);
    assert_ne!(
        (&second["id"], &second["secret"]),
        (&made["id"], &made["secret"])
    );
    tenant.publish("job.created", json!({})).await;
    let hits = endpoint.wait_for(2, SOON).await;
    assert_eq!(hits[0].webhook_id(), hits[1].webhook_id());
    let verified = |secret: &Value| {
        let secret = secret.as_str().unwrap();
        hits.iter().filter(|hit| hit.verify(secret).is_ok()).count()
    };
    assert_eq!(
        (verified(&made["secret"]), verified(&second["secret"])),
        (1, 1)
    );
}

#[tokio::test]
async fn a_put_replaces_all_of_it_but_the_secret() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (before, after) = (Endpoint::start().await, Endpoint::start().await);
    let body = json!({ "url": before.url("/"), "events": ["*"], "secret": OWN_SECRET,
        "name": "first", "description": "about", "environment": "staging", "enabled": false });
    let made = tenant.api.post("/v1/webhooks", body).await.expect(201);
    assert_eq!(made["secret"], OWN_SECRET);
    assert_eq!(
        (&made["state"], &made["disabled_reason"]),
        (&json!("disabled"), &json!("manual"))
    );
    let path = format!("/v1/webhooks/{}", id(&made));
    app.clock.advance(Duration::from_secs(1));
    let body = json!({ "url": after.url("/"), "events": ["job.*"] });
    let changed = tenant.api.put(&path, &body).await.expect(200);
    assert_eq!(members(&changed), SHOWN);
    assert_eq!(
        (&changed["url"], &changed["events"]),
        (&body["url"], &body["events"])
    );
    assert_eq!(
        (&changed["name"], &changed["description"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        (&changed["environment"], &changed["enabled"]),
        (&json!("production"), &json!(true))
    );
    assert_eq!(
        (&changed["state"], &changed["disabled_reason"]),
        (&json!("active"), &Value::Null)
    );
    assert_eq!(
        (&changed["id"], &changed["created_at"]),
        (&made["id"], &made["created_at"])
    );
    assert!(changed["updated_at"].as_str() > made["updated_at"].as_str());
    assert_eq!(tenant.api.get(&path).await.expect(200), changed);
    tenant.publish("job.created", json!({})).await;
    after.wait_for(1, SOON).await[0].verify(OWN_SECRET).unwrap();
    assert!(before.hits().is_empty());

    // A refused PUT changes nothing.
    let body = json!({ "url": before.url("/"), "events": [] });
    super::assert_refused(&tenant.api.put(&path, body).await, &["/events"]);
    super::assert_refused(&tenant.api.put(&path, json!({})).await, &["/url"]);
    let kept = tenant.api.get(&path).await.expect(200);
    assert_eq!(
        (&kept["url"], &kept["updated_at"]),
        (&changed["url"], &changed["updated_at"])
    );

    let answer = tenant.api.delete(&path).await;
    answer.expect(204);
    assert_eq!(answer.text, "");
    tenant.api.get(&path).await.expect_problem(404, "not_found");
    tenant
        .api
        .delete(&path)
        .await
        .expect_problem(404, "not_found");
    let body = json!({ "url": after.url("/"), "events": ["*"] });
    tenant
        .api
        .put(&path, body)
        .await
        .expect_problem(404, "not_found");
    let page = tenant.api.get("/v1/webhooks").await.expect(200);
    assert_eq!(page["data"], json!([]));
}

#[tokio::test]
async fn deliveries_are_listed_with_their_attempts_by_state_and_event() {
    let app = TestApp::start_with(&[("TIDINGS_DISPATCHER__RETRY", "60")]).await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([
        Reply::with(200, &[], "thanks"),
        Reply::with(500, &[], "oh no"),
    ]);
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let good = tenant.publish("job.created", json!({})).await;
    tenant
        .wait_for_deliveries(&webhook, |all| {
            all.len() == 1 && all[0]["state"] == "delivered"
        })
        .await;
    let bad = tenant.publish("job.failed", json!({})).await;
    let tried = |all: &[Value]| all.len() == 2 && all[0]["attempts"] != json!([]);
    let all = tenant.wait_for_deliveries(&webhook, tried).await;
    for delivery in &all {
        assert_eq!(
            members(delivery),
            [
                "attempts",
                "created_at",
                "error",
                "event_id",
                "event_type",
                "id",
                "next_attempt_at",
                "replay_id",
                "state",
                "subscription_id"
            ]
        );
        assert!(id(delivery).starts_with("dlv_"));
        assert_eq!(delivery["subscription_id"], webhook.id.as_str());
        assert_eq!(
            members(&delivery["attempts"][0]),
            [
                "duration_ms",
                "error",
                "error_detail",
                "method",
                "number",
                "payload_bytes",
                "payload_sha256",
                "request_headers",
                "response_body",
                "response_cut",
                "response_headers",
                "started_at",
                "status_code",
                "timing",
                "trace_id"
            ]
        );
        assert_eq!(delivery["attempts"][0]["number"], 1);
    }
    // Newest first.
    let (failing, delivered) = (&all[0], &all[1]);
    assert_eq!(
        (&failing["event_id"], &failing["event_type"]),
        (&json!(bad), &json!("job.failed"))
    );
    assert_eq!(
        (&failing["state"], failing["next_attempt_at"].is_string()),
        (&json!("pending"), true)
    );
    let attempt = &failing["attempts"][0];
    assert_eq!(
        (&attempt["status_code"], &attempt["error"]),
        (&json!(500), &json!("status_5xx"))
    );
    assert_eq!(attempt["response_body"], "oh no");
    assert_eq!(
        (&delivered["event_id"], &delivered["state"]),
        (&json!(good), &json!("delivered"))
    );
    assert_eq!(delivered["next_attempt_at"], Value::Null);
    let attempt = &delivered["attempts"][0];
    assert_eq!(
        (&attempt["status_code"], &attempt["error"]),
        (&json!(200), &Value::Null)
    );

    let list = async |query: &str| {
        let path = format!("/v1/webhooks/{}/deliveries?{query}", webhook.id);
        ids(&tenant.api.get(&path).await.expect(200))
    };
    assert_eq!(list("").await, [id(failing), id(delivered)]);
    assert_eq!(list("state=pending").await, [id(failing)]);
    assert_eq!(list("state=delivered").await, [id(delivered)]);
    assert_eq!(list("state=cancelled").await, Vec::<String>::new());
    assert_eq!(list(&format!("event_id={good}")).await, [id(delivered)]);
    assert_eq!(
        list(&format!("event_id={good}&state=pending")).await,
        Vec::<String>::new()
    );
    assert_eq!(
        list("event_id=evt_00000000000000000000000000").await,
        Vec::<String>::new()
    );

    // Their event shows them, too.
    let event = tenant
        .api
        .get(&format!("/v1/events/{bad}"))
        .await
        .expect(200);
    assert_eq!(event["deliveries"], json!([failing]));

    // Its health counts attempts.
    let path = format!("/v1/webhooks/{}", webhook.id);
    let failures = async |number: i64| {
        let counted = |found: &Value| found["health"]["failed"] == number;
        tenant.api.get_until(&path, counted, SOON).await["health"].clone()
    };
    let health = failures(1).await;
    assert_eq!(
        (&health["delivered"], &health["success_rate"]),
        (&json!(1), &json!(0.5))
    );
    let success = health["last_success_at"].as_str().unwrap();
    assert!(
        success <= health["last_failure_at"].as_str().unwrap(),
        "{health}"
    );
    app.clock.advance(Duration::from_secs(75));
    let later = failures(2).await;
    assert_eq!(
        (&later["delivered"], &later["last_success_at"]),
        (&json!(1), &json!(success))
    );
    assert!(
        later["last_failure_at"].as_str() > health["last_failure_at"].as_str(),
        "{later}"
    );
    tenant
        .wait_for_deliveries(&webhook, |all| all[0]["state"] == "failed")
        .await;
}
