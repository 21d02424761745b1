//! Keys: made, shown, used, ended.

use super::{faults, key_path, make_key, with};
use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::Api;

#[tokio::test]
async fn a_key_is_shown_once_and_then_by_its_beginning() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let made = make_key(&tenant, "viewer").await;
    let key = made["api_key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("tk_live_") && key.len() == 8 + 43, "{key}");
    assert!(key.starts_with(made["prefix"].as_str().unwrap()));
    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("api_key");
    let expected = json!({
        "id": made["id"], "name": "viewer", "prefix": made["prefix"], "role": "viewer",
        "scopes": [
            "webhooks:read", "events:read", "messages:read", "provider_accounts:read",
            "callbacks:read", "security:read", "dead_letters:read", "members:read",
        ],
        "created_at": made["created_at"], "last_used_at": null, "expires_at": null,
        "revoked_at": null,
    });
    assert_eq!(shown, expected);
    let found = tenant.api.get(&key_path(&made)).await.expect(200);
    assert_eq!(found, shown);
    let page = tenant.api.get("/v1/keys").await.expect(200);
    let names: Vec<_> = page["data"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 2, "the first key, and this: {page}");
    assert_eq!(names[0], &shown);
    assert_eq!(
        (&names[1]["name"], &names[1]["role"]),
        (&"first key".into(), &"owner".into())
    );
    let next = tenant.api.get("/v1/keys?limit=1").await.expect(200);
    let cursor = next["next_cursor"].as_str().unwrap();
    let path = format!("/v1/keys?limit=1&cursor={cursor}");
    let rest = tenant.api.get(&path).await;
    assert_eq!(rest.expect(200)["data"][0]["name"], "first key");

    // Its use is noted.
    with(&tenant, &made).get("/v1/events").await.expect(200);
    let is_used = |found: &Value| found["last_used_at"].is_string();
    tenant.api.get_until(&key_path(&made), is_used, SOON).await;
}

#[tokio::test]
async fn a_key_that_says_nothing_sensible_is_refused_with_where() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    for (body, at) in [
        (json!({}), vec!["/name"]),
        (
            json!({ "name": "", "role": "king" }),
            vec!["/name", "/role"],
        ),
        (json!({ "name": "a", "role": 7 }), vec!["/role"]),
        (
            json!({ "name": "a", "role": "viewer", "scopes": [] }),
            vec!["/scopes"],
        ),
        (
            json!({ "name": "a", "role": "viewer", "scopes": null }),
            vec!["/scopes"],
        ),
        (
            json!({ "name": "a", "role": "viewer", "scopes": ["events:read", "events:write", "events:publish"] }),
            vec!["/scopes/1", "/scopes/2"],
        ),
        (
            json!({ "name": "a", "role": "viewer", "scopes": ["events:read", "events:read"] }),
            vec!["/scopes/1"],
        ),
        (
            json!({ "name": "a", "role": "viewer", "expires_at": "tomorrow" }),
            vec!["/expires_at"],
        ),
        (
            json!({ "name": "a", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z" }),
            vec!["/expires_at"],
        ),
        (
            json!({ "name": "a", "role": "viewer", "prefix": "x" }),
            vec!["/prefix"],
        ),
    ] {
        let answer = tenant.api.post("/v1/keys", body).await;
        let problem = answer.expect_problem(422, "invalid_request");
        assert_eq!(faults(&problem), at, "{answer}");
    }
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_and_the_last_owners_key_stays() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let made = make_key(&tenant, "owner").await;
    let api = with(&tenant, &made);
    api.get("/v1/events").await.expect(200);
    assert_eq!(tenant.api.delete(&key_path(&made)).await.status, 204);
    let expected = Api::anonymous(tenant.api.base_url())
        .get("/v1/events")
        .await;
    let refused = api.get("/v1/events").await;
    let refused = refused.expect_problem(401, "unauthorized");
    assert_eq!(
        refused["detail"], expected.body["detail"],
        "as any wrong key"
    );
    // It stays to be seen; revoking it again changes nothing.
    let shown = tenant.api.get(&key_path(&made)).await.expect(200);
    assert!(shown["revoked_at"].is_string(), "{shown}");
    assert_eq!(tenant.api.delete(&key_path(&made)).await.status, 204);
    assert_eq!(tenant.api.get(&key_path(&made)).await.expect(200), shown);

    let page = tenant.api.get("/v1/keys").await.expect(200);
    let first = page["data"].as_array().unwrap().last().unwrap();
    let refused = tenant.api.delete(&key_path(first)).await;
    refused.expect_problem(409, "conflict");
    // The operator may, and makes another.
    let named = format!("{}?tenant={}", key_path(first), tenant.id);
    assert_eq!(app.operator.delete(&named).await.status, 204);
    tenant
        .api
        .get("/v1/events")
        .await
        .expect_problem(401, "unauthorized");
    let path = format!("/v1/keys?tenant={}", tenant.id);
    let body = json!({ "name": "again", "role": "owner" });
    let again = app.operator.post(&path, body).await.expect(201);
    with(&tenant, &again).get("/v1/keys").await.expect(200);
}

#[tokio::test]
async fn a_key_ends_when_its_time_is_over() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let now = app.clock.now().plus(Duration::from_hours(1));
    let body = json!({ "name": "for an hour", "role": "viewer", "expires_at": now });
    let made = tenant.api.post("/v1/keys", body).await.expect(201);
    let api = with(&tenant, &made);
    api.get("/v1/events").await.expect(200);
    app.clock.advance(Duration::from_secs(3_601));
    api.get("/v1/events")
        .await
        .expect_problem(401, "unauthorized");
    let shown = tenant.api.get(&key_path(&made)).await.expect(200);
    assert_eq!(shown["revoked_at"], Value::Null);
    assert_eq!(shown["expires_at"], made["expires_at"]);
}

#[tokio::test]
async fn another_tenants_keys_and_members_are_not_there() {
    let app = TestApp::start().await;
    let (one, two) = (app.tenant("One").await, app.tenant("Two").await);
    let theirs = make_key(&two, "viewer").await;
    let path = key_path(&theirs);
    one.api.get(&path).await.expect_problem(404, "not_found");
    one.api.delete(&path).await.expect_problem(404, "not_found");
    for query in [format!("?tenant={}", two.id), "?tenant=nonsense".to_owned()] {
        one.api
            .get(&format!("/v1/keys{query}"))
            .await
            .expect_problem(403, "forbidden");
        let body = json!({ "name": "mine", "role": "owner" });
        one.api
            .post(&format!("/v1/keys{query}"), body)
            .await
            .expect_problem(403, "forbidden");
    }
    let body = json!({ "email": "ann@example.com", "role": "viewer" });
    let member = two.api.post("/v1/members", body).await.expect(201);
    let path = format!("/v1/members/{}", member["id"].as_str().unwrap());
    one.api.get(&path).await.expect_problem(404, "not_found");
    let headers = [("content-type", "application/json")];
    let changed = one.api.request("PATCH", &path, &headers, "{}").await;
    changed.expect_problem(404, "not_found");
    one.api.delete(&path).await.expect_problem(404, "not_found");
    let link = json!({ "member_id": member["id"] });
    let refused = one.api.post("/v1/console-links", link).await;
    refused.expect_problem(422, "invalid_request");
    with(&two, &theirs).get("/v1/members").await.expect(200);
    for unknown in ["/v1/keys/key_0", "/v1/keys/evt_1", "/v1/members/x"] {
        two.api.get(unknown).await.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_source_that_guesses_is_told_to_wait_and_known_keys_behind_it_go_on() {
    let app = TestApp::start_with(&[("TIDINGS_SUBSCRIPTIONS__FAILURES_PER_MINUTE", "5")]).await;
    let tenant = app.tenant("Clinic").await;
    tenant.api.get("/v1/events").await.expect(200);
    let guess = |number: usize| tenant.api.with_key(&format!("tk_live_{number:043}"));
    for number in 0..5 {
        let refused = guess(number).get("/v1/events").await;
        refused.expect_problem(401, "unauthorized");
    }
    let refused = guess(6).get("/v1/events").await;
    refused.expect_problem(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{refused}");
    // Neither a right key that nobody has shown yet, nor a link, nor a client's secret gets further.
    let link = json!({ "token": "lnk_guess" });
    let exchanged = tenant.api.post("/v1/console-links/exchange", link).await;
    exchanged.expect_problem(429, "rate_limited");
    tenant.api.get("/v1/events").await.expect(200);
    app.operator.get("/v1/events").await.expect(200);
    app.clock.advance(Duration::from_mins(1));
    guess(7)
        .get("/v1/events")
        .await
        .expect_problem(401, "unauthorized");
}

/// Behind a proxy of the operator's own a caller is who the proxy says; from elsewhere nobody is believed.
#[tokio::test]
async fn behind_a_trusted_proxy_each_caller_is_a_source_of_its_own() {
    let failures = ("TIDINGS_SUBSCRIPTIONS__FAILURES_PER_MINUTE", "2");
    let trusted = ("TIDINGS_SUBSCRIPTIONS__TRUSTED_PROXIES", "127.0.0.0/8");
    let app = TestApp::start_with(&[failures, trusted]).await;
    let tenant = app.tenant("Clinic").await;
    let ask = async |key: &str, from: &str| {
        let headers = [("x-forwarded-for", from)];
        let api = tenant.api.with_key(key);
        api.request("GET", "/v1/events", &headers, []).await
    };
    for number in 0..2 {
        let wrong = format!("tk_live_{number:043}");
        ask(&wrong, "10.1.1.1, 203.0.113.9")
            .await
            .expect_problem(401, "unauthorized");
    }
    let wrong = format!("tk_live_{:043}", 7);
    ask(&wrong, "203.0.113.9")
        .await
        .expect_problem(429, "rate_limited");
    // What the caller wrote itself counts for nothing.
    ask(&wrong, "198.51.100.1, 203.0.113.9")
        .await
        .expect_problem(429, "rate_limited");
    ask(&wrong, "198.51.100.1")
        .await
        .expect_problem(401, "unauthorized");
    let body = json!({ "url": "https://clinic.example.com/", "events": ["*"] });
    let headers = [("x-forwarded-for", "198.51.100.1")];
    let made = tenant.api.post_with_headers("/v1/webhooks", &headers, body);
    made.await.expect(201);
    let entries = tenant.api.get("/v1/audit?limit=1").await.expect(200);
    assert_eq!(entries["data"][0]["source_ip"], "198.51.100.1");

    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let body = json!({ "url": "https://clinic.example.com/", "events": ["*"] });
    let made = tenant.api.post_with_headers("/v1/webhooks", &headers, body);
    made.await.expect(201);
    let entries = tenant.api.get("/v1/audit?limit=1").await.expect(200);
    assert_eq!(entries["data"][0]["source_ip"], "127.0.0.1");
}
