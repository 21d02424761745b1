//! Events reach a webhook in the version that it pinned, whichever they were published in.

use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use testkit::{Endpoint, Hit, Reply};

const NAME: &str = "shop.order_placed";

/// A type with a number that later is called an id.
async fn bring(tenant: &Tenant) {
    let first = json!({
        "name": NAME,
        "schema": { "type": "object", "properties": { "number": { "type": "integer" } }, "required": ["number"] },
        "example": { "number": 1 },
    });
    tenant.api.post("/v1/event-types", first).await.expect(201);
}

async fn rename(tenant: &Tenant) {
    let second = json!({
        "schema": { "type": "object", "properties": { "id": { "type": "integer" } }, "required": ["id"] },
        "example": { "id": 1 },
        "breaking": true,
        "upgrade": [{ "op": "rename", "path": "/number", "to": "id" }],
        "downgrade": [{ "op": "rename", "path": "/id", "to": "number" }],
    });
    let path = format!("/v1/event-types/{NAME}/versions");
    tenant.api.post(&path, second).await.expect(201);
}

fn told(hit: &Hit) -> (Value, Value) {
    let body = hit.json();
    (body["version"].clone(), body["data"].clone())
}

async fn publish(tenant: &Tenant, body: &str) {
    let body = format!(r#"{{"type":"{NAME}",{body}}}"#);
    let body: Value = serde_json::from_str(&body).unwrap();
    tenant.api.post("/v1/events", body).await.expect(202);
}

#[tokio::test]
async fn a_webhook_stays_in_the_version_that_it_named_first() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Shop").await;
    let (old, all) = (Endpoint::start().await, Endpoint::start().await);
    bring(&tenant).await;
    let pinned = tenant.webhook(&old, &[NAME]).await;
    let every = tenant.webhook(&all, &["shop.*"]).await;
    rename(&tenant).await;
    // What it did not take the first time comes again with the same bytes.
    old.answer_with([Reply::Status(500), Reply::Status(200)]);
    publish(&tenant, r#""data":{"id":7,"note":"kept"}"#).await;
    let hits = old.wait_for(2, SOON).await;
    assert_eq!(
        told(&hits[0]),
        (json!(1), json!({ "note": "kept", "number": 7 }))
    );
    assert_eq!(hits[0].body, hits[1].body);
    hits[0].verify(&pinned.secret).unwrap();
    let seen = all.wait_for(1, SOON).await;
    assert_eq!(
        told(&seen[0]),
        (json!(2), json!({ "id": 7, "note": "kept" }))
    );
    seen[0].verify(&every.secret).unwrap();
    // What is published in the old version needs no conversion, and goes up for who pinned the new one.
    let new = Endpoint::start().await;
    tenant.webhook(&new, &[NAME]).await;
    publish(&tenant, r#""version":1,"data":{"number":8}"#).await;
    assert_eq!(
        told(&old.wait_for(3, SOON).await[2]),
        (json!(1), json!({ "number": 8 }))
    );
    assert_eq!(
        told(&new.wait_for(1, SOON).await[0]),
        (json!(2), json!({ "id": 8 }))
    );
    // Replaced without a word of versions, it stays where it is; with one, it moves.
    let path = format!("/v1/webhooks/{}", pinned.id);
    let body = json!({ "url": old.url("/hook"), "events": [NAME] });
    let shown = tenant.api.put(&path, body.clone()).await.expect(200);
    assert_eq!(shown["versions"], json!({ NAME: 1 }));
    let mut body = body;
    body["versions"] = json!({ NAME: 2 });
    tenant.api.put(&path, body).await.expect(200);
    publish(&tenant, r#""data":{"id":9}"#).await;
    assert_eq!(
        told(&old.wait_for(4, SOON).await[3]),
        (json!(2), json!({ "id": 9 }))
    );
}

#[tokio::test]
async fn what_cannot_be_converted_is_told_as_it_was_published() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Shop").await;
    let endpoint = Endpoint::start().await;
    bring(&tenant).await;
    tenant.webhook(&endpoint, &[NAME]).await;
    rename(&tenant).await;
    // There is something where the id should go.
    publish(&tenant, r#""data":{"id":7,"number":"other"}"#).await;
    let hits = endpoint.wait_for(1, SOON).await;
    assert_eq!(
        told(&hits[0]),
        (json!(2), json!({ "id": 7, "number": "other" }))
    );
    let metrics = app.admin.get("/metrics").await;
    let line = r#"tidings_conversions_total{outcome="failed"} 1"#;
    assert!(metrics.to_string().contains(line), "{metrics}");
}

#[tokio::test]
async fn a_converted_event_that_is_too_long_is_thin() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Shop").await;
    let endpoint = Endpoint::start().await;
    bring(&tenant).await;
    let body =
        json!({ "url": endpoint.url("/hook"), "events": [NAME], "max_payload_bytes": 1_024 });
    tenant.api.post("/v1/webhooks", body).await.expect(201);
    rename(&tenant).await;
    let long = format!(r#""data":{{"id":7,"note":"{}"}}"#, "x".repeat(2_000));
    publish(&tenant, &long).await;
    let body = endpoint.wait_for(1, SOON).await[0].json();
    assert_eq!((&body["version"], &body["data"]), (&json!(1), &Value::Null));
    assert!(body["data_url"].is_string());
}

#[tokio::test]
async fn what_changes_something_else_of_a_webhook_leaves_its_versions_as_they_are() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Shop").await;
    let endpoint = Endpoint::start().await;
    bring(&tenant).await;
    let pinned = tenant.webhook(&endpoint, &[NAME]).await;
    rename(&tenant).await;
    let path = format!("/v1/webhooks/{}", pinned.id);
    let change =
        async |body: Value| tenant.api.patch(&path, body).await.expect(200)["versions"].clone();
    assert_eq!(change(json!({ "name": "till" })).await, json!({ NAME: 1 }));
    let bulk = json!({ "action": "update", "ids": [pinned.id], "patch": { "name": null } });
    let done = tenant.api.post("/v1/webhooks/bulk", bulk).await.expect(200);
    assert_eq!(done["data"][0]["webhook"]["versions"], json!({ NAME: 1 }));
    // A type that it names as one of many stays too, and one that it does not want any more goes.
    assert_eq!(
        change(json!({ "events": ["shop.*"] })).await,
        json!({ NAME: 1 })
    );
    assert_eq!(change(json!({ "events": ["job.*"] })).await, json!({}));
    // Named again, it is new.
    assert_eq!(
        change(json!({ "events": [NAME] })).await,
        json!({ NAME: 2 })
    );
    assert_eq!(
        change(json!({ "versions": { NAME: 1 } })).await,
        json!({ NAME: 1 })
    );
    assert_eq!(
        change(json!({ "versions": { NAME: null } })).await,
        json!({})
    );
    assert_eq!(
        change(json!({ "versions": null })).await,
        json!({ NAME: 2 })
    );
    let refused = tenant
        .api
        .patch(&path, json!({ "versions": { NAME: 3 } }))
        .await;
    let problem = refused.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], format!("/versions/{NAME}"));
    let made = json!({ "action": "create", "webhooks": [
        { "url": endpoint.url("/b"), "events": [NAME] }, { "url": endpoint.url("/b"), "events": ["shop.lost"] },
    ] });
    let done = tenant.api.post("/v1/webhooks/bulk", made).await.expect(200);
    assert_eq!(done["data"][0]["webhook"]["versions"], json!({ NAME: 2 }));
    assert_eq!(done["data"][1]["problem"]["code"], "unknown_event_type");
}

#[tokio::test]
async fn a_test_of_a_webhook_tells_the_example_of_the_version_that_it_stays_in() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Shop").await;
    let endpoint = Endpoint::start().await;
    bring(&tenant).await;
    let pinned = tenant.webhook(&endpoint, &[NAME]).await;
    rename(&tenant).await;
    let all = tenant.webhook(&endpoint, &["shop.*"]).await;
    for id in [&pinned.id, &all.id] {
        let path = format!("/v1/webhooks/{id}/test");
        tenant
            .api
            .post(&path, json!({ "type": NAME }))
            .await
            .expect(200);
    }
    let hits = endpoint.wait_for(2, SOON).await;
    assert_eq!(told(&hits[0]), (json!(1), json!({ "number": 1 })));
    assert_eq!(told(&hits[1]), (json!(2), json!({ "id": 1 })));
}
