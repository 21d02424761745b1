//! Endpoints that wish us ill: each is told apart, costs what its deadline allows, and nobody else.

mod headers;
mod http1;
mod http2;
mod process;
mod row;
mod status;
mod tls;

use crate::app::{MANY_AT_ONCE, SOON, TestApp};
use row::{Row, told};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::Hostile;
use testkit::hostile::{Behaviour, Step};
use tidings::app::Reach;

/// Connections that serve nobody are kept for 4 s; whatever else there is, ends with its attempt.
const LEFT_ALONE: Duration = Duration::from_secs(20);

/// A receiver with these behaviours, and one that behaves.
async fn receiver(rows: &[Row]) -> Hostile {
    let behaviours = rows
        .iter()
        .map(|row| (row.name.clone(), row.behaviour.clone()));
    let well = [("well".to_owned(), Behaviour::well())];
    Hostile::start(behaviours.chain(well)).await
}

/// An app that believes the receiver's certificates.
async fn start(hostile: &Hostile) -> TestApp {
    let reach = Reach {
        extra_roots: vec![hostile.root()],
        ..Reach::system().unwrap()
    };
    // It is not about breakers.
    let breakers = ("TIDINGS_DISPATCHER__BREAKER__MIN_REQUESTS", "10000");
    let settings = [breakers, MANY_AT_ONCE];
    TestApp::start_reaching(&settings, reach).await
}

async fn judge(rows: Vec<Row>) {
    let hostile = receiver(&rows).await;
    let app = start(&hostile).await;
    let tenant = app.tenant("Clinic").await;
    told(&tenant.api, &hostile, &rows).await;
    hostile.until_left_alone(LEFT_ALONE).await;
    app.admin.get("/livez").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_spoken_after_a_handshake_or_instead_of_it_is_an_error_that_is_told() {
    judge(tls::rows()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_spoken_over_http_2_is_an_error_that_is_told() {
    judge(http2::rows()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_after_an_answer_is_not_taken_for_the_next_one() {
    let answers = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 410 Gone\r\n\
        content-length: 0\r\n\r\n";
    let twice = Behaviour::of([Step::Read, Step::Say(answers.into()), Step::Again]);
    let hostile = Hostile::start([("twice", twice)]).await;
    let app = start(&hostile).await;
    let tenant = app.tenant("Clinic").await;
    let body = json!({ "url": hostile.url("twice"), "events": ["*"] });
    let hook = tenant.api.post("/v1/webhooks", body).await.expect(201);
    let path = format!("/v1/webhooks/{}/deliveries", hook["id"].as_str().unwrap());
    for number in 1..=3 {
        tenant.publish("job.created", json!({})).await;
        let is_told = |found: &Value| {
            let all = found["data"].as_array().unwrap();
            all.len() == number && all.iter().all(|one| one["state"] == "delivered")
        };
        tenant.api.get_until(&path, is_told, SOON).await;
    }
}
