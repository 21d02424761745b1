//! Finding webhooks, and changing them a member at a time.

use super::{assert_refused, id, ids, said};
use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Answer, Endpoint};

const MERGE_PATCH: (&str, &str) = ("content-type", "application/merge-patch+json");

async fn patch(tenant: &Tenant, path: &str, body: &Value) -> Answer {
    let body = serde_json::to_vec(body).unwrap();
    tenant
        .api
        .request("PATCH", path, &[MERGE_PATCH], body)
        .await
}

async fn make(tenant: &Tenant, body: Value) -> String {
    id(&tenant.api.post("/v1/webhooks", body).await.expect(201))
}

#[tokio::test]
async fn webhooks_are_found_by_what_they_are_and_by_what_they_would_receive() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let all = make(
        &tenant,
        json!({ "url": "https://a.example/1", "events": ["*"], "name": "Ward one" }),
    )
    .await;
    let prefix = make(
        &tenant,
        json!({ "url": "https://a.example/2", "events": ["job.created", "sms.*"], "name": "Ward two" }),
    )
    .await;
    let exact = make(
        &tenant,
        json!({ "url": "https://b.example/", "events": ["sms.opt_out"], "enabled": false }),
    )
    .await;
    let staging = make(
        &tenant,
        json!({ "url": "https://b.example/", "events": ["sms.status.conflict"], "environment": "staging" }),
    )
    .await;
    make(
        &other,
        json!({ "url": "https://a.example/1", "events": ["*"] }),
    )
    .await;
    let long = format!("https://a.example/{}", "x".repeat(1_500));
    let found = async |query: &str| {
        let page = tenant.api.get(&format!("/v1/webhooks?{query}")).await;
        ids(&page.expect(200))
    };
    let none: [&String; 0] = [];
    for (query, expected) in [
        ("environment=staging", vec![&staging]),
        ("environment=nowhere", none.to_vec()),
        ("state=active", vec![&staging, &prefix, &all]),
        ("state=disabled", vec![&exact]),
        ("state=unverified", none.to_vec()),
        ("event_type=sms.opt_out", vec![&exact, &prefix, &all]),
        (
            "event_type=sms.status.conflict",
            vec![&staging, &prefix, &all],
        ),
        ("event_type=job.created", vec![&prefix, &all]),
        ("event_type=job.failed", vec![&all]),
        ("url=https%3A%2F%2Fb.example%2F", vec![&staging, &exact]),
        ("url=https%3A%2F%2Fb.example", none.to_vec()),
        ("url_prefix=https%3A%2F%2Fa.", vec![&prefix, &all]),
        (&format!("url={long}"), none.to_vec()),
        ("name=Ward%20one", vec![&all]),
        ("name_prefix=Ward", vec![&prefix, &all]),
        ("name_prefix=ward", none.to_vec()),
        (
            "url_prefix=https&state=active&event_type=sms.sent",
            vec![&prefix, &all],
        ),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(found(query).await, expected, "{query}");
    }
    for (query, pointer) in [
        ("state=gone", "/state"),
        ("event_type=sms.*", "/event_type"),
        ("event_type=sms.lost", "/event_type"),
        ("environment=", "/environment"),
        ("url=", "/url"),
        ("url_prefix=ht", "/url_prefix"),
        ("name=a&name_prefix=abc", "/name_prefix"),
        (&format!("name={long}"), "/name"),
        ("events=sms.sent", "/events"),
    ] {
        let answer = tenant.api.get(&format!("/v1/webhooks?{query}")).await;
        assert_refused(&answer, &[pointer]);
    }
    // A page of what was asked for, and its cursor with nothing else.
    let page = tenant
        .api
        .get("/v1/webhooks?event_type=sms.sent&limit=1")
        .await;
    let page = page.expect(200);
    assert_eq!(ids(&page), [prefix]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = format!("event_type=sms.sent&cursor={cursor}");
    assert_eq!(found(&next).await, [all]);
    let answer = tenant
        .api
        .get(&format!("/v1/webhooks?cursor={cursor}"))
        .await;
    answer.expect_problem(400, "invalid_cursor");
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let body = json!({ "url": endpoint.url("/hook"), "events": ["sms.*"], "name": "first",
        "description": "about", "headers": { "X-Wing": "north", "X-Floor": "2" },
        "retry": { "preset": "quick" }, "rate_limit": { "per_minute": 5, "per_hour": 50 },
        "endpoint_auth": { "type": "api_key", "header": "X-Key", "value": "k" },
        "signing": { "schemes": ["v1", "sha256-body"], "header_prefix": "X-C" } });
    let made = tenant.api.post("/v1/webhooks", &body).await.expect(201);
    let path = format!("/v1/webhooks/{}", id(&made));
    app.clock.advance(Duration::from_secs(1));
    let change = json!({ "name": null, "events": ["job.*"], "timeout_seconds": 7,
        "headers": { "X-Floor": null, "X-Room": "12" }, "rate_limit": { "per_hour": null },
        "retry": { "delays": [1, 2] }, "signing": { "header_prefix": "X-D" } });
    let changed = patch(&tenant, &path, &change).await.expect(200);
    let mut expected = made.clone();
    let members = expected.as_object_mut().unwrap();
    members.remove("secret");
    for (name, value) in [
        ("name", Value::Null),
        ("events", json!(["job.*"])),
        ("timeout_seconds", json!(7)),
        ("headers", json!({ "X-Wing": "north", "X-Room": "12" })),
        ("rate_limit", json!({ "per_minute": 5, "per_hour": null })),
        ("retry", json!({ "delays": [1, 2] })),
        (
            "signing",
            json!({ "schemes": ["v1", "sha256-body"], "header_prefix": "X-D" }),
        ),
        ("updated_at", changed["updated_at"].clone()),
    ] {
        members.insert(name.to_owned(), value);
    }
    assert_eq!(changed, expected);
    assert!(changed["updated_at"].as_str() > made["updated_at"].as_str());
    assert_eq!(tenant.api.get(&path).await.expect(200), changed);

    // It is sent as it says now, signed as before, with the credential that nobody named.
    tenant.publish("job.created", json!({})).await;
    let hit = endpoint.wait_for(1, SOON).await.remove(0);
    hit.verify(made["secret"].as_str().unwrap()).unwrap();
    assert_eq!(hit.header("x-key"), Some("k"));
    assert_eq!(
        (hit.header("x-room"), hit.header("x-floor")),
        (Some("12"), None)
    );
    assert!(hit.header("x-d-signature").is_some());

    // Another way to authenticate leaves nothing of the one before; null is the default again.
    let change = json!({ "endpoint_auth": { "type": "bearer", "token": "t" }, "signing": null,
        "retry": { "preset": "standard", "delays": null }, "rate_limit": null, "timeout_seconds": null });
    let changed = patch(&tenant, &path, &change).await.expect(200);
    assert_eq!(changed["endpoint_auth"], json!({ "type": "bearer" }));
    assert_eq!(
        changed["signing"],
        json!({ "schemes": ["v1"], "header_prefix": null })
    );
    assert_eq!(changed["retry"], json!({ "preset": "standard" }));
    assert_eq!(
        (&changed["rate_limit"], &changed["timeout_seconds"]),
        (&Value::Null, &json!(10))
    );
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body = serde_json::to_vec(&json!({ "secret": secret })).unwrap();
    let plain = [("content-type", "application/json; charset=utf-8")];
    let answer = tenant.api.request("PATCH", &path, &plain, body).await;
    assert_eq!(answer.expect(200)["secret"], Value::Null);
    tenant.publish("job.created", json!({})).await;
    let hit = endpoint.wait_for(2, SOON).await.remove(1);
    hit.verify(secret).unwrap();
    assert_eq!(hit.header("authorization"), Some("Bearer t"));
}

#[tokio::test]
async fn a_patch_that_is_not_in_order_changes_nothing() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let body = json!({ "url": "https://a.example/", "events": ["*"] });
    let made = tenant.api.post("/v1/webhooks", body).await.expect(201);
    let path = format!("/v1/webhooks/{}", id(&made));
    for (change, pointer) in [
        (json!({ "url": null }), "/url"),
        (json!({ "events": [] }), "/events"),
        (json!({ "events": null }), "/events"),
        (json!({ "name": 1 }), "/name"),
        (json!({ "name": "" }), "/name"),
        (json!({ "state": "active" }), "/state"),
        (json!({ "health": null }), "/health"),
        (json!({ "signing": { "key": null } }), "/signing/key"),
        (json!({ "timeout_seconds": 31 }), "/timeout_seconds"),
        (
            json!({ "endpoint_auth": { "type": "basic" } }),
            "/endpoint_auth/username",
        ),
        (json!({ "headers": { "Host": "a" } }), "/headers/Host"),
        (json!([]), ""),
        (json!("x"), ""),
    ] {
        let answer = patch(&tenant, &path, &change).await;
        let problem = answer.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{answer}");
    }
    let answer = patch(&tenant, &path, &json!({ "url": "http://10.0.0.1/" })).await;
    answer.expect_problem(422, "url_not_allowed");
    let answer = patch(&tenant, &path, &json!({ "events": ["sms.lost"] })).await;
    answer.expect_problem(422, "unknown_event_type");
    let text = [("content-type", "text/plain")];
    let answer = tenant
        .api
        .request("PATCH", &path, &text, b"{}".to_vec())
        .await;
    answer.expect_problem(415, "unsupported_media_type");
    let answer = tenant.api.request(
        "PATCH",
        &path,
        &[MERGE_PATCH],
        b"{\"a\":1,\"a\":2}".to_vec(),
    );
    answer.await.expect_problem(400, "malformed_json");
    let mut expected = made;
    expected.as_object_mut().unwrap().remove("secret");
    assert_eq!(tenant.api.get(&path).await.expect(200), expected);
    // Another tenant's is not there.
    let named = json!({ "name": "mine" });
    let theirs = patch(&other, &path, &named)
        .await
        .expect_problem(404, "not_found");
    let nobodys = "/v1/webhooks/sub_00000000000000000000000000";
    let missing = patch(&other, nobodys, &named)
        .await
        .expect_problem(404, "not_found");
    assert_eq!(said(&theirs), said(&missing));
    for verb in ["enable", "disable"] {
        let answer = other.api.post(&format!("{path}/{verb}"), json!({})).await;
        answer.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn patches_of_different_members_at_once_all_hold() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let body = json!({ "url": "https://a.example/", "events": ["*"] });
    let path = format!("/v1/webhooks/{}", make(&tenant, body).await);
    for round in 0..10 {
        let text = format!("{round}");
        let changes = [
            json!({ "name": text }),
            json!({ "description": text }),
            json!({ "headers": { "X-A": text } }),
            json!({ "headers": { "X-B": text } }),
            json!({ "max_in_flight": round + 1 }),
            json!({ "enabled": round % 2 == 0 }),
        ];
        let answers = changes
            .each_ref()
            .map(|change| patch(&tenant, &path, change));
        for answer in futures_util::future::join_all(answers).await {
            answer.expect(200);
        }
        let found = tenant.api.get(&path).await.expect(200);
        assert_eq!(
            (&found["name"], &found["description"]),
            (&json!(text), &json!(text))
        );
        assert_eq!(found["headers"], json!({ "X-A": text, "X-B": text }));
        assert_eq!(found["max_in_flight"], round + 1);
        assert_eq!(found["enabled"], round % 2 == 0);
    }
}

#[tokio::test]
async fn enabling_and_disabling_again_changes_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let hook = tenant.webhook(&endpoint, &["*"]).await;
    let path = format!("/v1/webhooks/{}", hook.id);
    let call = async |verb: &str| {
        app.clock.advance(Duration::from_secs(1));
        let answer = tenant.api.post(&format!("{path}/{verb}"), json!({})).await;
        answer.expect(200)
    };
    let made = tenant.api.get(&path).await.expect(200);
    assert_eq!(call("enable").await, made);
    let disabled = call("disable").await;
    assert_eq!(
        (&disabled["state"], &disabled["disabled_reason"]),
        (&json!("disabled"), &json!("manual"))
    );
    assert!(disabled["updated_at"].as_str() > made["updated_at"].as_str());
    assert_eq!(call("disable").await, disabled);
    let beside = Endpoint::start().await;
    tenant.webhook(&beside, &["*"]).await;
    tenant.publish("job.created", json!({})).await;
    // It is owed to those that are enabled when it is fanned out.
    beside.wait_for(1, SOON).await;
    let enabled = call("enable").await;
    assert_eq!(
        (&enabled["state"], &enabled["disabled_reason"]),
        (&json!("active"), &Value::Null)
    );
    // What was told while it was disabled is not for it.
    let told = tenant.publish("job.failed", json!({})).await;
    let hit = endpoint.wait_for(1, SOON).await.remove(0);
    assert_eq!(hit.webhook_id(), told);
}
