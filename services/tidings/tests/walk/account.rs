//! What has to hold in the end, however a process died.

use crate::load::{Account, PATHS};
use crate::scene::Scene;
use broker::DeadLetter;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use testkit::{Api, Hit, Process, eventually};
use tokio::time::timeout;
use wire::{Envelope, Job, Queue};

/// How long the last news may take: leases on shards run out in 8 s, those on accounts in 30 s.
const TOLD: Duration = Duration::from_secs(70);
/// Longer than a job takes that fails at its last attempt.
const BURIED: Duration = Duration::from_secs(3);
/// How long something may take that nothing stands in the way of.
const SOON: Duration = Duration::from_secs(20);

/// Waits until everything is told and written down, and looks whether that was done right.
pub async fn settle(scene: &Scene, process: &Process, account: &Account) {
    let is_told = |hits: &[Hit]| {
        PATHS
            .iter()
            .all(|path| told(hits, path).len() == account.facts.len())
    };
    account.endpoint.wait_until(is_told, TOLD).await;
    let api = Api::new(&process.api_url(), &account.key);
    callbacks_are_applied(&api, account).await;
    replays_are_done(&api, account).await;
    let mut attempts = Vec::new();
    for webhook in &account.webhooks {
        attempts.push(deliveries_have_ended(&api, account, webhook).await);
    }
    let hits = account.endpoint.hits();
    for (path, attempts) in PATHS.into_iter().zip(attempts) {
        check_told(&hits, path, account);
        let unseen = scene.deaths * (1 + account.replays);
        check_attempts(&hits, path, &attempts, unseen);
    }
}

/// The callbacks whose dead letters people can see; their status says the same.
pub async fn dead_letters(process: &Process, account: &Account) -> BTreeSet<String> {
    let api = Api::new(&process.api_url(), &account.key);
    let listed = api.get("/v1/dead-letters").await.expect(200);
    let of = |letter: &Value| letter["callback_id"].as_str().unwrap().to_owned();
    let dead: BTreeSet<String> = listed["data"].as_array().unwrap().iter().map(of).collect();
    let letters = u64::try_from(listed["data"].as_array().unwrap().len()).unwrap();
    for id in &dead {
        let callback = api.get(&format!("/v1/callbacks/{id}")).await.expect(200);
        // Each receipt is a job: its first one tells the status.
        let are_all_dead = callback["receipts"].as_u64() == Some(letters);
        assert!(
            !are_all_dead || callback["status"] == "dead_lettered",
            "{callback}"
        );
    }
    dead
}

/// `accepted = applied + pending + dead-lettered`: where nothing is pending any more, what could not be
/// applied is dead, and `seen` or on its way to be. Whether nothing is.
pub async fn is_balanced(scene: &Scene, account: &Account, seen: BTreeSet<String>) -> bool {
    let broker = scene.open_broker();
    let depth = eventually("the queue tells its depth", SOON, async || {
        broker.depth(Queue::Callbacks).await
    })
    .await;
    let pending = depth.ready + depth.leased + depth.delayed;
    let letters = broker.dead_letters(Queue::Callbacks, 100).await.unwrap();
    broker.close().await;
    let mut dead: BTreeSet<String> = letters.iter().map(callback_id).collect();
    dead.extend(seen);
    // It may be neither here nor seen: it was recorded after the last look.
    let is_settled = pending == 0 && !dead.is_empty();
    if is_settled {
        assert_eq!(dead, BTreeSet::from([account.broken.clone()]));
    }
    is_settled
}

fn callback_id(letter: &DeadLetter) -> String {
    let job = Envelope::from_bytes(&letter.payload).unwrap().job;
    let Job::Callback(callback) = job else {
        panic!("a dead letter of the wrong queue: {job:?}");
    };
    callback.callback_id.to_string()
}

async fn callbacks_are_applied(api: &Api, account: &Account) {
    for id in &account.applicable {
        let path = format!("/v1/callbacks/{id}");
        let is_applied = |found: &Value| found["status"] == "processed";
        api.get_until(&path, is_applied, SOON).await;
    }
    // What a provider sent again is not tried for the last time yet.
    let path = format!("/v1/callbacks/{}", account.broken);
    let is_dead = |found: &Value| found["status"] == "dead_lettered";
    let _ = timeout(BURIED, api.get_until(&path, is_dead, SOON)).await;
    let broken = api.get(&path).await.expect(200);
    let status = broken["status"].as_str();
    assert!(
        matches!(status, Some("failed" | "dead_lettered")),
        "{broken}"
    );
    let listed = api.get("/v1/callbacks").await.expect(200);
    // What cannot be applied, and what the provider answered.
    let known = account.applicable.len() + 2;
    assert_eq!(listed["data"].as_array().unwrap().len(), known, "{listed}");
}

/// Each was made once and whole, and is in the audit log, whatever died in between.
async fn replays_are_done(api: &Api, account: &Account) {
    let are_done = |found: &Value| {
        let all = found["data"].as_array().unwrap();
        all.iter().all(|replay| replay["state"] == "done")
    };
    let listed = api.get_until("/v1/replays", are_done, TOLD).await;
    let replays = listed["data"].as_array().unwrap();
    assert_eq!(replays.len(), account.replays, "{listed}");
    let noted = api.get("/v1/audit?action=replay.created").await.expect(200);
    assert_eq!(
        noted["data"].as_array().unwrap().len(),
        account.replays,
        "{noted}"
    );
    let owed = account.facts.len() * account.webhooks.len();
    for replay in replays {
        assert_eq!(replay["deliveries"].as_u64(), u64::try_from(owed).ok());
    }
}

/// How often each event was attempted, once each was delivered.
async fn deliveries_have_ended(
    api: &Api,
    account: &Account,
    webhook: &str,
) -> BTreeMap<String, usize> {
    let path = format!("/v1/webhooks/{webhook}/deliveries?limit=100");
    let are_delivered = |found: &Value| {
        let all = found["data"].as_array().unwrap();
        all.iter().all(|delivery| delivery["state"] == "delivered")
    };
    let listed = api.get_until(&path, are_delivered, TOLD).await;
    let deliveries = listed["data"].as_array().unwrap();
    let owed = account.facts.len() * (1 + account.replays);
    assert_eq!(deliveries.len(), owed, "{listed}");
    let attempts = |delivery: &Value| {
        let attempts = delivery["attempts"].as_array().unwrap().iter();
        let numbers: Vec<u64> = attempts.map(|a| a["number"].as_u64().unwrap()).collect();
        assert!(
            numbers
                .iter()
                .copied()
                .eq(1..=u64::try_from(numbers.len()).unwrap()),
            "{delivery}"
        );
        numbers.len()
    };
    let mut by_event = BTreeMap::new();
    for delivery in deliveries {
        let event = delivery["event_id"].as_str().unwrap().to_owned();
        *by_event.entry(event).or_default() += attempts(delivery);
    }
    by_event
}

/// Each fact under one id, that which it was accepted under; each id with one body.
fn check_told(hits: &[Hit], path: &str, account: &Account) {
    for (fact, told) in told(hits, path) {
        let known = account.facts.get(&fact);
        let known = known.unwrap_or_else(|| panic!("{path} was told what nobody said: {fact}"));
        let ids: BTreeSet<&str> = told.iter().map(|hit| hit.webhook_id()).collect();
        assert_eq!(ids.len(), 1, "{path} was told {fact} under {ids:?}");
        if let Some(known) = known {
            assert!(ids.contains(known.as_str()), "{fact} is not {known}");
        }
        assert!(
            told.iter().all(|hit| hit.body == told[0].body),
            "{path}: {fact}"
        );
    }
}

/// A request that is not written down was under way when somebody died; what is written down was sent.
fn check_attempts(hits: &[Hit], path: &str, attempts: &BTreeMap<String, usize>, unseen: usize) {
    for (id, recorded) in attempts {
        let sent = hits
            .iter()
            .filter(|hit| hit.path == path && hit.webhook_id() == id);
        let sent = sent.count();
        let possible = *recorded..=*recorded + unseen;
        assert!(
            possible.contains(&sent),
            "{path}: {id} was sent {sent} times, {recorded} recorded"
        );
    }
}

/// What a path was told, by what it says.
fn told<'a>(hits: &'a [Hit], path: &str) -> BTreeMap<String, Vec<&'a Hit>> {
    let mut told: BTreeMap<String, Vec<&Hit>> = BTreeMap::new();
    for hit in hits.iter().filter(|hit| hit.path == path) {
        let body = hit.json();
        let data = &body["data"];
        let about = match &data["n"] {
            Value::Null => data["provider_message_id"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            number => number.to_string(),
        };
        let fact = format!("{} {about}", body["type"].as_str().unwrap_or_default());
        told.entry(fact).or_default().push(hit);
    }
    told
}
