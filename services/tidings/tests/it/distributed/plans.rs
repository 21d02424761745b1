//! Two replicas of the API: what a plan allows is counted by both together.

use super::launch;
use crate::servers::Servers;
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;
use testkit::{ADMIN_KEY, Api, eventually};

/// How soon every node knows of another plan.
const WITHIN: Duration = Duration::from_secs(5);
const ALLOWED: usize = 60;

#[tokio::test]
async fn two_replicas_take_together_as_many_events_and_webhooks_as_the_plan_allows() {
    let Some(servers) = Servers::find().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let replica = |name: &str| launch(&servers, &root.path().join(name), &["subscriptions"]);
    let (one, two) = tokio::join!(replica("one").start(), replica("two").start());
    let operator = Api::new(&one.api_url(), ADMIN_KEY);
    let limits = json!({ "events_per_day": ALLOWED, "webhooks": 3 });
    let plan = operator.put("/v1/plans/gold", limits).await;
    plan.expect(201);
    let tenant = async |plan: &str| {
        let made = json!({ "name": "Clinic", "plan": plan });
        let made = operator.post("/v1/tenants", made).await.expect(201);
        let here = operator.with_key(made["api_key"].as_str().unwrap());
        let there = here.at(&two.api_url());
        (made["id"].as_str().unwrap().to_owned(), [here, there])
    };
    let event = || json!({ "type": "job.created", "data": {} });
    let webhook = || json!({ "url": "https://example.org/hook", "events": ["*"] });

    let (_, nodes) = tenant("gold").await;
    let all = (0..2 * ALLOWED).map(|number| nodes[number % 2].post("/v1/events", event()));
    let all = join_all(all).await;
    let accepted = all.iter().filter(|answer| answer.status == 202).count();
    let refused = all.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((accepted, refused), (ALLOWED, ALLOWED));
    let all = (0..8).map(|number| nodes[number % 2].post("/v1/webhooks", webhook()));
    let mut statuses: Vec<u16> = join_all(all).await.iter().map(|one| one.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 201, 409, 409, 409, 409, 409]);
    for node in &nodes {
        let limits = node.get("/v1/tenant").await.expect(200)["limits"].clone();
        assert_eq!(limits["events_per_day"]["used"], ALLOWED);
        assert_eq!(limits["webhooks"]["used"], 3);
    }

    // A plan that begins to count does so on the other node too.
    let (id, nodes) = tenant("standard").await;
    for node in &nodes {
        node.post("/v1/events", event()).await.expect(202);
    }
    let none = json!({ "events_per_day": 0 });
    operator.put("/v1/plans/none", none).await.expect(201);
    let path = format!("/v1/tenants/{id}");
    let json = [("content-type", "application/json")];
    let body = json!({ "plan": "none" }).to_string();
    let changed = operator.request("PATCH", &path, &json, body).await;
    changed.expect(200);
    let here = nodes[0].post("/v1/events", event()).await;
    here.expect_problem(429, "quota_exceeded");
    eventually("it counts there too", WITHIN, async || {
        let there = nodes[1].post("/v1/events", event()).await;
        (there.status == 429).then_some(())
    })
    .await;
}
