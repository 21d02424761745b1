//! Of 30 % of callbacks nothing is heard: what can be asked about comes to its true state, everything else
//! ends by its rule, and each change is told once.

use super::FIRST;
use crate::app::{SOON, Tenant, TestApp};
use crate::commands::PROGRAM;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use testkit::{Simulator, eventually};

const MESSAGES: usize = 120;
const OUTCOMES: &str = "delivered=0.7,failed=0.2,rejected=0.1";
/// A machine that is busy takes its time.
const IN_THE_END: Duration = Duration::from_mins(1);

/// A simulated provider, and the messages sent through it: our ids, by those of the provider.
struct Sent {
    simulator: Simulator,
    messages: BTreeMap<String, String>,
}

/// Sends through a provider that loses, repeats and shuffles; half of the messages are registered only when
/// their callbacks are under way.
async fn send(app: &TestApp, tenant: &Tenant, provider: &str, access: Option<Value>) -> Sent {
    let slug = format!("sim-{provider}");
    let callbacks = format!("{}/v1/callbacks/{slug}/reports", app.ingress.base_url());
    let faults = ["--loss", "0.3", "--duplicate", "0.2", "--disorder", "0.2"];
    let usual = ["--provider", provider, "--delay", "0", "--seed", "11"];
    let more = ["--outcomes", OUTCOMES, "--callback-url", &callbacks];
    let simulator = Simulator::start(PROGRAM, &[&usual[..], &faults, &more].concat()).await;
    let access = access.map(|mut access| {
        access["base_url"] = simulator.url().into();
        access
    });
    let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
    let body = json!({ "provider": provider, "slug": slug, "auth": auth, "status_api": access });
    let made = tenant.api.post("/v1/provider-accounts", body).await;
    made.expect(201);
    let mut messages = BTreeMap::new();
    for number in 0..MESSAGES {
        let to = format!("+2547{number:08}");
        let id = simulator.send(json!({ "to": to })).await;
        messages.insert(id.clone(), tenant.message(&slug, &id, &to).await);
    }
    Sent {
        simulator,
        messages,
    }
}

/// What is true of the messages, once all callbacks came that come at all; by the provider's ids.
async fn truth(sent: &Sent) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for id in sent.messages.keys() {
        let all_came = |message: &Value| {
            let count = |name: &str| message["callbacks"][name].as_u64().unwrap();
            count("accepted") + count("lost") + count("refused") == count("planned")
        };
        let message = sent.simulator.message_until(id, all_came, IN_THE_END).await;
        assert_eq!(message["callbacks"]["refused"], 0, "{message}");
        all.insert(id.clone(), message);
    }
    all
}

/// All events, once each has its place.
async fn events(tenant: &Tenant) -> Vec<Value> {
    eventually("every event has its sequence", SOON, async || {
        let events = tenant.all("/v1/events").await;
        let has_place = |event: &Value| event["sequence"].is_i64();
        events.iter().all(has_place).then_some(events)
    })
    .await
}

/// What was told, by message, in the order of `sequence`: the state before, and the state after.
async fn told(tenant: &Tenant) -> BTreeMap<String, Vec<[String; 2]>> {
    let mut events = events(tenant).await;
    // Beside conflicts, that nothing comes from a provider any more is told as well.
    events.retain(|event| event["category"] == "sms" && event["data"]["states"].is_null());
    events.sort_by_key(|event| event["sequence"].as_i64());
    let mut told: BTreeMap<String, Vec<[String; 2]>> = BTreeMap::new();
    for event in &events {
        let text = |name: &str| event["data"][name].as_str().unwrap().to_owned();
        assert_eq!(event["type"], format!("sms.{}", text("state")), "{event}");
        let change = [text("previous_state"), text("state")];
        told.entry(text("message_id")).or_default().push(change);
    }
    told
}

/// Each change follows from the one before, no state is told twice, and the last is the message's.
fn assert_told_once(changes: &[[String; 2]], state: &str) {
    let mut before = "pending";
    let mut seen = Vec::new();
    for [from, to] in changes {
        assert_eq!(from, before, "{changes:?}");
        assert!(!seen.contains(&to), "{changes:?}");
        seen.push(to);
        before = to;
    }
    assert_eq!(before, state, "{changes:?}");
}

async fn message(tenant: &Tenant, id: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/v1/messages/{id}");
    tenant.api.get_until(&path, is_wanted, IN_THE_END).await
}

#[tokio::test]
async fn with_30_percent_of_callbacks_lost_every_message_comes_to_its_end_and_is_told_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let key = json!({ "key": "a-secret" });
    let asked = send(&app, &tenant, "stub", Some(key)).await;
    let silent = send(&app, &tenant, "africastalking", None).await;
    let (truth_asked, truth_silent) = (truth(&asked).await, truth(&silent).await);
    let lost = |truth: &BTreeMap<String, Value>| -> u64 {
        let lost = truth.values().map(|it| it["callbacks"]["lost"].as_u64());
        lost.map(Option::unwrap).sum()
    };
    assert!(lost(&truth_asked) > 30 && lost(&truth_silent) > 30);

    app.clock.advance(FIRST);
    let mut polled = 0;
    for (provider_id, truth) in &truth_asked {
        let outcome = &truth["outcome"];
        let id = &asked.messages[provider_id];
        let found = message(&tenant, id, |found| &found["state"] == outcome).await;
        let by = |entry: &&Value| entry["applied"] == true && &entry["state"] == outcome;
        let history = found["history"].as_array().unwrap();
        polled += usize::from(history.iter().find(by).unwrap()["source"] == "poll");
    }
    assert!(polled > 10, "what was lost is asked for: {polled}");

    app.clock.advance(Duration::from_hours(25));
    let mut given_up = 0;
    for (provider_id, truth) in &truth_silent {
        let id = &silent.messages[provider_id];
        let found = message(&tenant, id, |found| found["is_final"] == true).await;
        let history = found["history"].as_array().unwrap();
        let ended = |entry: &Value| entry["state"] == truth["outcome"];
        if history.iter().any(ended) {
            assert_eq!(found["state"], truth["outcome"], "{found}");
        } else {
            given_up += 1;
            assert_eq!(found["state"], "unknown", "{found}");
            let end = history.last().unwrap();
            assert_eq!([&end["word"], &end["source"]], ["silence", "poll"]);
            assert_eq!(found["failure_reason"], "no report came");
        }
    }
    assert!(given_up > 10, "what cannot be asked about ends: {given_up}");

    let told = told(&tenant).await;
    assert_eq!(told.len(), 2 * MESSAGES);
    for id in asked.messages.values().chain(silent.messages.values()) {
        let found = tenant
            .api
            .get(&format!("/v1/messages/{id}"))
            .await
            .expect(200);
        assert_told_once(&told[id], found["state"].as_str().unwrap());
    }
    let nobody_waits = |found: &Value| found["data"] == json!([]);
    tenant
        .api
        .get_until("/v1/orphans", nobody_waits, SOON)
        .await;
}
