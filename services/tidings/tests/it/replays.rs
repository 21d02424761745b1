//! Old events, told again.

use crate::app::{SOON, Tenant, TestApp, Webhook};
use domain::Timestamp;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use testkit::{Endpoint, Hit, Reply};

const REPLAYS: &str = "/v1/replays";
/// Far longer than anything here takes.
const LONG: Duration = Duration::from_mins(1);

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

async fn begin(tenant: &Tenant, demand: Value) -> Value {
    let replay = tenant.api.post(REPLAYS, demand).await.expect(202);
    assert_eq!(replay["state"], "running");
    assert!(text(&replay, "id").starts_with("rpl_"), "{replay}");
    replay
}

async fn until(tenant: &Tenant, replay: &Value, state: &str) -> Value {
    let path = format!("{REPLAYS}/{}", text(replay, "id"));
    let is_there = |found: &Value| found["state"] == state;
    tenant.api.get_until(&path, is_there, LONG).await
}

/// All events of the last hour.
fn last_hour(app: &TestApp) -> Value {
    let now = app.clock.now();
    let (from, to) = (
        now.minus(Duration::from_hours(1)),
        now.plus(Duration::from_hours(1)),
    );
    json!({ "from": from, "to": to })
}

fn is_replay(hit: &Hit) -> bool {
    hit.header("webhook-replay") == Some("true")
}

/// How often each event was told.
fn told(hits: &[Hit]) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for hit in hits {
        *told.entry(hit.webhook_id().to_owned()).or_default() += 1;
    }
    told
}

/// Publishes so many events; their ids, in no order.
async fn publish_many(tenant: &Tenant, number: usize) -> Vec<String> {
    let publish = |n| tenant.publish("job.created", json!({ "n": n }));
    stream::iter((0..number).map(publish))
        .buffer_unordered(16)
        .collect()
        .await
}

#[tokio::test]
async fn a_new_webhook_is_told_what_was_there_before_it_under_the_same_ids() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (old, new) = (Endpoint::start().await, Endpoint::start().await);
    tenant.webhook(&old, &["*"]).await;
    let mut events = Vec::new();
    for n in 0..5 {
        events.push(tenant.publish("job.created", json!({ "n": n })).await);
    }
    let other = tenant.publish("job.failed", json!({})).await;
    let originals = old.wait_for(6, SOON).await;
    let webhook = tenant.webhook(&new, &["job.created"]).await;
    let dry = json!({ "events": last_hour(&app), "webhook_id": webhook.id, "dry_run": true });
    let total = tenant.api.post(REPLAYS, dry).await.expect(200);
    assert_eq!(total, json!({ "total": 6 }));
    let demand = json!({ "events": last_hour(&app), "webhook_id": webhook.id });
    let replay = begin(&tenant, demand).await;
    let done = until(&tenant, &replay, "done").await;
    assert_eq!(
        (&done["total"], &done["done"], &done["deliveries"]),
        (&json!(6), &json!(6), &json!(5))
    );
    assert!(done["ended_at"].is_string());
    let hits = new.wait_for(5, SOON).await;
    assert!(!told(&hits).contains_key(&other), "its patterns hold");
    for event in &events {
        let of = |hits: &[Hit]| {
            hits.iter()
                .find(|hit| hit.webhook_id() == event)
                .unwrap()
                .clone()
        };
        let (original, again) = (of(&originals), of(&hits));
        assert!(is_replay(&again) && !is_replay(&original));
        assert_eq!(again.json(), original.json());
        again.verify(&webhook.secret).unwrap();
    }
    let made = tenant.wait_for_deliveries(&webhook, |all| {
        all.len() == 5 && all.iter().all(|d| d["state"] == "delivered")
    });
    assert!(made.await.iter().all(|d| d["replay_id"] == replay["id"]));

    // Another one, of some by their ids; and what comes meanwhile is no replay.
    let ids = json!([
        events[3],
        events[1],
        events[3],
        "evt_00000000000000000000000000"
    ]);
    let demand = json!({ "events": { "ids": ids }, "webhook_id": webhook.id });
    let again = begin(&tenant, demand).await;
    assert_eq!(again["total"], 2);
    until(&tenant, &again, "done").await;
    let live = tenant.publish("job.created", json!({})).await;
    let hits = new.wait_for(8, SOON).await;
    let live = hits.iter().find(|hit| hit.webhook_id() == live).unwrap();
    assert!(!is_replay(live));
    let told = told(&hits);
    assert_eq!(
        (told[&events[1]], told[&events[3]], told[&events[0]]),
        (2, 2, 1)
    );
}

#[tokio::test]
async fn without_a_webhook_every_active_one_is_told_what_it_wants_and_could_have_had() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let subscribe = async |path: &str, body: Value| {
        let mut whole = json!({ "url": endpoint.url(path), "events": ["*"] });
        whole
            .as_object_mut()
            .unwrap()
            .extend(body.as_object().unwrap().clone());
        text(
            &tenant.api.post("/v1/webhooks", whole).await.expect(201),
            "id",
        )
    };
    subscribe("/all", json!({})).await;
    subscribe("/jobs", json!({ "events": ["job.*"] })).await;
    subscribe("/staging", json!({ "environment": "staging" })).await;
    subscribe("/off", json!({ "enabled": false })).await;
    tenant.publish("job.created", json!({})).await;
    tenant.publish("call.failed", json!({})).await;
    endpoint.wait_for(3, SOON).await;
    subscribe("/new", json!({})).await;
    endpoint.take_hits();
    let range = last_hour(&app);
    let replay = begin(&tenant, json!({ "events": range })).await;
    let done = until(&tenant, &replay, "done").await;
    assert_eq!(done["deliveries"], 3);
    let hits = endpoint.wait_for(3, SOON).await;
    let mut paths: Vec<&str> = hits.iter().map(|hit| hit.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/all", "/all", "/jobs"]);
    assert!(hits.iter().all(is_replay));
    let mut some = range.clone();
    some["types"] = json!(["call.*"]);
    let replay = begin(&tenant, json!({ "events": some })).await;
    assert_eq!(replay["total"], 1);
    until(&tenant, &replay, "done").await;
    assert_eq!(endpoint.wait_for(4, SOON).await[3].path, "/all");
}

#[tokio::test]
async fn a_replay_goes_on_where_it_was_after_a_restart_and_tells_each_event_once() {
    let mut app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let mut events = publish_many(&tenant, 60).await;
    let endpoint = Endpoint::start().await;
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let demand = json!({ "events": last_hour(&app), "webhook_id": webhook.id, "per_second": 10 });
    let replay = begin(&tenant, demand).await;
    assert_eq!(
        (&replay["total"], &replay["per_second"]),
        (&json!(60), &json!(10))
    );
    endpoint.wait_for(5, SOON).await;
    app.restart().await;
    let tenant = app.again(&tenant);
    let path = format!("{REPLAYS}/{}", text(&replay, "id"));
    let half = tenant.api.get(&path).await.expect(200);
    assert_eq!(half["state"], "running");
    assert!(half["done"].as_u64().unwrap() < 60, "{half}");
    let done = until(&tenant, &replay, "done").await;
    assert_eq!(
        (&done["done"], &done["deliveries"]),
        (&json!(60), &json!(60))
    );
    let hits = endpoint.wait_for(60, SOON).await;
    events.sort_unstable();
    assert_eq!(told(&hits).into_keys().collect::<Vec<_>>(), events);
    assert_eq!(hits.len(), 60);
    // Ten in a second, and no more.
    for (index, hit) in hits.iter().enumerate() {
        let within = hits[index..]
            .iter()
            .take_while(|later| later.at < hit.at + Duration::from_millis(900));
        assert!(within.count() <= 21, "too many at once");
    }
}

#[tokio::test]
async fn a_replay_is_paused_resumed_and_cancelled() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    publish_many(&tenant, 40).await;
    let endpoint = Endpoint::start().await;
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let demand = json!({ "events": last_hour(&app), "webhook_id": webhook.id, "per_second": 5 });
    let replay = begin(&tenant, demand).await;
    let path = format!("{REPLAYS}/{}", text(&replay, "id"));
    let ask = async |what: &str| tenant.api.post(&format!("{path}/{what}"), json!({})).await;
    endpoint.wait_for(2, SOON).await;
    for _ in 0..2 {
        assert_eq!(ask("pause").await.expect(200)["state"], "paused");
    }
    let paused = tenant.api.get(&path).await.expect(200);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(tenant.api.get(&path).await.expect(200), paused);
    for _ in 0..2 {
        assert_eq!(ask("resume").await.expect(200)["state"], "running");
    }
    let further = |found: &Value| found["done"].as_u64() > paused["done"].as_u64();
    tenant.api.get_until(&path, further, SOON).await;
    for _ in 0..2 {
        assert_eq!(ask("cancel").await.expect(200)["state"], "cancelled");
    }
    for what in ["pause", "resume"] {
        ask(what).await.expect_problem(409, "conflict");
    }
    let ended = |found: &Value| found["ended_at"].is_string();
    let cancelled = tenant.api.get_until(&path, ended, SOON).await;
    assert!(cancelled["done"].as_u64().unwrap() < 40, "{cancelled}");
    let all = json!({ "events": last_hour(&app), "webhook_id": webhook.id });
    let other = begin(&tenant, all).await;
    until(&tenant, &other, "done").await;
    let done = format!("{REPLAYS}/{}", text(&other, "id"));
    for what in ["pause", "resume", "cancel"] {
        let answer = tenant.api.post(&format!("{done}/{what}"), json!({})).await;
        answer.expect_problem(409, "conflict");
    }
    let metrics = app.admin.get("/metrics").await.text;
    assert!(metrics.contains(r#"tidings_replays{state="cancelled"}"#));
}

#[tokio::test]
async fn twenty_thousand_replayed_deliveries_let_every_live_event_pass() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    publish_many(&tenant, 1_000).await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with(Reply::Delay(Duration::from_millis(20), 200));
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let demand = json!({ "events": last_hour(&app), "webhook_id": webhook.id });
    let mut replays = Vec::new();
    for _ in 0..20 {
        replays.push(begin(&tenant, demand.clone()).await);
    }
    let mut made = 0;
    for replay in &replays {
        made += until(&tenant, replay, "done").await["deliveries"]
            .as_u64()
            .unwrap();
    }
    assert_eq!(made, 20_000);
    let before = endpoint.hits().len();
    assert!(before < 15_000, "the backlog is there: {before}");
    // One after the other, and a burst that is more than fits in flight.
    let mut passed = Vec::new();
    for n in 0..20 {
        let live = tenant.publish("job.created", json!({ "live": n })).await;
        let from = endpoint.hits().len();
        let is_there = |hits: &[Hit]| hits.iter().any(|hit| hit.webhook_id() == live);
        let hits = endpoint.wait_until(is_there, SOON).await;
        let at = hits
            .iter()
            .position(|hit| hit.webhook_id() == live)
            .unwrap();
        passed.push(at.saturating_sub(from));
    }
    let burst = publish_many(&tenant, 200).await;
    let from = endpoint.hits().len();
    let are_there = |hits: &[Hit]| {
        let told = told(hits);
        burst.iter().all(|id| told.contains_key(id))
    };
    let hits = endpoint.wait_until(are_there, LONG).await;
    let live = |hit: &&Hit| !is_replay(hit);
    assert_eq!(hits.iter().filter(live).count(), 220);
    let last = hits.iter().rposition(|hit| !is_replay(hit)).unwrap();
    let replayed = hits[from.min(last)..last]
        .iter()
        .filter(|hit| is_replay(hit))
        .count();
    assert!(
        hits.len() < 20_000,
        "all of the backlog was told: {}",
        hits.len()
    );
    // Those under way, and those that were begun before the live one was written.
    assert!(passed.iter().all(|passed| *passed <= 100), "{passed:?}");
    assert!(replayed <= 200, "{replayed} were told before the burst was");

    // And all of it can be given up.
    let path = format!("/v1/webhooks/{}/deliveries", webhook.id);
    let pending = json!({ "state": "pending" });
    let cancel = tenant.api.post(&format!("{path}/cancel"), pending).await;
    assert!(cancel.expect(202)["matched"].as_u64().unwrap() > 1_000);
    let pending = format!("{path}?state=pending");
    let is_empty = |found: &Value| found["data"] == json!([]);
    tenant.api.get_until(&pending, is_empty, LONG).await;
    let told = endpoint.hits().len();
    assert!(told < 20_000, "{told}");
}

#[tokio::test]
async fn a_replay_waits_for_a_webhook_that_is_disabled_and_ends_with_one_that_is_deleted() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    publish_many(&tenant, 30).await;
    let endpoint = Endpoint::start().await;
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let path = format!("/v1/webhooks/{}", webhook.id);
    let settings = |enabled: bool| json!({ "url": endpoint.url("/hook"), "events": ["*"], "enabled": enabled });
    tenant.api.put(&path, settings(false)).await.expect(200);
    let demand = json!({ "events": last_hour(&app), "webhook_id": webhook.id });
    let held = begin(&tenant, demand.clone()).await;
    until(&tenant, &held, "done").await;
    let pending = |all: &[Value]| all.len() == 30 && all.iter().all(|d| d["state"] == "pending");
    tenant.wait_for_deliveries(&webhook, pending).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(endpoint.hits().len(), 0);
    tenant.api.put(&path, settings(true)).await.expect(200);
    endpoint.wait_for(30, SOON).await;

    let mut slow = demand;
    slow["per_second"] = json!(1);
    let replay = begin(&tenant, slow).await;
    endpoint.wait_for(31, SOON).await;
    tenant.api.delete(&path).await.expect(204);
    let ended = until(&tenant, &replay, "cancelled").await;
    assert!(ended["done"].as_u64().unwrap() < 30);
}

#[tokio::test]
async fn replays_are_listed_newest_first_and_are_their_tenants_alone() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let event = tenant.publish("job.created", json!({})).await;
    let endpoint = Endpoint::start().await;
    let webhook: Webhook = tenant.webhook(&endpoint, &["*"]).await;
    let demand = json!({ "events": { "ids": [event] } });
    let mut ids = Vec::new();
    for _ in 0..3 {
        let replay = begin(&tenant, demand.clone()).await;
        until(&tenant, &replay, "done").await;
        ids.push(text(&replay, "id"));
    }
    let first = tenant
        .api
        .get(&format!("{REPLAYS}?limit=2"))
        .await
        .expect(200);
    let cursor = text(&first, "next_cursor");
    let rest = format!("{REPLAYS}?limit=2&cursor={cursor}");
    let rest = tenant.api.get(&rest).await.expect(200);
    assert_eq!(rest["next_cursor"], Value::Null);
    let listed = [&first, &rest].map(|page| page["data"].as_array().unwrap().clone());
    let listed: Vec<String> = listed.concat().iter().map(|one| text(one, "id")).collect();
    assert_eq!(listed, [&*ids[2], &*ids[1], &*ids[0]]);

    let other = app.tenant("Other").await;
    assert_eq!(other.api.get(REPLAYS).await.expect(200)["data"], json!([]));
    let path = format!("{REPLAYS}/{}", ids[0]);
    other.api.get(&path).await.expect_problem(404, "not_found");
    for what in ["pause", "resume", "cancel"] {
        let answer = other.api.post(&format!("{path}/{what}"), json!({})).await;
        answer.expect_problem(404, "not_found");
    }
    let foreign = format!("{REPLAYS}?cursor={cursor}");
    other
        .api
        .get(&foreign)
        .await
        .expect_problem(400, "invalid_cursor");
    // Another's event is none, and another's webhook is unknown.
    let mut theirs = demand.clone();
    theirs["dry_run"] = json!(true);
    let total = other.api.post(REPLAYS, theirs).await.expect(200);
    assert_eq!(total, json!({ "total": 0 }));
    let named = json!({ "events": { "ids": [event] }, "webhook_id": webhook.id });
    let refused = other.api.post(REPLAYS, named).await;
    let refused = refused.expect_problem(422, "invalid_request");
    assert_eq!(refused["errors"][0]["pointer"], "/webhook_id");
    let mine = endpoint.hits().len();
    let empty = begin(&other, demand).await;
    assert_eq!(until(&other, &empty, "done").await["deliveries"], 0);
    assert_eq!(endpoint.hits().len(), mine);
}

#[tokio::test]
async fn what_a_replay_is_of_is_said_exactly() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let id = "evt_00000000000000000000000000";
    let (from, to) = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z");
    let early = Timestamp::parse_rfc3339(from).unwrap();
    let range = json!({ "from": from, "to": to });
    let many = vec![id; 1_001];
    for (body, code, pointer) in [
        (json!({}), "invalid_request", "/events"),
        (json!({ "events": null }), "invalid_request", "/events"),
        (json!({ "events": {} }), "invalid_request", "/events/from"),
        (
            json!({ "events": { "from": from } }),
            "invalid_request",
            "/events/to",
        ),
        (
            json!({ "events": { "to": to } }),
            "invalid_request",
            "/events/from",
        ),
        (
            json!({ "events": { "from": to, "to": from } }),
            "invalid_request",
            "/events/to",
        ),
        (
            json!({ "events": { "from": from, "to": early } }),
            "invalid_request",
            "/events/to",
        ),
        (
            json!({ "events": { "from": "soon", "to": to } }),
            "invalid_request",
            "/events/from",
        ),
        (
            json!({ "events": { "from": null, "to": to } }),
            "invalid_request",
            "/events/from",
        ),
        (
            json!({ "events": { "ids": [] } }),
            "invalid_request",
            "/events/ids",
        ),
        (
            json!({ "events": { "ids": many } }),
            "invalid_request",
            "/events/ids",
        ),
        (
            json!({ "events": { "ids": [id, "dlv_1"] } }),
            "invalid_request",
            "/events/ids/1",
        ),
        (
            json!({ "events": { "ids": [id], "from": from } }),
            "invalid_request",
            "/events",
        ),
        (
            json!({ "events": { "ids": [id], "types": ["*"] } }),
            "invalid_request",
            "/events",
        ),
        (
            json!({ "events": { "from": from, "to": to, "types": [] } }),
            "invalid_request",
            "/events/types",
        ),
        (
            json!({ "events": { "from": from, "to": to, "types": ["fax.*"] } }),
            "unknown_event_type",
            "/events/types/0",
        ),
        (
            json!({ "events": { "all": true } }),
            "invalid_request",
            "/events/all",
        ),
        (
            json!({ "events": range, "webhook_id": "sub_1" }),
            "invalid_request",
            "/webhook_id",
        ),
        (
            json!({ "events": range, "webhook_id": null }),
            "invalid_request",
            "/webhook_id",
        ),
        (
            json!({ "events": range, "per_second": 0 }),
            "invalid_request",
            "/per_second",
        ),
        (
            json!({ "events": range, "per_second": -1 }),
            "invalid_request",
            "/per_second",
        ),
        (
            json!({ "events": range, "per_second": 1_001 }),
            "invalid_request",
            "/per_second",
        ),
        (
            json!({ "events": range, "per_second": 1.5 }),
            "invalid_request",
            "/per_second",
        ),
        (
            json!({ "events": range, "dry_run": null }),
            "invalid_request",
            "/dry_run",
        ),
        (
            json!({ "events": range, "filter": {} }),
            "invalid_request",
            "/filter",
        ),
    ] {
        let refused = tenant.api.post(REPLAYS, &body).await;
        let refused = refused.expect_problem(422, code);
        assert_eq!(
            refused["errors"][0]["pointer"], pointer,
            "{body}: {refused}"
        );
    }
    for id in ["rpl_1", "evt_00000000000000000000000000"] {
        let answer = tenant.api.get(&format!("{REPLAYS}/{id}")).await;
        answer.expect_problem(404, "not_found");
    }
    assert_eq!(tenant.api.get(REPLAYS).await.expect(200)["data"], json!([]));
}
