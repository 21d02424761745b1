//! Messages: registering, and what is shown of them.

use super::{PHONE, id, members};
use crate::app::TestApp;
use serde_json::{Value, json};
use testkit::providers::stub_report;

const SHOWN: [&str; 26] = [
    "client_reference",
    "cost",
    "created_at",
    "delivered_at",
    "delivery_duration_ms",
    "environment",
    "failure_class",
    "failure_reason",
    "from",
    "history",
    "id",
    "is_final",
    "metadata",
    "network_code",
    "notification_id",
    "parts_delivered",
    "parts_total",
    "provider",
    "provider_account",
    "provider_message_id",
    "send_attempt",
    "send_attempts",
    "sent_at",
    "state",
    "to",
    "updated_at",
];

#[tokio::test]
async fn a_message_is_shown_whole_before_and_after_its_report() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
    let account =
        json!({ "provider": "stub", "slug": "clinic", "auth": auth, "environment": "staging" });
    tenant
        .api
        .post("/v1/provider-accounts", account)
        .await
        .expect(201);
    let body = json!({ "provider_account": "clinic", "provider_message_id": "m-1",
        "client_reference": "c-1", "to": "tel:+254 700-000 001", "from": "CLINIC",
        "notification_id": "n-1", "parts": 2, "metadata": { "b": 1, "a": 2 } });
    let made = tenant.api.post("/v1/messages", &body).await.expect(201);
    assert_eq!(members(&made), SHOWN);
    assert!(id(&made).starts_with("msg_"));
    for (member, value) in [
        ("provider", json!("stub")),
        ("provider_account", json!("clinic")),
        ("provider_message_id", json!("m-1")),
        ("client_reference", json!("c-1")),
        ("to", json!(PHONE)),
        ("from", json!("CLINIC")),
        ("notification_id", json!("n-1")),
        ("metadata", json!({ "b": 1, "a": 2 })),
        ("parts_total", json!(2)),
        ("parts_delivered", json!(0)),
        ("state", json!("pending")),
        ("is_final", json!(false)),
        ("failure_reason", Value::Null),
        ("failure_class", Value::Null),
        ("network_code", Value::Null),
        ("cost", Value::Null),
        ("sent_at", Value::Null),
        ("delivered_at", Value::Null),
        ("delivery_duration_ms", Value::Null),
        ("send_attempt", json!(1)),
        ("environment", json!("staging")),
        ("history", json!([])),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    let path = format!("/v1/messages/{}", id(&made));
    assert_eq!(tenant.api.get(&path).await.expect(200), made);

    let report = stub_report("m-1", "UNDELIV", PHONE, Some("2026-03-04T06:04:45Z"));
    let headers = [("content-type", "application/json")];
    let accepted = app
        .ingress
        .post_raw("/v1/callbacks/clinic/reports", &headers, report)
        .await;
    let found = tenant.wait_for_state(&id(&made), "failed").await;
    assert_eq!(members(&found), SHOWN);
    assert_eq!(
        (&found["is_final"], &found["parts_delivered"]),
        (&json!(true), &json!(0))
    );
    let entry = &found["history"][0];
    assert_eq!(
        members(entry),
        [
            "actor",
            "applied",
            "callback_id",
            "failure_reason",
            "provider_response",
            "provider_time",
            "reason",
            "received_at",
            "send_attempt",
            "source",
            "state",
            "word"
        ]
    );
    assert_eq!(
        (&entry["word"], &entry["state"]),
        (&json!("UNDELIV"), &json!("failed"))
    );
    assert_eq!(entry["provider_time"], "2026-03-04T06:04:45.000Z");
    assert_eq!(
        (&entry["source"], &entry["applied"]),
        (&json!("callback"), &json!(true))
    );
    assert_eq!(entry["callback_id"], accepted.expect(200)["callback_id"]);
    let list = tenant.api.get("/v1/messages").await.expect(200);
    assert_eq!(list["data"], json!([found]));
}

#[tokio::test]
async fn the_same_registration_again_is_the_same_message_and_another_is_a_conflict() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    tenant.account("stub", "clinic").await;
    tenant.account("stub", "branch").await;
    other.account("stub", "theirs").await;
    let body = json!({ "provider_account": "clinic", "provider_message_id": "m-1",
        "client_reference": "c-1", "to": PHONE, "metadata": { "a": 1, "b": [1, 2] } });
    let made = tenant.api.post("/v1/messages", &body).await.expect(201);
    let again = tenant.api.post("/v1/messages", &body).await;
    assert_eq!(again.expect(200), made);
    // What means the same is the same.
    let respelled = r#"{"metadata":{"b":[1,2],"a":1},"to":"tel:+254 700 000 001","parts":1,
        "client_reference":"c-1","provider_message_id":"m-1","provider_account":"clinic","from":null}"#;
    let again = tenant.api.post_bytes("/v1/messages", &[], respelled).await;
    assert_eq!(id(&again.expect(200)), id(&made));

    for (member, value) in [
        ("from", json!("OTHER")),
        ("metadata", json!({ "a": 2 })),
        ("parts", json!(2)),
        ("notification_id", json!("n-1")),
        ("environment", json!("staging")),
        ("client_reference", json!("c-2")),
        ("client_reference", Value::Null),
    ] {
        let mut different = body.clone();
        different[member] = value;
        let answer = tenant.api.post("/v1/messages", different).await;
        let problem = answer.expect_problem(409, "conflict");
        assert_eq!(problem["existing_id"], made["id"], "{member}: {answer}");
    }
    assert_eq!(
        tenant
            .api
            .get(&format!("/v1/messages/{}", id(&made)))
            .await
            .expect(200),
        made
    );
    // Another account's ids, and another tenant's, are others.
    for (api, account) in [(&tenant.api, "branch"), (&other.api, "theirs")] {
        let mut elsewhere = body.clone();
        elsewhere["provider_account"] = json!(account);
        assert_ne!(
            id(&api.post("/v1/messages", elsewhere).await.expect(201)),
            id(&made)
        );
    }
}

#[tokio::test]
async fn ten_registrations_at_once_are_one_message() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let body = json!({ "provider_account": "clinic", "provider_message_id": "m-1", "to": PHONE });
    let requests = (0..10).map(|_| tenant.api.post("/v1/messages", body.clone()));
    let answers = futures_util::future::join_all(requests).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 201).count(),
        1
    );
    assert!(
        answers
            .iter()
            .all(|answer| [200, 201].contains(&answer.status))
    );
    assert!(
        answers
            .iter()
            .all(|answer| answer.body["id"] == answers[0].body["id"])
    );
}

#[tokio::test]
async fn what_a_message_cost_is_kept_digit_for_digit_and_replaced_by_what_a_report_says() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("vonage", "clinic").await;
    let body = |cost: &str| {
        format!(
            r#"{{"provider_account":"clinic","provider_message_id":"m-1","to":"{PHONE}","cost":{cost}}}"#
        )
    };
    let register = async |cost: &str| tenant.api.post_bytes("/v1/messages", &[], body(cost)).await;
    let number = register(r#"{"amount":0.80,"currency":"kes"}"#).await;
    let made = number.expect(201);
    assert_eq!(made["cost"], json!({ "amount": "0.80", "currency": "KES" }));
    let text = register(r#"{"amount":"0.80","currency":"KES"}"#).await;
    assert_eq!(text.expect(200), made);
    for other in [r#"{"amount":"0.8","currency":"KES"}"#, "null"] {
        register(other).await.expect_problem(409, "conflict");
    }
    for (cost, at) in [
        (r#"{"amount":-1,"currency":"KES"}"#, "/cost/amount"),
        (r#"{"amount":8e-1,"currency":"KES"}"#, "/cost/amount"),
        (r#"{"amount":"1,5","currency":"KES"}"#, "/cost/amount"),
        (r#"{"amount":null,"currency":"KES"}"#, "/cost/amount"),
        (r#"{"amount":[1],"currency":"KES"}"#, "/cost/amount"),
        (r#"{"amount":"1","currency":"KSHS"}"#, "/cost/currency"),
        (r#"{"amount":"1"}"#, "/cost/currency"),
        (r#"{"currency":"KES"}"#, "/cost/amount"),
        (r#"{"amount":"1","currency":"KES","vat":1}"#, "/cost/vat"),
    ] {
        super::assert_refused(&register(cost).await, &[at]);
    }
}

#[tokio::test]
async fn messages_are_listed_by_the_beginning_of_a_number_an_id_or_a_notification() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    for (message, notification, to) in [
        ("ATXid_1", "recall_1", "+260971000001"),
        ("ATXid_2", "recall%2", "+260972000002"),
        ("ATYid_1", "reminder", "+254700000003"),
    ] {
        let body = json!({ "provider_account": "clinic", "provider_message_id": message,
            "client_reference": message.to_lowercase(), "notification_id": notification, "to": to });
        tenant.api.post("/v1/messages", body).await.expect(201);
    }
    for (query, found) in [
        ("to_prefix=%2B26097", &["ATXid_2", "ATXid_1"][..]),
        ("to_prefix=+260971", &["ATXid_1"]),
        ("to_prefix=260971", &["ATXid_1"]),
        ("to_prefix=%2B999", &[]),
        ("provider_message_id_prefix=ATX", &["ATXid_2", "ATXid_1"]),
        ("provider_message_id_prefix=atx", &[]),
        ("client_reference_prefix=aty", &["ATYid_1"]),
        ("notification_id_prefix=recall", &["ATXid_2", "ATXid_1"]),
        ("notification_id_prefix=recall_", &["ATXid_1"]),
        ("notification_id_prefix=recall%25", &["ATXid_2"]),
        (
            "to_prefix=%2B260&notification_id_prefix=recall_&state=pending",
            &["ATXid_1"],
        ),
    ] {
        let page = tenant.api.get(&format!("/v1/messages?{query}")).await;
        let page = page.expect(200);
        let ids = page["data"].as_array().unwrap().iter();
        let ids: Vec<_> = ids
            .map(|found| found["provider_message_id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, found, "{query}");
    }
    for (query, pointer) in [
        ("to=%2B260971000001&to_prefix=%2B260", "/to_prefix"),
        ("to_prefix=26097x", "/to_prefix"),
        ("to_prefix=", "/to_prefix"),
        ("notification_id_prefix=re", "/notification_id_prefix"),
        (
            "notification_id_prefix=rec&notification_id=recall",
            "/notification_id_prefix",
        ),
        ("provider_message_id_prefix=", "/provider_message_id_prefix"),
        ("provider_message_id=a%00b", "/provider_message_id"),
        ("client_reference_prefix=a", "/client_reference_prefix"),
    ] {
        let answer = tenant.api.get(&format!("/v1/messages?{query}")).await;
        super::assert_refused(&answer, &[pointer]);
    }
}
