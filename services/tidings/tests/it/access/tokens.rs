//! Tokens for API callers: RFC 6749 §4.4.

use super::{key_path, make_key, text, with};
use crate::app::TestApp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Answer, Api};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const GRANT: &str = "grant_type=client_credentials";

async fn ask(api: &Api, form: &str) -> Answer {
    let anonymous = Api::anonymous(api.base_url());
    anonymous
        .request("POST", "/v1/oauth/token", &[FORM], form)
        .await
}

async fn ask_basic(api: &Api, id: &str, secret: &str, form: &str) -> Answer {
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let headers = [FORM, ("authorization", basic.as_str())];
    api.request("POST", "/v1/oauth/token", &headers, form).await
}

fn inside(key: &Value) -> String {
    let (id, secret) = (text(key, "id"), text(key, "api_key"));
    format!("{GRANT}&client_id={id}&client_secret={secret}")
}

#[tokio::test]
async fn a_key_becomes_a_token_for_a_quarter_of_an_hour() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let key = make_key(&tenant, "viewer").await;
    let answer = ask(&tenant.api, &inside(&key)).await;
    let granted = answer.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    assert_eq!(granted["token_type"], "Bearer");
    assert_eq!(granted["expires_in"], 900);
    let scopes: Vec<&str> = granted["scope"].as_str().unwrap().split(' ').collect();
    assert_eq!(json!(scopes), key["scopes"]);
    let token = text(&granted, "access_token");
    assert!(
        token.starts_with("tok_") && token.len() == 4 + 43,
        "{token}"
    );
    let api = tenant.api.with_key(&token);
    api.get("/v1/events").await.expect(200);
    let own = api.get("/v1/tenant").await.expect(200);
    assert_eq!(own["id"], tenant.id);
    let event = json!({ "type": "job.created", "data": {} });
    api.post("/v1/events", event)
        .await
        .expect_problem(403, "forbidden");
    app.clock.advance(Duration::from_secs(901));
    api.get("/v1/events")
        .await
        .expect_problem(401, "unauthorized");

    let (id, secret) = (text(&key, "id"), text(&key, "api_key"));
    let form = format!("{GRANT}&scope=events:read+members:read");
    let narrow = ask_basic(&tenant.api, &id, &secret, &form)
        .await
        .expect(200);
    assert_eq!(narrow["scope"], "events:read members:read");
    let api = tenant.api.with_key(&text(&narrow, "access_token"));
    api.get("/v1/events").await.expect(200);
    api.get("/v1/webhooks")
        .await
        .expect_problem(403, "forbidden");
    // It ends with its key, and before it where the key ends earlier.
    assert_eq!(tenant.api.delete(&key_path(&key)).await.status, 204);
    api.get("/v1/events")
        .await
        .expect_problem(401, "unauthorized");
    let soon = app.clock.now().plus(Duration::from_mins(1));
    let body = json!({ "name": "short", "role": "viewer", "expires_at": soon });
    let short = tenant.api.post("/v1/keys", body).await.expect(201);
    let granted = ask(&tenant.api, &inside(&short)).await.expect(200);
    assert!(granted["expires_in"].as_u64().unwrap() <= 60, "{granted}");
    let api = tenant.api.with_key(&text(&granted, "access_token"));
    api.get("/v1/events").await.expect(200);
    app.clock.advance(Duration::from_secs(61));
    api.get("/v1/events")
        .await
        .expect_problem(401, "unauthorized");
}

#[tokio::test]
async fn what_is_refused_is_said_in_the_words_of_the_protocol() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let key = make_key(&tenant, "viewer").await;
    let (id, secret) = (text(&key, "id"), text(&key, "api_key"));
    let full = inside(&key);
    for (form, status, error) in [
        (String::new(), 401, "invalid_client"),
        (GRANT.to_owned(), 401, "invalid_client"),
        (
            full.replace(GRANT, "grant_type=password"),
            400,
            "unsupported_grant_type",
        ),
        (full.replace(GRANT, "x=1"), 400, "invalid_request"),
        (format!("{full}&{GRANT}"), 400, "invalid_request"),
        (format!("{full}&scope=events:publish"), 400, "invalid_scope"),
        (format!("{full}&scope=everything"), 400, "invalid_scope"),
        (format!("{full}x"), 401, "invalid_client"),
        (
            full.replace(&id, "key_00000000000000000000000000"),
            401,
            "invalid_client",
        ),
        (
            full.replace(&secret, testkit::ADMIN_KEY),
            401,
            "invalid_client",
        ),
    ] {
        let answer = ask(&tenant.api, &form).await;
        let refused = answer.expect(status);
        assert_eq!(refused["error"], error, "{answer}");
        assert!(refused["error_description"].is_string());
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer}");
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge.is_some(), status == 401, "{answer}");
    }
    let both = ask_basic(&tenant.api, &id, &secret, &full).await;
    assert_eq!(both.expect(400)["error"], "invalid_request");
    let wrong = ask_basic(&tenant.api, &id, "tk_live_x", GRANT).await;
    assert_eq!(wrong.expect(401)["error"], "invalid_client");
    // A token is no key.
    let granted = ask(&tenant.api, &full).await.expect(200);
    let again = full.replace(&secret, &text(&granted, "access_token"));
    assert_eq!(
        ask(&tenant.api, &again).await.expect(401)["error"],
        "invalid_client"
    );
    // What comes before the protocol is told as everywhere.
    let anonymous = Api::anonymous(tenant.api.base_url());
    let json = [("content-type", "application/json")];
    let answer = anonymous
        .request("POST", "/v1/oauth/token", &json, "{}")
        .await;
    answer.expect_problem(415, "unsupported_media_type");
    let long = format!("{full}&x={}", "x".repeat(9_000));
    ask(&tenant.api, &long)
        .await
        .expect_problem(413, "payload_too_large");
    let got = anonymous.get("/v1/oauth/token").await;
    got.expect_problem(405, "method_not_allowed");
    let path = format!("/v1/tenants/{}/suspend", tenant.id);
    app.operator.post(&path, json!({})).await.expect(200);
    let refused = ask(&tenant.api, &full).await.expect(400);
    assert_eq!(refused["error"], "unauthorized_client");
    let api = tenant.api.with_key(&text(&granted, "access_token"));
    api.get("/v1/events").await.expect_problem(403, "forbidden");
    drop(with(&tenant, &key));
}
