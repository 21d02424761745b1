//! Limits, ids and the order of attempts hold while webhooks pass from one dispatcher to another.

use super::{launch, set_up};
use crate::app::SOON;
use crate::servers::Servers;
use domain::{Clock, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use testkit::{Api, Endpoint, Hit, Process, Reply, eventually};

const LIMITED: usize = 6;
const PER_MINUTE: usize = 12;
/// Leases run out after 8 s; the others have the shards within 10.
const TAKEN_OVER: Duration = Duration::from_secs(15);

/// How long one of them is frozen: longer than its leases, and than its requests may take.
const FROZEN: Duration = Duration::from_secs(30);
/// Until then others have the shards of one that is gone.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// Each event says the number of all that were published before it.
async fn publish(tenant: &Api, published: &mut usize, number: usize) {
    for _ in 0..number {
        let event = json!({ "type": "job.created", "data": { "n": *published } });
        tenant.post("/v1/events", event).await.expect(202);
        *published += 1;
    }
}

/// Waits until the webhook without a limit was told so many.
async fn told(endpoint: &Endpoint, number: usize) {
    eventually("everything is told", TAKEN_OVER + SOON, async || {
        (at(&endpoint.hits(), "/hook").len() >= number).then_some(())
    })
    .await;
}

/// Waits until these dispatchers have all shards.
async fn have_all_shards(dispatchers: &[&Process]) {
    eventually("all shards are taken", TAKEN_WITHIN, async || {
        let mut owned = 0;
        for dispatcher in dispatchers {
            let admin = Api::anonymous(&dispatcher.admin_url());
            let text = admin.get("/metrics").await.text;
            let value = text
                .lines()
                .find_map(|line| line.strip_prefix("tidings_shards_owned "));
            owned += value
                .and_then(|value| value.parse::<u32>().ok())
                .unwrap_or(0);
        }
        (owned == 64).then_some(())
    })
    .await;
}

fn at<'a>(hits: &'a [Hit], path: &str) -> Vec<&'a Hit> {
    hits.iter().filter(|hit| hit.path == path).collect()
}

/// In no window of a minute, wherever it begins, were there more than the limit lets.
fn assert_within_the_limit(hits: &[Hit], path: &str) {
    let times = at(hits, path);
    assert!(times.len() >= 4, "{path} was called {} times", times.len());
    for (one, beyond) in times.iter().zip(times.iter().skip(PER_MINUTE)) {
        let apart = beyond.at.duration_since(one.at);
        assert!(apart > Duration::from_mins(1), "{path}: {apart:?}");
    }
}

/// An event has one id, and an id belongs to one event.
fn assert_one_id_each(hits: &[Hit], events: usize) {
    let jobs = hits
        .iter()
        .filter(|hit| hit.json()["type"] == "job.created");
    let told: BTreeSet<(u64, String)> = jobs
        .map(|hit| {
            let number = hit.json()["data"]["n"].as_u64().unwrap();
            (number, hit.webhook_id().to_owned())
        })
        .collect();
    let ids: BTreeSet<&String> = told.iter().map(|(_, id)| id).collect();
    assert_eq!((told.len(), ids.len()), (events, events));
}

/// The attempts of each delivery have growing numbers and come in their order: each that was recorded was
/// seen by the endpoint when it says, after the one before it. What a frozen process had begun leaves when
/// it thaws, and is left out.
async fn assert_in_order(
    tenant: &Api,
    endpoint: &Endpoint,
    path: &str,
    has_thawed: &dyn Fn(&Hit) -> bool,
) {
    let webhooks = tenant.get("/v1/webhooks").await.expect(200);
    let is_it = |webhook: &&Value| webhook["url"].as_str().unwrap().ends_with(path);
    let webhook = webhooks["data"].as_array().unwrap().iter().find(is_it);
    let id = webhook.unwrap()["id"].as_str().unwrap();
    let path_of_all = format!("/v1/webhooks/{id}/deliveries?limit=100");
    let deliveries = tenant.get(&path_of_all).await.expect(200);
    let mut hits = endpoint.hits();
    hits.retain(|hit| !has_thawed(hit));
    for delivery in deliveries["data"].as_array().unwrap() {
        let of_it = at(&hits, path)
            .into_iter()
            .filter(|hit| delivery["event_id"] == hit.webhook_id());
        let seen: Vec<i64> = of_it.map(Hit::webhook_timestamp).collect();
        assert!(seen.is_sorted(), "{path}: {seen:?}");
        let mut rest = seen.iter();
        for (attempt, number) in delivery["attempts"].as_array().unwrap().iter().zip(1..) {
            assert_eq!(attempt["number"], number, "{delivery}");
            let started_at = attempt["started_at"].as_str().unwrap();
            let started_at = Timestamp::parse_rfc3339(started_at).unwrap();
            let was_seen = rest.any(|seen| *seen == started_at.as_seconds());
            assert!(was_seen, "{seen:?}: {delivery}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_exceeded_named_twice_or_out_of_order_when_dispatchers_are_killed_or_freeze() {
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
    // Each of its events takes attempts through all that happens to the dispatchers.
    endpoint.answer_at("/refusing", Reply::Status(404));
    let refusing = json!({ "url": endpoint.url("/refusing"), "events": ["*"],
        "retry": { "delays": vec![3; 40] } });
    tenant.post("/v1/webhooks", refusing).await.expect(201);
    let mut published = 0;
    publish(&tenant, &mut published, 20).await;
    told(&endpoint, 20).await;
    first.kill();
    let third = start("c", "dispatcher").await;
    have_all_shards(&[&second, &third]).await;
    publish(&tenant, &mut published, 5).await;
    told(&endpoint, 25).await;
    second.freeze();
    let (frozen_at, frozen_since) = (Instant::now(), Clock::system().now().as_seconds());
    have_all_shards(&[&third]).await;
    publish(&tenant, &mut published, 5).await;
    told(&endpoint, 30).await;
    tokio::time::sleep(FROZEN.saturating_sub(frozen_at.elapsed())).await;
    second.thaw();
    let thawed_at = Instant::now();
    tokio::time::sleep(Duration::from_secs(6)).await;
    have_all_shards(&[&second, &third]).await;
    let hits = endpoint.hits();
    for number in 0..LIMITED {
        assert_within_the_limit(&hits, &format!("/limited/{number}"));
    }
    assert_one_id_each(&hits, published);
    let has_thawed = |hit: &Hit| hit.at >= thawed_at && hit.webhook_timestamp() <= frozen_since;
    for path in ["/hook", "/refusing", "/limited/0"] {
        assert_in_order(&tenant, &endpoint, path, &has_thawed).await;
    }
    for process in [&api, &second, &third] {
        let status = process.terminate(Duration::from_secs(25)).await;
        assert!(status.success(), "{}", process.log());
    }
}
