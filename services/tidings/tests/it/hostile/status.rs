//! Every status there is, and some that there are not.

use crate::app::{Tenant, TestApp};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use testkit::Hostile;
use testkit::hostile::{Behaviour, Step};

/// How many events are published at once.
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(30);

/// The error and the status that are shown.
type Shown = (Option<&'static str>, Option<u16>);

fn expected(status: u16) -> Shown {
    match status {
        101 => (Some("invalid_response"), None),
        // It says that an answer will come, and none does.
        100..=199 => (Some("timeout"), None),
        200..=299 => (None, Some(status)),
        300..=399 => (Some("redirect"), Some(status)),
        400..=499 => (Some("status_4xx"), Some(status)),
        500..=599 => (Some("status_5xx"), Some(status)),
        _ => (Some("invalid_response"), Some(status)),
    }
}

/// What is said, and what it has to become.
fn cases() -> Vec<(String, Shown)> {
    // 410 has a meaning of its own, and would end the others.
    let all = (100..=599).filter(|status| *status != 410);
    let beyond = [600, 601, 699, 700, 842, 998, 999];
    let mut cases: Vec<_> = all
        .chain(beyond)
        .map(|status| (status.to_string(), expected(status)))
        .collect();
    for odd in [
        "42",
        "099",
        "000",
        "1000",
        "-1",
        "20",
        "2 0",
        "2x0",
        "",
        "twohundred",
    ] {
        cases.push((odd.to_owned(), (Some("invalid_response"), None)));
    }
    cases
}

async fn publish(tenant: &Tenant, cases: &[(String, Shown)]) -> BTreeMap<String, usize> {
    let mut by_event = BTreeMap::new();
    for (round, some) in cases.chunks(AT_ONCE).enumerate() {
        let published = some.iter().map(|(status, _)| {
            let say = format!("HTTP/1.1 {status} \r\ncontent-length: 0\r\n\r\n");
            tenant.publish("job.created", json!({ "say": say }))
        });
        for (number, id) in join_all(published).await.into_iter().enumerate() {
            by_event.insert(id, round * AT_ONCE + number);
        }
    }
    by_event
}

async fn all_deliveries(tenant: &Tenant, path: &str) -> Vec<Value> {
    let (mut all, mut query) = (Vec::new(), "?limit=100".to_owned());
    loop {
        let page = tenant.api.get(&format!("{path}{query}")).await.expect(200);
        all.extend(page["data"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=100&cursor={cursor}"),
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_status_is_what_the_contract_says_it_is() {
    let asked = Behaviour::of([Step::Read, Step::SayAsAsked, Step::Again]);
    let hostile = Hostile::start([("asked", asked)]).await;
    let settings = [("TIDINGS_DISPATCHER__BREAKER__MIN_REQUESTS", "10000")];
    let app = TestApp::start_with(&settings).await;
    let tenant = app.tenant("Clinic").await;
    let body = json!({ "url": hostile.url("asked"), "events": ["*"], "timeout_seconds": 1,
        "max_in_flight": 256, "retry": { "delays": [3_600] } });
    let hook = tenant.api.post("/v1/webhooks", body).await.expect(201);
    let path = format!("/v1/webhooks/{}/deliveries", hook["id"].as_str().unwrap());
    let cases = cases();
    let by_event = publish(&tenant, &cases).await;
    let all = testkit::eventually("every status was answered", PATIENCE, async || {
        let all = all_deliveries(&tenant, &path).await;
        let is_tried = |one: &Value| one["attempts"][0].is_object();
        (all.len() == cases.len() && all.iter().all(is_tried)).then_some(all)
    })
    .await;
    for delivery in &all {
        let (said, (error, status)) = &cases[by_event[delivery["event_id"].as_str().unwrap()]];
        let attempt = &delivery["attempts"][0];
        let found = (&attempt["error"], &attempt["status_code"]);
        assert_eq!(
            found,
            (&json!(error), &json!(status)),
            "{said:?}: {attempt}"
        );
        let state = if error.is_some() {
            "pending"
        } else {
            "delivered"
        };
        assert_eq!(delivery["state"], state, "{said:?}");
    }
    let hook = tenant.api.get(path.trim_end_matches("/deliveries")).await;
    assert_eq!(hook.expect(200)["state"], "active");
}
