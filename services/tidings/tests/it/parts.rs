//! Messages that are sent in several parts.

use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use testkit::{Endpoint, Hit};

const PHONE: &str = "+254700000001";

async fn report(app: &TestApp, part: Option<u32>, word: &str) {
    let mut body = json!({ "messageId": "m-1", "to": PHONE, "status": word });
    if let Some(part) = part {
        body["part"] = json!(part);
    }
    let path = "/v1/callbacks/clinic/reports";
    app.ingress.post_json(path, body).await.expect(200);
}

#[tokio::test]
async fn a_message_in_parts_is_delivered_when_all_of_them_are_and_each_step_is_told_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["sms.*"]).await;
    let message = json!({
        "provider_account": "clinic", "provider_message_id": "m-1", "to": PHONE, "parts": 3,
    });
    let made = tenant.api.post("/v1/messages", message).await.expect(201);
    let path = format!("/v1/messages/{}", made["id"].as_str().unwrap());
    let until = async |state: &str, parts: u64| -> Value {
        let is_so = |found: &Value| found["state"] == state && found["parts_delivered"] == parts;
        tenant.api.get_until(&path, is_so, SOON).await
    };
    report(&app, Some(1), "DELIVRD").await;
    let found = until("sent", 1).await;
    assert_eq!(
        (&found["parts_total"], &found["delivered_at"]),
        (&json!(3), &Value::Null)
    );
    report(&app, Some(1), "DELIVRD").await;
    report(&app, Some(2), "UNDELIV").await;
    until("failed", 1).await;
    report(&app, Some(3), "DELIVRD").await;
    until("failed", 2).await;
    report(&app, Some(2), "DELIVRD").await;
    let found = until("delivered", 3).await;
    assert!(found["delivered_at"].is_string() && found["failure_reason"].is_null());
    let told = |hits: &[Hit]| -> Vec<(String, u64)> {
        let of = |hit: &Hit| {
            let body = hit.json();
            let parts = body["data"]["parts_delivered"].as_u64().unwrap();
            (
                body["sequence"].as_u64().unwrap(),
                body["type"].as_str().unwrap().to_owned(),
                parts,
            )
        };
        let mut told: Vec<_> = hits.iter().map(of).collect();
        told.sort_unstable();
        told.dedup();
        told.into_iter()
            .map(|(_, name, parts)| (name, parts))
            .collect()
    };
    let hits = endpoint
        .wait_until(|hits| told(hits).len() >= 5, SOON)
        .await;
    let expected = [
        ("sms.sent", 1),
        ("sms.partially_delivered", 1),
        ("sms.failed", 1),
        ("sms.partially_delivered", 2),
        ("sms.delivered", 3),
    ]
    .map(|(name, parts)| (name.to_owned(), parts));
    assert_eq!(told(&hits), expected);
}
