//! How a webhook's events are sent: what is taken, shown, kept and refused.

use super::{assert_refused, id};
use crate::app::{Tenant, TestApp};
use serde_json::{Map, Value, json};

fn with(settings: &Value) -> Value {
    let mut body = json!({ "url": "https://example.org/hook", "events": ["*"] });
    let members = settings.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(members);
    body
}

/// Those members of what is shown that `wanted` names.
fn of(shown: &Value, wanted: &Value) -> Value {
    let names = wanted.as_object().unwrap().keys();
    let members: Map<_, _> = names
        .map(|name| (name.clone(), shown[name].clone()))
        .collect();
    members.into()
}

async fn made(tenant: &Tenant, settings: &Value) -> Value {
    let made = tenant.api.post("/v1/webhooks", with(settings)).await;
    made.expect(201)
}

#[tokio::test]
async fn what_is_not_said_of_a_new_webhook_is_as_the_contract_says() {
    let app = TestApp::start_with(&[("TIDINGS_DISPATCHER__RETRY", "")]).await;
    let tenant = app.tenant("Clinic").await;
    let usual = json!({ "method": "POST", "headers": {}, "retry": { "preset": "standard" },
        "rate_limit": null, "max_in_flight": 16, "timeout_seconds": 10,
        "max_payload_bytes": 1_048_576, "signing": { "schemes": ["v1"], "header_prefix": null },
        "endpoint_auth": { "type": "none" } });
    let shown = made(&tenant, &json!({})).await;
    assert_eq!(of(&shown, &usual), usual);
    // What is shown can be sent back.
    let path = format!("/v1/webhooks/{}", id(&shown));
    let again = tenant.api.put(&path, with(&usual)).await.expect(200);
    assert_eq!(of(&again, &usual), usual);
}

#[tokio::test]
async fn the_operator_chooses_what_holds_where_a_webhook_says_nothing_when_it_is_made() {
    let mut app = TestApp::start_with(&[
        ("TIDINGS_DISPATCHER__RETRY", "7,2d"),
        ("TIDINGS_DISPATCHER__TIMEOUT", "45s"),
    ])
    .await;
    let tenant = app.tenant("Clinic").await;
    let shown = made(&tenant, &json!({})).await;
    let chosen = json!({ "retry": { "delays": [7, 172_800] }, "timeout_seconds": 30 });
    assert_eq!(of(&shown, &chosen), chosen);
    app.restart_with(&[("TIDINGS_DISPATCHER__RETRY", "quick")])
        .await;
    let tenant = app.again(&tenant);
    let path = format!("/v1/webhooks/{}", id(&shown));
    let kept = tenant.api.get(&path).await.expect(200);
    assert_eq!(of(&kept, &chosen), chosen);
}

#[tokio::test]
async fn a_webhook_from_before_there_was_a_choice_keeps_its_schedule() {
    let mut app = TestApp::start_with(&[("TIDINGS_DISPATCHER__RETRY", "")]).await;
    let tenant = app.tenant("Clinic").await;
    let path = format!("/v1/webhooks/{}", id(&made(&tenant, &json!({})).await));
    app.change_store("update subscriptions set settings = null")
        .await;
    let quick = json!({ "preset": "quick" });
    let shown = tenant.api.get(&path).await.expect(200);
    assert_eq!(shown["retry"], quick);
    assert_eq!(shown["timeout_seconds"], 10);
    // A client that knows of no schedules changes something else.
    let renamed = with(&json!({ "name": "later" }));
    let shown = tenant.api.put(&path, renamed).await.expect(200);
    assert_eq!((&shown["retry"], &shown["name"]), (&quick, &json!("later")));
    // It follows the installation, as it always did.
    app.restart_with(&[("TIDINGS_DISPATCHER__RETRY", "9")])
        .await;
    let tenant = app.again(&tenant);
    let shown = tenant.api.get(&path).await.expect(200);
    assert_eq!(shown["retry"], json!({ "delays": [9] }));
    let standard = with(&json!({ "retry": { "preset": "standard" } }));
    let shown = tenant.api.put(&path, standard).await.expect(200);
    assert_eq!(shown["retry"], json!({ "preset": "standard" }));
}

#[tokio::test]
async fn everything_that_can_be_said_is_shown_but_credentials() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let mut all = json!({ "method": "PATCH",
        "headers": { "X-Clinic": "north wing", "Authorization": "Bearer abc" },
        "retry": { "delays": [1, 86_400] }, "rate_limit": { "per_minute": 60, "per_hour": 1_000 },
        "max_in_flight": 256, "timeout_seconds": 1, "max_payload_bytes": 1_024,
        "signing": { "schemes": ["v1", "v1-sha512", "sha256-timestamped"], "header_prefix": "X-Hub" },
        "endpoint_auth": { "type": "api_key", "header": "X-Api-Key", "value": "s3cret-value" } });
    let shown = made(&tenant, &all).await;
    assert!(!shown.to_string().contains("s3cret-value"));
    all["endpoint_auth"]
        .as_object_mut()
        .unwrap()
        .remove("value");
    assert_eq!(of(&shown, &all), all);
    let path = format!("/v1/webhooks/{}", id(&shown));
    assert_eq!(of(&tenant.api.get(&path).await.expect(200), &all), all);
    let list = tenant.api.get("/v1/webhooks").await.expect(200);
    assert_eq!(of(&list["data"][0], &all), all);
    // One limit is enough; the other is none.
    let one = json!({ "rate_limit": { "per_hour": 5 } });
    let shown = made(&tenant, &one).await;
    assert_eq!(
        shown["rate_limit"],
        json!({ "per_minute": null, "per_hour": 5 })
    );
    // A credential that is not sent again stays, where there is one of this type.
    let api_key = json!({ "type": "api_key", "header": "X-Other" });
    let kept = with(&json!({ "endpoint_auth": api_key }));
    let shown = tenant.api.put(&path, kept).await.expect(200);
    assert_eq!(shown["endpoint_auth"], api_key);
    assert_eq!(shown["headers"], json!({}));
    let other = with(&json!({ "endpoint_auth": { "type": "bearer" } }));
    assert_refused(
        &tenant.api.put(&path, other).await,
        &["/endpoint_auth/token"],
    );
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_where_it_is() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let many: Map<_, _> = (0..33).map(|n| (format!("X-{n}"), json!("v"))).collect();
    let delays = vec![1; 51];
    let cases = [
        (json!({ "method": "GET" }), "/method"),
        (json!({ "method": null }), "/method"),
        (json!({ "headers": { "Host": "a" } }), "/headers/Host"),
        (
            json!({ "headers": { "content-type": "a" } }),
            "/headers/content-type",
        ),
        (
            json!({ "headers": { "Webhook-Id": "a" } }),
            "/headers/Webhook-Id",
        ),
        (
            json!({ "headers": { "X-Forwarded-For": "a" } }),
            "/headers/X-Forwarded-For",
        ),
        (
            json!({ "headers": { "traceparent": "a" } }),
            "/headers/traceparent",
        ),
        (
            json!({ "headers": { "proxy-authorization": "a" } }),
            "/headers/proxy-authorization",
        ),
        (json!({ "headers": { "X A": "a" } }), "/headers/X A"),
        (json!({ "headers": { "X/A": "a" } }), "/headers/X~1A"),
        (json!({ "headers": { "": "a" } }), "/headers/"),
        (
            json!({ "headers": { "X-A": "a\r\nHost: b" } }),
            "/headers/X-A",
        ),
        (json!({ "headers": { "X-A": "é" } }), "/headers/X-A"),
        (json!({ "headers": { "X-A": " a" } }), "/headers/X-A"),
        (json!({ "headers": { "X-A": 1 } }), "/headers/X-A"),
        (
            json!({ "headers": { "X-A": "1", "x-a": "2" } }),
            "/headers/x-a",
        ),
        (json!({ "headers": many }), "/headers"),
        (
            json!({ "headers": { "X-A": "a".repeat(8_192) } }),
            "/headers",
        ),
        (json!({ "retry": { "preset": "slow" } }), "/retry/preset"),
        (json!({ "retry": {} }), "/retry"),
        (
            json!({ "retry": { "preset": "quick", "delays": [1] } }),
            "/retry",
        ),
        (json!({ "retry": { "delays": [] } }), "/retry/delays"),
        (json!({ "retry": { "delays": delays } }), "/retry/delays"),
        (json!({ "retry": { "delays": [1, 0] } }), "/retry/delays/1"),
        (
            json!({ "retry": { "delays": [86_401] } }),
            "/retry/delays/0",
        ),
        (json!({ "retry": { "delays": [1.5] } }), "/retry/delays/0"),
        (json!({ "retry": { "times": 3 } }), "/retry/times"),
        (json!({ "rate_limit": {} }), "/rate_limit"),
        (
            json!({ "rate_limit": { "per_minute": 0 } }),
            "/rate_limit/per_minute",
        ),
        (
            json!({ "rate_limit": { "per_hour": 1_000_001 } }),
            "/rate_limit/per_hour",
        ),
        (json!({ "max_in_flight": 0 }), "/max_in_flight"),
        (json!({ "max_in_flight": 257 }), "/max_in_flight"),
        (json!({ "max_in_flight": null }), "/max_in_flight"),
        (json!({ "timeout_seconds": 31 }), "/timeout_seconds"),
        (json!({ "timeout_seconds": -1 }), "/timeout_seconds"),
        (json!({ "max_payload_bytes": 1_023 }), "/max_payload_bytes"),
        (
            json!({ "max_payload_bytes": 1_048_577 }),
            "/max_payload_bytes",
        ),
        (json!({ "signing": { "schemes": [] } }), "/signing/schemes"),
        (
            json!({ "signing": { "schemes": ["v2"] } }),
            "/signing/schemes/0",
        ),
        (
            json!({ "signing": { "schemes": ["v1", "v1"] } }),
            "/signing/schemes/1",
        ),
        (
            json!({ "signing": { "schemes": ["v1-sha512"] } }),
            "/signing/schemes",
        ),
        (
            json!({ "signing": { "schemes": ["sha256-body", "sha256-timestamped"] } }),
            "/signing/schemes",
        ),
        (
            json!({ "signing": { "header_prefix": "X Y" } }),
            "/signing/header_prefix",
        ),
        (
            json!({ "signing": { "header_prefix": "" } }),
            "/signing/header_prefix",
        ),
        (
            json!({ "signing": { "header_prefix": "Webhook" } }),
            "/signing/header_prefix",
        ),
        (
            json!({ "endpoint_auth": { "type": "digest" } }),
            "/endpoint_auth/type",
        ),
        (json!({ "endpoint_auth": {} }), "/endpoint_auth/type"),
        (
            json!({ "endpoint_auth": { "type": "bearer" } }),
            "/endpoint_auth/token",
        ),
        (
            json!({ "endpoint_auth": { "type": "bearer", "token": "a b" } }),
            "/endpoint_auth/token",
        ),
        (
            json!({ "endpoint_auth": { "type": "bearer", "token": "a", "value": "b" } }),
            "/endpoint_auth/value",
        ),
        (
            json!({ "endpoint_auth": { "type": "none", "token": "a" } }),
            "/endpoint_auth/token",
        ),
        (
            json!({ "endpoint_auth": { "type": "api_key", "header": "Host", "value": "a" } }),
            "/endpoint_auth/header",
        ),
        (
            json!({ "endpoint_auth": { "type": "api_key", "value": "a" } }),
            "/endpoint_auth/header",
        ),
        (
            json!({ "endpoint_auth": { "type": "basic", "username": "a:b", "password": "c" } }),
            "/endpoint_auth/username",
        ),
        (
            json!({ "headers": { "authorization": "a" },
                "endpoint_auth": { "type": "bearer", "token": "b" } }),
            "/headers/authorization",
        ),
        (
            json!({ "headers": { "x-tidings-event": "a" }, "signing": { "schemes": ["sha256-body"] } }),
            "/headers/x-tidings-event",
        ),
        (
            json!({ "endpoint_auth": { "type": "api_key", "header": "X-S-Signature", "value": "b" },
                "signing": { "schemes": ["sha256-body"], "header_prefix": "X-S" } }),
            "/endpoint_auth/header",
        ),
    ];
    for (settings, pointer) in &cases {
        let answer = tenant.api.post("/v1/webhooks", with(settings)).await;
        assert_refused(&answer, &[*pointer]);
    }
    let list = tenant.api.get("/v1/webhooks").await.expect(200);
    assert_eq!(list["data"], json!([]));
    // One answer tells all of them.
    let both = json!({ "method": "GET", "max_in_flight": 0 });
    let answer = tenant.api.post("/v1/webhooks", with(&both)).await;
    assert_refused(&answer, &["/method", "/max_in_flight"]);
}

/// The contract's names, each in three ways of writing it.
#[tokio::test]
async fn every_reserved_header_is_refused_in_any_case_and_nothing_can_be_put_in_with_one() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let reserved = [
        "host",
        "content-type",
        "content-length",
        "content-encoding",
        "content-language",
        "content-anything",
        "connection",
        "transfer-encoding",
        "te",
        "upgrade",
        "proxy-authorization",
        "proxy-connection",
        "proxy-anything",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "webhook-replay",
        "webhook-anything",
        "user-agent",
        "traceparent",
        "tracestate",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-anything",
    ];
    let title = |name: &str| {
        let parts = name.split('-').map(|part| {
            let (first, rest) = part.split_at(1);
            first.to_uppercase() + rest
        });
        parts.collect::<Vec<_>>().join("-")
    };
    let mut refused = Vec::new();
    for name in reserved {
        for written in [name.to_owned(), name.to_uppercase(), title(name)] {
            refused.push((written, "v".to_owned()));
        }
    }
    // Each would begin another header, another request or a body, or be read differently by somebody.
    for name in [
        "x\r\nhost",
        "x\nhost",
        "x\rhost",
        "x:",
        "x: y\r\nhost",
        "x\0",
        " x",
        "x ",
        "x\t",
        "h\u{f6}st",
        "\u{ff48}ost",
        "x\u{2028}y",
        "(x)",
        "\"x\"",
        "x,y",
        "x;y",
        "x@y",
        "x{y}",
    ] {
        refused.push((name.to_owned(), "v".to_owned()));
    }
    for value in [
        "a\r\nHost: b",
        "a\nHost: b",
        "a\rHost: b",
        "a\r\n\r\nbody",
        "\r\n",
        "a\0b",
        "a\u{1b}[31m",
        "a\u{7f}",
        "a\u{85}b",
        "a\u{2028}b",
        "a\u{10a}b",
        "caf\u{e9}",
        " a",
        "a ",
        "\ta",
        "a\t",
    ] {
        refused.push(("X-A".to_owned(), value.to_owned()));
    }
    for (name, value) in &refused {
        let headers = json!({ "headers": { name: value } });
        let pointer = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
        let answer = tenant.api.post("/v1/webhooks", with(&headers)).await;
        assert_refused(&answer, &[pointer.as_str()]);
        // The same where a header carries a credential.
        let auth = json!({ "type": "api_key", "header": name, "value": value });
        let answer = tenant
            .api
            .post("/v1/webhooks", with(&json!({ "endpoint_auth": auth })))
            .await;
        answer.expect_problem(422, "invalid_request");
        let prefix = json!({ "signing": { "schemes": ["sha256-body"], "header_prefix": name } });
        if value == "v" && !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            let answer = tenant.api.post("/v1/webhooks", with(&prefix)).await;
            assert_refused(&answer, &["/signing/header_prefix"]);
        }
    }
    let list = tenant.api.get("/v1/webhooks").await.expect(200);
    assert_eq!(list["data"], json!([]));
}
