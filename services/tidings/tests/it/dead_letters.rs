//! What cannot be done becomes a row that people see, and can have done again.

use crate::app::{SOON, Tenant, TestApp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::Endpoint;
use testkit::providers::stub_report;

const PHONE: &str = "+254700000001";
const LETTERS: &str = "/v1/dead-letters";

/// An app whose jobs are tried once, a tenant with two accounts, and so many messages of each, whose rows
/// no release can have written: as after a disk fault.
async fn scene(messages: usize) -> (TestApp, Tenant, Vec<String>) {
    let app = TestApp::start_with(&[("TIDINGS_TRACKER__MAX_ATTEMPTS", "1")]).await;
    let tenant = app.tenant("Clinic").await;
    let mut ids = Vec::new();
    for account in ["clinic", "ward"] {
        tenant.account("stub", account).await;
        for number in 0..messages {
            ids.push(
                tenant
                    .message(account, &format!("{account}-{number}"), PHONE)
                    .await,
            );
        }
    }
    let broken = app.change_store("update messages set state = 99").await;
    assert_eq!(broken, u64::try_from(ids.len()).unwrap());
    (app, tenant, ids)
}

/// Reports of all messages, which cannot be applied; the ids of the callbacks.
async fn report(app: &TestApp, messages: usize) -> Vec<String> {
    let mut callbacks = Vec::new();
    for account in ["clinic", "ward"] {
        for number in 0..messages {
            let report = stub_report(&format!("{account}-{number}"), "DELIVRD", PHONE, None);
            let body: Value = serde_json::from_str(&report).unwrap();
            let path = format!("/v1/callbacks/{account}/reports");
            let answer = app.ingress.post_json(&path, body).await.expect(200);
            callbacks.push(answer["callback_id"].as_str().unwrap().to_owned());
        }
    }
    callbacks
}

async fn mend(app: &TestApp) {
    app.change_store("update messages set state = 0").await;
}

async fn letters(tenant: &Tenant, wanted: usize) -> Vec<Value> {
    let so_many = |found: &Value| found["data"].as_array().unwrap().len() == wanted;
    let found = tenant.api.get_until(LETTERS, so_many, SOON).await;
    found["data"].as_array().unwrap().clone()
}

async fn demand(tenant: &Tenant, what: &str, body: Value) -> Value {
    let answer = tenant.api.post(&format!("{LETTERS}/{what}"), body).await;
    let is_done = matches!(answer.status, 200 | 202);
    assert!(is_done, "{answer}");
    serde_json::from_str(&answer.text).unwrap()
}

#[tokio::test]
async fn a_dead_letter_is_seen_and_once_the_damage_is_mended_done_and_told_once() {
    let (app, tenant, messages) = scene(1).await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["*"]).await;
    let callbacks = report(&app, 1).await;
    let found = letters(&tenant, 2).await;
    let letter = &found[1];
    assert_eq!(letter["queue"], "callbacks.v1");
    assert_eq!(letter["kind"], "callback.v1");
    assert_eq!(letter["attempts"], 1);
    assert_eq!(letter["requeue_at"], Value::Null);
    for text in ["reason", "last_error"] {
        assert!(
            letter[text].as_str().unwrap().contains("state 99"),
            "{letter}"
        );
    }
    assert!(
        callbacks
            .iter()
            .any(|id| letter["callback_id"] == id.as_str()),
        "{letter}"
    );
    let path = format!("{LETTERS}/{}", letter["id"].as_str().unwrap());
    assert!(path.contains("/dlt_"), "{path}");
    assert_eq!(&tenant.api.get(&path).await.expect(200), letter);
    let job = STANDARD
        .decode(letter["body_base64"].as_str().unwrap())
        .unwrap();
    let job: Value = serde_json::from_slice(&job).unwrap();
    assert_eq!(job["content"]["callback_id"], letter["callback_id"]);
    assert_eq!(letter["size_bytes"].as_u64().unwrap(), {
        let body = letter["body_base64"].as_str().unwrap();
        u64::try_from(STANDARD.decode(body).unwrap().len()).unwrap()
    });
    for callback in &callbacks {
        let callback = tenant
            .api
            .get(&format!("/v1/callbacks/{callback}"))
            .await
            .expect(200);
        assert_eq!(callback["status"], "dead_lettered");
    }
    let metrics = |text: &str| text.contains(r#"tidings_reports_total{outcome="dead"} 2"#);
    assert!(metrics(&app.admin.get("/metrics").await.text));

    mend(&app).await;
    for letter in &found {
        let path = format!("{LETTERS}/{}/requeue", letter["id"].as_str().unwrap());
        let answer = tenant.api.post(&path, json!({})).await.expect(202);
        assert_eq!(answer["id"], letter["id"]);
        assert_eq!(answer["status"], "requeueing");
    }
    letters(&tenant, 0).await;
    for message in &messages {
        tenant.wait_for_state(message, "delivered").await;
    }
    for callback in &callbacks {
        let is_applied = |found: &Value| found["status"] == "processed";
        let path = format!("/v1/callbacks/{callback}");
        tenant.api.get_until(&path, is_applied, SOON).await;
    }
    endpoint.wait_for(2, SOON).await;
    tenant.api.get(&path).await.expect_problem(404, "not_found");
    let again = tenant.api.post(&format!("{path}/requeue"), json!({})).await;
    again.expect_problem(404, "not_found");
    // A provider that sends it again, and the letter that was done, tell nobody anything.
    report(&app, 1).await;
    let asked = tenant.publish("job.created", json!({})).await;
    let hits = endpoint.wait_for(3, SOON).await;
    assert_eq!(hits[2].webhook_id(), asked);
}

#[tokio::test]
async fn a_tenant_sees_and_touches_its_own_alone_and_the_operator_any() {
    let (app, tenant, _) = scene(1).await;
    report(&app, 1).await;
    let found = letters(&tenant, 2).await;
    let path = format!("{LETTERS}/{}", found[0]["id"].as_str().unwrap());
    let other = app.tenant("Other").await;
    letters(&other, 0).await;
    other.api.get(&path).await.expect_problem(404, "not_found");
    let requeue = format!("{path}/requeue");
    other
        .api
        .post(&requeue, json!({}))
        .await
        .expect_problem(404, "not_found");
    let all = json!({ "filter": {} });
    let named = json!({ "filter": { "id": found[0]["id"] } });
    for filter in [&all, &named] {
        assert_eq!(
            demand(&other, "requeue", filter.clone()).await["requeueing"],
            0
        );
        assert_eq!(demand(&other, "purge", filter.clone()).await["purged"], 0);
        assert_eq!(
            demand(&other, "cancel", filter.clone()).await["cancelled"],
            0
        );
    }
    let theirs = format!("{LETTERS}?tenant={}", tenant.id);
    other
        .api
        .get(&theirs)
        .await
        .expect_problem(403, "forbidden");
    let purge = format!("{LETTERS}/purge?tenant={}", tenant.id);
    other
        .api
        .post(&purge, all.clone())
        .await
        .expect_problem(403, "forbidden");
    assert_eq!(letters(&tenant, 2).await, found);

    let platforms = app.operator.get(LETTERS).await.expect(200);
    assert_eq!(platforms["data"], json!([]));
    let seen = app.operator.get(&theirs).await.expect(200);
    assert_eq!(seen["data"], json!(found));
    let purged = app.operator.post(&purge, all).await.expect(200);
    assert_eq!(purged["purged"], 2);
    letters(&tenant, 0).await;
}

#[tokio::test]
async fn a_dry_run_says_how_many_and_does_nothing_and_a_purge_is_for_good() {
    let (app, tenant, _) = scene(2).await;
    report(&app, 2).await;
    let found = letters(&tenant, 4).await;
    let wards = json!({ "account": "ward", "queue": "callbacks.v1", "kind": "callback.v1" });
    // They are listed as they were recorded, which need not be the order in which they were first seen.
    let seen = found
        .iter()
        .map(|letter| letter["first_seen_at"].as_str().unwrap());
    let first = seen.min().unwrap();
    for what in ["requeue", "purge"] {
        let dry = json!({ "filter": wards, "dry_run": true });
        assert_eq!(demand(&tenant, what, dry).await, json!({ "matching": 2 }));
        let none = json!({ "filter": { "before": first }, "dry_run": true });
        assert_eq!(demand(&tenant, what, none).await, json!({ "matching": 0 }));
    }
    assert_eq!(letters(&tenant, 4).await, found);
    let purged = demand(&tenant, "purge", json!({ "filter": wards })).await;
    assert_eq!(purged, json!({ "matching": 2, "purged": 2 }));
    let left = letters(&tenant, 2).await;
    assert!(
        left.iter()
            .all(|letter| letter["provider_account"] == "clinic")
    );
    let by_account = tenant
        .api
        .get(&format!("{LETTERS}?account=ward"))
        .await
        .expect(200);
    assert_eq!(by_account["data"], json!([]));

    for (what, body, pointer) in [
        ("requeue", json!({}), "/filter"),
        ("purge", json!({ "filter": { "phone": "1" } }), "/filter"),
        ("purge", json!({ "filter": {}, "per_second": 5 }), ""),
        (
            "requeue",
            json!({ "filter": { "queue": "callbacks" } }),
            "/filter/queue",
        ),
        (
            "requeue",
            json!({ "filter": { "id": "cb_1" } }),
            "/filter/id",
        ),
        (
            "cancel",
            json!({ "filter": { "after": "yesterday" } }),
            "/filter/after",
        ),
        (
            "requeue",
            json!({ "filter": {}, "per_second": 0 }),
            "/per_second",
        ),
        (
            "requeue",
            json!({ "filter": {}, "per_second": 501 }),
            "/per_second",
        ),
    ] {
        let refused = tenant.api.post(&format!("{LETTERS}/{what}"), body).await;
        let refused = refused.expect_problem(422, "invalid_request");
        let at = refused["errors"][0]["pointer"].as_str().unwrap();
        assert!(at.starts_with(pointer), "{refused}");
    }
    tenant
        .api
        .get(&format!("{LETTERS}?queue=x"))
        .await
        .expect_problem(422, "invalid_request");
}

#[tokio::test]
async fn a_requeue_of_many_goes_on_after_a_restart_and_each_is_told_once() {
    let (mut app, tenant, messages) = scene(5).await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["*"]).await;
    report(&app, 5).await;
    letters(&tenant, 10).await;
    mend(&app).await;
    let asked = demand(&tenant, "requeue", json!({ "filter": {}, "per_second": 1 })).await;
    assert_eq!(asked, json!({ "matching": 10, "requeueing": 10 }));
    app.restart().await;
    let tenant = app.again(&tenant);
    let waiting = tenant.api.get(LETTERS).await.expect(200);
    let waiting = waiting["data"].as_array().unwrap();
    assert!(!waiting.is_empty(), "it has not all been done at once");
    assert!(
        waiting
            .iter()
            .all(|letter| letter["requeue_at"].is_string()),
        "{waiting:?}"
    );
    // One after the other: after ten seconds at once nobody would know whether what was being sent was their own.
    for left in (0..waiting.len()).rev() {
        app.clock.advance(Duration::from_secs(1));
        let are_gone = |found: &Value| found["data"].as_array().unwrap().len() <= left;
        tenant.api.get_until(LETTERS, are_gone, SOON).await;
    }
    for message in &messages {
        tenant.wait_for_state(message, "delivered").await;
    }
    let hits = endpoint.wait_for(10, SOON).await;
    let mut ids: Vec<&str> = hits.iter().map(|hit| hit.webhook_id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((hits.len(), ids.len()), (10, 10));
}

#[tokio::test]
async fn a_requeue_can_be_taken_back_and_what_dies_again_is_a_dead_letter_again() {
    let (app, tenant, _) = scene(3).await;
    report(&app, 3).await;
    let found = letters(&tenant, 6).await;
    demand(&tenant, "requeue", json!({ "filter": {}, "per_second": 1 })).await;
    let cancelled = demand(&tenant, "cancel", json!({ "filter": {} })).await;
    assert!(cancelled["cancelled"].as_u64().unwrap() >= 4, "{cancelled}");
    app.clock.advance(Duration::from_mins(1));
    let waits = |found: &Value| {
        let data = found["data"].as_array().unwrap();
        data.len() == 6 && data.iter().all(|letter| letter["requeue_at"].is_null())
    };
    tenant.api.get_until(LETTERS, waits, SOON).await;
    // Nothing is mended: each dies anew.
    demand(
        &tenant,
        "requeue",
        json!({ "filter": {}, "per_second": 500 }),
    )
    .await;
    let newest = &found[0]["died_at"];
    let died_again = |found: &Value| {
        let data = found["data"].as_array().unwrap();
        let is_new = |letter: &Value| letter["died_at"].as_str() > newest.as_str();
        data.len() == 6
            && data
                .iter()
                .all(|letter| is_new(letter) && letter["requeue_at"].is_null())
    };
    tenant.api.get_until(LETTERS, died_again, SOON).await;
}
