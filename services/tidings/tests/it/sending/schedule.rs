//! Whole schedules, in moved time: when attempts are made, and what may happen in between.

mod crash;

use super::{change, settled, webhook};
use crate::app::{SOON, Tenant, TestApp, Webhook};
use domain::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Endpoint, Reply};

const STANDARD: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
const QUICK: [u64; 5] = [1, 2, 4, 8, 16];
/// What lies between the end of an attempt as it is recorded and as it is shown.
const SLACK: Duration = Duration::from_secs(2);
/// Longer than what is due takes to be sent.
const A_MOMENT: Duration = Duration::from_millis(300);

fn at(of: &Value) -> Timestamp {
    Timestamp::parse_rfc3339(of.as_str().unwrap()).unwrap()
}

/// When the attempt with this number, from 1, ended.
fn end_of(delivery: &Value, number: usize) -> Timestamp {
    let attempt = &delivery["attempts"][number - 1];
    let took = Duration::from_millis(attempt["duration_ms"].as_u64().unwrap());
    at(&attempt["started_at"]).plus(took)
}

/// When it is tried next, which has to be this wait, in seconds, or at most so much, after the last
/// attempt.
fn next_after(delivery: &Value, number: usize, wait: u64, most: f64) -> Timestamp {
    let next = at(&delivery["next_attempt_at"]);
    let waits = next.since(end_of(delivery, number));
    let (least, most) = (Duration::from_secs(wait), Duration::from_secs_f64(most));
    assert!(waits + SLACK >= least, "{number}: {waits:?} for {wait}");
    assert!(waits <= most + SLACK, "{number}: {waits:?} for {wait}");
    next
}

#[expect(clippy::cast_precision_loss, reason = "seconds of days")]
fn with_jitter(wait: u64) -> f64 {
    wait as f64 * 1.2
}

/// The walk of one delivery through its schedule.
struct Walk<'a> {
    app: &'a mut TestApp,
    tenant: Tenant,
    endpoint: &'a Endpoint,
    hook: &'a Webhook,
}

impl Walk<'_> {
    /// The delivery after so many attempts.
    async fn tried(&self, times: usize) -> Value {
        self.tenant
            .wait_for_attempts(self.hook, times)
            .await
            .remove(0)
    }

    /// From the end of the attempt with this number until the next one is made; not before its time.
    async fn wait(&mut self, number: usize, wait: u64, most: f64) {
        let next = next_after(&self.tried(number).await, number, wait, most);
        let hits = self.endpoint.hits().len();
        let left = next.since(self.app.clock.now());
        if let Some(almost) = left.checked_sub(SLACK / 2).filter(|_| left > SLACK) {
            self.app.clock.advance(almost);
            tokio::time::sleep(A_MOMENT).await;
            assert_eq!(self.endpoint.hits().len(), hits, "not before its time");
        }
        self.app.clock.advance(SLACK);
        let delivery = self.tried(number + 1).await;
        let began = at(&delivery["attempts"][number]["started_at"]);
        assert!(began >= next, "{began:?} is before {next:?}");
        assert!(began.since(next) < SOON, "{began:?} is long after {next:?}");
        let seen = self.endpoint.hits().last().unwrap().webhook_timestamp();
        assert_eq!(seen, began.as_seconds(), "what the receiver saw");
    }

    async fn restart(&mut self) {
        self.app.restart().await;
        self.tenant = self.app.again(&self.tenant);
    }
}

/// A webhook whose one delivery fails for the first time now.
async fn begin<'a>(
    app: &'a mut TestApp,
    endpoint: &'a Endpoint,
    hook: &'a mut Webhook,
    retry: Value,
) -> Walk<'a> {
    let tenant = app.tenant("Clinic").await;
    *hook = webhook(&tenant, endpoint, &json!({ "retry": retry })).await;
    tenant.publish("job.created", json!({ "n": 1 })).await;
    Walk {
        app,
        tenant,
        endpoint,
        hook,
    }
}

fn nobody() -> Webhook {
    Webhook {
        id: String::new(),
        secret: String::new(),
    }
}

#[tokio::test]
async fn every_schedule_is_walked_to_its_end_and_then_the_delivery_has_failed() {
    let delays = [1, 60, 86_400];
    for (retry, waits) in [
        (json!({ "preset": "standard" }), STANDARD.as_slice()),
        (json!({ "preset": "quick" }), &QUICK),
        (json!({ "delays": delays }), &delays),
    ] {
        let mut app = TestApp::start().await;
        let endpoint = Endpoint::start().await;
        endpoint.answer_with(Reply::Status(503));
        let mut hook = nobody();
        let mut walk = begin(&mut app, &endpoint, &mut hook, retry.clone()).await;
        for (done, wait) in waits.iter().enumerate() {
            walk.wait(done + 1, *wait, with_jitter(*wait)).await;
        }
        let last = walk.tried(waits.len() + 1).await;
        assert_eq!(
            (&last["state"], &last["error"], &last["next_attempt_at"]),
            (&json!("failed"), &json!("exhausted"), &Value::Null)
        );
        let took = end_of(&last, waits.len() + 1).since(end_of(&last, 1));
        assert!(
            took >= Duration::from_secs(waits.iter().sum()),
            "{retry}: {took:?}"
        );
        app.clock.advance(Duration::from_hours(48));
        tokio::time::sleep(A_MOMENT).await;
        assert_eq!(endpoint.hits().len(), waits.len() + 1, "nothing more comes");
    }
}

#[tokio::test]
async fn through_75_hours_of_asking_for_time_restarts_and_changes_it_stays_one_delivery() {
    let mut app = TestApp::start().await;
    let (old, new) = (Endpoint::start().await, Endpoint::start().await);
    let asks = |value: &str| Reply::with(503, &[("retry-after", value)], "");
    old.answer_with([
        Reply::Status(500),
        Reply::Status(500),
        asks("7200"),
        asks("1"),
    ]);
    new.answer_with([
        asks("9999999"),
        asks("Fri, 31 Dec 9999 23:59:59 GMT"),
        asks("soon"),
        Reply::Status(404),
        Reply::Close,
        Reply::Status(200),
    ]);
    let mut hook = nobody();
    let standard = json!({ "preset": "standard" });
    let mut walk = begin(&mut app, &old, &mut hook, standard.clone()).await;
    let day = 86_400.0;
    walk.wait(1, 5, 6.0).await;
    walk.wait(2, 300, 360.0).await;
    // It asked for more than the half hour it would have waited.
    walk.wait(3, 7_200, 7_200.0).await;
    walk.restart().await;
    // It asked for less than two hours. Whoever comes next is another.
    next_after(&walk.tried(4).await, 4, 7_200, 8_640.0);
    change(&walk.tenant, &new, walk.hook, &json!({ "retry": standard })).await;
    walk.endpoint = &new;
    walk.wait(4, 7_200, 8_640.0).await;
    // More than a day is a day, from seconds and from dates.
    walk.wait(5, 86_400, day).await;
    let rotate = format!("/v1/webhooks/{}/secret/rotate", walk.hook.id);
    let body = json!({ "overlap_seconds": 0 });
    let rotated = walk.tenant.api.post(&rotate, body).await.expect(200);
    walk.wait(6, 86_400, day).await;
    walk.restart().await;
    walk.wait(7, 50_400, with_jitter(50_400)).await;
    walk.wait(8, 72_000, with_jitter(72_000)).await;
    walk.wait(9, 86_400, with_jitter(86_400)).await;
    let tenant = walk.tenant;
    let last = settled(&tenant, &hook, "delivered", 1).await.remove(0);
    assert_eq!(last["attempts"].as_array().unwrap().len(), 10);
    assert_eq!(last["next_attempt_at"], Value::Null);
    let hits = [old.hits(), new.hits()].concat();
    assert_eq!((old.hits().len(), hits.len()), (4, 10));
    for (number, hit) in hits.iter().enumerate() {
        assert_eq!(hit.webhook_id(), hits[0].webhook_id());
        assert_eq!(hit.body, hits[0].body);
        // The new secret signs from the seventh on.
        let secrets = [hook.secret.as_str(), rotated["secret"].as_str().unwrap()];
        let (signs, other) = if number < 6 { (0, 1) } else { (1, 0) };
        hit.verify_at_any_time(secrets[signs]).unwrap();
        hit.verify_at_any_time(secrets[other]).unwrap_err();
    }
}

#[tokio::test]
async fn an_open_breaker_costs_the_schedule_no_step() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with(Reply::Status(503));
    let standard = json!({ "retry": { "preset": "standard" } });
    let hook = webhook(&tenant, &endpoint, &standard).await;
    for n in 0..10 {
        tenant.publish("job.created", json!({ "n": n })).await;
    }
    endpoint.wait_for(10, SOON).await;
    let path = format!("/v1/webhooks/{}", hook.id);
    let is = |state: &'static str| move |found: &Value| found["health"]["breaker"] == state;
    tenant.api.get_until(&path, is("open"), SOON).await;
    // All of them are due by now, and none is tried.
    app.clock.advance(Duration::from_secs(7));
    tokio::time::sleep(A_MOMENT * 2).await;
    assert_eq!(endpoint.hits().len(), 10);
    // One is, which is its second attempt, whatever the time.
    app.clock.advance(Duration::from_secs(26));
    endpoint.wait_for(11, SOON).await;
    let tried_twice = |all: &[Value]| all.iter().any(|one| one["attempts"][1].is_object());
    let all = tenant.wait_for_deliveries(&hook, tried_twice).await;
    let probe = all
        .iter()
        .find(|one| one["attempts"][1].is_object())
        .unwrap();
    next_after(probe, 2, 300, 360.0);
    endpoint.answer_with(Reply::Status(200));
    app.clock.advance(Duration::from_secs(31));
    // The others wait no longer than for the breaker; the probe has its five minutes.
    let all = settled(&tenant, &hook, "delivered", 9).await;
    let attempts = |one: &Value| one["attempts"].as_array().unwrap().len();
    assert!(all.iter().all(|one| attempts(one) == 2), "{all:?}");
    tenant.api.get_until(&path, is("closed"), SOON).await;
    app.clock.advance(Duration::from_mins(6));
    let all = settled(&tenant, &hook, "delivered", 10).await;
    assert_eq!(all.iter().map(attempts).sum::<usize>(), 21);
}
