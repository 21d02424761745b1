//! How large and how slow a callback may be.

use super::*;
use std::time::{Duration, Instant};
use testkit::{RawConnection, raw};

/// A report of exactly so many bytes.
fn report_of(bytes: usize) -> String {
    let bare = r#"{"messageId":"m-1","status":"DELIVRD","x":""}"#;
    let filler = "x".repeat(bytes - bare.len());
    bare.replace(r#""x":"""#, &format!(r#""x":"{filler}""#))
}

fn chunked(body: &str) -> String {
    let chunks = body.as_bytes().chunks(100);
    let chunk = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        format!("{:x}\r\n{text}\r\n", bytes.len())
    };
    let chunks = chunks.map(chunk).collect::<Vec<_>>().concat();
    format!(
        "POST {CLINIC} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
    )
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_taken_and_one_more_byte_is_not() {
    let app = TestApp::start_with(&[("TIDINGS_INGRESS__MAX_BODY_BYTES", "1000")]).await;
    let tenant = clinic(&app).await;
    let exact = app
        .ingress
        .post_raw(CLINIC, &[JSON], report_of(1_000))
        .await;
    let taken = accepted_id(&exact);
    let in_chunks = raw(app.ingress.base_url(), chunked(&report_of(1_000))).await;
    assert!(in_chunks.contains(&taken), "{in_chunks}");
    let more = app
        .ingress
        .post_raw(CLINIC, &[JSON], report_of(1_001))
        .await;
    more.expect_problem(413, "payload_too_large");
    let more_in_chunks = raw(app.ingress.base_url(), chunked(&report_of(1_001))).await;
    assert!(
        more_in_chunks.starts_with("HTTP/1.1 413 "),
        "{more_in_chunks}"
    );
    // How large a body may be does not depend on who sends it.
    let path = "/v1/callbacks/nobody/reports";
    let stranger = app.ingress.post_raw(path, &[JSON], report_of(1_001)).await;
    stranger.expect_problem(413, "payload_too_large");
    assert_only(&tenant, &[taken]).await;
}

#[tokio::test]
async fn the_limit_is_256_kib_unless_it_is_set() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let exact = app
        .ingress
        .post_raw(CLINIC, &[JSON], report_of(262_144))
        .await;
    let more = app
        .ingress
        .post_raw(CLINIC, &[JSON], report_of(262_145))
        .await;
    more.expect_problem(413, "payload_too_large");
    assert_only(&tenant, &[accepted_id(&exact)]).await;
}

#[tokio::test]
async fn a_body_that_drips_is_given_up_at_its_deadline() {
    let app = TestApp::start_with(&[("TIDINGS_INGRESS__BODY_DEADLINE", "1s")]).await;
    let tenant = clinic(&app).await;
    let head = format!(
        "POST {CLINIC} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: 500\r\n\r\n"
    );
    let mut connection = RawConnection::open(app.ingress.base_url()).await;
    let started = Instant::now();
    connection.send(&head).await;
    connection
        .send_slowly(" ".repeat(200), Duration::from_millis(50))
        .await;
    let answer = connection.receive(SOON).await;
    let waited = started.elapsed();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains(r#""code":"request_timeout""#), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("x-request-id: "),
        "{answer}"
    );
    assert!(
        Duration::from_millis(900) < waited && waited < SOON,
        "{waited:?}"
    );
    // The rest of that body is not taken for another request.
    let smuggled = format!("{}{head}", " ".repeat(100));
    connection.send(smuggled).await;
    let after = connection.receive(Duration::from_millis(500)).await;
    assert!(!after.contains(" 200 "), "{after}");

    // A body that ends early is no body, and the door is still open.
    let mut connection = RawConnection::open(app.ingress.base_url()).await;
    connection.send(format!("{head}{}", delivered("m-2"))).await;
    drop(connection);
    let taken = post(&app, CLINIC, "m-1").await;
    assert_only(&tenant, &[taken]).await;
}
