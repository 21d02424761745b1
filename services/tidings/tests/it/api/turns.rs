//! How much one tenant may ask, and what others notice of it.

use crate::app::{SOON, TestApp};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;
use testkit::{Endpoint, Reply, eventually};

const PER_MINUTE: (&str, &str) = ("TIDINGS_SUBSCRIPTIONS__RATE_LIMIT__PER_MINUTE", "3");
const AT_ONCE: (&str, &str) = ("TIDINGS_SUBSCRIPTIONS__RATE_LIMIT__AT_ONCE", "2");

#[tokio::test]
async fn a_tenant_that_asks_too_much_is_told_to_wait_and_how_much_is_left() {
    let app = TestApp::start_with(&[PER_MINUTE]).await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    for left in ["2", "1", "0"] {
        let answer = tenant.api.get("/v1/webhooks").await;
        answer.expect(200);
        let policy = answer.header("ratelimit-policy");
        assert_eq!(policy, Some("\"tenant\";q=3;w=60"));
        let told = answer.header("ratelimit").unwrap();
        assert!(
            told.starts_with(&format!("\"tenant\";r={left};t=")),
            "{answer}"
        );
    }
    let refused = tenant.api.get("/v1/webhooks").await;
    refused.expect_problem(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{refused}");
    assert!(
        refused
            .header("ratelimit")
            .unwrap()
            .starts_with("\"tenant\";r=0;")
    );
    other.api.get("/v1/webhooks").await.expect(200);
    // What a tenant's own work goes through is not counted, and the operator is not.
    tenant.publish("job.created", json!({})).await;
    for _ in 0..5 {
        let answer = app.operator.get("/v1/webhooks").await;
        answer.expect(200);
        assert_eq!(answer.header("ratelimit"), None);
    }
    app.clock.advance(Duration::from_secs(wait));
    tenant.api.get("/v1/webhooks").await.expect(200);
}

#[tokio::test]
async fn many_requests_of_a_tenant_at_once_do_not_slow_another() {
    let app = TestApp::start_with(&[AT_ONCE]).await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let flood = join_all((0..200).map(|_| tenant.api.get("/v1/messages")));
    let calm = async {
        for _ in 0..10 {
            other.api.get("/v1/messages").await.expect(200);
        }
    };
    let (answers, ()) = tokio::join!(flood, calm);
    let refused = answers.iter().filter(|answer| answer.status == 429);
    for answer in refused {
        answer.expect_problem(429, "rate_limited");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert!(answers.iter().any(|answer| answer.status == 200));
    tenant.api.get("/v1/messages").await.expect(200);
}

#[tokio::test]
async fn what_goes_on_when_its_caller_has_left_keeps_its_place() {
    let one = ("TIDINGS_SUBSCRIPTIONS__RATE_LIMIT__AT_ONCE", "1");
    let app = TestApp::start_with(&[one]).await;
    let tenant = app.tenant("One").await;
    let endpoint = Endpoint::start().await;
    let hook = tenant.webhook(&endpoint, &["*"]).await;
    endpoint.answer_with(Reply::Delay(Duration::from_secs(2), 200));
    let path = format!("/v1/webhooks/{}/test", hook.id);
    let connection = tenant.begin(&path, Some("k"), &json!({})).await;
    endpoint.wait_for(1, SOON).await;
    connection.reset();
    // It is noticed now, if it matters.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let refused = tenant.api.get("/v1/webhooks").await;
    refused.expect_problem(429, "rate_limited");
    eventually("its place is free", SOON, async || {
        let answer = tenant.api.get("/v1/webhooks").await;
        (answer.status == 200).then_some(())
    })
    .await;
}
