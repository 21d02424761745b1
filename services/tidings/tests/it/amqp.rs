//! Events that are published over RabbitMQ. Embedded, there is no such door.

use crate::app::{SOON, Tenant, TestApp};
use futures_util::StreamExt as _;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::Endpoint;
use tokio::time::timeout;

const BODY: &str = r#"{"type":"job.created","data":{"n":1.00}}"#;

/// A platform that publishes.
struct Platform {
    channel: Channel,
    namespace: String,
    /// Where it has its answers.
    queue: ShortString,
    answers: Consumer,
    _connection: Connection,
}

/// What was answered.
struct Told {
    status: u32,
    correlation_id: Option<String>,
    body: Value,
}

impl Platform {
    async fn connect(app: &TestApp) -> Option<Self> {
        let (url, namespace) = app.amqp()?;
        let connection = Connection::connect(url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .unwrap();
        let own = QueueDeclareOptions::exclusive();
        let queue = channel.queue_declare("".into(), own, FieldTable::default());
        let queue = queue.await.unwrap().name().clone();
        let options = BasicConsumeOptions {
            no_ack: true,
            ..BasicConsumeOptions::default()
        };
        let answers = channel
            .basic_consume(queue.clone(), "".into(), options, FieldTable::default())
            .await
            .unwrap();
        Some(Self {
            channel,
            namespace: namespace.to_owned(),
            queue,
            answers,
            _connection: connection,
        })
    }

    /// Properties of a message with a key, whose answer is wanted.
    fn with(&self, key: &str) -> BasicProperties {
        let mut headers = FieldTable::default();
        let key = format!("Bearer {key}");
        headers.insert("authorization".into(), AMQPValue::LongString(key.into()));
        BasicProperties::default()
            .with_content_type("application/json".into())
            .with_headers(headers)
            .with_reply_to(self.queue.clone())
    }

    async fn publish(&self, properties: BasicProperties, body: &[u8]) {
        let exchange = format!("{}.publish", self.namespace);
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        self.channel
            .basic_publish(
                exchange.into(),
                "anything".into(),
                options,
                body,
                properties,
            )
            .await
            .unwrap()
            .await
            .unwrap();
    }

    async fn told(&mut self) -> Told {
        let answer = timeout(SOON, self.answers.next()).await.unwrap();
        let answer = answer.unwrap().unwrap();
        let properties = &answer.properties;
        let headers = properties.headers().as_ref().unwrap().inner();
        let AMQPValue::LongUInt(status) = headers.get("status").unwrap() else {
            panic!("{headers:?}")
        };
        Told {
            status: *status,
            correlation_id: properties
                .correlation_id()
                .as_ref()
                .map(|id| id.as_str().to_owned()),
            body: serde_json::from_slice(&answer.data).unwrap(),
        }
    }
}

async fn letters(tenant: &Tenant, wanted: usize) -> Vec<Value> {
    let so_many = |found: &Value| found["data"].as_array().unwrap().len() == wanted;
    let found = tenant
        .api
        .get_until("/v1/dead-letters", so_many, SOON)
        .await;
    found["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_is_published_over_rabbitmq_is_told_as_what_is_published_over_http() {
    let app = TestApp::start().await;
    let Some(mut platform) = Platform::connect(&app).await else {
        return;
    };
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["*"]).await;
    let properties = platform.with(&tenant.key);
    platform
        .publish(
            properties.with_correlation_id("c-1".into()),
            BODY.as_bytes(),
        )
        .await;
    let told = platform.told().await;
    assert_eq!(
        (told.status, told.correlation_id.as_deref()),
        (202, Some("c-1"))
    );
    let id = told.body["id"].as_str().unwrap();
    let hit = endpoint.wait_for(1, SOON).await.remove(0).json();
    assert_eq!((&hit["id"], &hit["source"]), (&json!(id), &json!("amqp")));
    let shown = tenant.api.get(&format!("/v1/events/{id}")).await;
    assert!(shown.text.contains(r#""data":{"n":1.00}"#), "{shown}");
    let metrics = app.admin.get("/metrics").await.text;
    for line in [
        r#"tidings_events_total{source="amqp"} 1"#,
        r#"tidings_amqp_messages_total{outcome="accepted"} 1"#,
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[tokio::test]
async fn a_message_id_is_an_idempotency_key_the_same_as_over_http() {
    let app = TestApp::start().await;
    let Some(mut platform) = Platform::connect(&app).await else {
        return;
    };
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let with = |tenant: &Tenant, key: &str| platform.with(&tenant.key).with_message_id(key.into());
    let (first, theirs) = (with(&tenant, "7"), with(&other, "7"));
    platform.publish(first.clone(), BODY.as_bytes()).await;
    let made = platform.told().await;
    assert_eq!(
        (made.status, made.correlation_id.as_deref()),
        (202, Some("7"))
    );
    platform.publish(first.clone(), BODY.as_bytes()).await;
    assert_eq!(platform.told().await.body, made.body);
    let http = tenant
        .api
        .post_bytes("/v1/events", &[("idempotency-key", "7")], BODY)
        .await;
    assert_eq!(http.header("idempotency-replayed"), Some("true"));
    assert_eq!(http.expect(202), made.body);
    platform
        .publish(first, b"{\"type\":\"job.failed\",\"data\":{}}")
        .await;
    let refused = platform.told().await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.body["code"], "idempotency_mismatch");
    platform.publish(theirs, BODY.as_bytes()).await;
    assert_ne!(platform.told().await.body, made.body);
    for (tenant, number) in [(&tenant, 1), (&other, 1)] {
        let page = tenant.api.get("/v1/events").await.expect(200);
        assert_eq!(page["data"].as_array().unwrap().len(), number);
    }
    assert_eq!(letters(&tenant, 1).await[0]["queue"], "publish.v1");
}

#[tokio::test]
async fn what_is_refused_is_answered_and_kept_with_its_reason_and_the_others_are_published() {
    let app = TestApp::start().await;
    let Some(mut platform) = Platform::connect(&app).await else {
        return;
    };
    let tenant = app.tenant("Clinic").await;
    let till = json!({ "type": "object", "properties": { "till": { "type": "integer" } } });
    let own = json!({ "name": "shop.opened", "schema": till, "example": { "till": 1 } });
    tenant.api.post("/v1/event-types", own).await.expect(201);
    let base = platform.with(&tenant.key);
    let known = || base.clone();
    let nobody = platform.with("tk_live_nobody");
    let anonymous = BasicProperties::default().with_reply_to(platform.queue.clone());
    let large = format!(
        r#"{{"type":"job.created","data":{{"a":"{}"}}}}"#,
        "x".repeat(1024 * 1024)
    );
    let cases: Vec<(BasicProperties, &[u8], u32, &str)> = vec![
        (known(), b"{", 400, "malformed_json"),
        (known(), b"\xff\xfe", 400, "malformed_json"),
        (
            known(),
            br#"{"type":"job.created","data":{"a":1,"a":2}}"#,
            400,
            "malformed_json",
        ),
        (
            known(),
            br#"{"type":"job.created"}"#,
            422,
            "invalid_request",
        ),
        (
            known(),
            br#"{"type":"job.created","data":{},"idempotency_key":"k"}"#,
            422,
            "invalid_request",
        ),
        (
            known(),
            br#"{"type":"job.lost","data":{}}"#,
            422,
            "unknown_event_type",
        ),
        (
            known(),
            br#"{"type":"sms.sent","data":{}}"#,
            422,
            "reserved_event_type",
        ),
        (
            known(),
            br#"{"type":"shop.opened","data":{"till":"one"}}"#,
            422,
            "invalid_request",
        ),
        (known(), large.as_bytes(), 413, "payload_too_large"),
        (
            known().with_message_id("".into()),
            BODY.as_bytes(),
            422,
            "invalid_request",
        ),
        (
            known().with_content_encoding("gzip".into()),
            BODY.as_bytes(),
            415,
            "unsupported_media_type",
        ),
        (
            known().with_content_type("text/plain".into()),
            BODY.as_bytes(),
            415,
            "unsupported_media_type",
        ),
        (nobody, BODY.as_bytes(), 401, "unauthorized"),
        (anonymous, BODY.as_bytes(), 401, "unauthorized"),
    ];
    for (properties, body, status, code) in &cases {
        platform.publish(properties.clone(), body).await;
        let told = platform.told().await;
        assert_eq!((told.status, &told.body["code"]), (*status, &json!(code)));
    }
    // Nobody is made to write into a queue that is not his.
    let callbacks = format!("{}.callbacks.v1", platform.namespace);
    let elsewhere = known().with_reply_to(callbacks.into());
    platform.publish(elsewhere, BODY.as_bytes()).await;
    platform.publish(known(), BODY.as_bytes()).await;
    assert_eq!(platform.told().await.status, 202);

    let found = letters(&tenant, 13).await;
    let mut expected: Vec<&str> = cases[..12].iter().map(|(.., code)| *code).collect();
    expected.push("invalid_request");
    let mut reasons: Vec<&str> = found
        .iter()
        .map(|letter| {
            letter["reason"]
                .as_str()
                .unwrap()
                .split(':')
                .next()
                .unwrap()
        })
        .collect();
    expected.sort_unstable();
    reasons.sort_unstable();
    assert_eq!(reasons, expected);
    assert!(found.iter().all(|letter| letter["kind"] == "publish.v1"));
    let operators = app.operator.get_until(
        "/v1/dead-letters",
        |found| found["data"].as_array().unwrap().len() == 2,
        SOON,
    );
    for letter in operators.await["data"].as_array().unwrap() {
        assert!(
            letter["reason"]
                .as_str()
                .unwrap()
                .starts_with("unauthorized")
        );
    }
    let page = tenant.api.get("/v1/events").await.expect(200);
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    for digits in [tenant.key.as_str(), "tk_live_nobody"] {
        assert!(!app.store_holds(digits).await, "a key is at rest");
    }
}

#[tokio::test]
async fn an_event_more_than_the_plan_allows_is_refused_here_too_and_counts_with_the_others() {
    let app = TestApp::start().await;
    let Some(mut platform) = Platform::connect(&app).await else {
        return;
    };
    let limits = json!({ "events_per_day": 3 });
    let plan = app.operator.put("/v1/plans/small", limits).await;
    plan.expect(201);
    let made = json!({ "name": "Clinic", "plan": "small" });
    let made = app.operator.post("/v1/tenants", made).await.expect(201);
    let key = made["api_key"].as_str().unwrap().to_owned();
    let tenant = Tenant {
        id: made["id"].as_str().unwrap().to_owned(),
        api: app.operator.with_key(&key),
        key,
    };
    tenant.publish("job.created", json!({})).await;
    let properties = platform.with(&tenant.key);
    let again = properties.clone().with_message_id("7".into());
    for (properties, status) in [
        (again.clone(), 202),
        (again, 202),
        (properties.clone(), 202),
        (properties, 429),
    ] {
        platform.publish(properties, BODY.as_bytes()).await;
        let told = platform.told().await;
        assert_eq!(told.status, status, "{}", told.body);
        if status == 429 {
            assert_eq!(told.body["code"], "quota_exceeded");
            assert_eq!(
                (&told.body["used"], &told.body["allowed"]),
                (&json!(3), &json!(3))
            );
        }
    }
    let letter = letters(&tenant, 1).await.remove(0);
    let reason = letter["reason"].as_str().unwrap();
    assert!(reason.starts_with("quota_exceeded"), "{reason}");
    // The next day there is room for it.
    app.clock.advance(Duration::from_hours(24));
    let id = letter["id"].as_str().unwrap();
    let path = format!("/v1/dead-letters/{id}/requeue");
    let requeued = tenant.api.post(&path, json!({})).await;
    assert!(requeued.status < 300, "{requeued}");
    assert_eq!(platform.told().await.status, 202);
    let used = tenant.api.get("/v1/tenant").await.expect(200);
    assert_eq!(used["limits"]["events_per_day"]["used"], 1);
}

#[tokio::test]
async fn what_was_refused_can_be_published_again_and_headers_of_ours_mean_nothing() {
    let app = TestApp::start().await;
    let Some(mut platform) = Platform::connect(&app).await else {
        return;
    };
    let tenant = app.tenant("Clinic").await;
    let mut properties = platform.with(&tenant.key);
    let mut headers = properties.headers().clone().unwrap();
    headers.insert("x-tidings-attempts".into(), AMQPValue::LongLongInt(99));
    properties = properties.with_headers(headers);
    platform.publish(properties, BODY.as_bytes()).await;
    assert_eq!(
        platform.told().await.status,
        202,
        "attempts that others claim count nothing"
    );

    let forged = json!({ "job": "publish.v1", "content": { "key_hash": "00".repeat(32) } });
    let anonymous = BasicProperties::default().with_reply_to(platform.queue.clone());
    platform
        .publish(anonymous, forged.to_string().as_bytes())
        .await;
    assert_eq!(platform.told().await.status, 401);

    let odd = platform.with(&tenant.key).with_message_id("k".into());
    platform
        .publish(odd, br#"{"type":"job.lost","data":{}}"#)
        .await;
    assert_eq!(platform.told().await.status, 422);
    letters(&tenant, 1).await;
    let all = json!({ "filter": { "queue": "publish.v1" } });
    let requeued = tenant.api.post("/v1/dead-letters/requeue", all).await;
    assert!(matches!(requeued.status, 200 | 202), "{requeued}");
    // It is judged again, as the same tenant's, and answered again.
    let told = platform.told().await;
    assert_eq!(
        (told.status, &told.body["code"]),
        (422, &json!("unknown_event_type"))
    );
}

#[tokio::test]
async fn what_is_published_while_the_process_is_away_is_there_when_it_comes_back() {
    let mut app = TestApp::start().await;
    let Some(platform) = Platform::connect(&app).await else {
        return;
    };
    let tenant = app.tenant("Clinic").await;
    for number in 0..150 {
        let properties = platform
            .with(&tenant.key)
            .with_message_id(format!("m-{number}").into());
        platform.publish(properties, BODY.as_bytes()).await;
        if number == 40 {
            app.restart().await;
        }
    }
    let tenant = app.again(&tenant);
    let until = std::time::Instant::now() + SOON;
    let mut seen = std::collections::BTreeSet::new();
    let mut cursor = "start".to_owned();
    while seen.len() < 150 {
        assert!(std::time::Instant::now() < until, "{}", seen.len());
        let page = tenant
            .api
            .get(&format!("/v1/events?after={cursor}&wait=2"))
            .await
            .expect(200);
        for event in page["data"].as_array().unwrap() {
            assert!(
                seen.insert(event["id"].as_str().unwrap().to_owned()),
                "twice: {event}"
            );
        }
        cursor = page["next_cursor"].as_str().unwrap().to_owned();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let page = tenant
        .api
        .get(&format!("/v1/events?after={cursor}"))
        .await
        .expect(200);
    assert!(page["data"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_message_that_the_store_cannot_take_holds_up_no_other() {
    let app = TestApp::start().await;
    let Some(mut platform) = Platform::connect(&app).await else {
        return;
    };
    let tenant = app.tenant("Clinic").await;
    let check = "alter table events add constraint sound check (source <> 'poison')";
    app.change_store(check).await;
    let poison: &[u8] = br#"{"type":"job.created","data":{},"source":"poison"}"#;
    for number in 0..9 {
        let body = if number == 4 { poison } else { BODY.as_bytes() };
        platform.publish(platform.with(&tenant.key), body).await;
    }
    for _ in 0..8 {
        assert_eq!(platform.told().await.status, 202);
    }
    let page = tenant.api.get("/v1/events").await.expect(200);
    assert_eq!(page["data"].as_array().unwrap().len(), 8);
    let is_given_up = |found: &Value| found["data"].as_array().unwrap().len() == 1;
    let found = tenant
        .api
        .get_until("/v1/dead-letters", is_given_up, 6 * SOON);
    let letter = found.await["data"][0].clone();
    assert_eq!(
        (&letter["queue"], &letter["attempts"]),
        (&json!("publish.v1"), &json!(5))
    );
}

#[tokio::test]
async fn a_key_publishes_as_long_as_it_may_and_no_other_does() {
    let app = TestApp::start().await;
    let Some(mut platform) = Platform::connect(&app).await else {
        return;
    };
    let tenant = app.tenant("Clinic").await;
    let make = async |role: &str| {
        let body = json!({ "name": role, "role": role });
        let made = tenant.api.post("/v1/keys", body).await.expect(201);
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        (text("id"), text("api_key"))
    };
    let (publisher, viewer) = (make("publisher").await, make("viewer").await);
    platform
        .publish(platform.with(&publisher.1), BODY.as_bytes())
        .await;
    assert_eq!(platform.told().await.status, 202);
    platform
        .publish(platform.with(&viewer.1), BODY.as_bytes())
        .await;
    let told = platform.told().await;
    assert_eq!(
        (told.status, &told.body["code"]),
        (403, &json!("forbidden"))
    );
    let path = format!("/v1/keys/{}", publisher.0);
    tenant.api.delete(&path).await;
    platform
        .publish(platform.with(&publisher.1), BODY.as_bytes())
        .await;
    assert_eq!(platform.told().await.status, 401);
    let suspend = format!("/v1/tenants/{}/suspend", tenant.id);
    app.operator.post(&suspend, json!({})).await;
    platform
        .publish(platform.with(&tenant.key), BODY.as_bytes())
        .await;
    assert_eq!(platform.told().await.status, 403);
}
