//! Which addresses there are, and what they say to those who only look.

use super::*;
use testkit::raw;

const METHODS: &str = "POST, GET, HEAD, OPTIONS";

#[tokio::test]
async fn whoever_only_asks_whether_an_address_is_there_is_told_so_and_nothing_happens() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    tenant
        .account_with("stub", "token", json!([{ "type": "token" }]))
        .await;
    for path in [
        CLINIC,
        "/v1/callbacks/clinic/opt-outs",
        "/v1/callbacks/token/reports",
        "/v1/callbacks/token/a-guess/inbound",
        "/v1/callbacks/nobody/reports",
        "/v1/callbacks/nobody/a-guess/subscriptions",
        "/api/webhooks/africastalking/delivery",
        "/api/webhooks/legacy/zamtel/delivery",
        "/v1/callbacks/clinic/reports?",
    ] {
        for method in ["GET", "HEAD", "OPTIONS"] {
            let answer = app.ingress.request(method, path, &[], "").await;
            assert_eq!(answer.expect(200), Value::Null, "{answer}");
            assert_eq!(answer.header("allow"), Some(METHODS), "{answer}");
            assert_eq!(answer.text, "");
        }
    }
    for method in ["HEAD", "OPTIONS"] {
        let path = "/v1/callbacks/nobody/reports?id=1&status=1";
        app.ingress.request(method, path, &[], "").await.expect(200);
    }
    let taken = post(&app, CLINIC, "m-1").await;
    assert_only(&tenant, &[taken]).await;
    assert_eq!(
        whole(counted(&app, "tidings_security_events_total", &[]).await),
        0
    );
    assert_eq!(
        whole(counted(&app, "tidings_callbacks_total", &[]).await),
        1
    );
}

#[tokio::test]
async fn a_get_with_a_query_is_a_callback_that_these_providers_do_not_make() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let key = json!([{ "type": "api_key", "header": "x-key", "key": "0123456789abcdef" }]);
    tenant.account_with("africastalking", "at", key).await;
    for path in [
        "/v1/callbacks/clinic/reports?id=1&status=1",
        "/v1/callbacks/clinic/inbound?a",
    ] {
        let answer = app.ingress.request("GET", path, &[], "").await;
        answer.expect_problem(405, "method_not_allowed");
        assert!(answer.header("allow").unwrap().contains("POST"), "{answer}");
    }
    let path = "/v1/callbacks/at/reports?id=1";
    let refused = app.ingress.request("GET", path, &[], "").await;
    refused.expect_problem(401, "unauthorized");
    let known = [("x-key", "0123456789abcdef")];
    let passed = app.ingress.request("GET", path, &known, "").await;
    passed.expect_problem(405, "method_not_allowed");
    for path in [
        "/v1/callbacks/nobody/reports?x=1",
        "/v1/callbacks/clinic/token/reports?x=1",
    ] {
        let answer = app.ingress.request("GET", path, &[], "").await;
        assert_eq!(told(&answer), told(&refused), "{path}");
    }
    // A query beside a POST belongs to nobody.
    let taken = post(
        &app,
        "/v1/callbacks/clinic/reports?messageId=other&x=%zz",
        "m-1",
    )
    .await;
    assert_only(&tenant, &[taken]).await;
}

#[tokio::test]
async fn no_other_method_is_taken_whoever_asks() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    for path in [
        CLINIC,
        "/v1/callbacks/nobody/reports",
        "/api/webhooks/legacy/stub/delivery",
    ] {
        for method in ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
            let answer = app
                .ingress
                .request(method, path, &[JSON], delivered("m-1"))
                .await;
            answer.expect_problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some(METHODS), "{answer}");
        }
    }
    let taken = post(&app, CLINIC, "m-2").await;
    assert_only(&tenant, &[taken]).await;
}

#[tokio::test]
async fn there_is_nothing_at_any_other_address_and_the_answer_does_not_repeat_it() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let long = format!("/v1/callbacks/clinic/{}", "s3cret".repeat(1_500));
    for path in [
        "/",
        "/v1/callbacks",
        "/v1/callbacks/",
        "/v1/callbacks/clinic",
        "/v1/callbacks/clinic/",
        "/v1/callbacks/clinic/reports/",
        "/v1/callbacks/clinic//reports",
        "/v1/callbacks/clinic/s3cret/faxes",
        "/v1/callbacks/clinic/a/b/reports",
        "/v1/callbacks/clinic/Reports",
        "/v1/callbacks/clinic/report%73",
        "/v1/callbacks/Clinic/reports",
        "/v1/callbacks/clini%63/reports",
        "/v1/callbacks/clinic%2freports",
        "/v1/callbacks/clinic%00/reports",
        "/v1/callbacks/%ff/reports",
        "/v1//callbacks/clinic/reports",
        "//v1/callbacks/clinic/reports",
        "/V1/callbacks/clinic/reports",
        "/v2/callbacks/clinic/reports",
        "/api/webhooks",
        "/api/webhooks/orange/delivery",
        "/api/webhooks/legacy/clinic/delivery",
        "/api/webhooks/legacy/stub",
        "/api/webhooks/legacy/stub/delivery/s3cret",
        "/v1/messages",
        "/metrics",
        "/readyz",
        &long,
    ] {
        for method in ["POST", "GET", "DELETE"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: x\r\nx-request-id: r-1\r\n\
                 content-length: 0\r\nconnection: close\r\n\r\n"
            );
            let answer = raw(app.ingress.base_url(), request).await;
            assert!(
                answer.starts_with("HTTP/1.1 404 "),
                "{method} {path}: {answer}"
            );
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(
                head.to_ascii_lowercase().contains("\r\nx-request-id: r-1"),
                "{head}"
            );
            let problem: Value = serde_json::from_str(body).unwrap();
            assert_eq!(problem["code"], "not_found");
            assert!(problem.get("instance").is_none(), "{body}");
            assert!(!body.contains("s3cret"), "{body}");
        }
    }
    let raw_nul = "POST /v1/callbacks/clinic\x00/reports HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = raw(app.ingress.base_url(), raw_nul).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let taken = post(&app, CLINIC, "m-1").await;
    assert_only(&tenant, &[taken]).await;
}

#[tokio::test]
async fn every_answer_has_an_id_and_it_is_the_callers_own_if_that_is_one() {
    let app = TestApp::start().await;
    clinic(&app).await;
    let mut made = BTreeSet::new();
    for (path, status) in [
        (CLINIC, 200),
        ("/v1/callbacks/nobody/reports", 401),
        ("/x", 404),
    ] {
        for (given, is_kept) in [("req-1:a.b_c", true), ("a b", false), ("", false)] {
            let headers = [JSON, ("x-request-id", given)];
            let answer = app.ingress.post_raw(path, &headers, delivered("m-1")).await;
            answer.expect(status);
            let id = answer.header("x-request-id").unwrap();
            assert_eq!(id == given, is_kept, "{answer}");
            if !is_kept {
                assert!(made.insert(id.to_owned()), "{id} was used before");
            }
        }
    }
}
