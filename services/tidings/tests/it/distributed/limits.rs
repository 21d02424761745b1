//! Limits hold while webhooks pass from one dispatcher to another.

use super::{launch, set_up};
use crate::app::SOON;
use crate::servers::Servers;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use testkit::{Api, Endpoint, Reply, eventually};

const LIMITED: usize = 6;
const PER_MINUTE: usize = 12;
/// Leases run out after 8 s; the others have the shards within 10.
const TAKEN_OVER: Duration = Duration::from_secs(15);

async fn publish(tenant: &Api, number: usize) {
    for _ in 0..number {
        let event = json!({ "type": "job.created", "data": {} });
        tenant.post("/v1/events", event).await.expect(202);
    }
}

/// How often each path was called.
fn calls(endpoint: &Endpoint) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for hit in endpoint.hits() {
        *calls.entry(hit.path).or_default() += 1;
    }
    calls
}

/// Waits until the webhook without a limit was told so many.
async fn told(endpoint: &Endpoint, number: usize) {
    eventually("everything is told", TAKEN_OVER + SOON, async || {
        (calls(endpoint).get("/hook").copied() >= Some(number)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_limit_is_exceeded_by_dispatchers_that_are_killed_or_freeze() {
    let Some(servers) = Servers::find().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let start = async |name: &str, role: &str| {
        launch(&servers, &root.path().join(name), &[role])
            .start()
            .await
    };
    let api = start("api", "subscriptions").await;
    let [first, second] = [
        start("a", "dispatcher").await,
        start("b", "dispatcher").await,
    ];
    let endpoint = Endpoint::start().await;
    let tenant = set_up(&api.api_url(), &endpoint).await;
    for number in 0..LIMITED {
        let path = format!("/limited/{number}");
        // Whoever dies or freezes has some under way.
        endpoint.answer_at(&path, Reply::Delay(Duration::from_secs(2), 200));
        let limited = json!({ "url": endpoint.url(&path), "events": ["*"], "max_in_flight": 2,
            "rate_limit": { "per_minute": PER_MINUTE } });
        tenant.post("/v1/webhooks", limited).await.expect(201);
    }
    publish(&tenant, 20).await;
    told(&endpoint, 20).await;
    first.kill();
    let third = start("c", "dispatcher").await;
    publish(&tenant, 5).await;
    told(&endpoint, 25).await;
    second.freeze();
    publish(&tenant, 5).await;
    told(&endpoint, 30).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    second.thaw();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let hits = endpoint.hits();
    for number in 0..LIMITED {
        let path = format!("/limited/{number}");
        let times: Vec<_> = hits.iter().filter(|hit| hit.path == path).collect();
        assert!(times.len() >= 4, "{path} was called {} times", times.len());
        for (one, beyond) in times.iter().zip(times.iter().skip(PER_MINUTE)) {
            let apart = beyond.at.duration_since(one.at);
            assert!(apart > Duration::from_mins(1), "{path}: {apart:?}");
        }
    }
    for process in [&api, &second, &third] {
        let status = process.terminate(Duration::from_secs(25)).await;
        assert!(status.success(), "{}", process.log());
    }
}
