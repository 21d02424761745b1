//! What is wrong with an authenticated callback is said plainly.

use super::*;

/// A path, a content type, a body, and the code of the problem with it.
type Case<'a> = (&'a str, (&'a str, &'a str), Vec<u8>, &'a str);

#[tokio::test]
async fn what_cannot_be_read_and_what_says_nothing_are_told_apart() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    tenant.account("africastalking", "at").await;
    tenant.account("orange", "orange-ci").await;
    let stub = CLINIC;
    let at = "/v1/callbacks/at/reports";
    let orange = "/v1/callbacks/orange-ci/reports";
    let deep = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"messageId":"deep","status":"DELIVRD","x":{open}{close}}}"#)
    };
    let many = (0..201).map(|n| format!("k{n}=&")).collect::<Vec<_>>();
    let many = many.concat();
    let cases: Vec<Case> = vec![
        (stub, JSON, b"".to_vec(), "malformed_json"),
        (stub, JSON, b"{".to_vec(), "malformed_json"),
        (stub, JSON, b"{} {}".to_vec(), "malformed_json"),
        (stub, JSON, b"{'messageId':1}".to_vec(), "malformed_json"),
        (stub, JSON, b"{\"messageId\":1,}".to_vec(), "malformed_json"),
        (
            stub,
            JSON,
            b"{\"messageId\":NaN}".to_vec(),
            "malformed_json",
        ),
        (stub, JSON, b"\xef\xbb\xbf{}".to_vec(), "malformed_json"),
        (
            stub,
            JSON,
            b"{\"messageId\":\"\xff\"}".to_vec(),
            "malformed_json",
        ),
        (
            stub,
            JSON,
            b"{\"messageId\":\"a\nb\"}".to_vec(),
            "malformed_json",
        ),
        (
            stub,
            JSON,
            br#"{"status":"A","status":"A"}"#.to_vec(),
            "malformed_json",
        ),
        (
            stub,
            JSON,
            br#"{"status":"A","st\u0061tus":"A"}"#.to_vec(),
            "malformed_json",
        ),
        (
            stub,
            JSON,
            br#"{"x":[{"y":1,"y":1}]}"#.to_vec(),
            "malformed_json",
        ),
        (stub, JSON, deep(33).into(), "malformed_json"),
        (stub, JSON, "[".repeat(200_000).into(), "malformed_json"),
        (
            stub,
            FORM,
            b"status=A&status=A&messageId=1".to_vec(),
            "malformed_form",
        ),
        (
            at,
            FORM,
            b"id=1&%69d=1&status=Sent".to_vec(),
            "malformed_form",
        ),
        (at, FORM, b"id=%zz&status=Sent".to_vec(), "malformed_form"),
        (at, FORM, b"id=%&status=Sent".to_vec(), "malformed_form"),
        (at, FORM, b"id=%ff&status=Sent".to_vec(), "malformed_form"),
        (at, FORM, b"id=\xff&status=Sent".to_vec(), "malformed_form"),
        (at, FORM, many.into(), "malformed_form"),
        (stub, JSON, b"{}".to_vec(), "unrecognised"),
        (stub, JSON, b"[]".to_vec(), "unrecognised"),
        (stub, JSON, b"null".to_vec(), "unrecognised"),
        (
            stub,
            JSON,
            br#"{"messageId":null,"status":"A"}"#.to_vec(),
            "unrecognised",
        ),
        (
            stub,
            JSON,
            br#"{"messageId":"","status":"A"}"#.to_vec(),
            "unrecognised",
        ),
        (
            stub,
            JSON,
            br#"{"messageId":{},"status":"A"}"#.to_vec(),
            "unrecognised",
        ),
        (
            stub,
            JSON,
            br#"{"messageId":"1","status":["A"]}"#.to_vec(),
            "unrecognised",
        ),
        (at, FORM, b"".to_vec(), "unrecognised"),
        (at, FORM, b"ID=1&Status=Sent".to_vec(), "unrecognised"),
        // The type is told by the header and never guessed.
        (at, FORM, delivered("m-1").into(), "unrecognised"),
        (stub, FORM, delivered("m-1").into(), "unrecognised"),
        (
            stub,
            JSON,
            b"messageId=1&status=DELIVRD".to_vec(),
            "malformed_json",
        ),
        (orange, JSON, delivered("m-1").into(), "unrecognised"),
    ];
    for (path, content_type, body, code) in cases {
        let shown = String::from_utf8_lossy(&body)
            .chars()
            .take(60)
            .collect::<String>();
        let answer = app.ingress.post_raw(path, &[content_type], body).await;
        assert_eq!(answer.code(), code, "{shown}: {answer}");
        let status = if code == "unrecognised" { 422 } else { 400 };
        let problem = answer.expect_problem(status, code);
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        assert!(answer.text.len() < 1_000, "{answer}");
    }
    let at_the_limit = app.ingress.post_raw(stub, &[JSON], deep(32)).await;
    assert_only(&tenant, &[accepted_id(&at_the_limit)]).await;
    assert_eq!(answered(&app, "africastalking", "malformed_form").await, 6);
    assert_eq!(answered(&app, "orange", "unrecognised").await, 1);
}

#[tokio::test]
async fn a_content_type_the_provider_does_not_use_is_refused_and_none_is_its_own() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    tenant.account("africastalking", "at").await;
    tenant.account("orange", "orange-ci").await;
    let form = "id=ATXid_1&status=Success";
    let at = "/v1/callbacks/at/reports";
    let report = delivered("m-1");
    let orange = testkit::providers::orange_report("r-1", "tel:+2250700000001", "MessageWaiting");
    let orange_path = "/v1/callbacks/orange-ci/reports";
    for (path, body, content_type) in [
        (at, form, "application/json"),
        (at, form, "text/plain"),
        (at, form, "multipart/form-data; boundary=x"),
        (
            at,
            form,
            "application/x-www-form-urlencoded; charset=iso-8859-1",
        ),
        (orange_path, &*orange, "application/x-www-form-urlencoded"),
        (orange_path, &*orange, "text/json"),
        (CLINIC, &*report, "application/xml"),
        (CLINIC, &*report, "application/json, application/json"),
        (CLINIC, &*report, "*/*"),
        (CLINIC, &*report, "é"),
    ] {
        let headers = [("content-type", content_type)];
        let answer = app.ingress.post_raw(path, &headers, body).await;
        answer.expect_problem(415, "unsupported_media_type");
    }
    let mut taken = BTreeSet::new();
    for (path, body, content_type) in [
        (at, form, None),
        (at, form, Some("")),
        (
            at,
            form,
            Some("Application/X-WWW-Form-URLencoded;charset=UTF-8"),
        ),
        (orange_path, &*orange, None),
        (
            orange_path,
            &*orange,
            Some("application/json; charset=utf-8"),
        ),
        (CLINIC, &*report, None),
        (
            CLINIC,
            &*report,
            Some("application/JSON ; charset=\"utf-8\"; v=1"),
        ),
    ] {
        let headers: Vec<_> = content_type
            .map(|it| ("content-type", it))
            .into_iter()
            .collect();
        taken.insert(accepted_id(
            &app.ingress.post_raw(path, &headers, body).await,
        ));
    }
    assert_eq!(taken.len(), 3);
    assert_only(&tenant, &Vec::from_iter(taken)).await;
    assert_eq!(answered(&app, "stub", "unsupported_media_type").await, 4);
}

#[tokio::test]
async fn two_content_types_are_as_good_as_one_that_cannot_be_read() {
    let app = TestApp::start().await;
    clinic(&app).await;
    let answer = app
        .ingress
        .post_raw(CLINIC, &[JSON, FORM], delivered("m-1"))
        .await;
    answer.expect_problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_body_that_would_have_to_be_decoded_is_refused() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    for encoding in ["gzip", "deflate", "br", "identity", "", "gzip, gzip", "é"] {
        let headers = [JSON, ("content-encoding", encoding)];
        for path in [CLINIC, "/v1/callbacks/nobody/reports"] {
            let answer = app.ingress.post_raw(path, &headers, delivered("m-1")).await;
            answer.expect_problem(415, "unsupported_media_type");
        }
    }
    let taken = post(&app, CLINIC, "m-1").await;
    assert_only(&tenant, &[taken]).await;
}
