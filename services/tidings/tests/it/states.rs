//! Two thousand messages with histories by chance, through the door and the tracker: reports of a
//! provider that tells times and of one that does not, in any order, repeated, some before their message
//! is known, with messages that are sent again and states that a person forces. Each ends as a model
//! says that knows only what was said, and is told so step by step.

use crate::app::{Tenant, TestApp};
use domain::Random;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use testkit::providers::africastalking_report;

const SEED: u64 = 20_261_128;
const MESSAGES: usize = 2_000;
/// How many requests are under way at once.
const AT_ONCE: usize = 48;
/// How long the last reports may take to be applied.
const WITHIN: Duration = Duration::from_mins(2);
/// A look reads everything.
const LOOK_EVERY: Duration = Duration::from_millis(700);

/// A provider's word, our state of it (none where it is not listed), and whether it is temporary.
type Word = (&'static str, Option<&'static str>, bool);

/// An account of a provider that tells times, and of one that does not.
const ACCOUNTS: [(&str, &[Word]); 2] = [
    (
        "mtn",
        &[
            ("ACCEPTED", Some("sent"), false),
            ("ENROUTE", Some("sent"), false),
            ("DELIVERED", Some("delivered"), false),
            ("UNDELIVERED", Some("failed"), false),
            ("REJECTED", Some("rejected"), false),
            ("EXPIRED", Some("expired"), false),
            ("UNKNOWN", Some("unknown"), false),
            ("TELEPORTED", None, false),
        ],
    ),
    (
        "africastalking",
        &[
            ("Sent", Some("sent"), false),
            ("Buffered", Some("sent"), false),
            ("Success", Some("delivered"), false),
            ("Failed", Some("failed"), false),
            ("Rejected", Some("rejected"), false),
            ("AbsentSubscriber", Some("failed"), true),
        ],
    ),
];

/// In the order in which they win, those of one rank together.
const RANKS: [&[&str]; 5] = [
    &["pending"],
    &["sent"],
    &["unknown"],
    &["failed", "expired", "rejected"],
    &["delivered"],
];

/// What happens to a message.
struct Story {
    /// The account of each of its send attempts.
    attempts: Vec<usize>,
    said: BTreeSet<Said>,
    forced: Option<&'static str>,
    id: OnceLock<String>,
}

/// A report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    attempt: usize,
    word: Word,
    second: Option<u32>,
}

#[derive(Clone, Copy)]
enum Step {
    Register(usize),
    Report(usize, Said),
    SendAgain(usize),
    Force(usize),
}

struct Chance(Random);

impl Chance {
    fn below(&self, limit: usize) -> usize {
        usize::try_from(u64::from_le_bytes(self.0.bytes()) % limit as u64).unwrap()
    }

    fn shuffle<T>(&self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

#[tokio::test]
async fn two_thousand_random_histories_end_as_a_model_says_and_each_change_is_told_once_in_order() {
    let chance = Chance(Random::seeded(SEED));
    let stories: Vec<Story> = (0..MESSAGES).map(|_| Story::by(&chance)).collect();
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    for (provider, _) in ACCOUNTS {
        tenant.account(provider, &slug(provider)).await;
    }
    // What needs the message's id comes when all are registered.
    let (mut first, mut then) = steps(&stories, &chance);
    for steps in [&mut first, &mut then] {
        chance.shuffle(steps);
        let requests = steps
            .iter()
            .map(|step| take(&app, &tenant, &stories, *step));
        let requests = futures_util::stream::iter(requests).buffer_unordered(AT_ONCE);
        requests.collect::<Vec<()>>().await;
    }
    let found = settled(&tenant, &stories).await;
    let told = all_told(&tenant).await;
    for (number, story) in stories.iter().enumerate() {
        let id = story.id.get().unwrap();
        let message = &found[id];
        let about = format!("seed {SEED}, message {number}: {message:#}");
        assert_eq!(message["state"], story.end(), "{about}");
        assert_eq!(message["send_attempt"], story.attempts.len(), "{about}");
        let none = Vec::new();
        let told = told.get(id).unwrap_or(&none);
        story.judge(message, told, &about);
    }
}

impl Story {
    fn by(chance: &Chance) -> Self {
        let mut attempts = vec![chance.below(2)];
        if chance.below(5) == 0 {
            attempts.push(chance.below(2));
        }
        let mut said = BTreeSet::new();
        for _ in 0..=chance.below(4) {
            let attempt = chance.below(attempts.len());
            let account = attempts[attempt];
            let words = ACCOUNTS[account].1;
            let has_time = account == 0 && chance.below(3) > 0;
            said.insert(Said {
                attempt,
                word: words[chance.below(words.len())],
                second: has_time.then(|| u32::try_from(chance.below(4)).unwrap()),
            });
        }
        let states = ["sent", "delivered", "failed", "unknown"];
        Self {
            attempts,
            said,
            forced: (chance.below(20) == 0).then(|| states[chance.below(states.len())]),
            id: OnceLock::new(),
        }
    }

    /// The state of the greatest of all that was said: by whether a person forced it, whether it is
    /// delivered, the send attempt, the rank, the provider's time with none smallest, and the order
    /// within the rank.
    fn end(&self) -> &'static str {
        if let Some(forced) = self.forced {
            return forced;
        }
        let registered = (0..self.attempts.len()).map(|attempt| (attempt, "pending", None));
        let reported = self.said.iter();
        let reported = reported.filter_map(|said| Some((said.attempt, said.word.1?, said.second)));
        let greatest = registered
            .chain(reported)
            .max_by_key(|(attempt, state, second)| {
                let is_delivered = *state == "delivered";
                (is_delivered, *attempt, rank(state), *second, within(state))
            });
        greatest.unwrap().1
    }

    /// Every two different ends that were reported of one send attempt, as often as they are.
    fn conflicts(&self) -> Vec<(usize, [&str; 2])> {
        let decided: BTreeSet<(usize, &str)> = self
            .said
            .iter()
            .filter_map(|said| Some((said.attempt, said.word.1.filter(|_| !said.word.2)?)))
            .filter(|(_, state)| rank(state) >= 3)
            .collect();
        let pairs = decided.iter().flat_map(|one| {
            let others = decided
                .iter()
                .filter(move |other| other.0 == one.0 && other.1 > one.1);
            others.map(move |other| (one.0 + 1, [one.1, other.1]))
        });
        pairs.collect()
    }

    /// Looks that the events, in the order of their sequence, tell the way to the end.
    fn judge(&self, message: &Value, told: &[Value], about: &str) {
        let is_conflict = |event: &&Value| event["type"] == "sms.status.conflict";
        let mut conflicts: Vec<(usize, [&str; 2])> = told
            .iter()
            .filter(is_conflict)
            .map(|event| {
                let states = event["data"]["states"].as_array().unwrap();
                let mut states = [0, 1].map(|index: usize| states[index].as_str().unwrap());
                states.sort_unstable();
                let attempt = event["data"]["send_attempt"].as_u64().unwrap();
                (usize::try_from(attempt).unwrap(), states)
            })
            .collect();
        conflicts.sort_unstable();
        assert_eq!(conflicts, self.conflicts(), "{about}");
        let changes: Vec<(&str, &str)> = told
            .iter()
            .filter(|event| !is_conflict(event))
            .map(|event| {
                let data = &event["data"];
                let state = data["state"].as_str().unwrap();
                assert_eq!(event["type"], format!("sms.{state}"), "{about}");
                (data["previous_state"].as_str().unwrap(), state)
            })
            .collect();
        let about = format!("{changes:?} {about}");
        let (mut state, mut reopened, mut forced) = ("pending", 0, 0);
        for (from, to) in &changes {
            assert_ne!(from, to, "{about}");
            if *from != state {
                // It was sent again in between, which is not told.
                assert_eq!(*from, "pending", "{about}");
                reopened += 1;
            }
            if rank(to) < rank(from) {
                assert_eq!(self.forced, Some(*to), "{about}");
                forced += 1;
            }
            state = to;
        }
        if state != self.end() {
            assert_eq!(self.end(), "pending", "{about}");
            reopened += 1;
        }
        assert!(reopened < self.attempts.len(), "{about}");
        assert!(forced <= 1, "{about}");
        if self.attempts.len() == 1 {
            assert_eq!(changes, replay(message), "{about}");
        }
    }
}

/// The changes that the history, in its order, makes of a message that is sent once.
fn replay(message: &Value) -> Vec<(&'static str, &'static str)> {
    let mut greatest = (false, false, 0, None, 0);
    let (mut state, mut changes) = ("pending", Vec::new());
    for entry in message["history"].as_array().unwrap() {
        let Some(said) = entry["state"].as_str() else {
            continue;
        };
        let said = *RANKS.concat().iter().find(|name| **name == said).unwrap();
        let is_forced = entry["source"] == "manual";
        let time = entry["provider_time"].as_str().map(str::to_owned);
        let time = time.filter(|_| !is_forced);
        let standing = (
            is_forced,
            said == "delivered",
            rank(said),
            time,
            within(said),
        );
        assert_eq!(entry["applied"], standing > greatest);
        if standing > greatest {
            greatest = standing;
            if said != state {
                changes.push((state, said));
                state = said;
            }
        }
    }
    changes
}

fn rank(state: &str) -> usize {
    RANKS.iter().position(|rank| rank.contains(&state)).unwrap()
}

fn within(state: &str) -> usize {
    let rank = RANKS[rank(state)];
    rank.iter().position(|other| *other == state).unwrap()
}

fn slug(provider: &str) -> String {
    format!("{provider}-zm")
}

fn name(message: usize, attempt: usize) -> String {
    format!("m-{message}-{attempt}")
}

fn phone(message: usize) -> String {
    format!("+26097{message:07}")
}

fn steps(stories: &[Story], chance: &Chance) -> (Vec<Step>, Vec<Step>) {
    let (mut first, mut then) = (Vec::new(), Vec::new());
    for (message, story) in stories.iter().enumerate() {
        first.push(Step::Register(message));
        then.extend((story.attempts.len() > 1).then_some(Step::SendAgain(message)));
        then.extend(story.forced.is_some().then_some(Step::Force(message)));
        for said in &story.said {
            for _ in 0..=usize::from(chance.below(6) == 0) {
                let steps = if chance.below(2) == 0 {
                    &mut first
                } else {
                    &mut then
                };
                steps.push(Step::Report(message, *said));
            }
        }
    }
    (first, then)
}

async fn take(app: &TestApp, tenant: &Tenant, stories: &[Story], step: Step) {
    match step {
        Step::Register(message) => {
            let story = &stories[message];
            let (provider, _) = ACCOUNTS[story.attempts[0]];
            let id = tenant
                .message(&slug(provider), &name(message, 0), &phone(message))
                .await;
            story.id.set(id).unwrap();
        }
        Step::SendAgain(message) => {
            let story = &stories[message];
            let (provider, _) = ACCOUNTS[story.attempts[1]];
            let body = json!({ "provider_account": slug(provider),
                "provider_message_id": name(message, 1) });
            let path = format!("/v1/messages/{}/attempts", story.id.get().unwrap());
            tenant.api.post(&path, body).await.expect(201);
        }
        Step::Force(message) => {
            let story = &stories[message];
            let body = json!({ "state": story.forced, "reason": "settled", "force": true });
            let path = format!("/v1/messages/{}/state", story.id.get().unwrap());
            tenant.api.post(&path, body).await.expect(200);
        }
        Step::Report(message, said) => {
            let (provider, _) = ACCOUNTS[stories[message].attempts[said.attempt]];
            report(
                app,
                provider,
                &name(message, said.attempt),
                &phone(message),
                said,
            )
            .await;
        }
    }
}

async fn report(app: &TestApp, provider: &str, id: &str, to: &str, said: Said) {
    let path = format!("/v1/callbacks/{}/reports", slug(provider));
    let word = said.word.0;
    let answer = if provider == "mtn" {
        let time = said
            .second
            .map(|second| format!("2026-11-27T10:00:0{second}Z"));
        let body = json!({ "clientCorrelatorId": id, "receiverAddress": to,
            "deliveryStatus": word, "completedDate": time });
        app.ingress.post_json(&path, body).await
    } else {
        let body = africastalking_report(id, word, to, &[]);
        app.ingress.post_form(&path, body).await
    };
    answer.expect(200);
}

/// All messages, once everything that was said of them is in their histories.
async fn settled(tenant: &Tenant, stories: &[Story]) -> BTreeMap<String, Value> {
    let begun = Instant::now();
    loop {
        let messages = tenant.all("/v1/messages").await;
        let found: BTreeMap<String, Value> = messages
            .into_iter()
            .map(|message| (message["id"].as_str().unwrap().to_owned(), message))
            .collect();
        let behind = stories.iter().filter(|story| {
            let history = found[story.id.get().unwrap()]["history"]
                .as_array()
                .unwrap();
            history.len() < story.said.len() + usize::from(story.forced.is_some())
        });
        let behind = behind.count();
        if behind == 0 {
            return found;
        }
        let waited = begun.elapsed();
        assert!(
            waited < WITHIN,
            "seed {SEED}: {behind} messages wait for reports"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What was told of each message, in the order of its sequence.
async fn all_told(tenant: &Tenant) -> BTreeMap<String, Vec<Value>> {
    let begun = Instant::now();
    let events = loop {
        let events = tenant.all("/v1/events").await;
        if events.iter().all(|event| event["sequence"].is_u64()) {
            break events;
        }
        assert!(begun.elapsed() < WITHIN, "seed {SEED}: events are not told");
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in events {
        let id = event["data"]["message_id"].as_str().unwrap().to_owned();
        told.entry(id).or_default().push(event);
    }
    for events in told.values_mut() {
        events.sort_by_key(|event| event["sequence"].as_u64());
    }
    told
}
