//! Every role at every class of routes.

use super::{make_key, with};
use crate::app::TestApp;
use serde_json::json;

const ROLES: [&str; 4] = ["owner", "developer", "viewer", "publisher"];

/// A route, the scope it needs, and the roles that have it, by their first letters.
const CLASSES: [(&str, &str, &str, &str); 34] = [
    ("GET", "/v1/webhooks", "webhooks:read", "odv"),
    ("POST", "/v1/webhooks", "webhooks:write", "od"),
    ("PUT", "/v1/webhooks/sub_0", "webhooks:write", "od"),
    ("DELETE", "/v1/webhooks/sub_0", "webhooks:write", "od"),
    (
        "POST",
        "/v1/webhooks/sub_0/secret/rotate",
        "webhooks:write",
        "od",
    ),
    (
        "POST",
        "/v1/webhooks/sub_0/deliveries/retry",
        "webhooks:retry",
        "od",
    ),
    ("GET", "/v1/deliveries/dlv_0", "webhooks:read", "odv"),
    (
        "POST",
        "/v1/deliveries/dlv_0/cancel",
        "webhooks:retry",
        "od",
    ),
    ("GET", "/v1/replays", "webhooks:read", "odv"),
    ("POST", "/v1/replays", "webhooks:retry", "od"),
    ("GET", "/v1/events", "events:read", "odv"),
    ("POST", "/v1/events", "events:publish", "odp"),
    ("GET", "/v1/messages", "messages:read", "odv"),
    ("POST", "/v1/messages", "messages:write", "odp"),
    ("POST", "/v1/messages/msg_0/state", "messages:write", "odp"),
    ("GET", "/v1/messages/msg_0/timeline", "messages:read", "odv"),
    ("GET", "/v1/orphans", "messages:read", "odv"),
    (
        "GET",
        "/v1/provider-accounts",
        "provider_accounts:read",
        "odv",
    ),
    (
        "POST",
        "/v1/provider-accounts",
        "provider_accounts:write",
        "od",
    ),
    (
        "GET",
        "/v1/statistics/callbacks",
        "provider_accounts:read",
        "odv",
    ),
    ("GET", "/v1/callbacks", "callbacks:read", "odv"),
    ("GET", "/v1/security-events", "security:read", "odv"),
    ("GET", "/v1/quarantine", "security:read", "odv"),
    (
        "POST",
        "/v1/quarantine/qua_0/ingest",
        "security:write",
        "od",
    ),
    ("GET", "/v1/dead-letters", "dead_letters:read", "odv"),
    ("POST", "/v1/dead-letters/purge", "dead_letters:write", "od"),
    ("POST", "/v1/erasures", "erasures:write", "o"),
    ("GET", "/v1/keys", "keys:read", "od"),
    ("POST", "/v1/keys", "keys:write", "o"),
    ("DELETE", "/v1/keys/key_0", "keys:write", "o"),
    ("GET", "/v1/members", "members:read", "odv"),
    ("POST", "/v1/members", "members:write", "o"),
    ("POST", "/v1/console-links", "console_links:write", "o"),
    ("GET", "/v1/tenant", "", "odvp"),
];

#[tokio::test]
async fn each_role_may_do_what_it_says_and_is_told_which_scope_it_lacks() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    for role in ROLES {
        let api = with(&tenant, &make_key(&tenant, role).await);
        for (method, path, scope, who) in CLASSES {
            let headers = [("content-type", "application/json")];
            let answer = api.request(method, path, &headers, "{}").await;
            if who.contains(&role[..1]) {
                let is_let_in = !matches!(answer.status, 401 | 403 | 500..);
                assert!(is_let_in, "{role}: {answer}");
            } else {
                let problem = answer.expect_problem(403, "forbidden");
                let detail = format!("the key lacks the scope {scope}");
                assert_eq!(problem["detail"], detail, "{role}: {answer}");
            }
        }
        // What is the operator's, nobody has.
        for (method, path) in [
            ("GET", "/v1/tenants"),
            ("POST", "/v1/tenants"),
            ("GET", "/v1/tenants/ten_0"),
            ("PATCH", "/v1/tenants/ten_0"),
            ("DELETE", "/v1/tenants/ten_0"),
            ("POST", "/v1/tenants/ten_0/suspend"),
        ] {
            let answer = api.request(method, path, &[], "{}").await;
            answer.expect_problem(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn a_key_with_fewer_scopes_than_its_role_has_only_those() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let body = json!({
        "name": "billing", "role": "developer", "scopes": ["events:read", "events:publish"],
    });
    let made = tenant.api.post("/v1/keys", body).await.expect(201);
    // In an order of their own, whatever the order they were named in.
    assert_eq!(made["scopes"], json!(["events:publish", "events:read"]));
    let api = with(&tenant, &made);
    api.get("/v1/events").await.expect(200);
    let event = json!({ "type": "job.created", "data": {} });
    api.post("/v1/events", event).await.expect(202);
    let refused = api.get("/v1/webhooks").await;
    let refused = refused.expect_problem(403, "forbidden");
    assert_eq!(refused["detail"], "the key lacks the scope webhooks:read");
}

#[tokio::test]
async fn nobody_gives_what_he_has_not() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let body = json!({
        "name": "office", "role": "owner",
        "scopes": ["keys:write", "events:read", "members:write", "console_links:write"],
    });
    let office = with(
        &tenant,
        &tenant.api.post("/v1/keys", body).await.expect(201),
    );
    for (role, scopes) in [
        ("owner", None),
        ("developer", None),
        ("viewer", None),
        ("developer", Some(json!(["events:read", "events:publish"]))),
    ] {
        let mut body = json!({ "name": "more", "role": role });
        if let Some(scopes) = scopes {
            body["scopes"] = scopes;
        }
        let refused = office.post("/v1/keys", body).await;
        let refused = refused.expect_problem(403, "forbidden");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains("your key lacks "), "{detail}");
    }
    let body = json!({ "name": "same", "role": "viewer", "scopes": ["events:read"] });
    office.post("/v1/keys", body).await.expect(201);

    // Nor by way of a person who is let into the console.
    for role in ROLES {
        let body = json!({ "email": format!("{role}@example.com"), "role": role });
        office
            .post("/v1/members", body.clone())
            .await
            .expect_problem(403, "forbidden");
        tenant.api.post("/v1/members", &body).await.expect(201);
        let link = json!({ "email": body["email"] });
        office
            .post("/v1/console-links", link)
            .await
            .expect_problem(403, "forbidden");
    }
}
