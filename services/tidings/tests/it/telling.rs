//! From an event to a tenant's endpoint.

use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Endpoint, Reply};

#[tokio::test]
async fn an_event_reaches_exactly_those_who_subscribed_to_its_type_and_environment() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let [all, prefix, exact, elsewhere, foreign] = [
        Endpoint::start().await,
        Endpoint::start().await,
        Endpoint::start().await,
        Endpoint::start().await,
        Endpoint::start().await,
    ];
    tenant.webhook(&all, &["*"]).await;
    tenant.webhook(&prefix, &["call.*"]).await;
    tenant
        .webhook(&exact, &["job.completed", "user.login"])
        .await;
    let staging =
        json!({ "url": elsewhere.url("/hook"), "events": ["*"], "environment": "staging" });
    tenant.api.post("/v1/webhooks", staging).await.expect(201);
    other.webhook(&foreign, &["*"]).await;

    tenant.publish("call.answered", json!({ "n": 1 })).await;
    tenant.publish("job.completed", json!({ "n": 2 })).await;
    let body = json!({ "type": "user.login", "data": {}, "environment": "staging" });
    tenant.api.post("/v1/events", body).await.expect(202);

    let types = |hits: &[testkit::Hit]| {
        let mut types: Vec<_> = hits
            .iter()
            .map(|hit| hit.json()["type"].as_str().unwrap().to_owned())
            .collect();
        types.sort_unstable();
        types
    };
    assert_eq!(
        types(&all.wait_for(2, SOON).await),
        ["call.answered", "job.completed"]
    );
    assert_eq!(types(&prefix.wait_for(1, SOON).await), ["call.answered"]);
    assert_eq!(types(&exact.wait_for(1, SOON).await), ["job.completed"]);
    assert_eq!(types(&elsewhere.wait_for(1, SOON).await), ["user.login"]);
    assert!(foreign.hits().is_empty());
}

#[tokio::test]
async fn data_arrives_number_for_number_and_in_its_order() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["*"]).await;
    let body = r#"{"type":"result.generated","data":{"z":1.00,"a":12345678901234567890123,"é":"\u00e9"},
        "resource":{"type":"run","id":"r-1"},"context":{"user_id":"u-1"},"metadata":{"k":[1]},"source":"lab"}"#;
    tenant
        .api
        .post_bytes("/v1/events", &[], body)
        .await
        .expect(202);
    let hit = endpoint.wait_for(1, SOON).await.remove(0);
    let text = String::from_utf8(hit.body.clone()).unwrap();
    assert!(
        text.ends_with(r#""data":{"z":1.00,"a":12345678901234567890123,"é":"\u00e9"}}"#),
        "{text}"
    );
    let told = hit.json();
    assert_eq!(told["source"], "lab");
    assert_eq!(told["resource"], json!({ "type": "run", "id": "r-1" }));
    assert_eq!(told["context"], json!({ "user_id": "u-1" }));
    assert_eq!(told["metadata"], json!({ "k": [1] }));
    assert_eq!(hit.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn an_event_without_a_subscriber_is_kept() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let id = tenant.publish("job.created", json!({ "n": 1 })).await;
    let path = format!("/v1/events/{id}");
    let kept = tenant
        .api
        .get_until(&path, |found| found["sequence"].is_i64(), SOON)
        .await;
    assert_eq!(kept["deliveries"], json!([]));
    // A subscription made later gets only what comes after it.
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["*"]).await;
    let later = tenant.publish("job.failed", json!({})).await;
    assert_eq!(endpoint.wait_for(1, SOON).await[0].webhook_id(), later);
}

#[tokio::test]
async fn an_endpoint_that_fails_twice_gets_the_same_body_under_the_same_id_until_it_succeeds() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Status(500), Reply::Close, Reply::Status(204)]);
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let id = tenant.publish("job.created", json!({ "n": 1 })).await;
    for attempts in 1..=2 {
        tenant.wait_for_attempts(&webhook, attempts).await;
        app.clock.advance(Duration::from_secs(5));
    }
    let hits = endpoint.wait_for(3, SOON).await;
    for hit in &hits {
        assert_eq!(hit.webhook_id(), id);
        assert_eq!(hit.body, hits[0].body);
        // Time was moved by ten seconds at the most: well inside a verifier's tolerance.
        hit.verify(&webhook.secret).unwrap();
    }
    let deliveries = tenant
        .wait_for_deliveries(&webhook, |all| {
            all.iter().all(|one| one["state"] == "delivered")
        })
        .await;
    let tried = deliveries[0]["attempts"].as_array().unwrap();
    let errors: Vec<_> = tried.iter().map(|tried| tried["error"].as_str()).collect();
    assert_eq!(errors, [Some("status_5xx"), Some("reset"), None]);
    let numbers: Vec<_> = tried.iter().map(|tried| tried["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
    assert_eq!(deliveries[0]["next_attempt_at"], Value::Null);
}

#[tokio::test]
async fn when_the_schedule_is_exhausted_the_delivery_has_failed_and_stays_visible() {
    let app = TestApp::start_with(&[("TIDINGS_DISPATCHER__RETRY", "60,3600")]).await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Status(404)]);
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    tenant.publish("job.created", json!({})).await;
    endpoint.wait_for(1, SOON).await;
    let after = async |attempts| tenant.wait_for_attempts(&webhook, attempts).await.remove(0);
    let pending = after(1).await;
    assert_eq!(pending["state"], "pending");
    assert!(pending["next_attempt_at"].is_string());
    app.clock.advance(Duration::from_secs(75));
    assert_eq!(after(2).await["state"], "pending");
    app.clock.advance(Duration::from_secs(4_400));
    let failed = after(3).await;
    assert_eq!(failed["state"], "failed");
    assert_eq!(failed["attempts"][2]["status_code"], 404);
    let query = format!("/v1/webhooks/{}/deliveries?state=failed", webhook.id);
    let listed = tenant.api.get(&query).await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([
        Reply::with(503, &[("retry-after", "3600")], ""),
        Reply::Status(200),
    ]);
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    tenant.publish("job.created", json!({})).await;
    tenant.wait_for_attempts(&webhook, 1).await;
    app.clock.advance(Duration::from_mins(50));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(endpoint.hits().len(), 1);
    app.clock.advance(Duration::from_secs(700));
    endpoint.wait_for(2, SOON).await;
}

#[tokio::test]
async fn redirects_are_not_followed_and_are_failures() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (endpoint, target) = (Endpoint::start().await, Endpoint::start().await);
    let location = target.url("/stolen");
    endpoint.answer_with([Reply::with(302, &[("location", &location)], "")]);
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    tenant.publish("job.created", json!({})).await;
    let all = tenant.wait_for_attempts(&webhook, 1).await;
    assert_eq!(all[0]["attempts"][0]["error"], "redirect");
    assert!(target.hits().is_empty());
}

#[tokio::test]
async fn a_hung_endpoint_costs_a_good_one_nothing() {
    let app = TestApp::start_with(&[("TIDINGS_DISPATCHER__TIMEOUT", "2s")]).await;
    let tenant = app.tenant("Clinic").await;
    let (hung, good) = (Endpoint::start().await, Endpoint::start().await);
    hung.answer_with([Reply::Hang]);
    let hanging = tenant.webhook(&hung, &["*"]).await;
    tenant.webhook(&good, &["*"]).await;
    for number in 0..90 {
        tenant.publish("job.created", json!({ "n": number })).await;
    }
    let hits = good.wait_for(90, SOON).await;
    let mut numbers: Vec<_> = hits
        .iter()
        .map(|hit| hit.json()["data"]["n"].as_u64())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 90);
    let all = tenant
        .wait_for_deliveries(&hanging, |all| {
            all.iter()
                .any(|delivery| delivery["attempts"][0]["error"] == "timeout")
        })
        .await;
    assert!(all.iter().all(|delivery| delivery["state"] == "pending"));
}

#[tokio::test]
async fn a_changed_url_and_secret_hold_from_the_next_attempt() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (old, new) = (Endpoint::start().await, Endpoint::start().await);
    old.answer_with([Reply::Status(500)]);
    let webhook = tenant.webhook(&old, &["*"]).await;
    let id = tenant.publish("job.created", json!({})).await;
    tenant.wait_for_attempts(&webhook, 1).await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let change = json!({ "url": new.url("/new"), "events": ["*"], "secret": secret });
    tenant
        .api
        .put(&format!("/v1/webhooks/{}", webhook.id), change)
        .await
        .expect(200);
    app.clock.advance(Duration::from_secs(2));
    let hit = new.wait_for(1, SOON).await.remove(0);
    assert_eq!(hit.webhook_id(), id);
    hit.verify(secret).unwrap();
    assert!(hit.verify(&webhook.secret).is_err());
    assert_eq!(old.hits().len(), 1);
}

#[tokio::test]
async fn a_disabled_subscription_keeps_what_it_is_owed_until_it_is_enabled() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Status(500), Reply::Status(200)]);
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let id = tenant.publish("job.created", json!({})).await;
    tenant.wait_for_attempts(&webhook, 1).await;
    let path = format!("/v1/webhooks/{}", webhook.id);
    let body = |enabled: bool| json!({ "url": endpoint.url("/hook"), "events": ["*"], "enabled": enabled });
    let disabled = tenant.api.put(&path, body(false)).await.expect(200);
    assert_eq!(disabled["state"], "disabled");
    tenant.publish("job.failed", json!({})).await;
    app.clock.advance(Duration::from_mins(1));
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(endpoint.hits().len(), 1);
    tenant.api.put(&path, body(true)).await.expect(200);
    let hits = endpoint.wait_for(2, SOON).await;
    assert_eq!(
        hits[1].webhook_id(),
        id,
        "what was published while it was disabled is not owed"
    );
}

#[tokio::test]
async fn a_deleted_subscription_gets_nothing_more_and_its_deliveries_are_cancelled() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Status(500)]);
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let id = tenant.publish("job.created", json!({})).await;
    tenant.wait_for_attempts(&webhook, 1).await;
    let path = format!("/v1/webhooks/{}", webhook.id);
    tenant.api.delete(&path).await.expect(204);
    tenant.api.get(&path).await.expect_problem(404, "not_found");
    tenant
        .api
        .delete(&path)
        .await
        .expect_problem(404, "not_found");
    app.clock.advance(Duration::from_mins(1));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(endpoint.hits().len(), 1);
    let event = tenant
        .api
        .get(&format!("/v1/events/{id}"))
        .await
        .expect(200);
    assert_eq!(event["deliveries"][0]["state"], "cancelled");
}

#[tokio::test]
async fn more_than_memory_holds_waits_in_the_store_and_arrives_once_each() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Delay(Duration::from_millis(20), 200)]);
    tenant.webhook(&endpoint, &["*"]).await;
    let publishing = (0..8).map(|worker| {
        let api = tenant.api.clone();
        async move {
            for number in 0..125 {
                let data = json!({ "n": worker * 125 + number });
                api.post("/v1/events", json!({ "type": "job.created", "data": data }))
                    .await
                    .expect(202);
            }
        }
    });
    futures_util::future::join_all(publishing).await;
    let hits = endpoint.wait_for(1_000, Duration::from_secs(30)).await;
    let mut numbers: Vec<_> = hits
        .iter()
        .filter_map(|hit| hit.json()["data"]["n"].as_u64())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
}
