//! Requests that no proper client sends: one answer at most to each, and nothing smuggled.

use super::*;
use std::time::Duration;
use testkit::{RawConnection, raw};

const HEAD: &str = "POST /v1/callbacks/clinic/reports HTTP/1.1\r\nhost: x\r\n\
                    content-type: application/json\r\n";

/// A whole request.
fn request(id: &str) -> String {
    let body = delivered(id);
    format!("{HEAD}content-length: {}\r\n\r\n{body}", body.len())
}

/// The statuses of all answers in a stream of them.
fn statuses(answers: &str) -> Vec<&str> {
    let heads = answers.split("HTTP/1.").skip(1);
    heads.map(|head| head.split(' ').nth(1).unwrap()).collect()
}

async fn send(app: &TestApp, bytes: impl AsRef<[u8]>) -> String {
    raw(app.ingress.base_url(), bytes).await
}

#[tokio::test]
async fn a_head_has_its_limits() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let header = |n: usize| format!("x-{n}: {n}\r\n");
    let headers = |count: usize| (0..count).map(header).collect::<Vec<_>>().concat();
    let with = |headers: &str| request("m-1").replacen("host", &format!("{headers}host"), 1);
    // Host, type and length are three more.
    let some = send(&app, with(&headers(93))).await;
    assert_eq!(statuses(&some), ["200"], "{some}");
    let long = format!("x-long: {}\r\n", "x".repeat(200 << 10));
    for (what, headers) in [
        ("97 headers", headers(94)),
        ("1,000 headers", headers(997)),
        ("200 KiB in one header", long),
    ] {
        let refused = send(&app, with(&headers)).await;
        assert_eq!(statuses(&refused), ["431"], "{what}: {refused}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(200 << 10));
    let refused = send(&app, long).await;
    assert_eq!(statuses(&refused).len(), 1, "{refused}");
    assert!(!refused.contains(" 200 "), "{refused}");
    let taken = post(&app, CLINIC, "m-2").await;
    let first = some.split(r#""callback_id":""#).nth(1).unwrap();
    let first = first.split('"').next().unwrap().to_owned();
    assert_only(&tenant, &[taken, first]).await;
}

#[tokio::test]
async fn a_body_whose_end_is_in_doubt_smuggles_nothing() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let smuggled = request("smuggled");
    let body = delivered("m-1");
    let length = body.len();
    let chunk = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    for framing in [
        format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n\r\n{chunk}"),
        format!("content-length: 4\r\ncontent-length: {length}\r\n\r\n{body}"),
        format!("content-length: {length}, {length}\r\n\r\n{body}"),
        format!("content-length: +{length}\r\n\r\n{body}"),
        format!("content-length: -1\r\n\r\n{body}"),
        format!("content-length: {length}x\r\n\r\n{body}"),
        "content-length: 99999999999999999999999\r\n\r\n".to_owned(),
        format!("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"),
        format!("transfer-encoding: xchunked\r\n\r\n{chunk}"),
        format!("transfer-encoding: gzip, chunked\r\n\r\n{chunk}"),
        format!("transfer-encoding: chunked, identity\r\n\r\n{chunk}"),
        format!("transfer-encoding : chunked\r\n\r\n{chunk}"),
        format!("transfer-encoding:\x0bchunked\r\n\r\n{chunk}"),
        "transfer-encoding: chunked\r\n\r\nzz\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\n-1\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n".to_owned(),
    ] {
        let answers = send(&app, format!("{HEAD}{framing}{smuggled}")).await;
        // What only turns out to be no chunk while the body is read has not arrived in time.
        let found = statuses(&answers);
        let is_refused = matches!(found[..], ["400" | "408"]);
        assert!(is_refused, "{framing:?}: {answers}");
    }
    let smuggled = post(&app, CLINIC, "smuggled").await;
    assert_eq!(processed(&tenant, &smuggled).await["receipts"], 1);
}

#[tokio::test]
async fn the_body_of_a_request_that_is_answered_early_is_no_request() {
    let settings = [("TIDINGS_INGRESS__RATE_LIMIT__FAILURES_PER_MINUTE", "1")];
    let app = TestApp::start_with(&settings).await;
    let tenant = clinic(&app).await;
    let known = post(&app, CLINIC, "m-1").await;
    let inner = request("smuggled");
    for (start, status) in [
        ("POST /v1/callbacks/nobody/reports", "401"),
        ("POST /v1/callbacks/nobody/reports", "429"),
        ("POST /v1/callbacks/clinic/faxes", "404"),
        ("PUT /v1/callbacks/clinic/reports", "405"),
        ("GET /v1/callbacks/clinic/reports", "200"),
        ("OPTIONS /v1/callbacks/nobody/reports", "200"),
        ("POST /anywhere", "404"),
    ] {
        let length = inner.len();
        let outer = format!("{start} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
        // At once, and with the body on its way when the answer leaves.
        let answers = send(&app, format!("{outer}{inner}")).await;
        assert_eq!(statuses(&answers), [status], "{start}: {answers}");
        let mut connection = RawConnection::open(app.ingress.base_url()).await;
        connection.send(&outer).await;
        connection.receive(Duration::from_millis(100)).await;
        connection.send(&inner).await;
        let answers = connection.receive(Duration::from_millis(200)).await;
        assert!(!answers.contains("cb_"), "{start}: {answers}");
    }
    let encoded = HEAD.replace("host", "content-encoding: gzip\r\nhost");
    let outer = format!("{encoded}content-length: {}\r\n\r\n{inner}", inner.len());
    let answers = send(&app, outer).await;
    assert_eq!(statuses(&answers), ["415"], "{answers}");
    let large = format!("{HEAD}content-length: 600000\r\n\r\n");
    let flood = inner.repeat(600_000 / inner.len());
    let answers = send(&app, format!("{large}{flood}")).await;
    assert!(matches!(statuses(&answers)[..], [] | ["413"]), "{answers}");
    assert_only(&tenant, &[known]).await;
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_a_row_until_one_is_none() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let row: String = ["m-1", "m-2", "m-3"].map(request).concat();
    let answers = send(&app, &row).await;
    assert_eq!(statuses(&answers), ["200"; 3], "{answers}");
    let answers = send(
        &app,
        format!("{}\x00garbage\r\n\r\n{}", request("m-4"), request("m-5")),
    )
    .await;
    assert_eq!(statuses(&answers), ["200", "400"], "{answers}");
    for garbage in [
        "\x16\x03\x01\x02\x00\x01\x00",
        "hello\r\n\r\n",
        "POST\r\n\r\n",
        "\r\n\r\n\r\n",
    ] {
        let answers = send(&app, format!("{garbage}{}", request("m-6"))).await;
        assert!(statuses(&answers).len() <= 1, "{garbage:?}: {answers}");
    }
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let answers = send(&app, preface).await;
    assert!(!answers.contains(" 200 "), "{answers}");
    let wanted = |page: &Value| page["data"].as_array().is_some_and(|all| all.len() >= 4);
    tenant.api.get_until("/v1/callbacks", wanted, SOON).await;
}

#[tokio::test]
async fn older_and_careful_clients_are_served() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let old = send(&app, request("m-1").replace("HTTP/1.1", "HTTP/1.0")).await;
    assert_eq!(statuses(&old), ["200"], "{old}");
    let without_host = send(
        &app,
        request("m-1")
            .replace("host: x\r\n", "")
            .replace("1.1", "1.0"),
    )
    .await;
    assert_eq!(statuses(&without_host), ["200"], "{without_host}");
    let absolute = request("m-1").replace("POST ", "POST http://anywhere.example");
    let absolute = send(&app, absolute).await;
    assert_eq!(statuses(&absolute), ["200"], "{absolute}");
    // One that waits to be asked for its body.
    let body = delivered("m-1");
    let mut careful = RawConnection::open(app.ingress.base_url()).await;
    let head = format!(
        "{HEAD}content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    careful.send(head).await;
    let mut answers = careful.receive(Duration::from_secs(2)).await;
    assert!(answers.starts_with("HTTP/1.1 100 "), "{answers}");
    careful.send(&body).await;
    answers = careful.receive(SOON).await;
    assert_eq!(statuses(&answers), ["200"], "{answers}");
    // In pieces of a byte.
    let mut slow = RawConnection::open(app.ingress.base_url()).await;
    slow.send_slowly(request("m-1"), Duration::from_millis(1))
        .await;
    let answers = slow.receive(SOON).await;
    assert_eq!(statuses(&answers), ["200"], "{answers}");
    let id = post(&app, CLINIC, "m-1").await;
    let path = format!("/v1/callbacks/{id}");
    let wanted = |found: &Value| found["receipts"] == 6;
    tenant.api.get_until(&path, wanted, SOON).await;
}
