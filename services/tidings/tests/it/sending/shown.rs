//! What is kept of an attempt, and proxies.

use super::{settled, webhook};
use crate::app::{SOON, TestApp};
use crate::commands::PROGRAM;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::{ADMIN_KEY, Api, Endpoint, Process, Reply};

#[tokio::test]
async fn an_attempt_shows_what_was_sent_and_answered_without_secrets() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::with(
        200,
        &[("x-served-by", "pod-1"), ("set-cookie", "session=s3cret")],
        "thanks",
    )]);
    let settings = json!({ "headers": { "X-Wing": "north", "Cookie": "a=s3cret" },
        "endpoint_auth": { "type": "bearer", "token": "s3cret-token" } });
    let hook = webhook(&tenant, &endpoint, &settings).await;
    tenant.publish("job.created", json!({ "n": 1 })).await;
    settled(&tenant, &hook, "delivered", 1).await;
    tenant.publish("job.created", json!({ "n": 2 })).await;
    let all = settled(&tenant, &hook, "delivered", 2).await;
    assert!(!json!(all).to_string().contains("s3cret"), "{all:?}");
    let hits = endpoint.wait_for(2, SOON).await;
    let first = &all[1]["attempts"][0];
    assert_eq!(first["method"], "POST");
    let sent = &first["request_headers"];
    for name in ["authorization", "cookie"] {
        assert_eq!(sent[name], "***");
    }
    for name in [
        "x-wing",
        "content-type",
        "user-agent",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "traceparent",
    ] {
        assert_eq!(sent[name].as_str(), hits[0].header(name), "{name}");
    }
    assert_eq!(first["response_headers"]["x-served-by"], "pod-1");
    assert_eq!(first["response_headers"]["set-cookie"], "***");
    assert_eq!(
        (&first["response_cut"], &first["response_body"]),
        (&json!(false), &json!("thanks"))
    );
    assert_eq!(first["payload_bytes"], hits[0].body.len());
    assert_eq!(
        first["payload_sha256"],
        hex::encode(Sha256::digest(&hits[0].body))
    );
    let trace = first["trace_id"].as_str().unwrap();
    let parent = hits[0].header("traceparent").unwrap();
    assert!(
        trace.len() == 32 && parent.contains(trace),
        "{trace} {parent}"
    );
    let timing = |delivery: &Value, part: &str| delivery["attempts"][0]["timing"][part].clone();
    for part in ["dns_ms", "connect_ms", "first_byte_ms", "total_ms"] {
        assert!(timing(&all[1], part).is_u64(), "{part}: {first}");
    }
    assert_eq!(timing(&all[1], "tls_ms"), Value::Null);
    // The connection was there.
    assert_eq!(endpoint.connections(), 1);
    assert_eq!(timing(&all[0], "connect_ms"), Value::Null);
    assert!(timing(&all[0], "first_byte_ms").is_u64());
}

#[tokio::test]
async fn an_attempt_without_an_answer_says_why_and_has_no_answer() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Close]);
    let hook = webhook(&tenant, &endpoint, &json!({})).await;
    tenant.publish("job.created", json!({})).await;
    let all = tenant.wait_for_attempts(&hook, 1).await;
    let tried = &all[0]["attempts"][0];
    assert_eq!(
        (&tried["error"], &tried["status_code"]),
        (&json!("reset"), &Value::Null)
    );
    let detail = tried["error_detail"].as_str().unwrap();
    assert!(detail.contains("ended the connection"), "{detail}");
    for name in ["response_headers", "response_body", "response_cut"] {
        assert_eq!(tried[name], Value::Null, "{name}");
    }
    assert!(tried["timing"]["connect_ms"].is_u64());
    assert_eq!(tried["timing"]["first_byte_ms"], Value::Null);
}

#[tokio::test]
async fn an_attempt_from_before_this_was_kept_is_shown_without_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let hook = webhook(&tenant, &endpoint, &json!({})).await;
    tenant.publish("job.created", json!({})).await;
    settled(&tenant, &hook, "delivered", 1).await;
    app.change_store("update attempts set detail = null").await;
    let all = settled(&tenant, &hook, "delivered", 1).await;
    let tried = &all[0]["attempts"][0];
    assert_eq!(
        (&tried["status_code"], &tried["timing"]),
        (&json!(200), &Value::Null)
    );
}

/// A webhook at a process with these variables in its environment; the endpoint.
async fn told_through(settings: &[(&str, &str)]) -> (Process, Api, String, Endpoint) {
    let root = tempfile::tempdir().unwrap();
    let process = Process::start(PROGRAM, root.path(), settings).await;
    let (api, endpoint) = (
        Api::new(&process.api_url(), ADMIN_KEY),
        Endpoint::start().await,
    );
    let hook = json!({ "url": endpoint.url("/"), "events": ["*"] });
    let hook = api.post("/v1/webhooks", hook).await.expect(201);
    let event = json!({ "type": "job.created", "data": {} });
    api.post("/v1/events", event).await.expect(202);
    let path = format!("/v1/webhooks/{}/deliveries", hook["id"].as_str().unwrap());
    (process, api, path, endpoint)
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_not_used_and_one_that_is_set_is() {
    // Nobody listens there.
    let nowhere = "http://127.0.0.1:1";
    let environment = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ];
    let environment = environment.map(|name| (name, nowhere));
    let (process, _, _, endpoint) = told_through(&environment).await;
    endpoint.wait_for(1, SOON).await;
    drop(process);
    let (_process, api, path, endpoint) = told_through(&[("TIDINGS_EGRESS__PROXY", nowhere)]).await;
    let is_tried = |found: &Value| found["data"][0]["attempts"][0]["error"] == "connect";
    api.get_until(&path, is_tried, SOON).await;
    assert!(endpoint.hits().is_empty());
}
