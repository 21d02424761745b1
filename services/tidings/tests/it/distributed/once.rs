//! Two replicas of the API: a request under a key is done once, whichever of them it comes to.

use super::launch;
use crate::servers::Servers;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::{ADMIN_KEY, Answer, Api};

const WEBHOOKS: &str = "/v1/webhooks";

async fn post(api: &Api, key: &str, body: &Value) -> Answer {
    let headers = [("idempotency-key", key)];
    api.post_with_headers(WEBHOOKS, &headers, body).await
}

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

#[tokio::test]
async fn a_request_that_comes_to_two_replicas_is_done_once_and_answered_the_same_by_both() {
    let Some(servers) = Servers::find().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let replica = |name: &str| launch(&servers, &root.path().join(name), &["subscriptions"]);
    let (one, two) = tokio::join!(replica("one").start(), replica("two").start());
    let operator = Api::new(&one.api_url(), ADMIN_KEY);
    let tenant = operator.post("/v1/tenants", json!({ "name": "A" })).await;
    let key = tenant.expect(201)["api_key"].as_str().unwrap().to_owned();
    let here = operator.with_key(&key);
    let there = Api::new(&two.api_url(), &key);
    let webhook = json!({ "url": "https://clinic.example.com/hook", "events": ["*"] });
    let mut made = Vec::new();
    for round in 0..5 {
        let name = format!("round {round}");
        let all = (0..10).map(|number| {
            let api = if number % 2 == 0 { &here } else { &there };
            post(api, &name, &webhook)
        });
        let answers = join_all(all).await;
        let done = answers.iter().find(|answer| answer.status == 201).unwrap();
        for answer in &answers {
            match answer.status {
                201 => assert_eq!(answer.text, done.text),
                _ => drop(answer.expect_problem(409, "in_flight")),
            }
        }
        for api in [&here, &there] {
            let again = post(api, &name, &webhook).await;
            assert!(is_replayed(&again), "{again}");
            assert_eq!((again.status, &again.text), (201, &done.text));
        }
        made.push(done.body["id"].clone());
    }
    let listed = there.get(WEBHOOKS).await.expect(200);
    let listed: Vec<Value> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|webhook| webhook["id"].clone())
        .collect();
    assert_eq!(listed, made);
    let other = json!({ "url": "https://clinic.example.com/other", "events": ["*"] });
    post(&there, "round 0", &other)
        .await
        .expect_problem(422, "idempotency_mismatch");
    // The one that made them is gone, and what it answered is not.
    one.kill();
    let again = post(&there, "round 0", &webhook).await;
    assert!(is_replayed(&again), "{again}");
    assert_eq!(again.body["id"], made[0]);
}
