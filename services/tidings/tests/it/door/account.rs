//! What changes about an account holds at the door soon.

use super::*;
use std::time::Duration;
use testkit::eventually;

const ADDED_WITHIN: Duration = Duration::from_secs(3);
const CHANGED_WITHIN: Duration = Duration::from_secs(2);

/// Until a path answers so to a report with these headers.
async fn until(app: &TestApp, path: &str, headers: &[(&str, &str)], status: u16, within: Duration) {
    let headers = [&[JSON], headers].concat();
    let what = format!("{path} answers {status}");
    let look = async || {
        let answer = app.ingress.post_raw(path, &headers, delivered("m-1")).await;
        if answer.status == status {
            Ok(())
        } else {
            Err(answer)
        }
    };
    eventually(&what, within, look).await;
}

#[tokio::test]
async fn an_account_works_soon_after_it_is_made_even_if_it_was_tried_before() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    app.ingress
        .post_raw(CLINIC, &[JSON], delivered("m-1"))
        .await
        .expect(401);
    tenant.account("stub", "clinic").await;
    until(&app, CLINIC, &[], 200, ADDED_WITHIN).await;
    // One that nobody asked for works at once.
    tenant.account("stub", "branch").await;
    post(&app, "/v1/callbacks/branch/reports", "m-1").await;
}

#[tokio::test]
async fn a_deleted_account_is_refused_soon_and_its_name_may_become_anothers() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let account = tenant.account("stub", "clinic").await;
    let first = post(&app, CLINIC, "m-1").await;
    let path = format!("/v1/provider-accounts/{}", account["id"].as_str().unwrap());
    tenant.api.delete(&path).await.expect(204);
    until(&app, CLINIC, &[], 401, CHANGED_WITHIN).await;
    let other = app.tenant("Other").await;
    other.account("stub", "clinic").await;
    until(&app, CLINIC, &[], 200, ADDED_WITHIN).await;
    let second = post(&app, CLINIC, "m-1").await;
    assert_ne!(first, second);
    assert_only(&other, &[second]).await;
    assert_only(&tenant, &[first]).await;
}

#[tokio::test]
async fn changed_checks_hold_soon() {
    const KEY: [(&str, &str); 1] = [("x-key", "the-first-key-0123456789")];
    const NEW: [(&str, &str); 1] = [("x-key", "the-second-key-012345678")];
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let with_key = |key: &str| json!([{ "type": "api_key", "header": "x-key", "key": key }]);
    let account = tenant
        .account_with("stub", "clinic", with_key(KEY[0].1))
        .await;
    let path = format!("/v1/provider-accounts/{}", account["id"].as_str().unwrap());
    let change = async |auth: Value| {
        let body = json!({ "provider": "stub", "slug": "clinic", "auth": auth });
        tenant.api.put(&path, body).await.expect(200)
    };
    until(&app, CLINIC, &KEY, 200, ADDED_WITHIN).await;
    change(with_key(NEW[0].1)).await;
    until(&app, CLINIC, &KEY, 401, CHANGED_WITHIN).await;
    until(&app, CLINIC, &NEW, 200, CHANGED_WITHIN).await;
    let changed = change(json!([{ "type": "token" }])).await;
    until(&app, CLINIC, &NEW, 401, CHANGED_WITHIN).await;
    let path_of = |account: &Value| {
        let url = account["callback_urls"]["reports"].as_str().unwrap();
        url.strip_prefix(app.ingress.base_url()).unwrap().to_owned()
    };
    let old_path = path_of(&changed);
    until(&app, &old_path, &[], 200, CHANGED_WITHIN).await;
    let rotate = format!("{path}/rotate-token");
    let rotated = tenant.api.post(&rotate, json!({})).await.expect(200);
    until(&app, &old_path, &[], 401, CHANGED_WITHIN).await;
    until(&app, &path_of(&rotated), &[], 200, CHANGED_WITHIN).await;
}

#[tokio::test]
async fn a_restart_forgets_no_account() {
    let mut app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let auth = json!([{ "type": "token" }, { "type": "api_key", "header": "k", "key": "0123456789abcdef" }]);
    let account = tenant.account_with("stub", "clinic", auth).await;
    let url = account["callback_urls"]["reports"].as_str().unwrap();
    let path = url.strip_prefix(app.ingress.base_url()).unwrap();
    app.restart().await;
    until(&app, path, &[("k", "0123456789abcdef")], 200, ADDED_WITHIN).await;
    until(&app, path, &[("k", "0123456789abcdeg")], 401, ADDED_WITHIN).await;
}
