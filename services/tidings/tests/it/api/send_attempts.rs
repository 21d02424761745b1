//! A message is sent again.

use super::{PHONE, assert_refused, id};
use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use testkit::Endpoint;
use testkit::providers::stub_report;

async fn report(app: &TestApp, account: &str, id: &str, word: &str) {
    let body: Value = serde_json::from_str(&stub_report(id, word, PHONE, None)).unwrap();
    let path = format!("/v1/callbacks/{account}/reports");
    app.ingress.post_json(&path, body).await.expect(200);
}

#[tokio::test]
async fn a_message_that_failed_is_sent_again_through_another_account_and_is_told_again() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    tenant.account("zamtel", "branch").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["sms.*"]).await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    report(&app, "clinic", "m-1", "UNDELIV").await;
    tenant.wait_for_state(&message, "failed").await;
    // What comes before the attempt is registered waits for it.
    report(&app, "branch", "z-1", "UNDELIV").await;
    let waits = |found: &Value| found["data"].as_array().unwrap().len() == 1;
    tenant.api.get_until("/v1/orphans", waits, SOON).await;

    let path = format!("/v1/messages/{message}/attempts");
    let body = json!({ "provider_account": "branch", "provider_message_id": "z-1",
        "client_reference": "r-1" });
    let made = tenant.api.post(&path, &body).await.expect(201);
    assert_eq!(made["id"], message.as_str());
    assert_eq!(
        (&made["state"], &made["send_attempt"]),
        (&json!("failed"), &json!(2))
    );
    for (member, value) in [
        ("provider", "zamtel"),
        ("provider_account", "branch"),
        ("provider_message_id", "z-1"),
        ("client_reference", "r-1"),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    let attempts = made["send_attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    assert_eq!(
        (&attempts[0]["number"], &attempts[0]["provider_account"]),
        (&json!(1), &json!("clinic"))
    );
    assert_eq!(attempts[0]["created_at"], made["created_at"]);
    assert_eq!(attempts[1]["provider_message_id"], "z-1");
    assert_eq!(made["history"][1]["send_attempt"], 2);
    let again = tenant.api.post(&path, &body).await.expect(200);
    assert_eq!(again, made);

    report(&app, "clinic", "m-1", "DELIVRD").await;
    tenant.wait_for_state(&message, "delivered").await;
    let told = endpoint
        .wait_until(
            |hits| {
                hits.iter()
                    .filter(|hit| hit.json()["type"] != "sms.status.conflict")
                    .count()
                    == 3
            },
            SOON,
        )
        .await;
    let mut told: Vec<_> = told.iter().map(testkit::Hit::json).collect();
    told.retain(|told| told["type"] != "sms.status.conflict");
    told.sort_by_key(|told| told["sequence"].as_u64());
    let told: Vec<_> = told
        .iter()
        .map(|told| {
            let data = &told["data"];
            json!([
                data["state"],
                data["previous_state"],
                data["send_attempt"],
                data["provider_account"],
                data["provider_message_id"]
            ])
        })
        .collect();
    assert_eq!(
        told,
        [
            json!(["failed", "pending", 1, "clinic", "m-1"]),
            json!(["failed", "pending", 2, "branch", "z-1"]),
            json!(["delivered", "failed", 1, "clinic", "m-1"]),
        ]
    );
    for query in [
        "provider_message_id=z-1",
        "provider_message_id=m-1",
        "client_reference=r-1",
    ] {
        let found = tenant.api.get(&format!("/v1/messages?{query}")).await;
        let found = found.expect(200);
        assert_eq!(found["data"][0]["id"], message.as_str(), "{query}");
        assert_eq!(found["data"].as_array().unwrap().len(), 1, "{query}");
    }
}

#[tokio::test]
async fn an_attempt_that_names_nothing_or_what_is_anothers_is_refused() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    tenant.account("stub", "clinic").await;
    other.account("stub", "theirs").await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    let second = tenant.message("clinic", "m-2", PHONE).await;
    let path = format!("/v1/messages/{message}/attempts");
    let long = "x".repeat(129);
    for (body, at) in [
        (json!({ "provider_account": "clinic" }), ""),
        (json!({ "provider_message_id": "m-3" }), "/provider_account"),
        (
            json!({ "provider_account": "theirs", "provider_message_id": "m-3" }),
            "/provider_account",
        ),
        (
            json!({ "provider_account": "none", "provider_message_id": "m-3" }),
            "/provider_account",
        ),
        (
            json!({ "provider_account": "clinic", "provider_message_id": long }),
            "/provider_message_id",
        ),
        (
            json!({ "provider_account": "clinic", "client_reference": "" }),
            "/client_reference",
        ),
        (
            json!({ "provider_account": "clinic", "client_reference": "r", "to": PHONE }),
            "/to",
        ),
    ] {
        let refused = tenant.api.post(&path, body).await;
        assert_refused(&refused, &[at]);
    }
    let taken = json!({ "provider_account": "clinic", "provider_message_id": "m-2" });
    let refused = tenant.api.post(&path, &taken).await;
    let problem = refused.expect_problem(409, "conflict");
    assert_eq!(problem["existing_id"], second.as_str());
    let body = json!({ "provider_account": "clinic", "provider_message_id": "m-3" });
    tenant.api.post(&path, &body).await.expect(201);
    let taken = json!({ "provider_account": "clinic", "provider_message_id": "m-3", "to": PHONE });
    let refused = tenant.api.post("/v1/messages", &taken).await;
    let problem = refused.expect_problem(409, "conflict");
    assert_eq!(problem["existing_id"], message.as_str());

    let theirs = json!({ "provider_account": "theirs", "provider_message_id": "m-4" });
    let refused = other.api.post(&path, &theirs).await;
    refused.expect_problem(404, "not_found");
    for number in 3..=15 {
        let body =
            json!({ "provider_account": "clinic", "client_reference": format!("r-{number}") });
        tenant.api.post(&path, body).await.expect(201);
    }
    let body = json!({ "provider_account": "clinic", "client_reference": "r-16" });
    assert_refused(&tenant.api.post(&path, body).await, &[""]);
    let found = tenant.api.get(&format!("/v1/messages/{message}")).await;
    let found = found.expect(200);
    assert_eq!((id(&found), &found["send_attempt"]), (message, &json!(15)));
    assert_eq!(found["send_attempts"].as_array().unwrap().len(), 15);
}

#[tokio::test]
async fn the_parts_that_were_not_delivered_are_sent_again_and_the_others_stay() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let body = json!({ "provider_account": "clinic", "provider_message_id": "m-1", "to": PHONE,
        "parts": 2 });
    let made = tenant.api.post("/v1/messages", body).await.expect(201);
    let message = id(&made);
    let of_part = async |message: &str, part: u32, word: &str| {
        let body = json!({ "messageId": message, "to": PHONE, "status": word, "part": part });
        let path = "/v1/callbacks/clinic/reports";
        app.ingress.post_json(path, body).await.expect(200);
    };
    of_part("m-1", 1, "DELIVRD").await;
    of_part("m-1", 2, "UNDELIV").await;
    tenant.wait_for_state(&message, "failed").await;
    let path = format!("/v1/messages/{message}/attempts");
    let body = json!({ "provider_account": "clinic", "provider_message_id": "m-2" });
    let made = tenant.api.post(&path, body).await.expect(201);
    assert_eq!(
        (&made["state"], &made["parts_delivered"]),
        (&json!("pending"), &json!(1))
    );
    assert_eq!(made["failure_reason"], Value::Null);
    of_part("m-2", 2, "ACCEPTD").await;
    tenant.wait_for_state(&message, "sent").await;
    of_part("m-2", 2, "DELIVRD").await;
    let found = tenant.wait_for_state(&message, "delivered").await;
    assert_eq!(found["parts_delivered"], 2);
}
