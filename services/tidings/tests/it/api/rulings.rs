//! A person says what became of a message.

use super::PHONE;
use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use testkit::Endpoint;
use testkit::providers::stub_report;

const PATH: &str = "/v1/callbacks/clinic/reports";

async fn report(app: &TestApp, word: &str) {
    let body: Value = serde_json::from_str(&stub_report("m-1", word, PHONE, None)).unwrap();
    app.ingress.post_json(PATH, body).await.expect(200);
}

#[tokio::test]
async fn a_person_sets_the_state_and_it_is_told_and_kept_with_the_reason() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["*"]).await;
    let id = tenant.message("clinic", "m-1", PHONE).await;
    let path = format!("/v1/messages/{id}/state");
    let ruling = json!({ "state": "failed", "reason": "the patient says that nothing came" });
    let set = tenant.api.post(&path, ruling).await.expect(200);
    assert_eq!(
        (&set["state"], &set["is_final"]),
        (&json!("failed"), &json!(true))
    );
    let entry = &set["history"][0];
    assert_eq!(entry["source"], "manual");
    assert_eq!(entry["reason"], "the patient says that nothing came");
    assert_eq!(entry["actor"], "tenant");
    assert_eq!(entry["applied"], true);
    assert!(entry["callback_id"].is_null());
    let hits = endpoint.wait_for(1, SOON).await;
    assert_eq!(hits[0].json()["type"], "sms.failed");
    assert_eq!(hits[0].json()["data"]["previous_state"], "pending");
    // The provider knows better, and nobody is told that the two contradicted each other.
    report(&app, "DELIVRD").await;
    tenant.wait_for_state(&id, "delivered").await;
    let hits = endpoint.wait_for(2, SOON).await;
    assert_eq!(hits[1].json()["type"], "sms.delivered");
    assert_eq!(endpoint.hits().len(), 2);
}

#[tokio::test]
async fn what_would_lose_is_refused_unless_forced_and_then_only_the_next_forced_one_wins() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let id = tenant.message("clinic", "m-1", PHONE).await;
    report(&app, "DELIVRD").await;
    tenant.wait_for_state(&id, "delivered").await;
    let path = format!("/v1/messages/{id}/state");
    let ruling = json!({ "state": "failed", "reason": "wrong phone" });
    let refused = tenant.api.post(&path, ruling).await;
    let refused = refused.expect_problem(409, "would_lose");
    assert!(refused["detail"].as_str().unwrap().contains("delivered"));
    let forced = json!({ "state": "failed", "reason": "wrong phone", "force": true });
    let set = tenant.api.post(&path, forced).await.expect(200);
    assert_eq!(set["state"], "failed");
    report(&app, "EXPIRED").await;
    let stale = |found: &Value| found["history"].as_array().unwrap().len() == 3;
    let of_message = format!("/v1/messages/{id}");
    let found = tenant.api.get_until(&of_message, stale, SOON).await;
    assert_eq!(found["state"], "failed");
    let ruling = json!({ "state": "delivered", "reason": "it was the right one" });
    let refused = tenant.api.post(&path, ruling).await;
    refused.expect_problem(409, "would_lose");
    let forced = json!({ "state": "delivered", "reason": "it was the right one", "force": true });
    let set = tenant.api.post(&path, forced).await.expect(200);
    assert_eq!(set["state"], "delivered");
}

#[tokio::test]
async fn a_ruling_that_says_nothing_or_is_of_anothers_message_is_refused() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let id = tenant.message("clinic", "m-1", PHONE).await;
    let path = format!("/v1/messages/{id}/state");
    for (body, pointer) in [
        (json!({ "state": "pending", "reason": "r" }), "/state"),
        (json!({ "state": "lost", "reason": "r" }), "/state"),
        (json!({ "state": "failed", "reason": "  " }), "/reason"),
        (
            json!({ "state": "failed", "reason": "r".repeat(129) }),
            "/reason",
        ),
    ] {
        let refused = tenant.api.post(&path, body).await;
        let problem = refused.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let ruling = json!({ "state": "failed", "reason": "r", "sure": true });
    let refused = tenant.api.post(&path, ruling).await;
    refused.expect_problem(422, "invalid_request");
    let other = app.tenant("Other").await;
    let ruling = json!({ "state": "failed", "reason": "r" });
    let refused = other.api.post(&path, ruling).await;
    refused.expect_problem(404, "not_found");
    let found = tenant
        .api
        .get(&format!("/v1/messages/{id}"))
        .await
        .expect(200);
    assert_eq!(found["history"], json!([]));
}

#[tokio::test]
async fn reports_without_a_message_are_shown_to_their_tenant_until_it_is_registered() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    report(&app, "DELIVRD").await;
    let list = |found: &Value| found["data"].as_array().unwrap().clone();
    let one = |found: &Value| list(found).len() == 1;
    let found = tenant.api.get_until("/v1/orphans", one, SOON).await;
    let orphan = &found["data"][0];
    assert!(
        orphan["id"].as_str().unwrap().starts_with("orp_"),
        "{orphan}"
    );
    assert_eq!(orphan["provider_account"], "clinic");
    assert_eq!(orphan["provider_message_id"], "m-1");
    assert_eq!(orphan["to"], PHONE);
    assert_eq!(orphan["word"], "DELIVRD");
    for (filter, number) in [
        ("account=clinic", 1),
        ("account=other", 0),
        ("provider_message_id=m-1", 1),
        ("provider_message_id=m-2", 0),
        ("after=2100-01-01T00:00:00Z", 0),
    ] {
        let path = format!("/v1/orphans?{filter}");
        let found = tenant.api.get(&path).await.expect(200);
        assert_eq!(list(&found).len(), number, "{filter}");
    }
    let other = app.tenant("Other").await;
    assert_eq!(
        list(&other.api.get("/v1/orphans").await.expect(200)).len(),
        0
    );
    let of_tenant = format!("/v1/orphans?tenant={}", tenant.id);
    assert_eq!(
        list(&app.operator.get(&of_tenant).await.expect(200)).len(),
        1
    );
    let id = tenant.message("clinic", "m-1", PHONE).await;
    tenant.wait_for_state(&id, "delivered").await;
    assert_eq!(
        list(&tenant.api.get("/v1/orphans").await.expect(200)).len(),
        0
    );
}

#[tokio::test]
async fn messages_are_found_by_their_age_and_by_why_they_failed() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("africastalking", "clinic").await;
    tenant.message("clinic", "m-1", PHONE).await;
    let form = "id=m-1&status=Failed&failureReason=UserInBlacklist&networkCode=63902&retryCount=0";
    app.ingress.post_form(PATH, form).await.expect(200);
    let path = "/v1/messages?state=failed";
    let one = |found: &Value| found["data"].as_array().unwrap().len() == 1;
    let found = tenant.api.get_until(path, one, SOON).await;
    let class = found["data"][0]["failure_class"]
        .as_str()
        .unwrap()
        .to_owned();
    for (filter, number) in [
        (format!("failure_class={class}"), 1),
        ("failure_class=credit".to_owned(), 0),
        ("after=2020-01-01T00:00:00Z".to_owned(), 1),
        ("before=2020-01-01T00:00:00Z".to_owned(), 0),
        (
            "state=failed&after=2020-01-01T00:00:00Z&before=2100-01-01T00:00:00Z".to_owned(),
            1,
        ),
    ] {
        let found = tenant.api.get(&format!("/v1/messages?{filter}")).await;
        let found = found.expect(200);
        assert_eq!(found["data"].as_array().unwrap().len(), number, "{filter}");
    }
    let refused = tenant.api.get("/v1/messages?failure_class=bad").await;
    refused.expect_problem(422, "invalid_request");
}
