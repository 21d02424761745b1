//! Events: publishing, reading.

use super::{id, ids, members};
use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use testkit::Endpoint;

const SHOWN: [&str; 13] = [
    "category",
    "context",
    "data",
    "environment",
    "id",
    "metadata",
    "resource",
    "sequence",
    "source",
    "tenant_id",
    "timestamp",
    "type",
    "version",
];

#[tokio::test]
async fn an_event_is_accepted_with_its_id_and_read_back_as_it_was_told() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let body = r#"{"type":"result.generated","data":{"z":1.00,"a":12345678901234567890123},"version":1,
        "resource":{"type":"run","id":"r-1","data":{"k":1}},"source":"lab","context":{"user_id":"u-1"},
        "metadata":{"m":[1]}}"#;
    let answer = tenant.api.post_bytes("/v1/events", &[], body).await;
    let made = answer.expect(202);
    assert_eq!(members(&made), ["id"]);
    assert!(id(&made).starts_with("evt_"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("idempotency-replayed"), None);
    let hit = endpoint.wait_for(1, SOON).await.remove(0);
    let delivered = |all: &[Value]| all.iter().all(|one| one["state"] == "delivered");
    let deliveries = tenant.wait_for_deliveries(&webhook, delivered).await;

    let path = format!("/v1/events/{}", id(&made));
    let found = tenant.api.get(&path).await;
    // Number for number, in their order, here as on the wire.
    assert!(
        found
            .text
            .contains(r#""data":{"z":1.00,"a":12345678901234567890123}"#),
        "{found}"
    );
    let found = found.expect(200);
    let mut with_deliveries = SHOWN.to_vec();
    with_deliveries.insert(3, "deliveries");
    assert_eq!(members(&found), with_deliveries);
    assert_eq!(found["deliveries"], json!(deliveries));
    let mut told = hit.json();
    told["deliveries"] = found["deliveries"].clone();
    assert_eq!(found, told, "what is read back is what was told");

    let list = tenant.api.get("/v1/events").await.expect(200);
    assert_eq!(members(&list["data"][0]), SHOWN);
    assert_eq!(ids(&list), [id(&made)]);
}

#[tokio::test]
async fn an_event_without_the_optional_members_has_their_defaults() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let event = tenant.publish("job.created", json!({})).await;
    let found = tenant
        .api
        .get(&format!("/v1/events/{event}"))
        .await
        .expect(200);
    for member in ["resource", "context", "metadata"] {
        assert_eq!(found[member], Value::Null);
    }
    assert_eq!(
        (&found["version"], &found["environment"]),
        (&json!(1), &json!("production"))
    );
    assert_eq!(
        (&found["category"], &found["source"]),
        (&json!("job"), &json!("api"))
    );
    assert_eq!(
        (&found["tenant_id"], &found["data"]),
        (&json!(tenant.id), &json!({}))
    );
    let time = found["timestamp"].as_str().unwrap();
    assert!(
        time.len() == 24 && time.ends_with('Z'),
        "milliseconds and Z: {time}"
    );
}

#[tokio::test]
async fn sequences_of_a_tenant_rise_in_the_order_of_acceptance() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let mut published = Vec::new();
    for n in 0..20 {
        published.insert(0, tenant.publish("job.created", json!({ "n": n })).await);
    }
    let numbered = |page: &Value| {
        let all = page["data"].as_array().unwrap();
        all.iter().all(|event| event["sequence"].is_i64())
    };
    let page = tenant.api.get_until("/v1/events", numbered, SOON).await;
    assert_eq!(ids(&page), published, "newest first");
    let sequences: Vec<_> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["sequence"].as_i64())
        .collect();
    assert!(
        sequences.windows(2).all(|pair| pair[0] > pair[1]),
        "{sequences:?}"
    );
}
