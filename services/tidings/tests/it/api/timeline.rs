//! What a customer-service agent reads: everything of one message, in order.

use super::{PHONE, members};
use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{Endpoint, Reply};

const JSON: (&str, &str) = ("content-type", "application/json");
const PATH: &str = "/v1/callbacks/clinic/reports";

async fn report(app: &TestApp, word: &str) -> String {
    let body = stub_report("m-1", word, PHONE, None);
    let answer = app.ingress.post_raw(PATH, &[JSON], body).await.expect(200);
    answer["callback_id"].as_str().unwrap().to_owned()
}

/// Waits until a message's timeline is as wanted; its lines.
async fn lines(tenant: &Tenant, id: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let path = format!("/v1/messages/{id}/timeline");
    let list = |found: &Value| found["data"].as_array().cloned().unwrap_or_default();
    let is_wanted = |found: &Value| wanted(&list(found));
    let found = tenant.api.get_until(&path, is_wanted, SOON).await;
    assert_eq!(members(&found), ["data", "truncated"]);
    assert_eq!(found["truncated"], false);
    list(&found)
}

fn count(lines: &[Value], kind: &str) -> usize {
    lines.iter().filter(|line| line["kind"] == kind).count()
}

fn kinds(lines: &[Value]) -> Vec<&str> {
    let kinds = lines.iter().map(|line| line["kind"].as_str().unwrap());
    kinds.collect()
}

#[tokio::test]
async fn the_timeline_tells_everything_of_a_message_a_cause_before_its_effect() {
    let app = TestApp::start_with(&[("TIDINGS_DISPATCHER__RETRY", "10,10")]).await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Status(500), Reply::Status(503), Reply::Status(204)]);
    let webhook = tenant.webhook(&endpoint, &["sms.sent"]).await;
    // A report comes before its message is registered, and once more.
    let early = report(&app, "ACCEPTD").await;
    let own = format!("/v1/callbacks/{early}");
    let processed = |found: &Value| found["status"] == "processed";
    tenant.api.get_until(&own, processed, SOON).await;
    app.clock.advance(Duration::from_secs(1));
    let id = tenant.message("clinic", "m-1", PHONE).await;
    for attempts in 1..=2 {
        tenant.wait_for_attempts(&webhook, attempts).await;
        app.clock.advance(Duration::from_secs(15));
    }
    tenant.wait_for_attempts(&webhook, 3).await;
    assert_eq!(report(&app, "ACCEPTD").await, early);
    lines(&tenant, &id, |lines| count(lines, "callback") == 2).await;
    app.clock.advance(Duration::from_secs(1));
    let ruling = json!({ "state": "failed", "reason": "the patient never got it" });
    let path = format!("/v1/messages/{id}/state");
    tenant.api.post(&path, ruling).await.expect(200);

    let lines = lines(&tenant, &id, |lines| count(lines, "event") == 2).await;
    let expected = [
        "callback",
        "report",
        "registered",
        "event",
        "delivery",
        "attempt",
        "attempt",
        "attempt",
        "callback",
        "ruling",
        "event",
    ];
    assert_eq!(kinds(&lines), expected);
    let times: Vec<&str> = lines.iter().map(|l| l["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let (callback, heard) = (&lines[0], &lines[1]);
    assert_eq!(callback["callback_id"], early.as_str());
    assert_eq!(callback["repeated"], false);
    assert_eq!(callback["status"], "processed");
    assert_eq!(heard["callback_id"], early.as_str());
    assert_eq!(heard["word"], "ACCEPTD");
    assert_eq!(heard["source"], "callback");
    assert_eq!(
        (&heard["state"], &heard["applied"]),
        (&json!("sent"), &json!(true))
    );
    assert_eq!(lines[2]["provider_message_id"], "m-1");
    assert_eq!(lines[3]["type"], "sms.sent");
    let delivery = &lines[4];
    assert_eq!(delivery["event_id"], lines[3]["event_id"]);
    assert_eq!(delivery["subscription_id"], webhook.id.as_str());
    assert_eq!(delivery["state"], "delivered");
    let attempts = &lines[5..8];
    for (number, (attempt, status)) in attempts.iter().zip([500, 503, 204]).enumerate() {
        assert_eq!(attempt["delivery_id"], delivery["delivery_id"]);
        assert_eq!(attempt["number"], number + 1);
        assert_eq!(attempt["status_code"], status);
        assert!(attempt["attempt_id"].as_str().unwrap().starts_with("att_"));
    }
    let again = &lines[8];
    assert_eq!(again["callback_id"], early.as_str());
    assert_eq!(again["repeated"], true);
    assert_eq!(again["outcomes"], json!(["duplicate"]));
    assert_eq!(lines[9]["reason"], "the patient never got it");
    assert_eq!(lines[9]["actor"], "tenant");
    assert_eq!(lines[10]["type"], "sms.failed");
    assert_eq!(
        members(&lines[9]),
        [
            "actor",
            "applied",
            "at",
            "kind",
            "reason",
            "send_attempt",
            "state"
        ]
    );
}

#[tokio::test]
async fn an_event_that_the_platform_published_about_a_message_is_in_its_timeline() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("Clinic").await, app.tenant("Other").await);
    tenant.account("stub", "clinic").await;
    let id = tenant.message("clinic", "m-1", PHONE).await;
    let body =
        json!({ "type": "sms.queued", "data": {}, "resource": { "type": "message", "id": id } });
    tenant
        .api
        .post("/v1/events", body.clone())
        .await
        .expect(202);
    // Whoever names it, only the tenant's own are told.
    other.api.post("/v1/events", body).await.expect(202);
    let lines = lines(&tenant, &id, |lines| count(lines, "event") > 0).await;
    assert_eq!(kinds(&lines), ["registered", "event"]);
    assert_eq!(lines[1]["type"], "sms.queued");
}

#[tokio::test]
async fn the_timeline_of_anothers_message_is_nowhere_but_for_the_operator() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("Clinic").await, app.tenant("Other").await);
    tenant.account("stub", "clinic").await;
    let id = tenant.message("clinic", "m-1", PHONE).await;
    let path = format!("/v1/messages/{id}/timeline");
    for answer in [
        other.api.get(&path).await,
        app.operator.get(&path).await,
        tenant.api.get("/v1/messages/msg_1/timeline").await,
        tenant.api.get(&path.replace("msg_", "evt_")).await,
    ] {
        answer.expect_problem(404, "not_found");
    }
    let named = format!("{path}?tenant={}", tenant.id);
    other.api.get(&named).await.expect_problem(403, "forbidden");
    let found = app.operator.get(&named).await.expect(200);
    assert_eq!(kinds(found["data"].as_array().unwrap()), ["registered"]);
    super::assert_refused(
        &tenant.api.get(&format!("{path}?limit=5")).await,
        &["/limit"],
    );
}
