//! The API, call by call: what it takes, what it answers, what it refuses.

mod accounts;
mod admin;
mod authentication;
mod bodies;
mod callbacks;
mod event_types;
mod events;
mod health;
mod idempotency;
mod lists;
mod messages;
mod notifications;
mod problems;
mod rules;
mod rulings;
mod send_attempts;
mod statistics;
mod tenants;
mod timeline;
mod urls;
mod webhook_settings;
mod webhooks;

use serde_json::{Value, json};
use testkit::Answer;

const PHONE: &str = "+254700000001";

/// Every resource, with an id that nothing has, and the methods it takes.
const RESOURCES: [(&str, &str); 42] = [
    ("/v1/tenants", "POST"),
    ("/v1/provider-accounts", "GET, POST"),
    (
        "/v1/provider-accounts/acc_00000000000000000000000000",
        "GET, PUT, DELETE",
    ),
    (
        "/v1/provider-accounts/acc_00000000000000000000000000/rotate-token",
        "POST",
    ),
    (
        "/v1/provider-accounts/acc_00000000000000000000000000/health",
        "GET",
    ),
    ("/v1/statistics/callbacks", "GET"),
    ("/v1/webhooks", "GET, POST"),
    (
        "/v1/webhooks/sub_00000000000000000000000000",
        "GET, PUT, DELETE",
    ),
    (
        "/v1/webhooks/sub_00000000000000000000000000/deliveries",
        "GET",
    ),
    (
        "/v1/webhooks/sub_00000000000000000000000000/secret/rotate",
        "POST",
    ),
    (
        "/v1/webhooks/sub_00000000000000000000000000/deliveries/retry",
        "POST",
    ),
    (
        "/v1/webhooks/sub_00000000000000000000000000/deliveries/cancel",
        "POST",
    ),
    ("/v1/deliveries/dlv_00000000000000000000000000", "GET"),
    (
        "/v1/deliveries/dlv_00000000000000000000000000/retry",
        "POST",
    ),
    (
        "/v1/deliveries/dlv_00000000000000000000000000/cancel",
        "POST",
    ),
    ("/v1/event-types", "GET, POST"),
    ("/v1/event-types/import", "POST"),
    ("/v1/event-types/job.created", "GET, PATCH"),
    ("/v1/event-types/job.created/versions", "POST"),
    ("/v1/event-types/job.created/versions/1", "GET"),
    ("/v1/webhooks/event-types", "GET"),
    ("/v1/replays", "GET, POST"),
    ("/v1/replays/rpl_00000000000000000000000000", "GET"),
    ("/v1/replays/rpl_00000000000000000000000000/pause", "POST"),
    ("/v1/replays/rpl_00000000000000000000000000/resume", "POST"),
    ("/v1/replays/rpl_00000000000000000000000000/cancel", "POST"),
    ("/v1/events", "GET, POST"),
    ("/v1/events/evt_00000000000000000000000000", "GET"),
    ("/v1/messages", "GET, POST"),
    ("/v1/messages/msg_00000000000000000000000000", "GET"),
    ("/v1/messages/msg_00000000000000000000000000/state", "POST"),
    (
        "/v1/messages/msg_00000000000000000000000000/attempts",
        "POST",
    ),
    ("/v1/notifications/none", "GET"),
    (
        "/v1/messages/msg_00000000000000000000000000/timeline",
        "GET",
    ),
    ("/v1/messages/msg_00000000000000000000000000/poll", "POST"),
    ("/v1/orphans", "GET"),
    ("/v1/callbacks", "GET"),
    ("/v1/security-events", "GET"),
    ("/v1/security-events/sec_00000000000000000000000000", "GET"),
    ("/v1/quarantine", "GET"),
    ("/v1/quarantine/qua_00000000000000000000000000", "GET"),
    (
        "/v1/quarantine/qua_00000000000000000000000000/ingest",
        "POST",
    ),
];

/// The names of an object's members, sorted.
#[track_caller]
fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// Where a problem says the faults are.
#[track_caller]
fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|fault| {
            assert_eq!(members(fault), ["detail", "pointer"]);
            assert_ne!(fault["detail"], "", "{problem}");
            fault["pointer"].as_str().unwrap()
        })
        .collect()
}

/// A 422 with exactly these faults.
#[track_caller]
fn assert_refused(answer: &Answer, at: &[&str]) {
    let problem = answer.expect_problem(422, "invalid_request");
    assert_eq!(pointers(&problem), at, "{answer}");
}

/// A problem without what differs between any two requests.
fn said(problem: &Value) -> Value {
    let mut said = problem.clone();
    said.as_object_mut().unwrap().remove("instance");
    said
}

#[track_caller]
fn id(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

/// The ids on a page.
#[track_caller]
fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(id).collect()
}

/// `depth` objects inside each other.
fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inside, _| json!({ "a": inside }))
}
