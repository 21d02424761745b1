//! Every operation that changes something leaves an entry, or says here why it does not.

use super::*;
use crate::app::TestApp;
use domain::audit::Action;
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{Endpoint, Reply};

const PHONE: &str = "+254700000001";

/// What each operation leaves. The story below does each of them.
const LEAVES: &[(&str, &[&str])] = &[
    ("POST /v1/tenants", &["tenant.created"]),
    ("PATCH /v1/tenants/{id}", &["tenant.updated"]),
    ("DELETE /v1/tenants/{id}", &["tenant.deleted"]),
    ("POST /v1/tenants/{id}/suspend", &["tenant.suspended"]),
    ("POST /v1/tenants/{id}/resume", &["tenant.resumed"]),
    ("PUT /v1/plans/{name}", &["plan.created", "plan.updated"]),
    ("DELETE /v1/plans/{name}", &["plan.deleted"]),
    ("POST /v1/keys", &["key.created"]),
    ("DELETE /v1/keys/{id}", &["key.revoked"]),
    ("POST /v1/members", &["member.created"]),
    ("PATCH /v1/members/{id}", &["member.updated"]),
    ("DELETE /v1/members/{id}", &["member.deleted"]),
    ("POST /v1/console-links", &["console_link.created"]),
    ("POST /v1/console-links/exchange", &["console_link.used"]),
    ("POST /v1/provider-accounts", &["provider_account.created"]),
    (
        "PUT /v1/provider-accounts/{id}",
        &["provider_account.updated"],
    ),
    (
        "DELETE /v1/provider-accounts/{id}",
        &["provider_account.deleted"],
    ),
    (
        "POST /v1/provider-accounts/{id}/rotate-token",
        &["provider_account.token_rotated"],
    ),
    ("POST /v1/webhooks", &["webhook.created"]),
    (
        "POST /v1/webhooks/bulk",
        &[
            "webhook.created",
            "webhook.updated",
            "webhook.enabled",
            "webhook.disabled",
            "webhook.deleted",
        ],
    ),
    ("PUT /v1/webhooks/{id}", &["webhook.updated"]),
    ("PATCH /v1/webhooks/{id}", &["webhook.updated"]),
    ("DELETE /v1/webhooks/{id}", &["webhook.deleted"]),
    ("POST /v1/webhooks/{id}/enable", &["webhook.enabled"]),
    ("POST /v1/webhooks/{id}/disable", &["webhook.disabled"]),
    (
        "POST /v1/webhooks/{id}/secret/rotate",
        &["webhook.secret_rotated"],
    ),
    ("POST /v1/deliveries/{id}/retry", &["delivery.retried"]),
    ("POST /v1/deliveries/{id}/cancel", &["delivery.cancelled"]),
    (
        "POST /v1/webhooks/{id}/deliveries/retry",
        &["deliveries.retried"],
    ),
    (
        "POST /v1/webhooks/{id}/deliveries/cancel",
        &["deliveries.cancelled"],
    ),
    ("POST /v1/event-types", &["event_type.created"]),
    (
        "POST /v1/event-types/import",
        &["event_type.created", "event_type.version_added"],
    ),
    (
        "POST /v1/event-types/{name}/versions",
        &["event_type.version_added"],
    ),
    ("PATCH /v1/event-types/{name}", &["event_type.updated"]),
    ("POST /v1/replays", &["replay.created"]),
    ("POST /v1/replays/{id}/pause", &["replay.paused"]),
    ("POST /v1/replays/{id}/resume", &["replay.resumed"]),
    ("POST /v1/replays/{id}/cancel", &["replay.cancelled"]),
    (
        "POST /v1/messages/{id}/state",
        &["message.state_set", "message.state_forced"],
    ),
    ("POST /v1/quarantine/{id}/ingest", &["quarantine.ingested"]),
    ("POST /v1/dead-letters/requeue", &["dead_letters.requeued"]),
    (
        "POST /v1/dead-letters/{id}/requeue",
        &["dead_letters.requeued"],
    ),
    ("POST /v1/dead-letters/cancel", &["dead_letters.cancelled"]),
    ("POST /v1/dead-letters/purge", &["dead_letters.purged"]),
    ("POST /v1/erasures", &["erasure.begun"]),
];

/// What leaves none, and why.
const LEAVES_NONE: &[(&str, &str)] = &[
    (
        "POST /v1/events",
        "data of the tenant's: it is in the event log",
    ),
    (
        "POST /v1/events/batch",
        "data of the tenant's: it is in the event log",
    ),
    (
        "POST /v1/messages",
        "data of the tenant's: it is in the list of messages",
    ),
    (
        "POST /v1/messages/{id}/attempts",
        "data of the tenant's: it is in the message",
    ),
    (
        "POST /v1/messages/{id}/poll",
        "it asks a question: it is in the timeline",
    ),
    (
        "POST /v1/oauth/token",
        "it lets in whom a key lets in already, as often as they like",
    ),
    ("POST /v1/webhooks/check", "it looks, and changes nothing"),
    (
        "POST /v1/webhooks/{id}/check",
        "it looks, and changes nothing",
    ),
    (
        "POST /v1/webhooks/{id}/test",
        "it is in the list of tests, and changes nothing",
    ),
];

#[test]
fn every_operation_that_may_change_something_is_in_one_list_or_the_other() {
    let document: Value = serde_json::from_str(&subscriptions::document()).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["post", "put", "patch", "delete"] {
            if item[method].is_object() {
                described.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    let leaves = LEAVES.iter().map(|(operation, _)| *operation);
    let leaves_none = LEAVES_NONE.iter().map(|(operation, _)| *operation);
    let listed: Vec<String> = leaves.chain(leaves_none).map(str::to_owned).collect();
    let once: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(once.len(), listed.len(), "each is listed once");
    assert_eq!(once, described);
}

#[test]
fn every_action_is_left_by_an_operation() {
    let left: BTreeSet<&str> = LEAVES
        .iter()
        .flat_map(|(_, actions)| *actions)
        .copied()
        .collect();
    let all: BTreeSet<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    assert_eq!(left, all);
}

/// Does something, and sees that exactly these actions were written down by it.
struct Story<'a> {
    app: &'a TestApp,
    tenant: &'a Tenant,
    seen: usize,
    done: BTreeSet<&'static str>,
}

impl Story<'_> {
    async fn left(&mut self, operation: &'static str, actions: &[&str]) {
        let query = format!("&tenant={}", self.tenant.id);
        let all = entries(&self.app.operator, &query).await;
        let new = &all[..all.len() - self.seen];
        let mut left: Vec<&str> = new
            .iter()
            .map(|it| it["action"].as_str().unwrap())
            .collect();
        left.reverse();
        assert_eq!(left, actions, "{operation}");
        let (_, allowed) = LEAVES.iter().find(|(it, _)| *it == operation).unwrap();
        assert!(actions.iter().all(|it| allowed.contains(it)), "{operation}");
        self.seen = all.len();
        self.done.insert(operation);
    }

    /// Does not look at what its scene needed.
    async fn skip(&mut self) {
        let query = format!("&tenant={}", self.tenant.id);
        self.seen = entries(&self.app.operator, &query).await.len();
    }

    async fn post(&self, path: &str, body: impl std::borrow::Borrow<Value>) -> Value {
        let answer = self.tenant.api.post(path, body).await;
        assert!((200..300).contains(&answer.status), "POST {path}: {answer}");
        answer.body
    }
}

#[tokio::test]
async fn each_operation_leaves_what_it_should() {
    let app = TestApp::start_with(&[("TIDINGS_TRACKER__MAX_ATTEMPTS", "1")]).await;
    let tenant = app.tenant("Clinic").await;
    let mut story = Story {
        app: &app,
        tenant: &tenant,
        seen: 0,
        done: BTreeSet::new(),
    };
    story.left("POST /v1/tenants", &["tenant.created"]).await;
    super::plans::leave_entries(&app.operator).await;
    for operation in ["PUT /v1/plans/{name}", "DELETE /v1/plans/{name}"] {
        story.done.insert(operation);
    }
    access(&mut story).await;
    accounts(&mut story).await;
    webhooks(&mut story).await;
    deliveries(&mut story).await;
    event_types(&mut story).await;
    replays(&mut story).await;
    messages(&mut story).await;
    dead_letters(&mut story).await;
    let path = format!("/v1/tenants/{}", tenant.id);
    patch(&app.operator, &path, json!({ "name": "Hospital" })).await;
    story
        .left("PATCH /v1/tenants/{id}", &["tenant.updated"])
        .await;
    app.operator
        .post(&format!("{path}/suspend"), json!({}))
        .await
        .expect(200);
    story
        .left("POST /v1/tenants/{id}/suspend", &["tenant.suspended"])
        .await;
    app.operator
        .post(&format!("{path}/resume"), json!({}))
        .await
        .expect(200);
    story
        .left("POST /v1/tenants/{id}/resume", &["tenant.resumed"])
        .await;
    let all: BTreeSet<&str> = LEAVES.iter().map(|(operation, _)| *operation).collect();
    story.done.insert("DELETE /v1/tenants/{id}");
    assert_eq!(story.done, all, "the story does every operation");
    // Of a tenant that is deleted the log stays.
    delete(&app.operator, &path).await;
    let chain = app.operator.get_until(
        "/v1/audit/chain?limit=500",
        |found| {
            let all = found["data"].as_array().unwrap();
            all.iter()
                .any(|it| it["action"] == "tenant.deleted" && it["tenant_id"] == tenant.id)
        },
        SOON,
    );
    chain.await;
}

async fn access(story: &mut Story<'_>) {
    let key = story
        .post("/v1/keys", json!({ "name": "ci", "role": "owner" }))
        .await;
    story.left("POST /v1/keys", &["key.created"]).await;
    let path = format!("/v1/keys/{}", text(&key, "id"));
    delete(&story.tenant.api, &path).await;
    // The second time nothing is changed.
    delete(&story.tenant.api, &path).await;
    story.left("DELETE /v1/keys/{id}", &["key.revoked"]).await;
    let ann = json!({ "email": "ann@example.com", "role": "owner", "name": "Ann" });
    let member = story.post("/v1/members", ann).await;
    story.left("POST /v1/members", &["member.created"]).await;
    let path = format!("/v1/members/{}", text(&member, "id"));
    patch(&story.tenant.api, &path, json!({ "name": "Anne" })).await;
    story
        .left("PATCH /v1/members/{id}", &["member.updated"])
        .await;
    let link = story
        .post("/v1/console-links", json!({ "email": "ann@example.com" }))
        .await;
    story
        .left("POST /v1/console-links", &["console_link.created"])
        .await;
    let url = text(&link, "url");
    let (_, carried) = url.split_once("#link=").unwrap();
    let exchange = "/v1/console-links/exchange";
    story.post(exchange, json!({ "token": carried })).await;
    story
        .left("POST /v1/console-links/exchange", &["console_link.used"])
        .await;
    delete(&story.tenant.api, &path).await;
    story
        .left("DELETE /v1/members/{id}", &["member.deleted"])
        .await;
}

async fn accounts(story: &mut Story<'_>) {
    let body = json!({ "provider": "stub", "slug": "ward", "auth": [{ "type": "token" }] });
    let account = story.post("/v1/provider-accounts", body.clone()).await;
    story
        .left("POST /v1/provider-accounts", &["provider_account.created"])
        .await;
    let path = format!("/v1/provider-accounts/{}", text(&account, "id"));
    let mut changed = body;
    changed["environment"] = "sandbox".into();
    story.tenant.api.put(&path, &changed).await.expect(200);
    // The same once more.
    story.tenant.api.put(&path, &changed).await.expect(200);
    story
        .left(
            "PUT /v1/provider-accounts/{id}",
            &["provider_account.updated"],
        )
        .await;
    story.post(&format!("{path}/rotate-token"), json!({})).await;
    let rotated = ["provider_account.token_rotated"];
    story
        .left("POST /v1/provider-accounts/{id}/rotate-token", &rotated)
        .await;
    delete(&story.tenant.api, &path).await;
    story
        .left(
            "DELETE /v1/provider-accounts/{id}",
            &["provider_account.deleted"],
        )
        .await;
}

async fn webhooks(story: &mut Story<'_>) {
    let made = webhook(story.tenant).await;
    story.left("POST /v1/webhooks", &["webhook.created"]).await;
    let path = format!("/v1/webhooks/{}", text(&made, "id"));
    let headers = json!({ "X-Key": "secret-value" });
    let body = json!({ "url": "https://b.example/", "events": ["*"], "headers": headers });
    story.tenant.api.put(&path, &body).await.expect(200);
    story.tenant.api.put(&path, &body).await.expect(200);
    story
        .left("PUT /v1/webhooks/{id}", &["webhook.updated"])
        .await;
    patch(&story.tenant.api, &path, json!({ "name": "Ward 3" })).await;
    patch(&story.tenant.api, &path, json!({ "name": "Ward 3" })).await;
    story
        .left("PATCH /v1/webhooks/{id}", &["webhook.updated"])
        .await;
    for _ in 0..2 {
        story.post(&format!("{path}/disable"), json!({})).await;
    }
    story
        .left("POST /v1/webhooks/{id}/disable", &["webhook.disabled"])
        .await;
    for _ in 0..2 {
        story.post(&format!("{path}/enable"), json!({})).await;
    }
    story
        .left("POST /v1/webhooks/{id}/enable", &["webhook.enabled"])
        .await;
    story
        .post(&format!("{path}/secret/rotate"), json!({}))
        .await;
    story
        .left(
            "POST /v1/webhooks/{id}/secret/rotate",
            &["webhook.secret_rotated"],
        )
        .await;
    delete(&story.tenant.api, &path).await;
    story
        .left("DELETE /v1/webhooks/{id}", &["webhook.deleted"])
        .await;

    let bulk = "/v1/webhooks/bulk";
    let new = json!([
        { "url": "https://c.example/", "events": ["*"] },
        { "url": "http://10.0.0.1/", "events": ["*"] },
    ]);
    let create = |dry_run: bool| json!({ "action": "create", "webhooks": new, "dry_run": dry_run });
    story.post(bulk, create(true)).await;
    let made = story.post(bulk, create(false)).await;
    let ids = json!([made["data"][0]["id"], "sub_01h455vb4pex5vsknk084sn02q"]);
    let update = json!({ "action": "update", "ids": ids, "patch": { "name": "x" } });
    story.post(bulk, update).await;
    for action in ["disable", "enable", "enable", "delete"] {
        let change = |dry_run: bool| json!({ "action": action, "ids": ids, "dry_run": dry_run });
        story.post(bulk, change(true)).await;
        story.post(bulk, change(false)).await;
    }
    let left = ["created", "updated", "disabled", "enabled", "deleted"];
    let left = left.map(|action| format!("webhook.{action}"));
    let left: Vec<&str> = left.iter().map(String::as_str).collect();
    story.left("POST /v1/webhooks/bulk", &left).await;
}

async fn deliveries(story: &mut Story<'_>) {
    let broken = Endpoint::start().await;
    broken.answer_with([Reply::Status(500)]);
    let owed = story.tenant.webhook(&broken, &["job.completed"]).await;
    story.tenant.publish("job.completed", json!({})).await;
    let tried = story.tenant.wait_for_attempts(&owed, 1).await;
    story.skip().await;
    let path = format!("/v1/deliveries/{}", text(&tried[0], "id"));
    for _ in 0..2 {
        story.post(&format!("{path}/cancel"), json!({})).await;
    }
    story
        .left("POST /v1/deliveries/{id}/cancel", &["delivery.cancelled"])
        .await;
    story.post(&format!("{path}/retry"), json!({})).await;
    story
        .left("POST /v1/deliveries/{id}/retry", &["delivery.retried"])
        .await;
    let path = format!("/v1/webhooks/{}/deliveries", owed.id);
    for (action, operation, left) in [
        (
            "cancel",
            "POST /v1/webhooks/{id}/deliveries/cancel",
            "deliveries.cancelled",
        ),
        (
            "retry",
            "POST /v1/webhooks/{id}/deliveries/retry",
            "deliveries.retried",
        ),
    ] {
        for dry_run in [true, false] {
            let body = json!({ "state": "pending", "dry_run": dry_run });
            story.post(&format!("{path}/{action}"), body).await;
        }
        story.left(operation, &[left]).await;
    }
}

async fn event_types(story: &mut Story<'_>) {
    let schema =
        |name: &str| json!({ "type": "object", "properties": { name: { "type": "integer" } } });
    let kind = |name: &str| json!({ "name": name, "schema": schema("a"), "example": { "a": 1 } });
    story.post("/v1/event-types", kind("shop.opened")).await;
    story
        .left("POST /v1/event-types", &["event_type.created"])
        .await;
    let path = "/v1/event-types/shop.opened";
    let mut next = json!({ "schema": schema("a"), "example": { "a": 1 } });
    next["schema"]["properties"]["b"] = json!({ "type": "string" });
    story.post(&format!("{path}/versions"), next).await;
    let operation = "POST /v1/event-types/{name}/versions";
    story.left(operation, &["event_type.version_added"]).await;
    for _ in 0..2 {
        patch(&story.tenant.api, path, json!({ "deprecated": true })).await;
    }
    let operation = "PATCH /v1/event-types/{name}";
    story.left(operation, &["event_type.updated"]).await;
    for dry_run in [true, false] {
        let all = json!({ "types": [kind("shop.closed")], "dry_run": dry_run });
        story.post("/v1/event-types/import", all).await;
    }
    let operation = "POST /v1/event-types/import";
    story.left(operation, &["event_type.created"]).await;
}

async fn replays(story: &mut Story<'_>) {
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(story.tenant.publish("job.created", json!({})).await);
    }
    let body =
        |dry_run: bool| json!({ "events": { "ids": ids }, "per_second": 1, "dry_run": dry_run });
    story.post("/v1/replays", body(true)).await;
    let begun = story.post("/v1/replays", body(false)).await;
    story.left("POST /v1/replays", &["replay.created"]).await;
    let path = format!("/v1/replays/{}", text(&begun, "id"));
    for (wish, operation, left) in [
        ("pause", "POST /v1/replays/{id}/pause", "replay.paused"),
        ("resume", "POST /v1/replays/{id}/resume", "replay.resumed"),
        ("cancel", "POST /v1/replays/{id}/cancel", "replay.cancelled"),
    ] {
        for _ in 0..2 {
            story.post(&format!("{path}/{wish}"), json!({})).await;
        }
        story.left(operation, &[left]).await;
    }
}

async fn messages(story: &mut Story<'_>) {
    let tenant = story.tenant;
    let key = |key: &str| json!([{ "type": "api_key", "header": "x-key", "key": key }]);
    let wrong = key("0123456789abcdef");
    let account = tenant.account_with("stub", "door", wrong).await;
    let message = tenant.message("door", "m-1", PHONE).await;
    story.skip().await;
    let path = format!("/v1/messages/{message}/state");
    let ruling = json!({ "state": "delivered", "reason": "she says so" });
    story.post(&path, ruling).await;
    let lost = json!({ "state": "failed", "reason": "no", "force": false });
    tenant.api.post(&path, lost).await;
    let forced = json!({ "state": "expired", "reason": "really", "force": true });
    story.post(&path, forced).await;
    let query = format!("&tenant={}", tenant.id);
    let all = entries(&story.app.operator, &query).await;
    let new: Vec<&Value> = all[..all.len() - story.seen].iter().collect();
    assert_eq!(new[0]["action"], "message.state_forced", "{new:?}");
    assert_eq!(new[0]["after"]["state"], "expired");
    assert!(
        new[1..]
            .iter()
            .all(|it| it["action"] == "message.state_set")
    );
    story.skip().await;
    story.done.insert("POST /v1/messages/{id}/state");

    let headers = [JSON, ("x-key", "fedcba9876543210")];
    let body = stub_report("m-1", "DELIVRD", PHONE, None);
    let reports = "/v1/callbacks/door/reports";
    story
        .app
        .ingress
        .post_raw(reports, &headers, body)
        .await
        .expect(401);
    let one = |found: &Value| found["data"].as_array().unwrap().len() == 1;
    let kept = tenant.api.get_until("/v1/quarantine", one, SOON).await;
    let path = format!("/v1/provider-accounts/{}", text(&account, "id"));
    let mended = json!({ "provider": "stub", "slug": "door", "auth": key("fedcba9876543210") });
    tenant.api.put(&path, mended).await.expect(200);
    story.skip().await;
    let path = format!("/v1/quarantine/{}/ingest", text(&kept["data"][0], "id"));
    story.post(&path, json!({})).await;
    story
        .left("POST /v1/quarantine/{id}/ingest", &["quarantine.ingested"])
        .await;
    story.post("/v1/erasures", json!({ "phone": PHONE })).await;
    story.left("POST /v1/erasures", &["erasure.begun"]).await;
}

async fn dead_letters(story: &mut Story<'_>) {
    let tenant = story.tenant;
    tenant.account("stub", "clinic").await;
    for number in 0..5 {
        tenant
            .message("clinic", &format!("d-{number}"), "+254700000002")
            .await;
    }
    story
        .app
        .change_store("update messages set state = 99")
        .await;
    for number in 0..5 {
        let report = stub_report(&format!("d-{number}"), "DELIVRD", "+254700000002", None);
        let body: Value = serde_json::from_str(&report).unwrap();
        let reports = "/v1/callbacks/clinic/reports";
        story.app.ingress.post_json(reports, body).await.expect(200);
    }
    let five = |found: &Value| found["data"].as_array().unwrap().len() == 5;
    let found = tenant
        .api
        .get_until("/v1/dead-letters", five, Duration::from_secs(20))
        .await;
    story.skip().await;
    let id = text(&found["data"][0], "id");
    let slow = json!({ "filter": { "kind": "callback.v1" }, "per_second": 1, "dry_run": true });
    story.post("/v1/dead-letters/requeue", slow).await;
    story
        .post(&format!("/v1/dead-letters/{id}/requeue"), json!({}))
        .await;
    story
        .left(
            "POST /v1/dead-letters/{id}/requeue",
            &["dead_letters.requeued"],
        )
        .await;
    let all = json!({ "filter": {} });
    // Slow enough that some are left to be taken back.
    let one_by_one = json!({ "filter": {}, "per_second": 1 });
    story.post("/v1/dead-letters/requeue", &one_by_one).await;
    story
        .left("POST /v1/dead-letters/requeue", &["dead_letters.requeued"])
        .await;
    story.post("/v1/dead-letters/cancel", &all).await;
    story
        .left("POST /v1/dead-letters/cancel", &["dead_letters.cancelled"])
        .await;
    // What was on its way before the rest was taken back comes to the same end.
    let any = |found: &Value| !found["data"].as_array().unwrap().is_empty();
    let dead_letters = tenant.api.get_until("/v1/dead-letters", any, SOON);
    dead_letters.await;
    story.post("/v1/dead-letters/purge", &all).await;
    story
        .left("POST /v1/dead-letters/purge", &["dead_letters.purged"])
        .await;
}
