//! The same request again.

use super::{id, ids};
use crate::app::TestApp;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::Answer;

const KEY: &str = "idempotency-key";
const BODY: &str = r#"{"type":"job.created","data":{"n":1}}"#;

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

#[tokio::test]
async fn the_same_request_again_gets_the_same_answer_and_does_nothing() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let send = async |key: &str, body: &str| {
        tenant
            .api
            .post_bytes("/v1/events", &[(KEY, key)], body)
            .await
    };
    let first = send("k-1", BODY).await;
    first.expect(202);
    assert!(!is_replayed(&first));
    let second = send("k-1", BODY).await;
    second.expect(202);
    assert!(is_replayed(&second), "{second}");
    assert_eq!(second.text, first.text);
    assert_eq!(second.header("content-type"), first.header("content-type"));

    // Byte for byte: the same meaning is not enough.
    for different in [
        r#"{"type":"job.created","data":{"n":2}}"#,
        r#"{"type":"job.created","data":{"n":1} }"#,
        r#"{"data":{"n":1},"type":"job.created"}"#,
    ] {
        send("k-1", different)
            .await
            .expect_problem(422, "idempotency_mismatch");
    }
    // A request that was refused has used no key.
    send("k-2", "{").await.expect_problem(400, "malformed_json");
    send("k-2", r#"{"type":"job.created"}"#)
        .await
        .expect_problem(422, "invalid_request");
    let fresh = send("k-2", BODY).await;
    assert_ne!(id(&fresh.expect(202)), id(&first.body));
    // Keys are exact, and everybody's own.
    assert!(!is_replayed(&send("K-1", BODY).await));
    let theirs = other
        .api
        .post_bytes("/v1/events", &[(KEY, "k-1")], BODY)
        .await;
    assert_ne!(id(&theirs.expect(202)), id(&first.body));
    assert!(!is_replayed(&theirs));
    // Without a key every request is a new one.
    for _ in 0..2 {
        let answer = tenant.api.post_bytes("/v1/events", &[], BODY).await;
        assert!(!is_replayed(&answer), "{answer}");
    }
    let page = tenant.api.get("/v1/events").await.expect(200);
    assert_eq!(ids(&page).len(), 5);
}

#[tokio::test]
async fn ten_at_once_are_one_event() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let requests = (0..10).map(|_| tenant.api.post_bytes("/v1/events", &[(KEY, "k")], BODY));
    let answers = futures_util::future::join_all(requests).await;
    let made: BTreeSet<_> = answers
        .iter()
        .map(|answer| id(&answer.expect(202)))
        .collect();
    assert_eq!(made.len(), 1);
    assert_eq!(
        answers.iter().filter(|answer| !is_replayed(answer)).count(),
        1
    );
    let page = tenant.api.get("/v1/events").await.expect(200);
    assert_eq!(ids(&page).len(), 1);
}

#[tokio::test]
async fn a_key_is_remembered_over_a_restart_for_a_day_and_no_longer() {
    let mut app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let first = tenant
        .api
        .post_bytes("/v1/events", &[(KEY, "k")], BODY)
        .await;
    app.restart().await;
    let tenant = app.again(&tenant);
    app.clock.advance(Duration::from_mins(24 * 60 - 1));
    let again = tenant
        .api
        .post_bytes("/v1/events", &[(KEY, "k")], BODY)
        .await;
    assert!(is_replayed(&again), "{again}");
    assert_eq!(again.text, first.text);
    app.clock.advance(Duration::from_mins(2));
    let body = json!({ "type": "job.failed", "data": {} }).to_string();
    let later = tenant
        .api
        .post_bytes("/v1/events", &[(KEY, "k")], body.clone())
        .await;
    assert_ne!(id(&later.expect(202)), id(&first.body));
    assert!(!is_replayed(&later));
    // And from then on it is the new request's.
    let again = tenant
        .api
        .post_bytes("/v1/events", &[(KEY, "k")], body)
        .await;
    assert_eq!(id(&again.expect(202)), id(&later.body));
    assert!(is_replayed(&again));
}

#[tokio::test]
async fn a_key_is_1_to_255_printable_characters_and_comes_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (longest, too_long) = ("k".repeat(255), "k".repeat(256));
    for good in ["k", &longest, "~!@ #", "\"quoted\""] {
        tenant
            .api
            .post_bytes("/v1/events", &[(KEY, good)], BODY)
            .await
            .expect(202);
    }
    for bad in ["", &too_long, "é", "a\tb"] {
        let answer = tenant
            .api
            .post_bytes("/v1/events", &[(KEY, bad)], BODY)
            .await;
        answer.expect_problem(422, "invalid_request");
    }
    let answer = tenant
        .api
        .post_bytes("/v1/events", &[(KEY, "a"), (KEY, "a")], BODY)
        .await;
    answer.expect_problem(422, "invalid_request");
    assert_eq!(
        ids(&tenant.api.get("/v1/events").await.expect(200)).len(),
        4
    );
}
