//! From a callback to the state of a message and the news of it.

use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::Endpoint;
use testkit::providers::{africastalking_report, orange_report, stub_report};

const PHONE: &str = "+254700000001";
const STUB: &str = "/v1/callbacks/clinic/reports";

fn states(told: &[testkit::Hit]) -> Vec<String> {
    told.iter()
        .map(|hit| hit.json()["data"]["state"].as_str().unwrap().to_owned())
        .collect()
}

async fn report(app: &TestApp, id: &str, word: &str) -> String {
    let body: Value = serde_json::from_str(&stub_report(id, word, PHONE, None)).unwrap();
    let answer = app.ingress.post_json(STUB, body).await.expect(200);
    answer["callback_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_form_from_africas_talking_becomes_a_state_and_a_signed_event() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let account = tenant
        .account_with("africastalking", "at", json!([{ "type": "token" }]))
        .await;
    let url = account["callback_urls"]["reports"].as_str().unwrap();
    let path = url.strip_prefix(app.ingress.base_url()).unwrap();
    let endpoint = Endpoint::start().await;
    let webhook = tenant.webhook(&endpoint, &["sms.*"]).await;
    let message = tenant.message("at", "ATXid_1", PHONE).await;

    let answer = app
        .ingress
        .post_form(
            path,
            africastalking_report("ATXid_1", "Success", PHONE, &[]),
        )
        .await;
    let accepted = answer.expect(200);
    assert_eq!(accepted["status"], "accepted");
    assert_eq!(accepted["callback_id"], accepted["event_id"]);
    assert_eq!(
        answer.header("x-tidings-callback-id"),
        accepted["callback_id"].as_str()
    );

    let hits = endpoint.wait_for(1, SOON).await;
    hits[0].verify(&webhook.secret).unwrap();
    let told = hits[0].json();
    assert_eq!(told["id"], hits[0].webhook_id());
    assert_eq!(told["type"], "sms.delivered");
    assert_eq!(told["category"], "sms");
    assert_eq!(
        told["resource"],
        json!({ "type": "message", "id": message })
    );
    assert_eq!(told["data"]["message_id"], message.as_str());
    assert_eq!(told["data"]["previous_state"], "pending");
    assert_eq!(told["data"]["to"], PHONE);
    assert_eq!(told["tenant_id"], tenant.id.as_str());
    assert!(hits[0].header("traceparent").is_some());
    assert!(
        hits[0]
            .header("user-agent")
            .unwrap()
            .starts_with("Tidings/")
    );

    // A tenant that has seen the webhook sees the state.
    let found = tenant
        .api
        .get(&format!("/v1/messages/{message}"))
        .await
        .expect(200);
    assert_eq!(found["state"], "delivered");
    assert_eq!(found["is_final"], true);
    assert_eq!(found["history"][0]["word"], "Success");
    assert_eq!(found["history"][0]["applied"], true);
    assert_eq!(found["history"][0]["callback_id"], accepted["callback_id"]);
    let callback = accepted["callback_id"].as_str().unwrap();
    let callback = tenant
        .api
        .get(&format!("/v1/callbacks/{callback}"))
        .await
        .expect(200);
    assert_eq!(callback["status"], "processed");
    assert_eq!(
        callback["reports"],
        json!([{ "outcome": "applied", "message_id": message }])
    );
}

#[tokio::test]
async fn json_from_orange_finds_the_message_of_its_recipient() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("orange", "orange-ci").await;
    let id = "9d523078-1d3d-4c90-8984-000000000001";
    let first = tenant.message("orange-ci", id, "+2250700000001").await;
    let second = tenant.message("orange-ci", id, "+2250700000002").await;
    let body = orange_report(id, "tel:+2250700000002", "DeliveredToTerminal");
    let body: Value = serde_json::from_str(&body).unwrap();
    app.ingress
        .post_json("/v1/callbacks/orange-ci/reports", body)
        .await
        .expect(200);
    tenant.wait_for_state(&second, "delivered").await;
    let other = tenant
        .api
        .get(&format!("/v1/messages/{first}"))
        .await
        .expect(200);
    assert_eq!(other["state"], "pending");
}

#[tokio::test]
async fn a_duplicate_gets_the_same_answer_and_tells_nobody_anything() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["sms.*"]).await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    let id = report(&app, "m-1", "DELIVRD").await;
    endpoint.wait_for(1, SOON).await;
    for _ in 0..5 {
        assert_eq!(report(&app, "m-1", "DELIVRD").await, id);
    }
    let path = format!("/v1/callbacks/{id}");
    let seen = tenant
        .api
        .get_until(&path, |found| found["receipts"] == 6, SOON)
        .await;
    assert_eq!(seen["reports"][0]["outcome"], "applied");
    let found = tenant
        .api
        .get(&format!("/v1/messages/{message}"))
        .await
        .expect(200);
    assert_eq!(found["history"].as_array().unwrap().len(), 1);
    assert_eq!(endpoint.hits().len(), 1);
}

#[tokio::test]
async fn every_permutation_ends_delivered_and_is_told_once_and_never_backwards() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let endpoint = Endpoint::start().await;
    tenant
        .webhook(&endpoint, &["sms.sent", "sms.delivered", "sms.failed"])
        .await;
    let words = ["ACCEPTD", "DELIVRD", "UNDELIV"];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for (number, order) in orders.iter().enumerate() {
        let id = format!("m-{number}");
        let message = tenant.message("clinic", &id, PHONE).await;
        // Each twice, the second round in the opposite order.
        for index in order.iter().chain(order.iter().rev()) {
            report(&app, &id, words[*index]).await;
        }
        tenant.wait_for_state(&message, "delivered").await;
    }
    // The last thing published is the last thing told.
    let end = tenant.message("clinic", "end", PHONE).await;
    report(&app, "end", "DELIVRD").await;
    let told = endpoint
        .wait_until(
            |hits| {
                hits.iter()
                    .any(|hit| hit.json()["data"]["message_id"] == end.as_str())
            },
            SOON,
        )
        .await;
    for (number, order) in orders.iter().enumerate() {
        let id = format!("m-{number}");
        let of_message: Vec<_> = told
            .iter()
            .filter(|hit| hit.json()["data"]["provider_message_id"] == id.as_str())
            .cloned()
            .collect();
        let mut by_sequence = of_message;
        by_sequence.sort_by_key(|hit| hit.json()["sequence"].as_i64());
        let told = states(&by_sequence);
        let rank = |state: &str| {
            ["sent", "failed", "delivered"]
                .iter()
                .position(|s| *s == state)
        };
        assert!(
            told.windows(2).all(|pair| rank(&pair[0]) < rank(&pair[1])),
            "{order:?}: {told:?}"
        );
        assert_eq!(
            told.last().map(String::as_str),
            Some("delivered"),
            "{order:?}"
        );
    }
}

#[tokio::test]
async fn contradicting_reports_are_told_as_a_conflict_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["sms.status.conflict"]).await;
    tenant.message("clinic", "m-1", PHONE).await;
    for word in ["UNDELIV", "DELIVRD", "UNDELIV"] {
        report(&app, "m-1", word).await;
    }
    let told = endpoint.wait_for(1, SOON).await;
    assert_eq!(
        told[0].json()["data"]["states"],
        json!(["failed", "delivered"])
    );
    report(&app, "m-1", "ACCEPTD").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(endpoint.hits().len(), 1);
}

#[tokio::test]
async fn a_callback_before_its_message_waits_for_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["sms.*"]).await;
    let callback = report(&app, "m-1", "DELIVRD").await;
    let path = format!("/v1/callbacks/{callback}");
    let seen = tenant
        .api
        .get_until(&path, |found| found["status"] == "processed", SOON)
        .await;
    assert_eq!(
        seen["reports"],
        json!([{ "outcome": "orphaned", "message_id": null }])
    );
    let body = json!({ "provider_account": "clinic", "provider_message_id": "m-1", "to": PHONE });
    let made = tenant.api.post("/v1/messages", body).await.expect(201);
    assert_eq!(made["state"], "pending");
    tenant
        .wait_for_state(made["id"].as_str().unwrap(), "delivered")
        .await;
    let told = endpoint.wait_for(1, SOON).await;
    assert_eq!(states(&told), ["delivered"]);
}

#[tokio::test]
async fn an_unlisted_word_is_history_and_changes_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    report(&app, "m-1", "TELEPORTED").await;
    let path = format!("/v1/messages/{message}");
    let has_history = |found: &Value| {
        found["history"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    };
    let found = tenant.api.get_until(&path, has_history, SOON).await;
    assert_eq!(found["state"], "pending");
    let entry = &found["history"][0];
    assert_eq!(
        (&entry["word"], &entry["state"]),
        (&json!("TELEPORTED"), &Value::Null)
    );
    assert_eq!(entry["applied"], false);
}

#[tokio::test]
async fn a_shared_account_carries_reports_to_the_tenant_of_the_message() {
    let app = TestApp::start().await;
    let (one, two) = (app.tenant("One").await, app.tenant("Two").await);
    let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
    let shared = json!({ "provider": "stub", "slug": "stub", "auth": auth });
    app.operator
        .post("/v1/provider-accounts", shared)
        .await
        .expect(201);
    let (at_one, at_two) = (Endpoint::start().await, Endpoint::start().await);
    one.webhook(&at_one, &["*"]).await;
    two.webhook(&at_two, &["*"]).await;
    let message = one.message("stub", "m-1", PHONE).await;
    let body: Value = serde_json::from_str(&stub_report("m-1", "DELIVRD", PHONE, None)).unwrap();
    app.ingress
        .post_json("/api/webhooks/legacy/stub/delivery", body)
        .await
        .expect(200);
    one.wait_for_state(&message, "delivered").await;
    at_one.wait_for(1, SOON).await;
    two.api
        .get(&format!("/v1/messages/{message}"))
        .await
        .expect_problem(404, "not_found");
    assert_eq!(at_two.hits().len(), 0);
}

#[tokio::test]
async fn messages_are_listed_by_what_an_agent_knows() {
    let app = TestApp::start().await;
    let tenant: Tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let body = |number: u32| {
        json!({
            "provider_account": "clinic",
            "provider_message_id": format!("m-{number}"),
            "client_reference": format!("r-{number}"),
            "notification_id": "reminder-7",
            "to": format!("tel:+26097 000-000{number}"),
            "metadata": { "z": 1.00, "a": [1] },
        })
    };
    for number in 1..=3 {
        tenant
            .api
            .post("/v1/messages", body(number))
            .await
            .expect(201);
    }
    let found = async |query: &str| {
        let page = tenant
            .api
            .get(&format!("/v1/messages?{query}"))
            .await
            .expect(200);
        let ids = page["data"].as_array().unwrap().iter();
        ids.map(|found| found["provider_message_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("provider_message_id=m-2").await, ["m-2"]);
    assert_eq!(found("client_reference=r-3").await, ["m-3"]);
    assert_eq!(found("to=%2B260970000001").await, ["m-1"]);
    assert_eq!(found("to=+260970000001").await, ["m-1"]);
    assert_eq!(
        found("notification_id=reminder-7&state=pending").await,
        ["m-3", "m-2", "m-1"]
    );
    assert!(found("state=delivered").await.is_empty());
    let again = tenant.api.post("/v1/messages", body(1)).await.expect(200);
    assert_eq!(again["to"], "+260970000001");
    assert_eq!(again["metadata"], json!({ "z": 1.00, "a": [1] }));
    let mut other = body(1);
    other["from"] = "CLINIC".into();
    let conflict = tenant
        .api
        .post("/v1/messages", other)
        .await
        .expect_problem(409, "conflict");
    assert_eq!(conflict["existing_id"], again["id"]);
}
