//! Callbacks as a tenant looks them up.

use super::{PHONE, ids, members};
use crate::app::{SOON, TestApp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::providers::stub_report;

const JSON: (&str, &str) = ("content-type", "application/json");

/// Posts, and waits until it is processed; its id.
async fn post(app: &TestApp, api: &testkit::Api, path: &str, body: String) -> String {
    let accepted = app
        .ingress
        .post_raw(path, &[JSON, ("x-extra", "e")], body)
        .await;
    let id = accepted.expect(200)["callback_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let own = format!("/v1/callbacks/{id}");
    api.get_until(&own, |found| found["status"] == "processed", SOON)
        .await;
    id
}

#[tokio::test]
async fn callbacks_are_listed_newest_first_by_account_kind_status_and_time() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "one").await;
    tenant.account("stub", "two").await;
    let inbound =
        json!({ "messageId": "i-1", "from": PHONE, "to": "+254700000009", "text": "STOP" });
    let report = |id: &str| stub_report(id, "DELIVRD", PHONE, None);
    let a = post(&app, &tenant.api, "/v1/callbacks/one/reports", report("a")).await;
    app.clock.advance(Duration::from_mins(10));
    let between = app.clock.now().to_string();
    app.clock.advance(Duration::from_mins(10));
    let b = post(&app, &tenant.api, "/v1/callbacks/two/reports", report("b")).await;
    let c = post(
        &app,
        &tenant.api,
        "/v1/callbacks/one/inbound",
        inbound.to_string(),
    )
    .await;

    let list = async |query: &str| {
        ids(&tenant
            .api
            .get(&format!("/v1/callbacks?{query}"))
            .await
            .expect(200))
    };
    let (a, b, c) = (a.as_str(), b.as_str(), c.as_str());
    let all = [c, b, a];
    assert_eq!(list("").await, all);
    assert_eq!(list("account=one").await, [c, a]);
    assert_eq!(list("account=two").await, [b]);
    assert_eq!(list("account=three").await, Vec::<String>::new());
    assert_eq!(list("kind=reports").await, [b, a]);
    assert_eq!(list("kind=inbound").await, [c]);
    assert_eq!(list("kind=opt-outs").await, Vec::<String>::new());
    assert_eq!(list("status=processed").await, all);
    assert_eq!(list("status=dead_lettered").await, Vec::<String>::new());
    assert_eq!(list(&format!("after={between}")).await, [c, b]);
    assert_eq!(list(&format!("before={between}")).await, [a]);
    assert_eq!(
        list(&format!("after={between}&before={between}")).await,
        Vec::<String>::new()
    );
    // The same moment in another zone, its plus written as it must be.
    assert_eq!(list("after=2020-01-01T02:00:00%2B02:00").await, all);
    let one_report = format!("account=one&kind=reports&status=processed&before={between}");
    assert_eq!(list(&one_report).await, [a]);

    let page = tenant
        .api
        .get("/v1/callbacks?kind=reports&limit=1")
        .await
        .expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&page), [b]);
    assert_eq!(
        list(&format!("kind=reports&limit=1&cursor={cursor}")).await,
        [a]
    );
    let answer = tenant
        .api
        .get(&format!("/v1/callbacks?kind=inbound&cursor={cursor}"))
        .await;
    answer.expect_problem(400, "invalid_cursor");
}

#[tokio::test]
async fn a_callback_shows_what_came_what_was_answered_and_what_became_of_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    let body = stub_report("m-1", "DELIVRD", PHONE, None);
    let path = "/v1/callbacks/clinic/reports";
    let id = post(&app, &tenant.api, path, body.clone()).await;
    let own = format!("/v1/callbacks/{id}");
    let found = tenant.api.get(&own).await.expect(200);
    assert_eq!(
        members(&found),
        [
            "answer",
            "attempts",
            "body_base64",
            "error",
            "headers",
            "id",
            "kind",
            "processed_at",
            "provider_account",
            "receipts",
            "received_at",
            "reports",
            "signature_checked",
            "source_ip",
            "status"
        ]
    );
    assert_eq!(
        (&found["provider_account"], &found["kind"]),
        (&json!("clinic"), &json!("reports"))
    );
    assert_eq!(
        (&found["source_ip"], &found["status"]),
        (&json!("127.0.0.1"), &json!("processed"))
    );
    assert_eq!(
        (&found["error"], &found["receipts"]),
        (&Value::Null, &json!(1))
    );
    assert_eq!(
        found["signature_checked"], false,
        "an address is no signature"
    );
    assert!(found["processed_at"].as_str() >= found["received_at"].as_str());
    assert_eq!(found["body_base64"], STANDARD.encode(&body));
    assert_eq!(
        found["reports"],
        json!([{ "outcome": "applied", "message_id": message }])
    );
    assert!(found["headers"].to_string().contains("x-extra"), "{found}");
    let list = tenant.api.get("/v1/callbacks").await.expect(200);
    assert_eq!(list["data"], json!([found]));

    // The same again is another receipt of the same callback.
    post(&app, &tenant.api, path, body).await;
    let twice = tenant
        .api
        .get_until(&own, |found| found["receipts"] == 2, SOON)
        .await;
    assert_eq!(twice["id"], id.as_str());
}
