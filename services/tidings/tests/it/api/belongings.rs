//! Something of everything that a tenant can have.

use super::document::{NOTHING, Operation, resolved};
use super::{PHONE, id, said};
use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use testkit::providers::stub_report;
use testkit::{Answer, Endpoint};

const KEY: &str = "0123456789abcdef";
/// What paths name that has no id of its own, by path and parameter, and what it is.
const NAMED: [(&str, &str, Named); 5] = [
    ("/v1/notifications/{id}", "id", Named::Kind("notification")),
    ("/v1/webhook-templates/", "name", Named::OfAll),
    ("/v1/plans/", "name", Named::Kind("plan")),
    ("/v1/event-types/", "name", Named::Kind("event_type")),
    ("/v1/event-types/", "number", Named::Always("1")),
];

/// What a parameter names.
#[derive(Clone, Copy)]
enum Named {
    /// Something of a tenant.
    Kind(&'static str),
    /// Something that is the same for all tenants.
    OfAll,
    /// A part of something else.
    Always(&'static str),
}

/// What a tenant has, by kind: the prefix of its id, or a word.
#[derive(Default)]
pub(super) struct Belongings(BTreeMap<String, String>);

/// Whether only the operator may ask for this.
pub(super) fn is_for_operator(path: &str) -> bool {
    path.starts_with("/v1/tenants") || path.starts_with("/v1/plans")
}

pub(super) async fn app() -> TestApp {
    TestApp::start_with(&[("TIDINGS_TRACKER__MAX_ATTEMPTS", "1")]).await
}

/// A tenant that has one of everything, in accounts whose names begin with `slug`.
pub(super) async fn of_new_tenant(app: &TestApp, name: &str, slug: &str) -> (Tenant, Belongings) {
    let tenant = app.tenant(name).await;
    let mut has = Belongings::default();
    has.put("ten", &tenant.id);
    has.put("account", slug);
    has.put("notification", &format!("reminder-of-{slug}"));
    let account = tenant.account("stub", slug).await;
    has.add(&account);
    make_plan(app, slug, &mut has).await;
    make_access(&tenant, &mut has).await;
    make_event_type(&tenant, slug, &mut has).await;
    make_deliveries(app, &tenant, slug, &mut has).await;
    make_refusals(app, &tenant, slug, &mut has).await;
    let message = format!("{slug}-2");
    has.add(&dead_letter(app, &tenant, slug, &message).await);
    add_audit_entry(&tenant, &mut has).await;
    (tenant, has)
}

/// A plan, which the operator makes, named after the tenant's accounts.
async fn make_plan(app: &TestApp, slug: &str, has: &mut Belongings) {
    let name = format!("plan-of-{slug}");
    let path = format!("/v1/plans/{name}");
    app.operator.put(&path, json!({})).await.expect(201);
    has.put("plan", &name);
}

/// An event type of its own, named after the tenant's accounts.
async fn make_event_type(tenant: &Tenant, slug: &str, has: &mut Belongings) {
    let name = format!("shop.of_{}", slug.replace('-', "_"));
    let body = json!({
        "name": name, "description": "An order was placed.", "schema": { "type": "object" },
        "example": {},
    });
    tenant.api.post("/v1/event-types", body).await.expect(201);
    has.put("event_type", &name);
}

async fn make_access(tenant: &Tenant, has: &mut Belongings) {
    let key = json!({ "name": "viewer", "role": "viewer" });
    has.add(&tenant.api.post("/v1/keys", key).await.expect(201));
    let member = json!({ "email": "ann@example.com", "role": "viewer" });
    has.add(&tenant.api.post("/v1/members", member).await.expect(201));
}

/// A message that was reported, and the event of it, told and told again.
async fn make_deliveries(app: &TestApp, tenant: &Tenant, slug: &str, has: &mut Belongings) {
    let endpoint = Endpoint::start().await;
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    has.put("sub", &webhook.id);
    let notification = has.at("notification");
    let body = json!({
        "provider_account": slug, "provider_message_id": format!("{slug}-1"), "to": PHONE,
        "notification_id": notification,
    });
    has.add(&tenant.api.post("/v1/messages", body).await.expect(201));
    let callback = report(app, slug, &format!("{slug}-1")).await;
    has.put("cb", &callback);
    tenant.wait_for_state(&has.at("msg"), "delivered").await;
    let orphan = report(app, slug, "nobody's").await;
    let path = format!("/v1/callbacks/{orphan}");
    let is_done = |found: &Value| found["status"] == "processed";
    tenant.api.get_until(&path, is_done, SOON).await;
    has.put("evt", &tenant.publish("job.created", json!({})).await);
    let so_many_told = |all: &[Value], least: usize| {
        all.len() >= least && all.iter().all(|delivery| delivery["state"] == "delivered")
    };
    let all_told = |all: &[Value]| so_many_told(all, 2);
    let told = tenant.wait_for_deliveries(&webhook, all_told).await;
    has.add(&told[0]);
    let replay = json!({ "events": { "ids": [has.at("evt")] } });
    let replay = tenant.api.post("/v1/replays", replay).await.expect(202);
    has.add(&replay);
    let path = format!("/v1/replays/{}", has.at("rpl"));
    let is_done = |found: &Value| found["state"] == "done";
    tenant.api.get_until(&path, is_done, SOON).await;
    let all_told = |all: &[Value]| so_many_told(all, told.len() + 1);
    tenant.wait_for_deliveries(&webhook, all_told).await;
    let test = format!("/v1/webhooks/{}/test", webhook.id);
    tenant.api.post(&test, json!({})).await.expect(200);
}

pub(super) async fn report(app: &TestApp, slug: &str, message: &str) -> String {
    let report = stub_report(message, "DELIVRD", PHONE, None);
    let path = format!("/v1/callbacks/{slug}/reports");
    let json = [("content-type", "application/json")];
    let accepted = app.ingress.post_raw(&path, &json, report).await.expect(200);
    accepted["callback_id"].as_str().unwrap().to_owned()
}

/// What was refused at the door.
async fn make_refusals(app: &TestApp, tenant: &Tenant, slug: &str, has: &mut Belongings) {
    let guarded = format!("{slug}-guarded");
    let check = json!([{ "type": "api_key", "header": "x-key", "key": KEY }]);
    tenant.account_with("stub", &guarded, check).await;
    refused_report(app, &guarded).await;
    for list in ["/v1/quarantine", "/v1/security-events"] {
        let has_one = |found: &Value| !found["data"][0].is_null();
        let found = tenant.api.get_until(list, has_one, SOON).await;
        has.add(&found["data"][0]);
    }
}

/// Sends an account that asks for a key another one.
pub(super) async fn refused_report(app: &TestApp, guarded: &str) {
    let path = format!("/v1/callbacks/{guarded}/reports");
    let wrong = [
        ("content-type", "application/json"),
        ("x-key", "fedcba9876543210"),
    ];
    let report = stub_report("refused", "DELIVRD", PHONE, None);
    app.ingress
        .post_raw(&path, &wrong, report)
        .await
        .expect(401);
}

/// A report that could not be applied: its message's row is one that no release can have written.
pub(super) async fn dead_letter(
    app: &TestApp,
    tenant: &Tenant,
    slug: &str,
    message: &str,
) -> Value {
    let count = |found: &Value| found["data"].as_array().unwrap().len();
    let list = "/v1/dead-letters?limit=100";
    let before = count(&tenant.api.get(list).await.expect(200));
    tenant.message(slug, message, PHONE).await;
    let of_it = format!("provider_message_id = '{message}'");
    let set = |state: u8| format!("update messages set state = {state} where {of_it}");
    assert_eq!(app.change_store(&set(99)).await, 1);
    report(app, slug, message).await;
    let has_one_more = |found: &Value| count(found) > before;
    let found = tenant.api.get_until(list, has_one_more, SOON).await;
    assert_eq!(app.change_store(&set(0)).await, 1);
    found["data"][0].clone()
}

/// The newest entry of the tenant's log, once all of them have their places.
async fn add_audit_entry(tenant: &Tenant, has: &mut Belongings) {
    let all_placed = |found: &Value| {
        let all = found["data"].as_array().unwrap();
        !all.is_empty() && all.iter().all(|entry| entry["hash"].is_string())
    };
    let found = tenant
        .api
        .get_until("/v1/audit?limit=100", all_placed, SOON)
        .await;
    has.add(&found["data"][0]);
}

impl Belongings {
    fn put(&mut self, kind: &str, value: &str) {
        self.0.insert(kind.to_owned(), value.to_owned());
    }

    fn add(&mut self, made: &Value) {
        let id = id(made);
        let kind = id.split_once('_').unwrap().0.to_owned();
        self.put(&kind, &id);
    }

    /// The same of things that nobody has.
    pub(super) fn nothing(like: &Self) -> Self {
        let nothing = |(kind, value): (&String, &String)| {
            let value = match value.strip_prefix(&format!("{kind}_")) {
                Some(_) => format!("{kind}_{NOTHING}"),
                None if kind == "event_type" => "shop.of_nobody".to_owned(),
                None => "nobody".to_owned(),
            };
            (kind.clone(), value)
        };
        Self(like.0.iter().map(nothing).collect())
    }

    pub(super) fn at(&self, kind: &str) -> String {
        let found = self.0.get(kind);
        found
            .unwrap_or_else(|| panic!("nothing here makes a {kind}"))
            .clone()
    }

    /// What may be looked for in answers: a slug is in the other one's.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().filter(|(kind, _)| *kind != "account");
        all.map(|(kind, value)| (kind.as_str(), value.as_str()))
    }

    /// An answer without what it repeats of the request.
    pub(super) fn masked(&self, answer: &Answer) -> String {
        let mut text = said(&answer.body).to_string();
        for value in self.0.values() {
            text = text.replace(value.as_str(), "…");
        }
        text
    }

    /// The path of an operation with what this tenant has; none where it names nothing of a tenant.
    pub(super) fn path(&self, document: &Value, operation: &Operation) -> Option<String> {
        let mut path = operation.path.clone();
        for parameter in operation.parameters() {
            if parameter["in"] != "path" {
                continue;
            }
            let schema = resolved(document, &parameter["schema"]);
            let example = schema["examples"][0].as_str();
            let name = parameter["name"].as_str().unwrap();
            let value = match example.and_then(|example| example.split_once('_')) {
                Some((prefix, _)) => self.at(prefix),
                None => match named(&operation.path, name) {
                    Named::Kind(kind) => self.at(kind),
                    Named::Always(value) => value.to_owned(),
                    Named::OfAll => return None,
                },
            };
            path = path.replace(&format!("{{{name}}}"), &value);
        }
        (path != operation.path).then_some(path)
    }
}

fn named(path: &str, name: &str) -> Named {
    let mut known = NAMED.iter();
    let found = known.find(|(beginning, of, _)| path.starts_with(beginning) && *of == name);
    let (.., named) = found.unwrap_or_else(|| panic!("nothing here makes the {name} of {path}"));
    *named
}
