//! What an entry says, what it does not, and who may read it.

use super::*;
use crate::app::TestApp;

#[tokio::test]
async fn an_entry_says_who_did_what_from_where_and_with_which_request() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let made = json!({ "name": "deploy +254700000001", "role": "owner" });
    let key = tenant.api.post("/v1/keys", made).await.expect(201);
    let deploy = tenant.api.with_key(&text(&key, "api_key"));
    // Nobody who is no proxy of ours says where he comes from.
    let headers = [
        ("x-request-id", "req-42"),
        ("x-forwarded-for", "198.51.100.7"),
    ];
    let body = json!({ "url": "https://a.example/hook", "events": ["*"] });
    let made = deploy
        .post_with_headers("/v1/webhooks", &headers, body)
        .await;
    let made = made.expect(201);
    let entry = chained(&tenant, "webhook.created").await;
    assert_eq!(entry["tenant_id"], tenant.id);
    let actor = json!({ "type": "key", "id": key["id"], "name": "deploy +[redacted]" });
    assert_eq!(entry["actor"], actor);
    assert_eq!(
        entry["target"],
        json!({ "type": "webhook", "id": made["id"] })
    );
    assert_eq!(entry["before"], Value::Null);
    assert_eq!(entry["after"]["url"], "https://a.example/hook");
    assert_eq!(entry["source_ip"], "127.0.0.1");
    assert_eq!(entry["request_id"], "req-42");
    for hash in ["hash", "previous_hash"] {
        assert_eq!(entry[hash].as_str().unwrap().len(), 64);
    }
    let path = format!("{AUDIT}/{}", text(&entry, "id"));
    assert_eq!(tenant.api.get(&path).await.expect(200), entry);

    // A token is its key; a member is who they are; the operator has no name.
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        text(&key, "id"),
        text(&key, "api_key")
    );
    let typed = [("content-type", "application/x-www-form-urlencoded")];
    let token = Api::anonymous(tenant.api.base_url())
        .post_bytes("/v1/oauth/token", &typed, form)
        .await
        .expect(200);
    let webhook = format!("/v1/webhooks/{}", text(&made, "id"));
    let with_token = tenant.api.with_key(&text(&token, "access_token"));
    patch(&with_token, &webhook, json!({ "name": "one" })).await;
    let ann = json!({ "email": "ann@example.com", "role": "owner", "name": "Ann" });
    let member = tenant.api.post("/v1/members", ann).await.expect(201);
    let link = json!({ "member_id": member["id"] });
    let link = tenant.api.post("/v1/console-links", link).await.expect(201);
    let url = text(&link, "url");
    let (_, carried) = url.split_once("#link=").unwrap();
    let entered = Api::anonymous(tenant.api.base_url())
        .post("/v1/console-links/exchange", json!({ "token": carried }))
        .await
        .expect(201);
    let with_login = tenant.api.with_key(&text(&entered, "access_token"));
    patch(&with_login, &webhook, json!({ "name": "two" })).await;
    let found = entries(&tenant.api, "&action=webhook.updated").await;
    let by_member = json!({ "type": "member", "id": member["id"], "name": "Ann" });
    assert_eq!(found[0]["actor"], by_member);
    assert_eq!(found[0]["before"]["name"], "one");
    assert_eq!(found[0]["after"]["name"], "two");
    assert_eq!(found[1]["actor"], actor);
    let used = entries(&tenant.api, "&action=console_link.used").await;
    assert_eq!(used[0]["actor"], by_member);
    let first = entries(&tenant.api, "&action=tenant.created").await;
    assert_eq!(
        first[0]["actor"],
        json!({ "type": "operator", "id": null, "name": null })
    );
}

#[tokio::test]
async fn behind_a_proxy_of_ours_a_client_is_who_the_proxy_says() {
    let app = TestApp::start_with(&[
        ("TIDINGS_SUBSCRIPTIONS__TRUSTED_PROXIES", "127.0.0.0/8"),
        ("TIDINGS_SUBSCRIPTIONS__FAILURES_PER_MINUTE", "5"),
    ])
    .await;
    let tenant = app.tenant("Clinic").await;
    let from = |address| [("x-forwarded-for", address)];
    let wrong = tenant.api.with_key("tk_live_wrong");
    for code in [401, 401, 401, 401, 401, 429] {
        let headers = from("203.0.113.9, 198.51.100.7");
        let refused = wrong.request("GET", "/v1/events", &headers, "").await;
        assert_eq!(refused.status, code, "{refused}");
    }
    let body = json!({ "url": "https://a.example/hook", "events": ["*"] });
    let made = tenant
        .api
        .post_with_headers("/v1/webhooks", &from("198.51.100.8"), body)
        .await;
    made.expect(201);
    let entry = chained(&tenant, "webhook.created").await;
    assert_eq!(entry["source_ip"], "198.51.100.8");
}

#[tokio::test]
async fn what_is_secret_is_nowhere_and_that_it_changed_is_said() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let body = json!({
        "url": "https://a.example/", "events": ["*"], "name": "call +254700000001",
        "headers": { "X-Key": "header-secret" },
        "endpoint_auth": { "type": "bearer", "token": "bearer-secret" },
    });
    let made = tenant.api.post("/v1/webhooks", body).await.expect(201);
    let path = format!("/v1/webhooks/{}", text(&made, "id"));
    patch(
        &tenant.api,
        &path,
        json!({ "headers": { "X-Key": "other-secret" } }),
    )
    .await;
    let auth = json!({ "endpoint_auth": { "type": "bearer", "token": "third-secret" } });
    patch(&tenant.api, &path, auth.clone()).await;
    patch(&tenant.api, &path, auth).await;
    let rotated = tenant
        .api
        .post(&format!("{path}/secret/rotate"), json!({}))
        .await;
    let rotated = rotated.expect(200);
    let account = json!({
        "provider": "stub", "slug": "clinic",
        "auth": [{ "type": "api_key", "header": "x-key", "key": "account-secret-1" }],
    });
    tenant
        .api
        .post("/v1/provider-accounts", account)
        .await
        .expect(201);
    let key = tenant
        .api
        .post("/v1/keys", json!({ "name": "ci", "role": "owner" }))
        .await;
    let key = key.expect(201);
    let all = entries(&tenant.api, "").await;
    let said = Value::from(all.clone()).to_string();
    for secret in [
        "header-secret",
        "other-secret",
        "bearer-secret",
        "third-secret",
        "account-secret-1",
        "254700000001",
        &text(&made, "secret")[6..],
        &text(&rotated, "secret")[6..],
        &text(&key, "api_key")[8..],
    ] {
        assert!(!said.contains(secret), "{secret} is in {said}");
    }
    let updated: Vec<&Value> = all
        .iter()
        .filter(|it| it["action"] == "webhook.updated")
        .collect();
    assert_eq!(updated.len(), 2, "{said}");
    for entry in updated {
        assert_eq!(entry["after"]["secrets_changed"], true);
        assert_eq!(entry["after"]["headers"], json!({ "X-Key": "[redacted]" }));
    }
    let rotation = entries(&tenant.api, "&action=webhook.secret_rotated").await;
    assert_eq!(rotation[0]["after"]["secrets_changed"], true);
}

#[tokio::test]
async fn the_log_is_filtered_and_each_tenant_sees_its_own() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("Clinic").await, app.tenant("Other").await);
    let made = webhook(&tenant).await;
    let second = webhook(&tenant).await;
    webhook(&other).await;
    let id = text(&made, "id");
    let of = async |query: &str| entries(&tenant.api, query).await.len();
    assert_eq!(of("").await, 3);
    assert_eq!(of(&format!("&target={id}")).await, 1);
    assert_eq!(of("&action=webhook.created").await, 2);
    assert_eq!(of("&actor=operator").await, 1);
    assert_eq!(of("&actor=member").await, 0);
    let found = entries(&tenant.api, &format!("&target={}", text(&second, "id"))).await;
    let actor = text(&found[0]["actor"], "id");
    assert_eq!(of(&format!("&actor={actor}")).await, 2);
    assert_eq!(of("&after=2020-01-01T00:00:00Z").await, 3);
    assert_eq!(of("&before=2020-01-01T00:00:00Z").await, 0);
    // Page by page.
    let first = tenant
        .api
        .get(&format!("{AUDIT}?limit=2"))
        .await
        .expect(200);
    let cursor = text(&first, "next_cursor");
    let rest = tenant
        .api
        .get(&format!("{AUDIT}?limit=2&cursor={cursor}"))
        .await;
    let rest = rest.expect(200);
    assert_eq!(rest["data"][0]["action"], "tenant.created");
    assert_eq!(rest["next_cursor"], Value::Null);

    let entry = format!("{AUDIT}/{}", text(&found[0], "id"));
    other.api.get(&entry).await.expect_problem(404, "not_found");
    let of_tenant = format!("{entry}?tenant={}", tenant.id);
    app.operator.get(&of_tenant).await.expect(200);
    app.operator
        .get(&entry)
        .await
        .expect_problem(404, "not_found");
    other
        .api
        .get(&of_tenant)
        .await
        .expect_problem(403, "forbidden");
    let viewer = json!({ "name": "v", "role": "viewer" });
    let viewer = tenant.api.post("/v1/keys", viewer).await.expect(201);
    let viewer = tenant.api.with_key(&text(&viewer, "api_key"));
    let refused = viewer.get(AUDIT).await;
    let refused = refused.expect_problem(403, "forbidden");
    assert_eq!(refused["detail"], "the key lacks the scope audit:read");
    let chain = tenant.api.get("/v1/audit/chain").await;
    chain.expect_problem(403, "forbidden");
    for (query, pointer) in [
        ("actor=nobody", "/actor"),
        ("action=webhook.eaten", "/action"),
        ("after=yesterday", "/after"),
        ("odd=1", "/odd"),
    ] {
        let refused = tenant.api.get(&format!("{AUDIT}?{query}")).await;
        let problem = refused.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    for query in ["after=-1", "limit=501", "after=x"] {
        let refused = app.operator.get(&format!("/v1/audit/chain?{query}")).await;
        refused.expect_problem(422, "invalid_request");
    }
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_the_chain_begins_later() {
    let mut app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    webhook(&tenant).await;
    chained(&tenant, "webhook.created").await;
    app.clock.advance(std::time::Duration::from_hours(24 * 401));
    app.restart().await;
    let tenant = app.again(&tenant);
    webhook(&tenant).await;
    let is_short = |found: &Value| {
        let all = found["data"].as_array().unwrap();
        found["anchor"]["position"] == 2 && all.len() == 1 && all[0]["position"] == 3
    };
    let chain = app
        .operator
        .get_until("/v1/audit/chain", is_short, SOON)
        .await;
    assert_eq!(chain["data"][0]["previous_hash"], chain["anchor"]["hash"]);
    assert_eq!(chain["data"][0]["hash"], chain["head"]["hash"]);
    let metrics = app.admin.get("/metrics").await.text;
    assert!(metrics.contains("tidings_audit_head_position"), "{metrics}");
}
