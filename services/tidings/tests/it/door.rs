//! The door for providers: who gets in, what is refused, and how.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accepted;
mod account;
mod address;
mod alias;
mod caller;
mod content;
mod counted;
mod crowd;
mod framing;
mod limit;
mod odd;
mod quarantine;
mod refused;
mod secrecy;
mod signed;
mod size;
mod speech;
mod watched;

use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::Answer;
use testkit::providers::stub_report;

const PHONE: &str = "+254700000001";
const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
/// Of an account `clinic` without a token.
const CLINIC: &str = "/v1/callbacks/clinic/reports";

/// A tenant with a stub account `clinic` that believes everybody on this machine.
async fn clinic(app: &TestApp) -> Tenant {
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    tenant
}

/// What a check that believes everybody on this machine looks like.
fn from_here() -> Value {
    json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }])
}

/// A report that a message was delivered.
fn delivered(id: &str) -> String {
    stub_report(id, "DELIVRD", PHONE, None)
}

/// Posts a report to a path, and expects it to be taken; the callback's id.
async fn post(app: &TestApp, path: &str, id: &str) -> String {
    accepted_id(&app.ingress.post_raw(path, &[JSON], delivered(id)).await)
}

/// The callback's id in an answer, which is exactly what the contract promises.
#[track_caller]
fn accepted_id(answer: &Answer) -> String {
    let body = answer.expect(200);
    let id = body["callback_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("cb_"), "{answer}");
    assert_eq!(
        answer.text,
        format!(r#"{{"status":"accepted","callback_id":"{id}","event_id":"{id}"}}"#)
    );
    assert_eq!(answer.header("x-tidings-callback-id"), Some(&*id));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    id
}

/// A callback as its tenant sees it, once it is processed.
async fn processed(tenant: &Tenant, id: &str) -> Value {
    let path = format!("/v1/callbacks/{id}");
    tenant
        .api
        .get_until(&path, |found| found["status"] == "processed", SOON)
        .await
}

/// Nothing came of anything but these callbacks. Callbacks are recorded in the order they were
/// taken, so what would have come before the last of them is there when it is.
async fn assert_only(tenant: &Tenant, ids: &[String]) {
    for id in ids {
        processed(tenant, id).await;
    }
    let page = tenant.api.get("/v1/callbacks?limit=100").await.expect(200);
    let found: BTreeSet<_> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|callback| callback["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, ids.iter().cloned().collect());
}

/// An answer without what differs between any two: when it was given, and the request's id.
fn told(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| name != "date" && name != "x-request-id");
    (answer.status, headers, answer.text.clone())
}

/// What a metric with these labels says; zero when it was never counted.
async fn counted(app: &TestApp, name: &str, labels: &[(&str, &str)]) -> f64 {
    let metrics = app.admin.get("/metrics").await;
    metrics.expect(200);
    let labels: Vec<_> = labels
        .iter()
        .map(|(label, value)| format!("{label}=\"{value}\""))
        .collect();
    let is_asked_for = |line: &&str| {
        line.split(['{', ' ']).next() == Some(name) && labels.iter().all(|l| line.contains(&**l))
    };
    let lines = metrics.text.lines().filter(is_asked_for);
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .fold(0.0, |sum, count| sum + count)
}

/// How many callbacks of a provider were answered so.
async fn answered(app: &TestApp, provider: &str, outcome: &str) -> u64 {
    let labels = [("provider", provider), ("outcome", outcome)];
    whole(counted(app, "tidings_callbacks_total", &labels).await)
}

/// How many security events of a type there were.
/// Moves the clock to the beginning of an hour: what is counted by the minute or the hour is counted
/// together from here on.
fn begin_an_hour(app: &TestApp) {
    let hour = Duration::from_hours(1).as_millis();
    let past = u128::try_from(app.clock.now().as_millis()).unwrap() % hour;
    let left = u64::try_from(hour - past).unwrap();
    app.clock.advance(Duration::from_millis(left));
}

async fn security_events(app: &TestApp, kind: &str) -> u64 {
    whole(counted(app, "tidings_security_events_total", &[("type", kind)]).await)
}

/// A count, which Prometheus writes as any number.
fn whole(count: f64) -> u64 {
    format!("{count:.0}").parse().unwrap()
}
