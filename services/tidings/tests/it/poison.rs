//! Jobs that cannot be done, among many that can.

use crate::app::{SOON, TestApp};
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use testkit::Ingress;
use testkit::providers::stub_report;

const PHONE: &str = "+254700000001";
const GOOD: usize = 10_000;
/// So many reports of each message, each with a later time.
const OF_EACH: usize = 50;
const POISONOUS: usize = 20;
const AT_ONCE: usize = 32;
/// A machine that is busy takes its time.
const IN_THE_END: Duration = Duration::from_mins(2);

async fn post(ingress: &Ingress, report: String) -> String {
    let body: Value = serde_json::from_str(&report).unwrap();
    let answer = ingress
        .post_json("/v1/callbacks/clinic/reports", body)
        .await;
    let accepted = answer.expect(200);
    accepted["callback_id"].as_str().unwrap().to_owned()
}

/// How many reports came to which outcome.
fn outcomes(metrics: &str) -> HashMap<&str, usize> {
    let counted = metrics.lines().filter_map(|line| {
        let (outcome, count) = line
            .strip_prefix("tidings_reports_total{outcome=\"")?
            .split_once("\"} ")?;
        Some((outcome, count.parse().ok()?))
    });
    counted.collect()
}

#[tokio::test]
async fn among_ten_thousand_good_jobs_bad_ones_hold_nobody_up_and_undo_nothing() {
    let app = TestApp::start_with(&[("TIDINGS_TRACKER__MAX_ATTEMPTS", "1")]).await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    for number in 0..POISONOUS {
        tenant
            .message("clinic", &format!("bad-{number}"), PHONE)
            .await;
    }
    // As after a disk fault: no release can have written them.
    let broken = app.change_store("update messages set state = 99").await;
    assert_eq!(broken, u64::try_from(POISONOUS).unwrap());
    let mut messages = Vec::new();
    for number in 0..GOOD / OF_EACH {
        messages.push(
            tenant
                .message("clinic", &format!("good-{number}"), PHONE)
                .await,
        );
    }

    let every = GOOD / POISONOUS;
    let reports = (0..GOOD).flat_map(|number| {
        let (message, turn) = (number % (GOOD / OF_EACH), number / (GOOD / OF_EACH));
        let time = format!("2026-05-01T10:{turn:02}:00Z");
        let good = stub_report(&format!("good-{message}"), "DELIVRD", PHONE, Some(&time));
        let bad = (number % every == every / 2)
            .then(|| stub_report(&format!("bad-{}", number / every), "DELIVRD", PHONE, None));
        bad.map(|report| (report, false))
            .into_iter()
            .chain([(good, true)])
    });
    let ingress = &app.ingress;
    let posted: Vec<(String, bool)> = stream::iter(reports)
        .map(async |(report, is_good)| (post(ingress, report).await, is_good))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;

    testkit::eventually("every report has its outcome", IN_THE_END, async || {
        let metrics = app.admin.get("/metrics").await.text;
        let outcomes = outcomes(&metrics);
        let dead = outcomes.get("dead").copied();
        let all: usize = outcomes.values().sum();
        (all == GOOD + POISONOUS && dead == Some(POISONOUS)).then_some(())
    })
    .await;

    let bad: HashSet<&str> = posted
        .iter()
        .filter(|(_, is_good)| !is_good)
        .map(|(id, _)| id.as_str())
        .collect();
    assert_eq!(bad.len(), POISONOUS);
    let callbacks = tenant.all("/v1/callbacks").await;
    assert_eq!(callbacks.len(), GOOD + POISONOUS);
    for callback in &callbacks {
        let id = callback["id"].as_str().unwrap();
        // A good one was done in the batch in which it was first taken.
        let (status, attempts) = (&callback["status"], &callback["attempts"]);
        if bad.contains(id) {
            assert_eq!(status, "dead_lettered", "{callback}");
        } else {
            assert_eq!(status, "processed", "{callback}");
            assert_eq!(attempts, 1, "{callback}");
        }
    }
    let latest = format!("2026-05-01T10:{:02}:00.000Z", OF_EACH - 1);
    for message in &messages {
        let found = tenant
            .api
            .get(&format!("/v1/messages/{message}"))
            .await
            .expect(200);
        assert_eq!(found["state"], "delivered");
        assert_eq!(found["delivered_at"], latest, "{found}");
        assert_eq!(found["history"].as_array().unwrap().len(), OF_EACH);
    }
    let letters = tenant.api.get_until(
        "/v1/dead-letters?limit=100",
        |found| {
            found["data"]
                .as_array()
                .is_some_and(|all| all.len() == POISONOUS)
        },
        SOON,
    );
    letters.await;
}
