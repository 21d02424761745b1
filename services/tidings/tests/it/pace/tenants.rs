//! A flood of one tenant costs another one nothing. What is counted is how much the one is told between
//! two things of the other, never how long it takes.

use super::{publish, webhook};
use crate::app::{SOON, Tenant, TestApp};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;
use testkit::{Endpoint, Hit, Reply};

const WEBHOOKS: usize = 60;
const EVENTS: usize = 60;
const TRICKLE: usize = 20;
/// What the flood may be told while the others are: as much as they are, and what is under way, and what it
/// is told until their last event is in its lane. Lane by lane it would be sixty times as much as they are.
const MEANWHILE: usize = 10 * TRICKLE;

fn of(hits: &[Hit], path: &str) -> usize {
    hits.iter().filter(|hit| hit.path.starts_with(path)).count()
}

async fn publish_at_once(tenant: &Tenant, number: usize) {
    let events = (0..number).map(|n| tenant.publish("job.created", json!({ "n": n })));
    join_all(events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_over_many_webhooks_leaves_every_other_request_to_a_tenant_with_a_single_one() {
    // They share a host that takes few requests at once: whoever is owed more there waits.
    let app = TestApp::start_with(&[("TIDINGS_EGRESS__MAX_PER_HOST", "8")]).await;
    let (flood, trickle) = (app.tenant("Flood").await, app.tenant("Trickle").await);
    let endpoint = Endpoint::start().await;
    endpoint.answer_with(Reply::Delay(Duration::from_millis(25), 200));
    for number in 0..WEBHOOKS {
        let url = endpoint.url(&format!("/flood/{number}"));
        webhook(&flood, &url, json!({})).await;
    }
    webhook(&trickle, &endpoint.url("/trickle"), json!({})).await;
    publish_at_once(&flood, EVENTS).await;
    let flows = |hits: &[Hit]| of(hits, "/flood") >= 2 * WEBHOOKS;
    endpoint.wait_until(flows, SOON).await;
    publish_at_once(&trickle, TRICKLE).await;
    let before = of(&endpoint.hits(), "/flood");
    let is_told = |hits: &[Hit]| of(hits, "/trickle") >= TRICKLE;
    let hits = endpoint.wait_until(is_told, SOON * 3).await;
    let last = hits.iter().rposition(|hit| hit.path == "/trickle");
    let told = of(&hits[..last.unwrap()], "/flood");
    assert!(told < WEBHOOKS * EVENTS, "the flood is over");
    assert!(told - before <= MEANWHILE, "{}", told - before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_whose_endpoints_all_hang_has_three_quarters_of_the_requests_at_the_most() {
    let settings = [
        ("TIDINGS_DISPATCHER__TIMEOUT", "60s"),
        ("TIDINGS_EGRESS__MAX_PER_HOST", "2048"),
    ];
    let app = TestApp::start_with(&settings).await;
    let (flood, trickle) = (app.tenant("Flood").await, app.tenant("Trickle").await);
    let [hanging, endpoint] = [Endpoint::start().await, Endpoint::start().await];
    hanging.answer_with(Reply::Hang);
    for _ in 0..WEBHOOKS {
        let much = json!({ "max_in_flight": 64, "timeout_seconds": 30 });
        webhook(&flood, &hanging.url("/hangs"), much).await;
    }
    publish_at_once(&flood, 2 * EVENTS).await;
    hanging.wait_for(1_000, SOON * 2).await;
    webhook(&trickle, &endpoint.url("/works"), json!({})).await;
    publish(&trickle, TRICKLE).await;
    endpoint.wait_for(TRICKLE, SOON).await;
    assert!(hanging.hits().len() <= 1_536, "{}", hanging.hits().len());
}
