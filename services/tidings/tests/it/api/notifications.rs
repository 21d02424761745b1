//! Notifications: what became of all their messages.

use super::{PHONE, id, members};
use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use testkit::Endpoint;
use testkit::providers::stub_report;

async fn report(app: &TestApp, id: &str, word: &str) {
    let body: Value = serde_json::from_str(&stub_report(id, word, PHONE, None)).unwrap();
    let path = "/v1/callbacks/clinic/reports";
    app.ingress.post_json(path, body).await.expect(200);
}

#[tokio::test]
async fn a_notification_is_shown_by_its_own_id_and_told_when_it_changes() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("Clinic").await, app.tenant("Other").await);
    let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
    let account =
        json!({ "provider": "stub", "slug": "clinic", "auth": auth, "environment": "staging" });
    let made = tenant.api.post("/v1/provider-accounts", account).await;
    made.expect(201);
    let endpoint = Endpoint::start().await;
    let webhook = json!({ "url": endpoint.url("/hook"), "events": ["notification.updated"],
        "environment": "staging" });
    tenant.api.post("/v1/webhooks", webhook).await.expect(201);
    let name = "recall 7/ü%2F?";
    let path = "/v1/notifications/recall%207%2F%C3%BC%252F%3F";
    tenant.api.get(path).await.expect_problem(404, "not_found");
    let mut first = Value::Null;
    for message in ["m-1", "m-2"] {
        let body = json!({ "provider_account": "clinic", "provider_message_id": message,
            "to": PHONE, "notification_id": name });
        let made = tenant.api.post("/v1/messages", body).await.expect(201);
        if first.is_null() {
            first = made;
        }
    }
    let shown = tenant.api.get(path).await.expect(200);
    let counts = |pending: u32, sent: u32, delivered: u32, failed: u32| {
        json!({ "pending": pending, "sent": sent, "delivered": delivered, "failed": failed,
            "expired": 0, "rejected": 0, "unknown": 0 })
    };
    let expected = json!({ "notification_id": name, "state": "pending",
        "counts": counts(2, 0, 0, 0), "messages": 2, "created_at": first["created_at"],
        "sent_at": null, "delivered_at": null });
    assert_eq!(shown, expected);
    report(&app, "m-1", "ACCEPTD").await;
    let told = endpoint.wait_for(1, SOON).await;
    let event = told[0].json();
    assert_eq!(event["type"], "notification.updated");
    assert_eq!(event["category"], "notification");
    assert_eq!(event["environment"], "staging");
    assert_eq!(
        event["resource"],
        json!({ "type": "notification", "id": name })
    );
    assert_eq!(members(&event["data"]), members(&shown));
    assert_eq!(event["data"]["counts"], counts(1, 1, 0, 0));
    assert_eq!(event["data"], tenant.api.get(path).await.expect(200));
    report(&app, "m-1", "DELIVRD").await;
    report(&app, "m-2", "UNDELIV").await;
    let told = endpoint.wait_for(2, SOON).await;
    let event = told[1].json();
    assert_eq!(
        (&event["data"]["state"], &event["data"]["messages"]),
        (&json!("failed"), &json!(2))
    );
    assert_eq!(event["data"]["counts"], counts(0, 0, 1, 1));
    assert_eq!(event["data"]["delivered_at"], Value::Null);
    report(&app, "m-2", "DELIVRD").await;
    let told = endpoint.wait_for(3, SOON).await;
    let found = tenant.api.get(path).await.expect(200);
    assert_eq!(told[2].json()["data"], found);
    assert_eq!(
        (&found["state"], &found["counts"]),
        (&json!("delivered"), &counts(0, 0, 2, 0))
    );
    let message = tenant.api.get("/v1/messages?provider_message_id=m-2").await;
    let message = message.expect(200)["data"][0].clone();
    assert_eq!(
        found["delivered_at"],
        message["delivered_at"],
        "{}",
        id(&message)
    );
    // It is nobody else's, and nothing else is it.
    other.api.get(path).await.expect_problem(404, "not_found");
    for path in ["recall", "recall%207", "%00", "%FF", &"x".repeat(400)] {
        let path = format!("/v1/notifications/{path}");
        tenant.api.get(&path).await.expect_problem(404, "not_found");
    }
}
