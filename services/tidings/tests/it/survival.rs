//! What was accepted survives.

use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{ADMIN_KEY, Api, Endpoint, Ingress, Process, Reply};

const PHONE: &str = "+254700000001";

#[tokio::test]
async fn everything_is_still_there_after_a_polite_restart() {
    let mut app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Status(500), Reply::Status(200)]);
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    let id = tenant.publish("job.created", json!({})).await;
    tenant.wait_for_attempts(&webhook, 1).await;
    app.restart().await;
    let tenant = app.again(&tenant);
    app.clock.advance(Duration::from_secs(5));
    let hits = endpoint.wait_for(2, SOON).await;
    assert_eq!(hits[1].webhook_id(), id);
    assert_eq!(hits[1].body, hits[0].body);
    hits[1].verify(&webhook.secret).unwrap();
    let body: Value = serde_json::from_str(&stub_report("m-1", "DELIVRD", PHONE, None)).unwrap();
    app.ingress
        .post_json("/v1/callbacks/clinic/reports", body)
        .await
        .expect(200);
    tenant.wait_for_state(&message, "delivered").await;
}

/// The real process, killed again and again under load: what it acknowledged is told, and under one
/// id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_in_the_middle_of_load_loses_nothing_and_changes_no_webhook_id() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::start().await;
    let program = Path::new(env!("CARGO_BIN_EXE_tidings"));
    let mut process = Process::start(program, directory.path(), &[]).await;
    let operator = Api::new(&process.api_url(), ADMIN_KEY);
    let made = operator
        .post("/v1/tenants", json!({ "name": "Clinic" }))
        .await
        .expect(201);
    let key = made["api_key"].as_str().unwrap().to_owned();
    let tenant = operator.with_key(&key);
    let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
    let account = json!({ "provider": "stub", "slug": "clinic", "auth": auth });
    tenant
        .post("/v1/provider-accounts", account)
        .await
        .expect(201);
    let webhook = json!({ "url": endpoint.url("/hook"), "events": ["*"] });
    tenant.post("/v1/webhooks", webhook).await.expect(201);

    let mut published: BTreeMap<String, u64> = BTreeMap::new();
    let mut reported: BTreeSet<String> = BTreeSet::new();
    let mut number = 0;
    for round in 0..4 {
        let tenant = Api::new(&process.api_url(), &key);
        let ingress = Ingress::new(&process.ingress_url());
        for _ in 0..(6 + 3 * round) {
            number += 1;
            let id = format!("m-{number}");
            let message =
                json!({ "provider_account": "clinic", "provider_message_id": id, "to": PHONE });
            tenant.post("/v1/messages", message).await.expect(201);
            let body: Value =
                serde_json::from_str(&stub_report(&id, "DELIVRD", PHONE, None)).unwrap();
            ingress
                .post_json("/v1/callbacks/clinic/reports", body)
                .await
                .expect(200);
            reported.insert(id);
            let event = json!({ "type": "job.created", "data": { "n": number } });
            let accepted = tenant.post("/v1/events", event).await.expect(202);
            published.insert(accepted["id"].as_str().unwrap().to_owned(), number);
        }
        process.kill();
        process = Process::start(program, directory.path(), &[]).await;
    }
    let tells = |hits: &[testkit::Hit]| {
        let mut events: BTreeMap<String, u64> = BTreeMap::new();
        let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for hit in hits {
            let body = hit.json();
            let id = hit.webhook_id().to_owned();
            match body["type"].as_str() {
                Some("job.created") => {
                    events.insert(id, body["data"]["n"].as_u64().unwrap());
                }
                Some("sms.delivered") => {
                    let message = body["data"]["provider_message_id"]
                        .as_str()
                        .unwrap()
                        .to_owned();
                    messages.entry(message).or_default().insert(id);
                }
                other => panic!("nobody called for {other:?}"),
            }
        }
        (events, messages)
    };
    let hits = endpoint
        .wait_until(
            |hits| {
                let (events, messages) = tells(hits);
                published.keys().all(|id| events.contains_key(id))
                    && reported.iter().all(|id| messages.contains_key(id))
            },
            Duration::from_secs(30),
        )
        .await;
    let (events, messages) = tells(&hits);
    assert_eq!(
        events, published,
        "every event acknowledged is told, and nothing else"
    );
    assert!(
        messages.values().all(|ids| ids.len() == 1),
        "one change of state, one id"
    );
    let status = process.terminate(Duration::from_secs(25)).await;
    assert!(status.success(), "{}", process.log());
}

/// What a handler cannot do is retried, then kept for a person; what came with it is done at once.
#[tokio::test]
async fn a_callback_that_cannot_be_applied_holds_nobody_up_and_ends_as_a_visible_dead_letter() {
    let mut app = TestApp::start_with(&[("TIDINGS_TRACKER__MAX_ATTEMPTS", "3")]).await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let (bad, good) = (
        tenant.message("clinic", "m-bad", PHONE).await,
        tenant.message("clinic", "m-good", PHONE).await,
    );
    // A row that no release can have written, as after a disk fault.
    let broken = "update messages set state = 99 where provider_message_id = 'm-bad'";
    assert_eq!(app.change_store(broken).await, 1);
    let mut callbacks = Vec::new();
    for id in ["m-bad", "m-good"] {
        let body: Value = serde_json::from_str(&stub_report(id, "DELIVRD", PHONE, None)).unwrap();
        let answer = app
            .ingress
            .post_json("/v1/callbacks/clinic/reports", body)
            .await
            .expect(200);
        callbacks.push(answer["callback_id"].as_str().unwrap().to_owned());
    }
    tenant.wait_for_state(&good, "delivered").await;
    let path = format!("/v1/callbacks/{}", callbacks[0]);
    let failed = tenant
        .api
        .get_until(&path, |found| found["status"] == "failed", SOON)
        .await;
    assert!(
        failed["error"].as_str().unwrap().contains("state 99"),
        "{failed}"
    );
    let clock = app.clock.clone();
    let is_dead = |found: &Value| {
        // Moved at every look: the next attempt's time may be set after any single jump.
        clock.advance(Duration::from_secs(1_000));
        found["status"] == "dead_lettered"
    };
    let dead = tenant.api.get_until(&path, is_dead, SOON).await;
    assert_eq!(dead["attempts"], 3);
    let mended = "update messages set state = 0 where state = 99";
    assert_eq!(app.change_store(mended).await, 1);
    app.restart().await;
    let tenant = app.again(&tenant);
    assert_eq!(
        tenant
            .api
            .get(&format!("/v1/messages/{bad}"))
            .await
            .expect(200)["state"],
        "pending"
    );
}

/// The real process, killed while a tenant uses its last events of the day: as many are there as are counted,
/// none that was acknowledged is lost, and the tenant is told once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_leaves_as_many_events_as_are_counted_and_no_more_than_are_allowed() {
    const ALLOWED: u64 = 300;
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::start().await;
    let program = Path::new(env!("CARGO_BIN_EXE_tidings"));
    let mut process = Process::start(program, directory.path(), &[]).await;
    let operator = Api::new(&process.api_url(), ADMIN_KEY);
    let limits = json!({ "events_per_day": ALLOWED });
    operator.put("/v1/plans/gold", limits).await.expect(201);
    let made = json!({ "name": "Clinic", "plan": "gold" });
    let made = operator.post("/v1/tenants", made).await.expect(201);
    let key = made["api_key"].as_str().unwrap().to_owned();
    let webhook = json!({ "url": endpoint.url("/hook"), "events": ["tenant.*"] });
    let tenant = operator.with_key(&key);
    tenant.post("/v1/webhooks", webhook).await.expect(201);
    let event = || json!({ "type": "job.created", "data": {} });
    let mut accepted: BTreeSet<String> = BTreeSet::new();
    for round in 0..3 {
        let publishing = (0..8).map(|_| {
            let api = Api::new(&process.api_url(), &key);
            async move {
                let mut ids = Vec::new();
                // What is under way when the process dies is no answer.
                while let Ok(answer) = api.try_post("/v1/events", &[], event()).await {
                    if answer.status != 202 {
                        answer.expect_problem(429, "quota_exceeded");
                        break;
                    }
                    ids.push(answer.body["id"].as_str().unwrap().to_owned());
                }
                ids
            }
        });
        let (ids, ()) = tokio::join!(futures_util::future::join_all(publishing), async {
            tokio::time::sleep(Duration::from_millis(60 + 40 * round)).await;
            process.kill();
        });
        accepted.extend(ids.into_iter().flatten());
        process = Process::start(program, directory.path(), &[]).await;
    }
    let tenant = Api::new(&process.api_url(), &key);
    let refused = async || {
        let answer = tenant.post("/v1/events", event()).await;
        if answer.status == 202 {
            return Some(answer.body["id"].as_str().unwrap().to_owned());
        }
        answer.expect_problem(429, "quota_exceeded");
        None
    };
    while let Some(id) = refused().await {
        accepted.insert(id);
    }
    let (mut there, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let path = format!("/v1/events?type=job.created&limit=100{cursor}");
        let page = tenant.get(&path).await.expect(200);
        let ids = page["data"].as_array().unwrap().iter();
        there.extend(ids.map(|event| event["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(accepted.is_subset(&there), "what was accepted is there");
    assert_eq!(there.len(), usize::try_from(ALLOWED).unwrap());
    let used = tenant.get("/v1/tenant").await.expect(200);
    assert_eq!(used["limits"]["events_per_day"]["used"], ALLOWED);
    let log = tenant.get("/v1/events?type=tenant.limit.reached").await;
    assert_eq!(log.expect(200)["data"].as_array().unwrap().len(), 1);
    let is_reached = |hit: &testkit::Hit| hit.json()["type"] == "tenant.limit.reached";
    testkit::eventually("it is told", SOON, async || {
        endpoint.hits().iter().any(is_reached).then_some(())
    })
    .await;
}
