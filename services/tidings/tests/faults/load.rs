//! A platform and its providers at work, which remember what was accepted and what was told.

use crate::fleet::Addresses;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::providers::stub_report;
use testkit::{ADMIN_KEY, Answer, Api, Endpoint, Hit, Ingress, Reply};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const PHONE: &str = "+254700000001";
const PATH: &str = "/v1/callbacks/clinic/reports";
/// How many endpoints are told everything.
const ENDPOINTS: usize = 4;
/// How many clients work at once.
const CLIENTS: usize = 4;
const PAUSE: Duration = Duration::from_millis(20);
/// How long a client waits for an answer before it asks another replica.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long an endpoint takes to answer.
const ANSWERED_AFTER: Duration = Duration::from_millis(20);
/// How many requests may be under way to one endpoint.
const MAX_IN_FLIGHT: usize = 16;
/// How long the last news may take.
const TOLD_WITHIN: Duration = Duration::from_mins(1);

pub struct Load {
    shared: Arc<Shared>,
    endpoints: Vec<Endpoint>,
    clients: JoinSet<()>,
}

struct Shared {
    key: String,
    addresses: Mutex<Addresses>,
    is_over: AtomicBool,
    next: AtomicUsize,
    accepted: Mutex<Accepted>,
}

#[derive(Default)]
struct Accepted {
    /// The number of each event, and the id it was accepted under.
    events: BTreeMap<u64, String>,
    /// The provider's id of each message that was reported delivered.
    messages: BTreeSet<String>,
}

/// What an endpoint was told: under which ids, in the order they came.
#[derive(Default)]
struct Told {
    events: BTreeMap<u64, Vec<String>>,
    messages: BTreeMap<String, Vec<String>>,
}

/// What became of everything, each fact counted once for each endpoint.
#[derive(Debug, Default)]
pub struct Account {
    /// Acknowledged to whoever asked, and told.
    pub told: usize,
    /// Of these, told more than once, under the same id.
    pub told_twice: usize,
    /// Told under two ids.
    pub two_ids: usize,
    /// Told, and whoever asked had no answer.
    pub never_acknowledged: usize,
    /// Acknowledged, and not told.
    pub lost: usize,
}

impl Account {
    fn add(&mut self, ids: &[String], is_acknowledged: bool) {
        let distinct: BTreeSet<&String> = ids.iter().collect();
        self.two_ids += usize::from(distinct.len() > 1);
        match (is_acknowledged, ids.len()) {
            (true, 0) => self.lost += 1,
            (true, times) => {
                self.told += 1;
                self.told_twice += usize::from(times > 1);
            }
            (false, _) => self.never_acknowledged += 1,
        }
    }
}

impl Load {
    pub async fn start(addresses: &Addresses) -> Self {
        let operator = Api::new(&addresses.api[0], ADMIN_KEY);
        let made = operator
            .post("/v1/tenants", json!({ "name": "Clinic" }))
            .await;
        let key = made.expect(201)["api_key"].as_str().unwrap().to_owned();
        let tenant = operator.with_key(&key);
        let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
        let account = json!({ "provider": "stub", "slug": "clinic", "auth": auth });
        let made = tenant.post("/v1/provider-accounts", account).await;
        made.expect(201);
        let mut endpoints = Vec::new();
        for _ in 0..ENDPOINTS {
            let endpoint = Endpoint::start().await;
            endpoint.answer_with([Reply::Delay(ANSWERED_AFTER, 200)]);
            let webhook = json!({ "url": endpoint.url("/hook"), "events": ["*"] });
            tenant.post("/v1/webhooks", webhook).await.expect(201);
            endpoints.push(endpoint);
        }
        let shared = Arc::new(Shared {
            key,
            addresses: Mutex::new(addresses.clone()),
            is_over: AtomicBool::new(false),
            next: AtomicUsize::new(0),
            accepted: Mutex::default(),
        });
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(work(Arc::clone(&shared)));
        }
        Self {
            shared,
            endpoints,
            clients,
        }
    }

    /// From here on the replicas are there.
    pub fn use_addresses(&self, addresses: &Addresses) {
        *self.shared.addresses.lock().unwrap() = addresses.clone();
    }

    /// Waits until so many more events were accepted.
    pub async fn grow_by(&self, events: usize) {
        let wanted = self.shared.count() + events;
        let begun = Instant::now();
        while self.shared.count() < wanted {
            assert!(
                begun.elapsed() < TOLD_WITHIN,
                "nothing is accepted any more"
            );
            sleep(PAUSE).await;
        }
    }

    /// Stops, waits until everything accepted is told to everybody (or that takes too long), and counts.
    pub async fn end(mut self) -> Account {
        self.shared.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        let accepted = std::mem::take(&mut *self.shared.accepted.lock().unwrap());
        let begun = Instant::now();
        let is_told = |endpoint: &Endpoint| told(&endpoint.hits()).holds(&accepted);
        while !self.endpoints.iter().all(is_told) && begun.elapsed() < TOLD_WITHIN {
            sleep(PAUSE * 10).await;
        }
        let mut account = Account::default();
        for endpoint in &self.endpoints {
            let hits = endpoint.hits();
            told(&hits).count(&accepted, &mut account);
            check_limit(&hits);
        }
        account
    }
}

/// A client: publishes events, registers messages, and plays the provider that reports them.
async fn work(shared: Arc<Shared>) {
    while !shared.is_over.load(Ordering::SeqCst) {
        let number = shared.next.fetch_add(1, Ordering::SeqCst);
        let event = u64::try_from(number).unwrap();
        if number.is_multiple_of(5) {
            shared.publish_once(event).await;
        } else {
            shared.publish(event).await;
        }
        if number.is_multiple_of(2) {
            shared.message(&format!("m-{number}")).await;
        }
        sleep(PAUSE).await;
    }
}

/// What a client asks for.
enum Request<'a> {
    /// To be accepted once, however often it is asked.
    Event(u64),
    Message(&'a str),
    Report(&'a str),
}

impl Shared {
    async fn publish(&self, number: u64) {
        let accepted = self.insist(Request::Event(number)).await;
        let id = accepted.expect(202)["id"].as_str().unwrap().to_owned();
        self.accepted.lock().unwrap().events.insert(number, id);
    }

    /// A client that does not ask again: where it has no answer, the event may be told all the same.
    async fn publish_once(&self, number: u64) {
        let request = Request::Event(number);
        let asked = self.ask(&request, self.next.load(Ordering::SeqCst));
        if let Ok(Ok(answer)) = timeout(PATIENCE, asked).await
            && answer.status == 202
        {
            let id = answer.body["id"].as_str().unwrap().to_owned();
            self.accepted.lock().unwrap().events.insert(number, id);
        }
    }

    async fn message(&self, id: &str) {
        self.insist(Request::Message(id)).await;
        self.insist(Request::Report(id)).await.expect(200);
        self.accepted.lock().unwrap().messages.insert(id.to_owned());
    }

    /// Asks one replica after the other until one says yes, as a good client does. No is a failure;
    /// trouble is not.
    async fn insist(&self, request: Request<'_>) -> Answer {
        let mut turn = self.next.load(Ordering::SeqCst);
        loop {
            match timeout(PATIENCE, self.ask(&request, turn)).await {
                Ok(Ok(answer)) if answer.status < 300 => return answer,
                Ok(Ok(answer)) => {
                    // Away, busy with the same request, or too long asleep to read it.
                    let is_trouble = [503, 409, 408].contains(&answer.status);
                    assert!(is_trouble, "a good request was refused: {answer}");
                }
                Ok(Err(_)) | Err(_) => {}
            }
            sleep(PAUSE * 5).await;
            turn += 1;
        }
    }

    async fn ask(&self, request: &Request<'_>, turn: usize) -> Result<Answer, String> {
        match request {
            Request::Event(number) => {
                let event = json!({ "type": "job.created", "data": { "n": number } });
                let key = format!("event-{number}");
                let headers = [("idempotency-key", key.as_str())];
                self.api(turn).try_post("/v1/events", &headers, event).await
            }
            Request::Message(id) => {
                let message =
                    json!({ "provider_account": "clinic", "provider_message_id": id, "to": PHONE });
                self.api(turn).try_post("/v1/messages", &[], message).await
            }
            Request::Report(id) => {
                let urls = self.addresses.lock().unwrap().ingress.clone();
                let ingress = Ingress::new(&urls[turn % urls.len()]);
                let body = stub_report(id, "DELIVRD", PHONE, None);
                let headers = [("content-type", "application/json")];
                ingress.try_request("POST", PATH, &headers, body).await
            }
        }
    }

    fn api(&self, turn: usize) -> Api {
        let urls = self.addresses.lock().unwrap().api.clone();
        Api::new(&urls[turn % urls.len()], &self.key)
    }

    fn count(&self) -> usize {
        self.accepted.lock().unwrap().events.len()
    }
}

fn told(hits: &[Hit]) -> Told {
    let mut told = Told::default();
    for hit in hits {
        let body: Value = hit.json();
        let id = hit.webhook_id().to_owned();
        let data = &body["data"];
        if body["type"] == "job.created" {
            let number = data["n"].as_u64().unwrap();
            told.events.entry(number).or_default().push(id);
        } else if body["type"] == "sms.delivered" {
            let message = data["provider_message_id"].as_str().unwrap().to_owned();
            told.messages.entry(message).or_default().push(id);
        }
    }
    told
}

impl Told {
    fn holds(&self, accepted: &Accepted) -> bool {
        let mut events = accepted.events.keys();
        let mut messages = accepted.messages.iter();
        events.all(|number| self.events.contains_key(number))
            && messages.all(|id| self.messages.contains_key(id))
    }

    fn count(&self, accepted: &Accepted, account: &mut Account) {
        let nothing = Vec::new();
        for (number, id) in &accepted.events {
            let ids = self.events.get(number).unwrap_or(&nothing);
            assert!(
                ids.iter().all(|told| told == id),
                "event {number}: {id} told as {ids:?}"
            );
            account.add(ids, true);
        }
        for message in &accepted.messages {
            account.add(self.messages.get(message).unwrap_or(&nothing), true);
        }
        let unasked = self
            .events
            .iter()
            .filter(|(n, _)| !accepted.events.contains_key(n));
        let unreported = self.messages.iter();
        let unreported = unreported.filter(|(id, _)| !accepted.messages.contains(*id));
        for ids in unasked
            .map(|(_, ids)| ids)
            .chain(unreported.map(|(_, ids)| ids))
        {
            account.add(ids, false);
        }
    }
}

/// Each request takes as long as the endpoint takes to answer: so no more than the limit can begin
/// within that time.
fn check_limit(hits: &[Hit]) {
    let mut times: Vec<Instant> = hits.iter().map(|hit| hit.at).collect();
    times.sort_unstable();
    let most = times
        .iter()
        .enumerate()
        .map(|(position, from)| {
            let until = *from + ANSWERED_AFTER;
            times[position..].partition_point(|time| *time < until)
        })
        .max();
    assert!(most <= Some(MAX_IN_FLIGHT), "{most:?} requests at once");
}
