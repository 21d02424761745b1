//! What is refused is kept whole and sealed, and can be taken in once what was wrong is mended.

use super::*;
use testkit::Endpoint;

const KEY: &str = "0123456789abcdef";
const OTHER_KEY: &str = "fedcba9876543210";

fn key(key: &str) -> Value {
    json!([{ "type": "api_key", "header": "x-key", "key": key }])
}

async fn quarantined(api: &testkit::Api, path: &str) -> Value {
    let one = |found: &Value| found["data"].as_array().unwrap().len() == 1;
    let found = api.get_until(path, one, SOON).await;
    found["data"][0].clone()
}

#[tokio::test]
async fn what_was_refused_for_a_wrong_secret_is_taken_in_once_the_account_has_the_right_one() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let account = tenant.account_with("stub", "clinic", key(OTHER_KEY)).await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["*"]).await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    let headers = [JSON, ("x-key", KEY)];
    let body = delivered("m-1");
    app.ingress
        .post_raw(CLINIC, &headers, &*body)
        .await
        .expect(401);
    let kept = quarantined(&tenant.api, "/v1/quarantine").await;
    assert_eq!(kept["reason"], "invalid_api_key");
    assert_eq!(kept["provider_account"], "clinic");
    assert_eq!(kept["kind"], "reports");
    assert_eq!(kept["source_ip"], "127.0.0.1");
    assert_eq!(kept["size_bytes"], body.len());
    let id = kept["id"].as_str().unwrap();
    assert!(id.starts_with("qua_"), "{kept}");
    // Whoever looks sees its shape, and neither the number nor the key.
    let path = format!("/v1/quarantine/{id}");
    let shown = tenant.api.get(&path).await;
    let detail = shown.expect(200);
    assert!(
        detail["body_redacted"]
            .as_str()
            .unwrap()
            .contains("DELIVRD")
    );
    let names = detail["header_names"].as_array().unwrap();
    assert!(names.contains(&json!("x-key")), "{detail}");
    for secret in [KEY, &PHONE[1..]] {
        assert!(!shown.text.contains(secret), "{shown}");
    }

    let ingest = format!("{path}/ingest");
    let refused = tenant.api.post(&ingest, json!({})).await;
    let refused = refused.expect_problem(409, "conflict");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("invalid_api_key")
    );
    let account = format!("/v1/provider-accounts/{}", account["id"].as_str().unwrap());
    let mended = json!({ "provider": "stub", "slug": "clinic", "auth": key(KEY) });
    tenant.api.put(&account, mended).await.expect(200);
    let taken = tenant.api.post(&ingest, json!({})).await.expect(200);
    assert_eq!(taken["status"], "accepted");
    tenant.wait_for_state(&message, "delivered").await;
    let callback = processed(&tenant, taken["callback_id"].as_str().unwrap()).await;
    assert_eq!(callback["receipts"], 1);
    endpoint.wait_for(1, SOON).await;
    tenant
        .api
        .post(&ingest, json!({}))
        .await
        .expect_problem(404, "not_found");
    let left = tenant.api.get("/v1/quarantine").await.expect(200);
    assert_eq!(left["data"], json!([]));
}

#[tokio::test]
async fn each_body_of_a_provider_that_is_not_understood_is_kept_and_still_refused_until_it_is() {
    let app = TestApp::start().await;
    begin_an_hour(&app);
    let tenant = clinic(&app).await;
    for number in 0..3 {
        let body = format!(r#"{{"unheard": {number}}}"#);
        app.ingress
            .post_raw(CLINIC, &[JSON], body)
            .await
            .expect(422);
    }
    app.ingress.post_raw(CLINIC, &[JSON], "{").await.expect(400);
    let all = |found: &Value| found["data"].as_array().unwrap().len() == 4;
    tenant.api.get_until("/v1/quarantine", all, SOON).await;
    let malformed = quarantined(&tenant.api, "/v1/quarantine?reason=malformed").await;
    let path = format!(
        "/v1/quarantine/{}/ingest",
        malformed["id"].as_str().unwrap()
    );
    tenant
        .api
        .post(&path, json!({}))
        .await
        .expect_problem(422, "unrecognised");
    let events = "/v1/security-events?type=unrecognised";
    let told = |found: &Value| found["data"][0]["count"] == 3;
    let found = tenant.api.get_until(events, told, SOON).await;
    let detail = found["data"][0]["detail"].as_str().unwrap();
    assert!(!detail.is_empty(), "it says what is missing");
    // Another tenant has none of it.
    let other = app.tenant("Other").await;
    other
        .api
        .post(&path, json!({}))
        .await
        .expect_problem(404, "not_found");
    let found = other.api.get("/v1/quarantine").await.expect(200);
    assert_eq!(found["data"], json!([]));
}

#[tokio::test]
async fn what_reached_no_account_is_the_operators_to_take_in_once_there_is_one() {
    let app = TestApp::start().await;
    let body = delivered("m-1");
    let headers = [JSON, ("x-key", KEY)];
    app.ingress
        .post_raw("/v1/callbacks/late/reports", &headers, &*body)
        .await
        .expect(401);
    let kept = quarantined(&app.operator, "/v1/quarantine").await;
    assert_eq!(kept["reason"], "unknown_account");
    let ingest = format!("/v1/quarantine/{}/ingest", kept["id"].as_str().unwrap());
    let refused = app.operator.post(&ingest, json!({})).await;
    refused.expect_problem(409, "conflict");
    let tenant = app.tenant("Late").await;
    tenant.account_with("stub", "late", key(KEY)).await;
    let message = tenant.message("late", "m-1", PHONE).await;
    app.operator.post(&ingest, json!({})).await.expect(200);
    tenant.wait_for_state(&message, "delivered").await;
}

#[tokio::test]
async fn what_is_too_large_is_not_kept_and_what_is_old_is_forgotten() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let large = format!(r#"{{"unheard":"{}"}}"#, "x".repeat(64 * 1024));
    app.ingress
        .post_raw(CLINIC, &[JSON], large)
        .await
        .expect(422);
    app.ingress
        .post_raw(CLINIC, &[JSON], "{}")
        .await
        .expect(422);
    let kept = quarantined(&tenant.api, "/v1/quarantine").await;
    assert_eq!(kept["size_bytes"], 2);
    let mut app = app;
    app.clock.advance(Duration::from_hours(24 * 7 + 1));
    // Whatever is old is forgotten at the start, and every ten minutes.
    app.restart().await;
    let tenant = app.again(&tenant);
    let none = |found: &Value| found["data"] == json!([]);
    tenant.api.get_until("/v1/quarantine", none, SOON).await;
    let events = tenant.api.get("/v1/security-events").await.expect(200);
    assert_eq!(
        events["data"].as_array().unwrap().len(),
        1,
        "these are kept longer"
    );
}

#[tokio::test]
async fn callbacks_are_kept_for_thirty_days_and_what_came_of_them_stays() {
    let mut app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    let old = post(&app, CLINIC, "m-1").await;
    processed(&tenant, &old).await;
    app.clock.advance(Duration::from_hours(24 * 29));
    tenant.message("clinic", "m-2", PHONE).await;
    let young = post(&app, CLINIC, "m-2").await;
    processed(&tenant, &young).await;
    app.clock.advance(Duration::from_hours(24 * 2));
    app.restart().await;
    let tenant = app.again(&tenant);
    let path = format!("/v1/callbacks/{old}");
    testkit::eventually("the old one is forgotten", SOON, async || {
        (tenant.api.get(&path).await.status == 404).then_some(())
    })
    .await;
    processed(&tenant, &young).await;
    tenant.wait_for_state(&message, "delivered").await;
    // It is known all the same what it said.
    let again = post(&app, CLINIC, "m-1").await;
    assert_eq!(again, old);
    let callback = processed(&tenant, &again).await;
    assert_eq!(callback["reports"][0]["outcome"], "duplicate");
}
