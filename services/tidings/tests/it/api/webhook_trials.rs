//! Tests of webhooks, checks of URLs, and templates.

use super::{assert_refused, id, ids, members};
use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Answer, Endpoint, Reply, eventually};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

async fn test(tenant: &Tenant, webhook: &str, body: Value) -> Answer {
    let path = format!("/v1/webhooks/{webhook}/test");
    tenant.api.post(&path, body).await
}

#[tokio::test]
async fn a_test_is_sent_as_a_delivery_is_and_shows_the_answer_at_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::with(202, &[("x-seen", "yes")], "got it")]);
    let body = json!({ "url": endpoint.url("/hook"), "events": ["job.*"], "method": "PUT",
        "environment": "staging", "enabled": false, "headers": { "X-Wing": "north" },
        "signing": { "schemes": ["v1", "sha256-body"] },
        "endpoint_auth": { "type": "bearer", "token": "t-1" } });
    let made = tenant.api.post("/v1/webhooks", body).await.expect(201);
    let rotated = format!("/v1/webhooks/{}/secret/rotate", id(&made));
    let rotated = tenant.api.post(&rotated, json!({})).await.expect(200);

    let shown = test(&tenant, &id(&made), json!({})).await.expect(200);
    let hit = endpoint.wait_for(1, SOON).await.remove(0);
    // While a secret is being changed, both sign.
    hit.verify(made["secret"].as_str().unwrap()).unwrap();
    hit.verify(rotated["secret"].as_str().unwrap()).unwrap();
    assert_eq!((hit.method.as_str(), hit.path.as_str()), ("PUT", "/hook"));
    assert_eq!(hit.header("x-wing"), Some("north"));
    assert_eq!(hit.header("authorization"), Some("Bearer t-1"));
    assert_eq!(hit.header("x-tidings-event"), Some("webhook.test"));
    assert_eq!(hit.header("webhook-test"), Some("true"));
    assert!(hit.header("user-agent").unwrap().starts_with("Tidings/"));
    let told = hit.json();
    assert_eq!(told["id"], hit.webhook_id());
    assert_eq!(
        (&told["type"], &told["source"]),
        (&json!("webhook.test"), &json!("test"))
    );
    assert_eq!(
        (&told["environment"], &told["sequence"]),
        (&json!("staging"), &json!(0))
    );
    let example = json!({ "message": "This is a test." });
    assert_eq!(told["data"], example);

    assert_eq!(
        members(&shown),
        [
            "attempt",
            "created_at",
            "event_id",
            "id",
            "request_body",
            "state",
            "type",
            "webhook_id"
        ]
    );
    assert!(id(&shown).starts_with("tst_"));
    assert_eq!(
        (&shown["state"], &shown["webhook_id"]),
        (&json!("succeeded"), &made["id"])
    );
    assert_eq!(
        (&shown["event_id"], &shown["type"]),
        (&told["id"], &told["type"])
    );
    assert_eq!(shown["request_body"].as_str().unwrap().as_bytes(), hit.body);
    let attempt = &shown["attempt"];
    assert_eq!(
        (&attempt["status_code"], &attempt["error"]),
        (&json!(202), &Value::Null)
    );
    assert_eq!(
        (
            &attempt["response_body"],
            &attempt["response_headers"]["x-seen"]
        ),
        (&json!("got it"), &json!("yes"))
    );
    assert_eq!(attempt["request_headers"]["authorization"], "***");
    assert!(attempt["timing"]["connect_ms"].is_u64() && attempt["timing"]["total_ms"].is_u64());

    // It is in the history, and nowhere else.
    let path = format!("/v1/webhooks/{}", id(&made));
    let history = tenant.api.get(&format!("{path}/tests")).await.expect(200);
    assert_eq!(history, json!({ "data": [shown], "next_cursor": null }));
    let found = tenant.api.get(&path).await.expect(200);
    assert_eq!(found["health"], made["health"]);
    let event = format!("/v1/events/{}", told["id"].as_str().unwrap());
    tenant
        .api
        .get(&event)
        .await
        .expect_problem(404, "not_found");
    let deliveries = tenant
        .api
        .get(&format!("{path}/deliveries"))
        .await
        .expect(200);
    assert_eq!(deliveries["data"], json!([]));
    let metrics = app.admin.get("/metrics").await.text;
    assert!(
        metrics.contains("tidings_webhook_trials_total{class=\"2xx\",kind=\"test\"} 1\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_test_tells_any_type_with_a_sample_or_with_what_is_given() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let endpoint = Endpoint::start().await;
    let hook = tenant.webhook(&endpoint, &["job.*"]).await;
    let data = json!({ "z": 1, "a": [true] });
    test(&tenant, &hook.id, json!({ "type": "sms.delivered" }))
        .await
        .expect(200);
    test(
        &tenant,
        &hook.id,
        json!({ "type": "job.created", "data": data }),
    )
    .await
    .expect(200);
    test(&tenant, &hook.id, json!({ "data": data }))
        .await
        .expect(200);
    let hits = endpoint.wait_for(3, SOON).await;
    let told: Vec<Value> = hits.iter().map(testkit::Hit::json).collect();
    let types: Vec<&Value> = told.iter().map(|told| &told["type"]).collect();
    assert_eq!(types, ["sms.delivered", "job.created", "webhook.test"]);
    let known = tenant.api.get("/v1/event-types/sms.delivered").await;
    assert_eq!(told[0]["data"], known.expect(200)["example"]);
    assert_eq!((&told[1]["data"], &told[2]["data"]), (&data, &data));

    let path = format!("/v1/webhooks/{}/tests", hook.id);
    let page = tenant.api.get(&format!("{path}?limit=2")).await.expect(200);
    let next = page["next_cursor"].as_str().unwrap();
    let rest = tenant
        .api
        .get(&format!("{path}?cursor={next}"))
        .await
        .expect(200);
    let shown = [ids(&page), ids(&rest)].concat();
    assert_eq!(shown.len(), 3);
    assert!(shown.is_sorted_by(|newer, older| newer > older));

    let body = serde_json::to_vec(&json!({ "max_payload_bytes": 1_024 })).unwrap();
    let json = [("content-type", "application/json")];
    let path = format!("/v1/webhooks/{}", hook.id);
    let patched = tenant.api.request("PATCH", &path, &json, body).await;
    patched.expect(200);
    for (body, code, pointer) in [
        (json!({ "type": "sms.lost" }), "unknown_event_type", "/type"),
        (json!({ "type": null }), "invalid_request", "/type"),
        (json!({ "data": [] }), "invalid_request", "/data"),
        (json!({ "data": null }), "invalid_request", "/data"),
        (
            json!({ "data": { "long": "x".repeat(1_024) } }),
            "invalid_request",
            "/data",
        ),
        (json!({ "event": "x" }), "invalid_request", "/event"),
    ] {
        let answer = test(&tenant, &hook.id, body).await;
        let problem = answer.expect_problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{answer}");
    }
    for webhook in [hook.id.as_str(), "sub_00000000000000000000000000", "x"] {
        let path = format!("/v1/webhooks/{webhook}");
        test(&other, webhook, json!({}))
            .await
            .expect_problem(404, "not_found");
        let answer = other.api.post(&format!("{path}/check"), json!({})).await;
        answer.expect_problem(404, "not_found");
        let answer = other.api.get(&format!("{path}/tests")).await;
        answer.expect_problem(404, "not_found");
    }
    assert_eq!(endpoint.hits().len(), 3);
}

#[tokio::test]
async fn a_test_that_fails_says_how_and_breaks_nothing() {
    let app = TestApp::start_with(&[("TIDINGS_DISPATCHER__BREAKER__MIN_REQUESTS", "2")]).await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let body = json!({ "url": endpoint.url("/hook"), "events": ["*"], "timeout_seconds": 1 });
    let hook = id(&tenant.api.post("/v1/webhooks", body).await.expect(201));
    for (reply, error, status) in [
        (
            Reply::with(410, &[("webhook-delivery", "disable")], "x".repeat(20_000)),
            "status_4xx",
            json!(410),
        ),
        (Reply::Status(500), "status_5xx", json!(500)),
        (
            Reply::with(302, &[("location", "http://127.0.0.1/")], ""),
            "redirect",
            json!(302),
        ),
        (Reply::Hang, "timeout", Value::Null),
        (Reply::Garbage, "invalid_response", Value::Null),
    ] {
        endpoint.answer_with([reply]);
        let shown = test(&tenant, &hook, json!({})).await.expect(200);
        assert_eq!(shown["state"], "failed", "{shown}");
        let attempt = &shown["attempt"];
        assert_eq!(
            (&attempt["error"], &attempt["status_code"]),
            (&json!(error), &status)
        );
        if error == "status_4xx" {
            assert_eq!(attempt["response_body"].as_str().unwrap().len(), 16 * 1024);
            assert_eq!(attempt["response_cut"], true);
        }
    }
    endpoint.stop();
    let shown = test(&tenant, &hook, json!({})).await.expect(200);
    assert_eq!(shown["attempt"]["error"], "connect");
    let found = tenant
        .api
        .get(&format!("/v1/webhooks/{hook}"))
        .await
        .expect(200);
    assert_eq!(
        (&found["state"], &found["health"]["failed"]),
        (&json!("active"), &json!(0))
    );
    assert_eq!(found["health"]["breaker"], "closed");
}

#[tokio::test]
async fn what_may_not_be_reached_says_nothing_else_when_it_is_tested_or_checked() {
    let mut app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let hook = tenant.webhook(&endpoint, &["*"]).await;
    app.restart_with(&[("TIDINGS_EGRESS__ALLOW_NETWORKS", "")])
        .await;
    let tenant = app.again(&tenant);
    let shown = test(&tenant, &hook.id, json!({})).await.expect(200);
    assert_eq!(shown["attempt"]["error"], "target_not_allowed");
    assert_eq!(
        shown["attempt"]["error_detail"],
        "the address of the host, or the port, is not one that webhooks may reach"
    );
    let path = format!("/v1/webhooks/{}/check", hook.id);
    let shown = tenant.api.post(&path, json!({})).await.expect(200);
    let (not_reached, failed) = (
        json!({ "ok": null, "ms": null }),
        json!({ "ok": false, "ms": null }),
    );
    assert_eq!(shown["error"], "target_not_allowed");
    assert_eq!(
        shown["error_detail"],
        "the address of the host, or the port, is not one that webhooks may reach"
    );
    assert_eq!(
        (&shown["ok"], &shown["dns"], &shown["connect"]),
        (&json!(false), &failed, &not_reached)
    );
    assert_eq!(
        shown["http"],
        json!({ "ok": null, "ms": null, "status": null })
    );
    for url in [
        "http://127.0.0.1/",
        "http://169.254.169.254/",
        "http://10.0.0.1:22/",
        "https://a.example:25/",
    ] {
        let answer = tenant
            .api
            .post("/v1/webhooks/check", json!({ "url": url }))
            .await;
        let problem = answer.expect_problem(422, "url_not_allowed");
        assert_eq!(problem["errors"][0]["pointer"], "/url", "{url}");
    }
    assert!(endpoint.hits().is_empty());
}

#[tokio::test]
async fn a_check_says_step_by_step_how_far_one_comes() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let check = async |url: String| {
        let answer = tenant
            .api
            .post("/v1/webhooks/check", json!({ "url": url }))
            .await;
        answer.expect(200)
    };
    endpoint.answer_with([Reply::with(405, &[("x-secret", "1")], "nothing to see")]);
    let shown = check(endpoint.url("/hook?key=1")).await;
    assert_eq!(
        members(&shown),
        [
            "connect",
            "dns",
            "error",
            "error_detail",
            "http",
            "ok",
            "tls",
            "total_ms"
        ]
    );
    assert_eq!(
        (&shown["ok"], &shown["error"], &shown["tls"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    for step in ["dns", "connect", "http"] {
        assert_eq!(shown[step]["ok"], true, "{step}");
        assert!(shown[step]["ms"].is_u64(), "{step}");
    }
    assert_eq!(shown["http"]["status"], 405);
    let hit = endpoint.wait_for(1, SOON).await.remove(0);
    assert_eq!(
        (hit.method.as_str(), hit.path.as_str(), hit.body.len()),
        ("HEAD", "/hook?key=1", 0)
    );
    assert_eq!(hit.header("webhook-signature"), None);
    let hook = tenant.webhook(&endpoint, &["*"]).await;
    let path = format!("/v1/webhooks/{}/check", hook.id);
    let shown = tenant.api.post(&path, json!({})).await.expect(200);
    assert_eq!(shown["ok"], true);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let answer = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 no\r\n\r\n").await.unwrap();
        stream
    };
    let (shown, _) = tokio::join!(check(url), answer);
    assert_eq!(
        (&shown["error"], &shown["connect"]["ok"]),
        (&json!("tls"), &json!(true))
    );
    assert_eq!(
        (&shown["tls"]["ok"], &shown["http"]["ok"]),
        (&json!(false), &Value::Null)
    );
    endpoint.answer_with([Reply::Garbage]);
    let shown = check(endpoint.url("/")).await;
    assert_eq!(
        (&shown["error"], &shown["http"]["ok"]),
        (&json!("invalid_response"), &json!(false))
    );
    endpoint.stop();
    let shown = check(endpoint.url("/")).await;
    assert_eq!(
        (&shown["error"], &shown["ok"]),
        (&json!("connect"), &json!(false))
    );
    assert_eq!(
        (&shown["dns"]["ok"], &shown["connect"]["ok"]),
        (&json!(true), &json!(false))
    );
    let path = "/v1/webhooks/check";
    assert_refused(&tenant.api.post(path, json!({})).await, &["/url"]);
    assert_refused(&tenant.api.post(path, json!({ "url": 1 })).await, &["/url"]);
    assert_refused(
        &tenant
            .api
            .post(path, json!({ "url": "a", "port": 1 }))
            .await,
        &["/port"],
    );
}

#[tokio::test]
async fn tests_and_checks_of_a_tenant_are_bounded_and_cost_others_nothing() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let endpoint = Endpoint::start().await;
    let url = json!({ "url": endpoint.url("/") });
    let (mut allowed, mut refused) = (0, None);
    while allowed <= 60 && refused.is_none() {
        let answer = tenant.api.post("/v1/webhooks/check", &url).await;
        if answer.status == 200 {
            allowed += 1;
        } else {
            refused = Some(answer);
        }
    }
    let refused = refused.unwrap();
    refused.expect_problem(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((30..40).contains(&allowed) && wait >= 1, "{allowed} {wait}");
    let hook = tenant.webhook(&endpoint, &["*"]).await;
    // Meanwhile one or two more may be allowed.
    let mut answers = Vec::new();
    while answers.len() < 10 && answers.iter().all(|answer: &Answer| answer.status == 200) {
        answers.push(test(&tenant, &hook.id, json!({})).await);
    }
    answers.last().unwrap().expect_problem(429, "rate_limited");
    other.api.post("/v1/webhooks/check", &url).await.expect(200);
    app.clock.advance(Duration::from_mins(1));
    test(&tenant, &hook.id, json!({})).await.expect(200);

    // Four at a time.
    endpoint.answer_with([Reply::Delay(Duration::from_secs(2), 200)]);
    let all = (0..5).map(|_| test(&tenant, &hook.id, json!({})));
    let statuses: Vec<u16> = futures_util::future::join_all(all)
        .await
        .iter()
        .map(|answer| answer.status)
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        4,
        "{statuses:?}"
    );
    assert!(statuses.contains(&429));
}

#[tokio::test]
async fn the_history_of_tests_ends_with_its_time_and_forgets_a_number() {
    let mut app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let phone = "+254700000042";
    endpoint.answer_with([Reply::with(
        200,
        &[("x-to", phone)],
        format!("hello {phone}"),
    )]);
    let hook = tenant.webhook(&endpoint, &["*"]).await;
    test(&tenant, &hook.id, json!({ "data": { "to": phone } }))
        .await
        .expect(200);
    let erased = tenant
        .api
        .post("/v1/erasures", json!({ "phone": phone }))
        .await;
    assert_eq!(erased.expect(200)["erased"]["webhook_tests"], 1);
    assert!(!app.store_holds(&phone[1..]).await);
    let path = format!("/v1/webhooks/{}/tests", hook.id);
    let kept = tenant.api.get(&path).await.expect(200);
    assert_eq!(
        kept["data"][0]["attempt"]["response_body"],
        "hello [erased]"
    );
    app.clock.advance(Duration::from_hours(24 * 31));
    app.restart().await;
    let tenant = app.again(&tenant);
    eventually("old tests are forgotten", SOON, async || {
        let kept = tenant.api.get(&path).await.expect(200);
        (kept["data"] == json!([])).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_template_says_what_to_write_and_what_works() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let all = tenant.api.get("/v1/webhook-templates").await.expect(200);
    assert_eq!(all["next_cursor"], Value::Null);
    for template in all["data"].as_array().unwrap() {
        let name = template["name"].as_str().unwrap();
        let alone = tenant
            .api
            .get(&format!("/v1/webhook-templates/{name}"))
            .await;
        assert_eq!(&alone.expect(200), template);
        // With its placeholders replaced, it is taken as it is.
        let mut body = template["webhook"].clone();
        body["url"] = json!("https://example.com/hook");
        if body["endpoint_auth"].is_object() {
            body["endpoint_auth"]["header"] = json!("X-Key");
        }
        tenant.api.post("/v1/webhooks", body).await.expect(201);
    }
    let answer = tenant.api.get("/v1/webhook-templates/fax").await;
    answer.expect_problem(404, "not_found");
    assert_refused(
        &tenant.api.get("/v1/webhook-templates?limit=1").await,
        &["/limit"],
    );
    let anonymous = testkit::Api::anonymous(app.operator.base_url());
    anonymous
        .get("/v1/webhook-templates")
        .await
        .expect_problem(401, "unauthorized");
}

#[tokio::test]
async fn the_alias_reaches_everything_under_webhooks() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let alias = "/api/webhook-subscriptions";
    let body = json!({ "url": endpoint.url("/hook"), "events": ["*"] });
    let made = tenant.api.post(alias, &body).await.expect(201);
    tenant.api.post(alias, &body).await.expect(201);
    // A cursor is good under both names, and a problem tells the path that was asked for.
    let page = tenant
        .api
        .get(&format!("{alias}?limit=1&state=active"))
        .await
        .expect(200);
    let next = page["next_cursor"].as_str().unwrap();
    let rest = tenant
        .api
        .get(&format!("/v1/webhooks?state=active&cursor={next}"))
        .await;
    assert_eq!(ids(&rest.expect(200)), [id(&made)]);
    let one = format!("{alias}/{}", id(&made));
    tenant
        .api
        .post(&format!("{one}/test"), json!({}))
        .await
        .expect(200);
    let tests = tenant
        .api
        .get(&format!("{one}/tests?limit=1"))
        .await
        .expect(200);
    assert_eq!(ids(&tests).len(), 1);
    let missing = format!("{alias}/sub_00000000000000000000000000");
    let problem = tenant
        .api
        .get(&missing)
        .await
        .expect_problem(404, "not_found");
    assert_eq!(problem["instance"], missing);
    let answer = tenant.api.request("PUT", alias, &[], []).await;
    answer.expect_problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET, POST"));
    for path in [
        "/api/webhook-subscriptionsx",
        "/api/webhook-subscription",
        "/api",
        "/v1/api/webhook-subscriptions",
    ] {
        tenant.api.get(path).await.expect_problem(404, "not_found");
    }
    tenant.api.delete(&one).await.expect(204);
    let found = tenant.api.get(&format!("/v1/webhooks/{}", id(&made))).await;
    found.expect_problem(404, "not_found");
}
