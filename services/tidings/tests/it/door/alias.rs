//! The addresses of older deployments.

use super::*;
use testkit::providers::{africastalking_report, orange_report};

const AFRICASTALKING: &str = "/api/webhooks/africastalking/delivery";

async fn shared_account(app: &TestApp, provider: &str, auth: Value) -> Value {
    let body = json!({ "provider": provider, "slug": provider, "auth": auth });
    app.operator
        .post("/v1/provider-accounts", body)
        .await
        .expect(201)
}

#[tokio::test]
async fn an_older_address_reaches_the_account_that_has_the_providers_name() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    shared_account(&app, "africastalking", from_here()).await;
    shared_account(&app, "orange", from_here()).await;
    let first = tenant.message("africastalking", "ATXid_1", PHONE).await;
    let second = tenant.message("orange", "r-1", "+2250700000001").await;
    let form = africastalking_report("ATXid_1", "Success", PHONE, &[]);
    let mut ids = BTreeSet::new();
    for path in [
        AFRICASTALKING,
        "/api/webhooks/legacy/africastalking/delivery",
        "/v1/callbacks/africastalking/reports",
    ] {
        ids.insert(accepted_id(&app.ingress.post_form(path, &*form).await));
    }
    assert_eq!(ids.len(), 1, "the address does not matter: {ids:?}");
    let report = orange_report("r-1", "tel:+2250700000001", "DeliveredToTerminal");
    let path = "/api/webhooks/legacy/orange/delivery";
    accepted_id(&app.ingress.post_raw(path, &[JSON], report).await);
    tenant.wait_for_state(&first, "delivered").await;
    tenant.wait_for_state(&second, "delivered").await;
    let path = format!("/v1/callbacks/{}", ids.first().unwrap());
    let wanted = |found: &Value| found["receipts"] == 3;
    let seen = app.operator.get_until(&path, wanted, SOON).await;
    assert_eq!(seen["kind"], "reports");
    tenant.api.get(&path).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn an_older_address_has_no_place_for_a_token() {
    let app = TestApp::start().await;
    let auth = json!([{ "type": "token" }]);
    let account = shared_account(&app, "africastalking", auth).await;
    let url = account["callback_urls"]["reports"].as_str().unwrap();
    let with_token = url.strip_prefix(app.ingress.base_url()).unwrap();
    let form = africastalking_report("ATXid_1", "Success", PHONE, &[]);
    let refused = app.ingress.post_form(AFRICASTALKING, &*form).await;
    refused.expect_problem(401, "unauthorized");
    // As if there were no such account, which for these two is so.
    for path in [
        "/api/webhooks/legacy/mtn/delivery",
        "/api/webhooks/legacy/orange/delivery",
    ] {
        let answer = app.ingress.post_form(path, &*form).await;
        assert_eq!(told(&answer), told(&refused), "{path}");
    }
    accepted_id(&app.ingress.post_form(with_token, &*form).await);
}

#[tokio::test]
async fn only_the_operator_can_take_a_providers_name() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let body = json!({ "provider": "stub", "slug": "africastalking", "auth": from_here() });
    let refused = tenant.api.post("/v1/provider-accounts", body).await;
    assert_eq!(refused.code(), "slug_reserved", "{refused}");
    let form = africastalking_report("ATXid_1", "Success", PHONE, &[]);
    let answer = app.ingress.post_form(AFRICASTALKING, form).await;
    answer.expect_problem(401, "unauthorized");
}
