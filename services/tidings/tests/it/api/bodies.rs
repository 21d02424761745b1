//! Reading bodies: their type, their size, their JSON.

use super::{id, nested, pointers};
use crate::app::TestApp;
use serde_json::json;

const KIBIBYTE: usize = 1024;

#[tokio::test]
async fn a_body_that_is_not_strictly_json_is_malformed_wherever_it_is_sent() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let account = id(&tenant.account("stub", "clinic").await);
    let deep = nested(65).to_string();
    let wide = (0..100_001)
        .map(|n| format!("\"{n}\":0"))
        .collect::<Vec<_>>()
        .join(",");
    let malformed: Vec<Vec<u8>> = [
        "",
        " ",
        "{",
        "{}x",
        "{\"type\":\"job.created\"",
        "{'type':1}",
        "{\"a\":NaN}",
        "{\"a\":01}",
        "{\"a\":1,}",
        "{\"a\":\"\n\"}",
        r#"{"a":"\ud800"}"#,
        "\u{feff}{}",
        "{\"type\":\"job.created\",\"type\":\"job.failed\",\"data\":{}}",
        r#"{"type":"job.created","\u0074ype":"job.failed","data":{}}"#,
        r#"{"type":"job.created","data":{"a":{"b":1,"b":2}}}"#,
        r#"{"unknown":[{"b":1,"b":2}]}"#,
        "/* a comment */ {}",
        &deep,
        &format!("{{{wide}}}"),
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([
        b"{\"type\":\"\xff\"}".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
        vec![0; 10],
    ])
    .collect();
    for body in &malformed {
        let answer = tenant.api.post_bytes("/v1/events", &[], body.clone()).await;
        let problem = answer.expect_problem(400, "malformed_json");
        assert_eq!(pointers(&problem), Vec::<&str>::new());
    }
    let json = [("content-type", "application/json")];
    for (method, path) in [
        ("POST", "/v1/messages"),
        ("POST", "/v1/webhooks"),
        ("PUT", "/v1/webhooks/sub_00000000000000000000000000"),
        ("POST", "/v1/provider-accounts"),
        ("PUT", &format!("/v1/provider-accounts/{account}")),
    ] {
        for body in ["{", r#"{"a":1,"a":1}"#] {
            let answer = tenant.api.request(method, path, &json, body).await;
            answer.expect_problem(400, "malformed_json");
        }
    }
    app.operator
        .post_bytes("/v1/tenants", &[], "{")
        .await
        .expect_problem(400, "malformed_json");
    // As deep as allowed is read, and judged by what it says.
    let answer = tenant.api.post("/v1/events", nested(64)).await;
    answer.expect_problem(422, "invalid_request");
    // A value of another type than an object is read, too.
    for body in ["[]", "null", "1", "\"text\""] {
        let answer = tenant.api.post_bytes("/v1/events", &[], body).await;
        answer.expect_problem(422, "invalid_request");
    }
}

#[tokio::test]
async fn only_json_as_it_is_is_taken() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let body = json!({ "type": "job.created", "data": {} }).to_string();
    let send = async |headers: &[(&str, &str)]| {
        tenant
            .api
            .request("POST", "/v1/events", headers, body.clone())
            .await
    };
    for content_type in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
    ] {
        send(&[("content-type", content_type)]).await.expect(202);
    }
    for content_type in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/problem+json",
        "application",
        "text/json",
        "é",
    ] {
        let answer = send(&[("content-type", content_type)]).await;
        answer.expect_problem(415, "unsupported_media_type");
    }
    send(&[])
        .await
        .expect_problem(415, "unsupported_media_type");
    for encoding in ["gzip", "identity", "br", ""] {
        let headers = [
            ("content-type", "application/json"),
            ("content-encoding", encoding),
        ];
        send(&headers)
            .await
            .expect_problem(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn a_body_of_a_mebibyte_is_read_and_a_byte_more_is_too_large() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let body = json!({ "type": "job.created", "data": {} }).to_string();
    let padded = |bytes: usize| format!("{body}{}", " ".repeat(bytes - body.len()));
    let exactly = padded(KIBIBYTE * KIBIBYTE);
    tenant
        .api
        .post_bytes("/v1/events", &[], exactly)
        .await
        .expect(202);
    for (method, path) in [
        ("POST", "/v1/events"),
        ("POST", "/v1/messages"),
        ("POST", "/v1/webhooks"),
        ("PUT", "/v1/webhooks/sub_00000000000000000000000000"),
        ("POST", "/v1/provider-accounts"),
    ] {
        let json = [("content-type", "application/json")];
        let body = padded(KIBIBYTE * KIBIBYTE + 1);
        let answer = tenant.api.request(method, path, &json, body).await;
        answer.expect_problem(413, "payload_too_large");
    }
}

#[tokio::test]
async fn unknown_members_missing_ones_and_wrong_types_are_told_with_their_place() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let event = |extra: &str| format!(r#"{{"type":"job.created","data":{{}}{extra}}}"#);
    for (body, pointer) in [
        (event(r#","extra":1"#), "/extra"),
        (event(r#","a/b~c":1"#), "/a~1b~0c"),
        (event(r#","context":{"nobody":1}"#), "/context/nobody"),
        (
            event(r#","resource":{"type":"t","id":"i","more":1}"#),
            "/resource/more",
        ),
        (event(r#","resource":{"type":"t"}"#), "/resource/id"),
        (event(r#","resource":[]"#), "/resource"),
        (event(r#","resource":{"type":"t","id":1}"#), "/resource/id"),
        (event(r#","version":"1""#), "/version"),
        (event(r#","version":-1"#), "/version"),
        (event(r#","version":1.5"#), "/version"),
        (event(r#","environment":null"#), "/environment"),
        (r#"{"type":1,"data":{}}"#.to_owned(), "/type"),
        (r#"{"data":{}}"#.to_owned(), "/type"),
        (r#"{"type":"job.created"}"#.to_owned(), "/data"),
        ("[]".to_owned(), ""),
        ("null".to_owned(), ""),
    ] {
        let answer = tenant.api.post_bytes("/v1/events", &[], body).await;
        super::assert_refused(&answer, &[pointer]);
    }
    // Where a request says much, the answer says little of it.
    let long = "x".repeat(100_000);
    for body in [
        json!({ "type": "job.created", "data": {}, &long: 1 }),
        json!({ "type": "job.created", "data": {}, "version": long }),
        json!({ "type": long, "data": {} }),
    ] {
        let answer = tenant.api.post("/v1/events", body).await;
        assert_eq!(answer.status, 422, "{answer}");
        assert!(answer.text.len() < 4_096, "{} bytes", answer.text.len());
    }
    // Nothing of it was done.
    let page = tenant.api.get("/v1/events").await.expect(200);
    assert_eq!(page["data"], json!([]));
}
