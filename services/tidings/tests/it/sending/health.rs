//! Webhooks that only fail: who hears of it, and what becomes of them.

use super::{change, webhook};
use crate::app::{SOON, Tenant, TestApp, Webhook};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Api, Endpoint, Reply, eventually};

const HALF_A_DAY: Duration = Duration::from_hours(12);

/// A webhook for the news of others.
async fn listener(api: &Api, endpoint: &Endpoint) -> String {
    let body = json!({ "url": endpoint.url("/hook"), "events": ["webhook.*"] });
    let made = api.post("/v1/webhooks", body).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

/// One more delivery is tried.
async fn try_another(tenant: &Tenant, webhook: &Webhook, done: usize) {
    tenant.publish("job.created", json!({})).await;
    let tried = |all: &[Value]| {
        let is_tried = |delivery: &&Value| delivery["attempts"][0]["duration_ms"].is_u64();
        all.iter().filter(is_tried).count() == done
    };
    tenant.wait_for_deliveries(webhook, tried).await;
}

async fn shown(tenant: &Tenant, webhook: &Webhook) -> Value {
    let path = format!("/v1/webhooks/{}", webhook.id);
    tenant.api.get(&path).await.expect(200)
}

/// What was told, each event once, in their order: its type, and how far or why. When time jumps, leases end,
/// and what is under way is sent again.
fn told(endpoint: &Endpoint) -> Vec<(String, Value)> {
    let hits = endpoint.hits();
    let mut bodies: Vec<Value> = hits.iter().map(testkit::Hit::json).collect();
    bodies.sort_by_key(|body| body["sequence"].as_i64());
    bodies.dedup_by_key(|body| body["id"].clone());
    bodies
        .iter()
        .map(|body| {
            let data = &body["data"];
            let detail = ["percent", "reason", "cause"]
                .iter()
                .map(|name| &data[*name]);
            let detail = detail.into_iter().find(|value| !value.is_null());
            let event_type = body["type"].as_str().unwrap().to_owned();
            (event_type, detail.cloned().unwrap_or_default())
        })
        .collect()
}

/// Waits for so much news, and looks that no more comes.
async fn news(endpoint: &Endpoint, number: usize) -> Vec<(String, Value)> {
    eventually("it is told", SOON, async || {
        (told(endpoint).len() >= number).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    told(endpoint)
}

/// Retries come when the next deliveries do.
fn daily() -> Value {
    json!({ "retry": { "delays": [86_400] } })
}

fn failing(percent: u8) -> (String, Value) {
    ("webhook.failing".to_owned(), json!(percent))
}

#[tokio::test]
async fn a_webhook_that_only_fails_is_warned_of_three_times_and_then_disabled() {
    let mut app = TestApp::start().await;
    let mut tenant = app.tenant("Clinic").await;
    let other_tenant = app.tenant("Shop").await;
    let (broken, colleague, platform, stranger) = (
        Endpoint::start().await,
        Endpoint::start().await,
        Endpoint::start().await,
        Endpoint::start().await,
    );
    broken.answer_with([Reply::Status(404)]);
    let hook = webhook(&tenant, &broken, &daily()).await;
    listener(&tenant.api, &colleague).await;
    listener(&app.operator, &platform).await;
    listener(&other_tenant.api, &stranger).await;
    for half_days in 0..10 {
        if half_days > 0 {
            app.clock.advance(HALF_A_DAY);
        }
        try_another(&tenant, &hook, half_days + 1).await;
        if half_days == 7 {
            // 84 hours are 70 %: that was told, and is not told again.
            news(&colleague, 2).await;
            app.restart().await;
            tenant = app.again(&tenant);
        }
    }
    let expected = [failing(50), failing(70), failing(90)];
    assert_eq!(news(&colleague, 3).await, expected);
    assert_eq!(shown(&tenant, &hook).await["state"], "active");
    let since = shown(&tenant, &hook).await["health"]["failing_since"].clone();

    // What was tried a day ago is tried again.
    app.clock.advance(HALF_A_DAY);
    let disabled = [
        &expected[..],
        &[("webhook.disabled".to_owned(), json!("failing"))],
    ]
    .concat();
    assert_eq!(news(&colleague, 4).await, disabled);
    assert_eq!(news(&platform, 4).await, disabled);
    let now = shown(&tenant, &hook).await;
    assert_eq!(
        (&now["state"], &now["disabled_reason"], &now["enabled"]),
        (&json!("disabled"), &json!("failing"), &json!(false))
    );
    assert!(stranger.hits().is_empty(), "no other tenant hears of it");
    assert!(
        broken
            .hits()
            .iter()
            .all(|hit| hit.json()["type"] == "job.created"),
        "nobody is told of himself"
    );
    for endpoint in [&colleague, &platform] {
        for hit in endpoint.hits() {
            let body = hit.json();
            assert_eq!(
                body["resource"],
                json!({ "type": "webhook", "id": hook.id })
            );
            let data = &body["data"];
            assert_eq!(data["webhook_id"], json!(hook.id));
            assert_eq!(data["tenant_id"], json!(tenant.id));
            assert_eq!(data["failing_since"], since);
            assert_eq!(
                (&data["last_error"], &data["last_status_code"]),
                (&json!("status_4xx"), &json!(404))
            );
        }
    }
    let metrics = app.admin.get("/metrics").await.text;
    assert!(
        metrics.contains("tidings_subscriptions_disabled_total{reason=\"failing\"} 1\n"),
        "{metrics}"
    );

    // What it is owed is held, and whoever enables it starts afresh.
    broken.answer_with([Reply::Status(200)]);
    change(&tenant, &broken, &hook, &daily()).await;
    assert_eq!(
        shown(&tenant, &hook).await["health"]["failing_since"],
        Value::Null
    );
    tenant.publish("job.created", json!({})).await;
    let recovered = ("webhook.recovered".to_owned(), Value::Null);
    assert_eq!(news(&colleague, 5).await[4], recovered);
}

#[tokio::test]
async fn one_success_starts_the_count_anew() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (broken, colleague) = (Endpoint::start().await, Endpoint::start().await);
    let hook = webhook(&tenant, &broken, &daily()).await;
    listener(&tenant.api, &colleague).await;
    let mut done = 0;
    // 48 hours, and a success; 60 hours, which are told, and a success; 48 hours.
    for (failures, told) in [(5, 0), (6, 2), (5, 2)] {
        broken.answer_with([Reply::Status(500)]);
        for _ in 0..failures {
            done += 1;
            try_another(&tenant, &hook, done).await;
            app.clock.advance(HALF_A_DAY);
        }
        broken.answer_with([Reply::Status(200)]);
        done += 1;
        try_another(&tenant, &hook, done).await;
        news(&colleague, told).await;
    }
    let expected = [failing(50), ("webhook.recovered".to_owned(), Value::Null)];
    assert_eq!(told(&colleague), expected);
}

#[tokio::test]
async fn what_fails_to_be_told_of_a_failure_tells_of_no_failure() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let broken = Endpoint::start().await;
    broken.answer_with([Reply::Status(500)]);
    let quick = json!({ "retry": { "delays": [1] } });
    let all = [
        webhook(&tenant, &broken, &quick).await,
        webhook(&tenant, &broken, &quick).await,
        webhook(&tenant, &broken, &quick).await,
    ];
    tenant.publish("job.created", json!({})).await;
    // Each tells the two others that its delivery is exhausted; none of these is told of.
    for hook in &all {
        let ended = |all: &[Value]| {
            app.clock.advance(Duration::from_millis(200));
            all.len() == 3 && all.iter().all(|delivery| delivery["state"] == "failed")
        };
        tenant.wait_for_deliveries(hook, ended).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let events = tenant.api.get("/v1/events").await.expect(200);
    let types: Vec<&Value> = events["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["type"])
        .collect();
    assert_eq!(types.len(), 4, "{types:?}");
    let exhausted = types.iter().filter(|name| **name == "delivery.exhausted");
    assert_eq!(exhausted.count(), 3);
}

#[tokio::test]
async fn others_hear_of_a_webhook_that_is_gone_and_of_what_it_did_not_take() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (gone, colleague) = (Endpoint::start().await, Endpoint::start().await);
    gone.answer_with([Reply::Status(410)]);
    let staging = json!({ "environment": "staging", "name": "Ward 3" });
    let hook = webhook(&tenant, &gone, &staging).await;
    let elsewhere = listener(&tenant.api, &colleague).await;
    let body = json!({ "url": colleague.url("/staging"), "events": ["*"],
        "environment": "staging" });
    tenant.api.post("/v1/webhooks", body).await.expect(201);
    let event = json!({ "type": "job.created", "data": {}, "environment": "staging" });
    let event = tenant.api.post("/v1/events", event).await.expect(202);
    let hits = colleague.wait_for(3, SOON).await;
    let of = |name: &str| {
        let told = hits.iter().map(testkit::Hit::json);
        let mut told = told.filter(|body| body["type"] == name);
        told.next().unwrap_or_else(|| panic!("no {name}"))
    };
    let exhausted = of("delivery.exhausted");
    assert_eq!(exhausted["environment"], "staging");
    let data = &exhausted["data"];
    assert_eq!(
        (&data["cause"], &data["event_id"], &data["attempts"]),
        (&json!("gone"), &event["id"], &json!(1))
    );
    let disabled = of("webhook.disabled");
    let data = &disabled["data"];
    assert_eq!(
        (&data["reason"], &data["name"], &data["webhook_id"]),
        (&json!("gone"), &json!("Ward 3"), &json!(hook.id))
    );
    let host = gone.url("");
    assert_eq!(
        data["host"],
        json!(host.trim_start_matches("http://").trim_end_matches('/'))
    );
    // Who belongs elsewhere hears nothing, and who disables his own webhook needs not be told.
    let off = json!({ "enabled": false, "environment": "staging" });
    change(&tenant, &gone, &hook, &json!({ "environment": "staging" })).await;
    change(&tenant, &gone, &hook, &off).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(colleague.hits().len(), 3);
    let path = format!("/v1/webhooks/{elsewhere}/deliveries");
    let none = tenant.api.get(&path).await.expect(200);
    assert_eq!(none["data"], json!([]));
}

#[tokio::test]
async fn switched_off_nothing_is_warned_of_or_disabled() {
    let off = [("TIDINGS_DISPATCHER__DISABLE_AFTER", "off")];
    let app = TestApp::start_with(&off).await;
    let tenant = app.tenant("Clinic").await;
    let (broken, colleague) = (Endpoint::start().await, Endpoint::start().await);
    broken.answer_with([Reply::Status(500)]);
    let hook = webhook(&tenant, &broken, &daily()).await;
    listener(&tenant.api, &colleague).await;
    for days in 1..=8 {
        try_another(&tenant, &hook, days).await;
        app.clock.advance(2 * HALF_A_DAY);
    }
    assert!(news(&colleague, 0).await.is_empty());
    let since = eventually("it is known that it fails", SOON, async || {
        let since = shown(&tenant, &hook).await["health"]["failing_since"].clone();
        since.is_string().then_some(since)
    });
    since.await;
    assert_eq!(shown(&tenant, &hook).await["state"], "active");
}
