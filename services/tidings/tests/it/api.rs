//! The API, call by call: what it takes, what it answers, what it refuses.

mod accounts;
mod admin;
mod authentication;
mod batch;
mod belongings;
mod bodies;
mod browsers;
mod callbacks;
mod conditional;
mod document;
mod event_log;
mod event_types;
mod events;
mod feed;
mod health;
mod idempotency;
mod isolation;
mod lists;
mod messages;
mod notifications;
mod once;
mod pages;
mod place;
mod plans;
mod problems;
mod rules;
mod rulings;
mod send_attempts;
mod statistics;
mod strict;
mod tenants;
mod timeline;
mod turns;
mod urls;
mod webhook_bulk;
mod webhook_changes;
mod webhook_settings;
mod webhook_trials;
mod webhooks;

use document::resources;
use serde_json::{Value, json};
use testkit::Answer;

const PHONE: &str = "+254700000001";

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
