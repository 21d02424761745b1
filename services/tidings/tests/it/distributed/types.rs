//! A type, or a version, that one node made is there on the others.

use super::{launch, set_up};
use crate::servers::Servers;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Api, Endpoint};

async fn publish(node: &Api, body: Value) -> u16 {
    node.post("/v1/events", body).await.status
}

#[tokio::test]
async fn a_type_can_be_published_on_every_node_once_it_was_answered_on_one() {
    let Some(servers) = Servers::find().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let start = async |name: &str| {
        launch(&servers, &root.path().join(name), &["subscriptions"])
            .start()
            .await
    };
    let [first, second] = [start("a").await, start("b").await];
    let endpoint = Endpoint::start().await;
    let here = set_up(&first.api_url(), &endpoint).await;
    let there = here.at(&second.api_url());
    let event = json!({ "type": "shop.opened", "data": { "till": 1 } });
    // Somebody tried before it was there.
    assert_eq!(publish(&there, event.clone()).await, 422);
    let till = json!({ "type": "object", "properties": { "till": { "type": "integer" } } });
    let made = json!({ "name": "shop.opened", "schema": till, "example": {} });
    here.post("/v1/event-types", made).await.expect(201);
    assert_eq!(publish(&there, event.clone()).await, 202);
    let mut newer = till.clone();
    newer["properties"]["by"] = json!({ "type": "string" });
    let added = json!({ "schema": newer, "example": {} });
    here.post("/v1/event-types/shop.opened/versions", added)
        .await
        .expect(201);
    let mut named = event.clone();
    named["version"] = json!(2);
    assert_eq!(publish(&there, named.clone()).await, 202);
    named["version"] = json!(3);
    assert_eq!(publish(&there, named).await, 422);
    let archived = json!({ "archived": true });
    here.patch("/v1/event-types/shop.opened", archived)
        .await
        .expect(200);
    assert_eq!(publish(&here, event.clone()).await, 422);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(publish(&there, event).await, 422);
    for process in [&first, &second] {
        let status = process.terminate(Duration::from_secs(25)).await;
        assert!(status.success(), "{}", process.log());
    }
}
