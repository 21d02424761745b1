//! Who may do what: roles and scopes, keys, tokens, members, links into the console, and tenants that stop.

mod console;
mod keys;
mod roles;
mod tenants;
mod tokens;

use crate::app::Tenant;
use serde_json::{Value, json};
use testkit::Api;

/// A key of this role; what the 201 says.
async fn make_key(tenant: &Tenant, role: &str) -> Value {
    let body = json!({ "name": role, "role": role });
    tenant.api.post("/v1/keys", body).await.expect(201)
}

/// The API with a key that was just made.
fn with(tenant: &Tenant, made: &Value) -> Api {
    tenant.api.with_key(made["api_key"].as_str().unwrap())
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap().to_owned()
}

fn key_path(key: &Value) -> String {
    format!("/v1/keys/{}", key["id"].as_str().unwrap())
}

/// Where a 422 says the faults are.
fn faults(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|fault| fault["pointer"].as_str().unwrap())
        .collect()
}
