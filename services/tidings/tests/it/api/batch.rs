//! Many events in one request.

use super::{assert_refused, ids, members, pointers};
use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use testkit::Endpoint;

const BATCH: &str = "/v1/events/batch";
const KEY: &str = "idempotency-key";

fn event(n: usize) -> Value {
    json!({ "type": "job.created", "data": { "n": n } })
}

fn batch(events: impl IntoIterator<Item = Value>) -> Value {
    json!({ "events": events.into_iter().collect::<Vec<_>>() })
}

#[tokio::test]
async fn a_thousand_events_are_accepted_and_told_in_their_order() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["*"]).await;
    let answer = tenant.api.post(BATCH, batch((0..1_000).map(event))).await;
    let said = answer.expect(202);
    assert_eq!(members(&said), ["accepted", "data", "refused"]);
    assert_eq!(
        (&said["accepted"], &said["refused"]),
        (&json!(1_000), &json!(0))
    );
    assert_eq!(members(&said["data"][0]), ["id"]);
    let accepted = ids(&said);
    let hits = endpoint.wait_for(1_000, SOON).await;
    let mut told: Vec<(i64, String, i64)> = hits
        .iter()
        .map(|hit| hit.json())
        .map(|told| {
            let number = |value: &Value| value.as_i64().unwrap();
            let id = told["id"].as_str().unwrap().to_owned();
            (number(&told["sequence"]), id, number(&told["data"]["n"]))
        })
        .collect();
    told.sort_unstable();
    told.dedup();
    let numbers: Vec<i64> = told.iter().map(|(.., n)| *n).collect();
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
    let told: Vec<String> = told.into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(told, accepted);
}

#[tokio::test]
async fn what_is_wrong_with_an_item_is_told_of_it_alone() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let items = [
        (event(0), None),
        (
            json!({ "type": "job.created" }),
            Some(("invalid_request", "/events/1/data")),
        ),
        (
            json!({ "type": "job.lost", "data": {} }),
            Some(("unknown_event_type", "/events/2/type")),
        ),
        (
            json!({ "type": "sms.sent", "data": {} }),
            Some(("reserved_event_type", "/events/3/type")),
        ),
        (json!([]), Some(("invalid_request", "/events/4"))),
        (
            json!({ "type": "job.created", "data": {}, "more": 1 }),
            Some(("invalid_request", "/events/5/more")),
        ),
        (
            json!({ "type": "job.created", "data": [] }),
            Some(("invalid_request", "/events/6/data")),
        ),
        (
            json!({ "type": "job.created", "data": {}, "idempotency_key": "" }),
            Some(("invalid_request", "/events/7/idempotency_key")),
        ),
        (event(8), None),
    ];
    let answer = tenant
        .api
        .post(BATCH, batch(items.iter().map(|(item, _)| item.clone())))
        .await;
    let said = answer.expect(202);
    assert_eq!(
        (&said["accepted"], &said["refused"]),
        (&json!(2), &json!(7))
    );
    for (index, (item, fault)) in items.iter().enumerate() {
        let told = &said["data"][index];
        let Some((code, pointer)) = fault else {
            assert!(told["id"].as_str().unwrap().starts_with("evt_"), "{told}");
            continue;
        };
        let error = &told["error"];
        assert_eq!(error["code"], *code, "{item}: {told}");
        assert_eq!(error["status"], 422);
        assert_eq!(pointers(error), [*pointer], "{item}");
    }
    let page = tenant.api.get("/v1/events").await.expect(200);
    assert_eq!(ids(&page).len(), 2);
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_publishes_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    for (body, pointer) in [
        (json!({ "events": [] }), "/events"),
        (batch((0..1_001).map(event)), "/events"),
        (json!({}), "/events"),
        (json!({ "events": {} }), "/events"),
        (json!({ "events": [event(0)], "more": 1 }), "/more"),
    ] {
        assert_refused(&tenant.api.post(BATCH, body).await, &[pointer]);
    }
    let send = async |body: &str| tenant.api.post_bytes(BATCH, &[], body.to_owned()).await;
    send("{").await.expect_problem(400, "malformed_json");
    let doubled = r#"{"events":[{"type":"job.created","data":{"a":1,"a":2}}]}"#;
    send(doubled).await.expect_problem(400, "malformed_json");
    let large = batch(
        (0..9).map(|_| json!({ "type": "job.created", "data": { "a": "x".repeat(120_000) } })),
    );
    let large = tenant.api.post(BATCH, large).await;
    large.expect_problem(413, "payload_too_large");
    // A key of an item alone is none of an event that is published by itself.
    let single = json!({ "type": "job.created", "data": {}, "idempotency_key": "k" });
    let single = tenant.api.post("/v1/events", single).await;
    assert_refused(&single, &["/idempotency_key"]);
    let page = tenant.api.get("/v1/events").await.expect(200);
    assert_eq!(ids(&page), Vec::<String>::new());
}

#[tokio::test]
async fn an_item_with_a_key_is_published_once_and_a_batch_with_one_is() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let keyed = |key: &str, n: usize| {
        let mut event = event(n);
        event["idempotency_key"] = json!(key);
        event
    };
    let first = tenant
        .api
        .post(BATCH, batch([keyed("a", 1), event(2)]))
        .await;
    let first = first.expect(202);
    // In the same batch and in another, and told apart from other content.
    let again = [keyed("a", 1), keyed("b", 3), keyed("b", 3), keyed("a", 9)];
    let again = tenant.api.post(BATCH, batch(again)).await.expect(202);
    assert_eq!(
        again["data"][0],
        json!({ "id": first["data"][0]["id"], "replayed": true })
    );
    assert_eq!(members(&again["data"][1]), ["id"]);
    assert_eq!(
        again["data"][2],
        json!({ "id": again["data"][1]["id"], "replayed": true })
    );
    assert_eq!(again["data"][3]["error"]["code"], "idempotency_mismatch");
    assert_eq!(
        pointers(&again["data"][3]["error"]),
        ["/events/3/idempotency_key"]
    );
    assert_eq!(
        (&again["accepted"], &again["refused"]),
        (&json!(3), &json!(1))
    );
    let theirs = other
        .api
        .post(BATCH, batch([keyed("a", 1)]))
        .await
        .expect(202);
    assert_eq!(members(&theirs["data"][0]), ["id"]);

    // The whole: byte for byte, refused items and all.
    let whole = batch([
        event(5),
        json!({ "type": "job.lost", "data": {} }),
        keyed("a", 1),
    ]);
    let send = async |body: &Value| {
        tenant
            .api
            .post_with_headers(BATCH, &[(KEY, "w")], body.clone())
            .await
    };
    let first = send(&whole).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let second = send(&whole).await;
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(second.expect(202), first.expect(202));
    send(&batch([event(6)]))
        .await
        .expect_problem(422, "idempotency_mismatch");
    let page = tenant.api.get("/v1/events").await.expect(200);
    assert_eq!(ids(&page).len(), 4);
}
