//! How an account changes and ends, as the door shows it.

use super::{JSON, path_of};
use crate::api::{PHONE, assert_refused, id, ids, members};
use crate::app::TestApp;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::eventually;
use testkit::providers::stub_report;

/// How long the door may take to know of a change.
const TWO_SECONDS: Duration = Duration::from_secs(2);

async fn status(app: &TestApp, path: &str) -> u16 {
    let report = stub_report("m-1", "DELIVRD", PHONE, None);
    app.ingress.post_raw(path, &[JSON], report).await.status
}

/// The door answers so within two seconds, and goes on answering so.
async fn door_answers(app: &TestApp, path: &str, expected: u16) {
    eventually("the door knows", TWO_SECONDS, async || {
        let status = status(app, path).await;
        (status == expected).then_some(()).ok_or(status)
    })
    .await;
    assert_eq!(status(app, path).await, expected);
}

#[tokio::test]
async fn a_put_replaces_the_checks_and_keeps_a_token_that_was_there() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let made = tenant.account("stub", "clinic").await;
    let own = format!("/v1/provider-accounts/{}", id(&made));
    let body = |auth: Value| json!({ "provider": "stub", "slug": "clinic", "auth": auth });
    let from_here = json!({ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] });
    let bare = "/v1/callbacks/clinic/reports";
    assert_eq!(status(&app, bare).await, 200);

    // A new token is shown, and asked for.
    app.clock.advance(Duration::from_secs(1));
    let changed = tenant
        .api
        .put(&own, body(json!([{ "type": "token" }])))
        .await
        .expect(200);
    let with_token = path_of(&app, &changed);
    assert!(!with_token.contains("{token}"), "{changed}");
    assert_eq!(changed["created_at"], made["created_at"]);
    assert!(
        changed["updated_at"].as_str() > made["updated_at"].as_str(),
        "{changed}"
    );
    door_answers(&app, bare, 401).await;
    door_answers(&app, &with_token, 200).await;

    // It stays, unseen, when something else is replaced.
    let changed = tenant
        .api
        .put(&own, body(json!([from_here, { "type": "token" }])))
        .await
        .expect(200);
    assert!(path_of(&app, &changed).contains("{token}"), "{changed}");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(status(&app, &with_token).await, 200);

    // Left out, it is gone.
    tenant
        .api
        .put(&own, body(json!([from_here])))
        .await
        .expect(200);
    door_answers(&app, &with_token, 401).await;
    door_answers(&app, bare, 200).await;

    // What an account is cannot change.
    let mut other = body(json!([from_here]));
    other["provider"] = json!("orange");
    assert_refused(&tenant.api.put(&own, other).await, &["/provider"]);
    let mut other = body(json!([from_here]));
    other["slug"] = json!("elsewhere");
    assert_refused(&tenant.api.put(&own, other).await, &["/slug"]);
    assert_refused(&tenant.api.put(&own, body(json!([]))).await, &["/auth"]);
    let kept = tenant.api.get(&own).await.expect(200);
    assert_eq!(
        (&kept["slug"], &kept["provider"]),
        (&json!("clinic"), &json!("stub"))
    );
}

#[tokio::test]
async fn a_rotated_token_opens_and_the_one_before_does_not() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let made = tenant
        .account_with("stub", "clinic", json!([{ "type": "token" }]))
        .await;
    let own = format!("/v1/provider-accounts/{}", id(&made));
    let first = path_of(&app, &made);
    assert_eq!(status(&app, &first).await, 200);
    let rotated = tenant
        .api
        .request("POST", &format!("{own}/rotate-token"), &[], [])
        .await
        .expect(200);
    assert_eq!(members(&rotated), members(&made));
    let second = path_of(&app, &rotated);
    assert_ne!(first, second);
    door_answers(&app, &first, 401).await;
    door_answers(&app, &second, 200).await;
    let found = tenant.api.get(&own).await;
    assert!(
        path_of(&app, &found.expect(200)).contains("{token}"),
        "{found}"
    );
    // Nothing to rotate.
    let bare = id(&tenant.account("stub", "bare").await);
    let path = format!("/v1/provider-accounts/{bare}/rotate-token");
    tenant
        .api
        .request("POST", &path, &[], [])
        .await
        .expect_problem(409, "conflict");
}

#[tokio::test]
async fn a_deleted_account_is_a_401_at_the_door_within_two_seconds() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let made = tenant.account("stub", "clinic").await;
    let bare = "/v1/callbacks/clinic/reports";
    let message = tenant.message("clinic", "m-1", PHONE).await;
    assert_eq!(status(&app, bare).await, 200);
    tenant.wait_for_state(&message, "delivered").await;
    let own = format!("/v1/provider-accounts/{}", id(&made));
    let answer = tenant.api.delete(&own).await;
    answer.expect(204);
    assert_eq!(answer.text, "");
    door_answers(&app, bare, 401).await;
    // What came through it is still there, and nothing new can be sent through it.
    let kept = tenant
        .api
        .get(&format!("/v1/messages/{message}"))
        .await
        .expect(200);
    assert_eq!(kept["provider_account"], "clinic");
    let page = tenant
        .api
        .get("/v1/callbacks?account=clinic")
        .await
        .expect(200);
    assert!(!ids(&page).is_empty());
    let body = json!({ "provider_account": "clinic", "client_reference": "r", "to": PHONE });
    assert_refused(
        &tenant.api.post("/v1/messages", body).await,
        &["/provider_account"],
    );
}

#[tokio::test]
async fn a_slug_that_the_door_just_refused_opens_once_it_has_an_account() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let bare = "/v1/callbacks/clinic/reports";
    assert_eq!(status(&app, bare).await, 401);
    tenant.account("stub", "clinic").await;
    eventually("the account opens", Duration::from_secs(3), async || {
        (status(&app, bare).await == 200).then_some(())
    })
    .await;
}
