//! What is wrong is said in one form everywhere, with a request id.

use super::{id, members, resources, said};
use crate::app::TestApp;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::{Endpoint, RawConnection};

#[tokio::test]
async fn every_problem_has_the_same_members_whoever_found_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let answers = [
        tenant.api.get("/nothing?a=b").await,
        tenant.api.request("PATCH", "/v1/events", &[], []).await,
        tenant.api.with_key("wrong").get("/v1/events").await,
        tenant.api.post("/v1/tenants", json!({})).await,
        tenant.api.post_bytes("/v1/events", &[], "{").await,
        tenant.api.post("/v1/events", json!({})).await,
        tenant.api.get("/v1/events/%ff").await,
        app.admin.get("/nothing").await,
        app.admin.request("POST", "/livez", &[], []).await,
    ];
    let codes = [
        "not_found",
        "method_not_allowed",
        "unauthorized",
        "forbidden",
        "malformed_json",
        "invalid_request",
        "not_found",
        "not_found",
        "method_not_allowed",
    ];
    for (answer, code) in answers.iter().zip(codes) {
        let problem = answer.expect_problem(answer.status, code);
        assert_eq!(
            members(&problem),
            [
                "code", "detail", "errors", "instance", "status", "title", "type"
            ],
            "{answer}"
        );
        assert_eq!(problem["type"], format!("urn:tidings:problem:{code}"));
        for text in ["title", "detail"] {
            assert!(!problem[text].as_str().unwrap().is_empty(), "{answer}");
        }
        assert!(problem["errors"].is_array(), "{answer}");
        assert!(answer.header("x-request-id").is_some(), "{answer}");
    }
    assert_eq!(answers[0].body["instance"], "/nothing");
    assert_eq!(answers[2].body["instance"], "/v1/events");
}

#[tokio::test]
async fn a_valid_request_id_is_echoed_and_any_other_is_replaced_by_a_fresh_one() {
    let app = TestApp::start().await;
    let longest = "x".repeat(128);
    let too_long = "x".repeat(129);
    for path in ["/v1/events", "/nothing"] {
        for valid in ["a", "svc:req_1.2-3", &longest] {
            let answer = app
                .operator
                .request("GET", path, &[("x-request-id", valid)], [])
                .await;
            assert_eq!(answer.header("x-request-id"), Some(valid), "{answer}");
        }
        let mut fresh = BTreeSet::new();
        for invalid in ["a b", "<script>", "é", &too_long, ""] {
            let answer = app
                .operator
                .request("GET", path, &[("x-request-id", invalid)], [])
                .await;
            let made = answer.header("x-request-id").unwrap();
            assert!(
                made.len() == 32 && made.bytes().all(|b| b.is_ascii_hexdigit()),
                "{answer}"
            );
            fresh.insert(made.to_owned());
        }
        assert_eq!(fresh.len(), 5, "every request has its own");
    }
}

#[tokio::test]
async fn a_method_that_a_resource_does_not_take_is_told_which_it_takes() {
    let app = TestApp::start().await;
    for (path, allowed) in &resources() {
        let takes: Vec<_> = allowed.split(", ").collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            if takes.contains(&method) {
                continue;
            }
            let answer = app.operator.request(method, path, &[], []).await;
            answer.expect_problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some(allowed.as_str()), "{answer}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_404_on_every_path() {
    let app = TestApp::start().await;
    for path in [
        "/",
        "/v1",
        "/v2/webhooks",
        "/v1/webhooks/",
        "//v1/webhooks",
        "/v1/Webhooks",
        "/v1/webhooks/a/b/c",
        "/v1/tenants/ten_00000000000000000000000000",
        "/favicon.ico",
        "/v1/webhooks/..%2fevents",
        "/v1/webhooks/%00",
    ] {
        app.operator
            .get(path)
            .await
            .expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn an_id_that_is_unknown_of_another_kind_or_another_tenants_is_the_same_404() {
    let app = TestApp::start().await;
    let (owner, stranger) = (app.tenant("Owner").await, app.tenant("Stranger").await);
    let endpoint = Endpoint::start().await;
    let account = id(&owner.account("stub", "clinic").await);
    let webhook = owner.webhook(&endpoint, &["*"]).await.id;
    let message = owner.message("clinic", "m-1", super::PHONE).await;
    let event = owner.publish("job.created", json!({})).await;
    let report = testkit::providers::stub_report("m-1", "DELIVRD", super::PHONE, None);
    let json = [("content-type", "application/json")];
    let path = "/v1/callbacks/clinic/reports";
    let accepted = app.ingress.post_raw(path, &json, report).await.expect(200);
    let callback = accepted["callback_id"].as_str().unwrap().to_owned();
    let own = format!("/v1/callbacks/{callback}");
    owner
        .api
        .get_until(&own, |found| found["id"] == *callback, crate::app::SOON)
        .await;

    for (list, theirs, after, methods) in [
        (
            "provider-accounts",
            &account,
            "",
            &["GET", "PUT", "DELETE"][..],
        ),
        ("provider-accounts", &account, "/rotate-token", &["POST"]),
        ("webhooks", &webhook, "", &["GET", "PUT", "DELETE"]),
        ("webhooks", &webhook, "/deliveries", &["GET"]),
        ("messages", &message, "", &["GET"]),
        ("events", &event, "", &["GET"]),
        ("callbacks", &callback, "", &["GET"]),
    ] {
        let prefix = theirs.split('_').next().unwrap();
        let unknown = format!("{prefix}_00000000000000000000000000");
        let bare = theirs.split('_').nth(1).unwrap().to_owned();
        let upper = theirs.to_uppercase();
        for method in methods {
            let mut seen = BTreeSet::new();
            for id in [
                theirs,
                &unknown,
                &bare,
                &upper,
                &stranger.id,
                &"nonsense".to_owned(),
            ] {
                let body = match list {
                    "webhooks" => json!({ "url": endpoint.url("/"), "events": ["*"] }),
                    _ => {
                        json!({ "provider": "stub", "slug": "own", "auth": [{ "type": "token" }] })
                    }
                };
                let body = if *method == "PUT" {
                    body.to_string()
                } else {
                    String::new()
                };
                let path = format!("/v1/{list}/{id}{after}");
                let answer = stranger.api.request(method, &path, &json, body).await;
                let problem = answer.expect_problem(404, "not_found");
                seen.insert(said(&problem).to_string());
            }
            assert_eq!(seen.len(), 1, "{method} {list}: {seen:?}");
        }
    }
    // Nothing came of it.
    owner
        .api
        .get(&format!("/v1/webhooks/{webhook}"))
        .await
        .expect(200);
    owner
        .api
        .get(&format!("/v1/provider-accounts/{account}"))
        .await
        .expect(200);
}

/// The only test here that waits for a real deadline.
#[tokio::test]
async fn a_body_that_does_not_arrive_is_a_408() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let mut connection = RawConnection::open(app.operator.base_url()).await;
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"type\"",
        tenant.key
    );
    connection.send(head).await;
    let answer = connection.receive(Duration::from_secs(15)).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains(r#""code":"request_timeout""#), "{answer}");
}
