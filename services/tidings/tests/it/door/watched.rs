//! What is refused is counted, kept as security events, and raised when it looks like an attack.

use super::*;
use testkit::{Endpoint, Hit, eventually};

const PROXIED: (&str, &str) = ("TIDINGS_INGRESS__TRUSTED_PROXIES", "127.0.0.0/8");
const HERE: &str = "198.51.100.7";

/// Posts as a caller at this address.
async fn call(app: &TestApp, from: &str, path: &str, body: &str) -> u16 {
    let headers = [JSON, ("x-forwarded-for", from)];
    app.ingress.post_raw(path, &headers, body).await.status
}

/// An account whose callbacks carry a key.
async fn keyed(app: &TestApp) -> Tenant {
    let tenant = app.tenant("Clinic").await;
    let key = json!([{ "type": "api_key", "header": "x-key", "key": "0123456789abcdef" }]);
    tenant.account_with("stub", "clinic", key).await;
    tenant
}

/// A tenant's security events once there are so many.
async fn events(api: &testkit::Api, path: &str, number: usize) -> Vec<Value> {
    let list = |found: &Value| found["data"].as_array().unwrap().clone();
    let found = api
        .get_until(path, |found| list(found).len() == number, SOON)
        .await;
    list(&found)
}

#[tokio::test]
async fn a_tenant_sees_who_was_refused_at_its_account_and_how_often() {
    let app = TestApp::start_with(&[PROXIED]).await;
    begin_an_hour(&app);
    let tenant = keyed(&app).await;
    for _ in 0..3 {
        assert_eq!(call(&app, HERE, CLINIC, "{}").await, 401);
    }
    assert_eq!(call(&app, "203.0.113.9", CLINIC, "{}").await, 401);
    let all = events(&tenant.api, "/v1/security-events", 2).await;
    let of_here = all.iter().find(|event| event["source_ip"] == HERE).unwrap();
    assert_eq!(of_here["type"], "invalid_api_key");
    assert_eq!(of_here["provider_account"], "clinic");
    let path = format!("/v1/security-events/{}", of_here["id"].as_str().unwrap());
    let counted = |found: &Value| found["count"] == 3;
    let one = tenant.api.get_until(&path, counted, SOON).await;
    assert!(one["id"].as_str().unwrap().starts_with("sec_"), "{one}");
    assert!(one["detail"].is_null() && one["at"].is_string(), "{one}");
    for (filter, number) in [
        ("source_ip=198.51.100.7", 1),
        ("type=invalid_api_key", 2),
        ("type=invalid_token", 0),
        ("account=clinic", 2),
        ("account=other", 0),
        ("after=2100-01-01T00:00:00Z", 0),
        ("before=2100-01-01T00:00:00Z", 2),
    ] {
        let path = format!("/v1/security-events?{filter}");
        let found = tenant.api.get(&path).await.expect(200);
        assert_eq!(found["data"].as_array().unwrap().len(), number, "{filter}");
    }
    for filter in ["type=nonsense", "source_ip=nowhere", "after=now"] {
        let path = format!("/v1/security-events?{filter}");
        tenant
            .api
            .get(&path)
            .await
            .expect_problem(422, "invalid_request");
    }
    // Nobody else sees it, but the operator who names the tenant.
    let other = app.tenant("Other").await;
    events(&other.api, "/v1/security-events", 0).await;
    other.api.get(&path).await.expect_problem(404, "not_found");
    let path = format!("/v1/security-events?tenant={}", tenant.id);
    events(&app.operator, &path, 2).await;
    other.api.get(&path).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn what_reaches_no_account_is_the_platforms_and_a_flood_of_it_is_one_row() {
    let app = TestApp::start_with(&[
        PROXIED,
        ("TIDINGS_INGRESS__RATE_LIMIT__FAILURES_PER_MINUTE", "20"),
    ])
    .await;
    begin_an_hour(&app);
    for _ in 0..100 {
        call(&app, HERE, "/v1/callbacks/nobody/reports", "junk").await;
    }
    let count = |event: &Value| event["count"].as_u64().unwrap();
    let all = eventually("all are counted", SOON, async || {
        let found = app.operator.get("/v1/security-events").await.expect(200);
        let all = found["data"].as_array().unwrap().clone();
        (all.iter().map(count).sum::<u64>() == 100).then_some(all)
    })
    .await;
    assert!(
        all.len() <= 4,
        "a minute may have ended in between: {all:?}"
    );
    for (name, number) in [("unknown_account", 20), ("rate_limited", 80)] {
        let of_type = all.iter().filter(|event| event["type"] == name);
        assert_eq!(of_type.map(count).sum::<u64>(), number, "{name}");
        assert_eq!(security_events(&app, name).await, number, "{name}");
    }
    let kept = app.operator.get("/v1/quarantine").await.expect(200);
    assert_eq!(kept["data"].as_array().unwrap().len(), 1, "{kept}");
}

#[tokio::test]
async fn a_signed_request_that_comes_again_has_no_second_effect_and_is_counted() {
    let app = TestApp::start().await;
    begin_an_hour(&app);
    let tenant = app.tenant("Clinic").await;
    let auth = json!([{
        "type": "hmac", "secret": "0123456789abcdef", "algorithm": "sha256", "encoding": "hex",
        "header": "x-signature", "signed": "timestamp.body", "timestamp_header": "x-timestamp",
    }]);
    tenant.account_with("stub", "clinic", auth).await;
    tenant.message("clinic", "m-1", PHONE).await;
    let body = delivered("m-1");
    let time = (app.clock.now().as_millis() / 1_000).to_string();
    let signed = format!("{time}.{body}");
    let mac = testkit::providers::hmac_sha256_hex("0123456789abcdef", &signed);
    let headers = [JSON, ("x-timestamp", &*time), ("x-signature", &*mac)];
    let first = accepted_id(&app.ingress.post_raw(CLINIC, &headers, &*body).await);
    let again = accepted_id(&app.ingress.post_raw(CLINIC, &headers, &*body).await);
    assert_eq!(first, again);
    assert_eq!(security_events(&app, "replayed").await, 1);
    let path = format!("/v1/callbacks/{first}");
    let twice = |found: &Value| found["receipts"] == 2;
    tenant.api.get_until(&path, twice, SOON).await;
    let all = events(&tenant.api, "/v1/security-events?type=replayed", 1).await;
    assert_eq!(all[0]["count"], 1);
    let raised = counted(&app, "tidings_messages_state_changes_total", &[]).await;
    assert_eq!(whole(raised), 1);
}

#[tokio::test]
async fn what_looks_like_an_attack_is_told_to_the_platform_once_an_hour() {
    let app = TestApp::start_with(&[
        PROXIED,
        (
            "TIDINGS_SECURITY__ALERT_THRESHOLDS__FAILURES_PER_SOURCE",
            "5",
        ),
        (
            "TIDINGS_SECURITY__ALERT_THRESHOLDS__ACCOUNTS_PER_SOURCE",
            "3",
        ),
    ])
    .await;
    begin_an_hour(&app);
    keyed(&app).await;
    let endpoint = Endpoint::start().await;
    let webhook = json!({ "url": endpoint.url("/hook"), "events": ["security.*"] });
    app.operator.post("/v1/webhooks", webhook).await.expect(201);
    for _ in 0..9 {
        call(&app, HERE, CLINIC, "{}").await;
    }
    let hits = endpoint.wait_for(1, SOON).await;
    let told = hits[0].json();
    assert_eq!(told["type"], "security.suspicious_activity");
    assert_eq!(told["data"]["signal"], "failures_of_source");
    assert_eq!(told["data"]["source_ip"], HERE);
    assert_eq!(told["data"]["count"], 5);
    // In the next window it is suspicious again, which everybody knows by now; another one is news.
    app.clock.advance(Duration::from_mins(6));
    for _ in 0..9 {
        call(&app, HERE, CLINIC, "{}").await;
    }
    for name in ["a", "b", "c"] {
        let path = format!("/v1/callbacks/{name}/reports");
        call(&app, "203.0.113.9", &path, "{}").await;
    }
    // The clock that was moved may have ended a lease, and a delivery been sent twice.
    let ids = |hits: &[Hit]| -> BTreeSet<String> {
        hits.iter().map(|hit| hit.webhook_id().to_owned()).collect()
    };
    let hits = endpoint.wait_until(|hits| ids(hits).len() == 2, SOON).await;
    let told = hits.last().unwrap().json();
    assert_eq!(told["data"]["signal"], "accounts_of_source");
    assert_eq!(told["data"]["source_ip"], "203.0.113.9");
    let signal = [("signal", "failures_of_source")];
    let raised = counted(&app, "tidings_suspicious_activity_total", &signal).await;
    assert_eq!(whole(raised), 1);
}

#[tokio::test]
async fn a_new_source_of_an_account_is_told_once_the_account_was_called_for_a_day() {
    let app = TestApp::start_with(&[PROXIED]).await;
    begin_an_hour(&app);
    let tenant = app.tenant("Clinic").await;
    let anywhere =
        json!([{ "type": "ip_allowlist", "cidrs": ["0.0.0.0/0", "::/0"], "allow_any": true }]);
    tenant.account_with("stub", "clinic", anywhere).await;
    let endpoint = Endpoint::start().await;
    let webhook = json!({ "url": endpoint.url("/hook"), "events": ["security.*"] });
    app.operator.post("/v1/webhooks", webhook).await.expect(201);
    for from in [HERE, "198.51.100.8"] {
        assert_eq!(call(&app, from, CLINIC, &delivered("m-1")).await, 200);
    }
    eventually("both are known", SOON, async || {
        let known = "update account_sources set source = source";
        (app.change_store(known).await == 2).then_some(())
    })
    .await;
    app.clock.advance(Duration::from_hours(25));
    for from in [HERE, "203.0.113.9", "203.0.113.9"] {
        assert_eq!(call(&app, from, CLINIC, &delivered("m-2")).await, 200);
    }
    let hits = endpoint.wait_for(1, SOON).await;
    let told = hits[0].json();
    assert_eq!(told["data"]["signal"], "new_source");
    assert_eq!(told["data"]["source_ip"], "203.0.113.9");
    assert_eq!(told["data"]["provider_account"], "clinic");
    assert_eq!(endpoint.hits().len(), 1);
}
