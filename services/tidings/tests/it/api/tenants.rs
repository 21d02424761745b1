//! Tenants, and the platform that the operator acts for.

use super::{PHONE, assert_refused, id, ids, members};
use crate::app::{SOON, TestApp};
use serde_json::json;
use testkit::providers::stub_report;
use testkit::{ADMIN_KEY, Api, Endpoint};

#[tokio::test]
async fn a_tenant_is_made_with_a_key_that_is_shown_once_and_works_at_once() {
    let app = TestApp::start().await;
    let body = json!({ "name": "Clinic", "plan": "standard" });
    let made = app.operator.post("/v1/tenants", &body).await.expect(201);
    assert_eq!(members(&made), ["api_key", "id", "name", "plan"]);
    assert!(id(&made).starts_with("ten_"), "{made}");
    assert_eq!(made["name"], "Clinic");
    let again = app
        .operator
        .post("/v1/tenants", json!({ "name": "Clinic" }))
        .await
        .expect(201);
    assert_eq!(again["plan"], "standard");
    assert_ne!(again["id"], made["id"], "a name is no identity");
    let key = made["api_key"].as_str().unwrap();
    assert!(
        key.starts_with("tk_live_") && key.len() >= 8 + 22,
        "at least 128 bits: {key}"
    );
    assert_ne!(again["api_key"], made["api_key"]);
    let tenant = Api::new(app.operator.base_url(), key);
    tenant.get("/v1/events").await.expect(200);

    // Only its hash is kept.
    for entry in std::fs::read_dir(app.data_dir().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // The journal of an ingress, which has nothing of the API.
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let holds = |text: &str| {
            bytes
                .windows(text.len())
                .any(|here| here == text.as_bytes())
        };
        assert!(!holds(key), "{} holds the key", path.display());
        assert!(!holds(ADMIN_KEY), "{} holds the admin key", path.display());
    }
}

#[tokio::test]
async fn a_tenant_needs_a_name_and_a_plan_that_exists() {
    let app = TestApp::start().await;
    for (body, at) in [
        (json!({}), "/name"),
        (json!({ "name": null }), "/name"),
        (json!({ "name": 7 }), "/name"),
        (json!({ "name": "" }), "/name"),
        (json!({ "name": "x".repeat(129) }), "/name"),
        (json!({ "name": "a\u{7}b" }), "/name"),
        (json!({ "name": "Clinic", "plan": "gold" }), "/plan"),
        (json!({ "name": "Clinic", "plan": "" }), "/plan"),
        (json!({ "name": "Clinic", "id": "ten_1" }), "/id"),
    ] {
        assert_refused(&app.operator.post("/v1/tenants", body).await, &[at]);
    }
    let answer = app
        .operator
        .post("/v1/tenants", json!({ "name": "", "plan": "gold" }))
        .await;
    assert_refused(&answer, &["/name", "/plan"]);
}

#[tokio::test]
async fn the_operator_acts_for_the_platform_and_reads_any_tenants_callbacks() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let hook = json!({ "url": endpoint.url("/"), "events": ["system.alert"] });
    let own = id(&app.operator.post("/v1/webhooks", hook).await.expect(201));
    let listed = app.operator.get("/v1/webhooks").await.expect(200);
    assert_eq!(ids(&listed), [own.as_str()]);
    let path = format!("/v1/webhooks/{own}");
    tenant.api.get(&path).await.expect_problem(404, "not_found");
    let event = json!({ "type": "system.alert", "data": {} });
    let event = id(&app.operator.post("/v1/events", event).await.expect(202));
    assert_eq!(endpoint.wait_for(1, SOON).await[0].webhook_id(), event);

    tenant.account("stub", "clinic").await;
    let report = stub_report("m-1", "DELIVRD", PHONE, None);
    let headers = [("content-type", "application/json")];
    let accepted = app
        .ingress
        .post_raw("/v1/callbacks/clinic/reports", &headers, report)
        .await;
    let callback = accepted.expect(200)["callback_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/callbacks/{callback}?tenant={}", tenant.id);
    let found = app
        .operator
        .get_until(&path, |found| found["status"] == "processed", SOON)
        .await;
    let own = tenant
        .api
        .get(&format!("/v1/callbacks/{callback}"))
        .await
        .expect(200);
    assert_eq!(found, own);
    let path = format!("/v1/callbacks?tenant={}", tenant.id);
    assert_eq!(
        ids(&app.operator.get(&path).await.expect(200)),
        [callback.as_str()]
    );
    // Without naming the tenant the operator sees the platform's own.
    let page = app.operator.get("/v1/callbacks").await.expect(200);
    assert_eq!(page["data"], json!([]));
    let path = format!("/v1/callbacks/{callback}");
    app.operator
        .get(&path)
        .await
        .expect_problem(404, "not_found");
}
