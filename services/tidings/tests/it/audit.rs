//! The audit log: who changed what, from where, and that nobody can rewrite it unnoticed.

mod command;
mod covered;
mod entries;
mod plans;

use crate::app::{SOON, Tenant};
use serde_json::{Value, json};
use testkit::Api;

const AUDIT: &str = "/v1/audit";
const JSON: (&str, &str) = ("content-type", "application/json");

async fn patch(api: &Api, path: &str, body: Value) -> Value {
    let answer = api.request("PATCH", path, &[JSON], body.to_string()).await;
    answer.expect(200)
}

/// Deletes it, and nothing is said.
async fn delete(api: &Api, path: &str) {
    assert_eq!(api.delete(path).await.status, 204, "DELETE {path}");
}

/// A tenant's entries, newest first.
async fn entries(api: &Api, query: &str) -> Vec<Value> {
    let page = api.get(&format!("{AUDIT}?limit=100{query}")).await;
    page.expect(200)["data"].as_array().unwrap().clone()
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap().to_owned()
}

/// Once an entry has its place in the chain; it.
async fn chained(tenant: &Tenant, action: &str) -> Value {
    let path = format!("{AUDIT}?action={action}");
    let has_place = |found: &Value| found["data"][0]["position"].is_i64();
    let found = tenant.api.get_until(&path, has_place, SOON).await;
    found["data"][0].clone()
}

async fn webhook(tenant: &Tenant) -> Value {
    let body = json!({ "url": "https://a.example/hook", "events": ["*"], "name": "Ward" });
    tenant.api.post("/v1/webhooks", body).await.expect(201)
}
