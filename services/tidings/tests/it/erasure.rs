//! A phone number that is to be forgotten is forgotten everywhere, for its tenant alone.

use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use testkit::providers::stub_report;
use testkit::{Endpoint, eventually};

const PHONE: &str = "+254700000001";
const OTHER: &str = "+254700000002";
const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(app: &TestApp, account: &str, id: &str, to: &str) -> u16 {
    let path = format!("/v1/callbacks/{account}/reports");
    let body = stub_report(id, "DELIVRD", to, None);
    app.ingress.post_raw(&path, &[JSON], body).await.status
}

#[tokio::test]
async fn an_erased_number_is_nowhere_in_the_store_and_what_was_done_is_said() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let key = json!([{ "type": "api_key", "header": "x-key", "key": "0123456789abcdef" }]);
    tenant.account_with("stub", "guarded", key).await;
    let endpoint = Endpoint::start().await;
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    let kept = tenant.message("clinic", "m-2", OTHER).await;
    for (id, to) in [
        ("m-1", PHONE),
        ("m-1", PHONE),
        ("m-2", OTHER),
        ("m-9", PHONE),
    ] {
        assert_eq!(post(&app, "clinic", id, to).await, 200);
    }
    // Refused, and kept sealed.
    assert_eq!(post(&app, "guarded", "m-1", PHONE).await, 401);
    tenant.publish("job.created", json!({ "to": PHONE })).await;
    tenant.wait_for_state(&message, "delivered").await;
    tenant.wait_for_state(&kept, "delivered").await;
    let all = |all: &[Value]| all.len() == 3 && all.iter().all(|d| d["state"] == "delivered");
    tenant.wait_for_deliveries(&webhook, all).await;
    let is_orphaned = |found: &Value| {
        let callbacks = found["data"].as_array().unwrap();
        callbacks.len() == 3 && callbacks.iter().all(|c| c["status"] == "processed")
    };
    tenant
        .api
        .get_until("/v1/callbacks", is_orphaned, SOON)
        .await;
    let one = |found: &Value| found["data"].as_array().unwrap().len() == 1;
    tenant.api.get_until("/v1/quarantine", one, SOON).await;
    assert!(app.store_holds(&PHONE[1..]).await);

    let done = tenant.api.post("/v1/erasures", json!({ "phone": PHONE }));
    let done = done.await;
    assert!(!done.text.contains(&PHONE[1..]), "{done}");
    let said = done.expect(200);
    assert_eq!(said["tenant_id"], tenant.id);
    assert!(said["erased_at"].is_string(), "{said}");
    let expected = json!({
        "messages": 1, "history": 0, "callbacks": 3, "events": 2, "attempts": 0, "orphans": 1, "dead_letters": 0,
        "webhook_tests": 0, "quarantine": 1,
    });
    assert_eq!(said["erased"], expected);
    assert!(!app.store_holds(&PHONE[1..]).await);

    let found = tenant.wait_for_state(&message, "delivered").await;
    assert_eq!(found["to"], "[erased]");
    let events = tenant.api.get("/v1/events").await.expect(200);
    assert_eq!(events["data"].as_array().unwrap().len(), 3);
    let callbacks = tenant.api.get("/v1/callbacks").await.expect(200);
    let without = callbacks["data"].as_array().unwrap().iter();
    let without = without.filter(|callback| callback["body_base64"] == "");
    assert_eq!(without.count(), 2, "the third is a receipt of the same");
    // What is left is another's.
    assert!(app.store_holds(&OTHER[1..]).await);
    assert_eq!(tenant.wait_for_state(&kept, "delivered").await["to"], OTHER);
    let again = tenant.api.post("/v1/erasures", json!({ "phone": PHONE }));
    let again = again.await.expect(200);
    let counts = again["erased"].as_object().unwrap();
    assert!(counts.values().all(|count| *count == 0), "{again}");
}

#[tokio::test]
async fn an_erasure_goes_on_to_its_end_when_its_caller_leaves() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let event = json!({ "type": "job.created", "data": { "to": PHONE } });
    let events = json!({ "events": vec![event; 1_000] });
    for _ in 0..3 {
        tenant.api.post("/v1/events/batch", &events).await;
    }
    // An erasure that meets somebody else at work may have to be asked for again.
    let are_placed = |found: &Value| found["data"][0]["sequence"].is_i64();
    let newest = "/v1/events?limit=1";
    tenant.api.get_until(newest, are_placed, SOON).await;
    assert!(app.store_holds(&PHONE[1..]).await);
    let body = json!({ "phone": PHONE });
    let connection = tenant.begin("/v1/erasures", None, &body).await;
    let is_begun = |found: &Value| found["data"].as_array().unwrap().len() == 1;
    let begun = "/v1/audit?action=erasure.begun";
    tenant.api.get_until(begun, is_begun, SOON).await;
    connection.reset();
    eventually("it is nowhere", SOON * 4, async || {
        (!app.store_holds(&PHONE[1..]).await).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_tenant_erases_its_own_and_the_operator_that_of_the_tenant_named() {
    let app = TestApp::start().await;
    let (one, two) = (app.tenant("One").await, app.tenant("Two").await);
    one.account("stub", "one").await;
    two.account("stub", "two").await;
    let ours = one.message("one", "m-1", PHONE).await;
    let theirs = two.message("two", "m-1", PHONE).await;
    let body = json!({ "phone": "+254 700-000001" });
    let of_two = format!("/v1/erasures?tenant={}", two.id);
    let refused = one.api.post(&of_two, body.clone()).await;
    refused.expect_problem(403, "forbidden");
    for wrong in ["254700000001", "nobody", ""] {
        let refused = one.api.post("/v1/erasures", json!({ "phone": wrong }));
        refused.await.expect_problem(422, "invalid_request");
    }
    let unknown = one.api.post("/v1/erasures", json!({ "number": PHONE }));
    unknown.await.expect_problem(422, "invalid_request");
    // The operator alone acts for the platform, which has no message.
    let none = app.operator.post("/v1/erasures", body.clone()).await;
    assert_eq!(none.expect(200)["erased"]["messages"], 0);
    let done = app.operator.post(&of_two, body.clone()).await;
    let done = done.expect(200);
    assert_eq!(done["tenant_id"], two.id);
    assert_eq!(done["erased"]["messages"], 1);
    let path = |id: &str| format!("/v1/messages/{id}");
    let found = two.api.get(&path(&theirs)).await.expect(200);
    assert_eq!(found["to"], "[erased]");
    let found = one.api.get(&path(&ours)).await.expect(200);
    assert_eq!(found["to"], PHONE);
    one.api.post("/v1/erasures", body).await.expect(200);
    assert!(!app.store_holds(&PHONE[1..]).await);
}
