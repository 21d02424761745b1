//! A small load whose every part is accounted for. Its client asks again until it is told yes, as a good
//! client does, also when the process it asks has died.

use crate::scene::Scene;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{ADMIN_KEY, Answer, Api, Endpoint, Ingress, Process, Reply, eventually};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const PHONE: &str = "+254700000001";
const PATH: &str = "/v1/callbacks/clinic/reports";
const PAUSE: Duration = Duration::from_millis(50);
/// How long the client waits for an answer before it asks again.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long something may take that nothing stands in the way of.
const SOON: Duration = Duration::from_secs(20);
/// Longer than a request is held for whoever died of it: a minute.
const LEASE: Duration = Duration::from_secs(70);
/// The endpoint that always says yes, and the one that first says no, twice.
pub const PATHS: [&str; 2] = ["/good", "/flaky"];
/// How many things are told.
const FACTS: usize = 5;
/// The messages that can be told of.
const EARLY: &str = "m-reported-early";
const LATE: &str = "m-reported-late";
/// The message that is told of only when its provider is asked.
const POLLED: &str = "m-polled";
/// The message whose row cannot be read.
const BROKEN: &str = "m-broken";

pub struct Load {
    client: Arc<Client>,
    endpoint: Endpoint,
    webhooks: Vec<String>,
    work: JoinSet<Accepted>,
    accepted: Option<Accepted>,
    replays: usize,
}

/// What was answered with yes.
#[derive(Default)]
struct Accepted {
    /// The number of each event, and its id.
    events: BTreeMap<u64, String>,
    /// The callbacks that can be applied.
    applicable: Vec<String>,
    /// The callback that cannot.
    broken: String,
}

/// What was accepted, and where it is told.
pub struct Account {
    /// By what is told: the id it has to be told under, where that is known already.
    pub facts: BTreeMap<String, Option<String>>,
    pub applicable: Vec<String>,
    pub broken: String,
    pub endpoint: Endpoint,
    /// In the order of [`PATHS`].
    pub webhooks: Vec<String>,
    pub key: String,
    /// How often all of it was told again.
    pub replays: usize,
}

struct Client {
    key: String,
    /// Of the API, and of the ingress.
    addresses: Mutex<(String, String)>,
}

impl Load {
    /// Sets the scene, which meets no point, and begins.
    pub async fn begin(scene: &Scene, process: &Process) -> Self {
        let endpoint = Endpoint::start().await;
        let refusals = [
            Reply::Status(500),
            Reply::Delay(Duration::from_millis(300), 500),
            Reply::Status(200),
        ];
        endpoint.answer_at(PATHS[1], refusals);
        let delivered = json!({ "messages": [{ "messageId": POLLED, "status": "DELIVRD" }] });
        let told = Reply::with(
            200,
            &[("content-type", "application/json")],
            delivered.to_string(),
        );
        endpoint.answer_at("/status", told);
        let operator = Api::new(&process.api_url(), ADMIN_KEY);
        let made = operator
            .post("/v1/tenants", json!({ "name": "Clinic" }))
            .await;
        let key = made.expect(201)["api_key"].as_str().unwrap().to_owned();
        let tenant = operator.with_key(&key);
        let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
        let status_api = json!({ "base_url": endpoint.url(""), "key": "key" });
        let account = json!({ "provider": "stub", "slug": "clinic", "auth": auth,
            "status_api": status_api });
        tenant
            .post("/v1/provider-accounts", account)
            .await
            .expect(201);
        let mut webhooks = Vec::new();
        for path in PATHS {
            // A limit that none of it comes near, so that attempts are granted.
            let webhook = json!({ "url": endpoint.url(path), "events": ["*"],
                "rate_limit": { "per_minute": 1_000 } });
            let made = tenant.post("/v1/webhooks", webhook).await.expect(201);
            webhooks.push(made["id"].as_str().unwrap().to_owned());
        }
        for id in [LATE, BROKEN] {
            tenant.post("/v1/messages", message(id)).await.expect(201);
        }
        scene.break_message(BROKEN).await;
        scene.is_set();
        let client = Arc::new(Client {
            key,
            addresses: Mutex::new((process.api_url(), process.ingress_url())),
        });
        let mut work = JoinSet::new();
        work.spawn(Arc::clone(&client).work());
        Self {
            client,
            endpoint,
            webhooks,
            work,
            accepted: None,
            replays: 0,
        }
    }

    /// From here on the installation is there.
    pub fn go_on_at(&self, process: &Process) {
        *self.client.addresses.lock().unwrap() = (process.api_url(), process.ingress_url());
    }

    /// Waits until everything was delivered to everybody, and has all of it told again. What is there
    /// may die of it.
    pub async fn replay(&mut self, process: &Process) {
        self.is_accepted().await;
        let api = Api::new(&process.api_url(), &self.client.key);
        for webhook in &self.webhooks {
            let path = format!("/v1/webhooks/{webhook}/deliveries?state=delivered");
            let is_all = |found: &Value| found["data"].as_array().unwrap().len() == FACTS;
            api.get_until(&path, is_all, SOON).await;
        }
        if let Ok(answer) = self.client.ask(&Request::Replay).await {
            answer.expect(202);
        }
        self.replays += 1;
    }

    /// Has everything told again under the name of the last time, once it is not under way any more.
    pub async fn replay_again(&self) -> Answer {
        let ask = async || {
            let answer = self.client.ask(&Request::Replay).await.ok()?;
            (answer.body["code"] != "in_flight").then_some(answer)
        };
        eventually("the request is under way no more", LEASE, ask).await
    }

    /// Waits until everything is accepted.
    pub async fn is_accepted(&mut self) {
        if self.accepted.is_none() {
            let done = timeout(SOON, self.work.join_next()).await;
            self.accepted = Some(done.unwrap().unwrap().unwrap());
        }
    }

    /// Waits until a delivery is being attempted that will fail.
    pub async fn is_under_way(&self) {
        let second = |hits: &[testkit::Hit]| {
            let refused = hits.iter().filter(|hit| hit.path == PATHS[1]);
            refused.count() >= 2
        };
        self.endpoint.wait_until(second, SOON).await;
    }

    /// From here on the flaky endpoint says no.
    pub fn refuse(&self) {
        self.endpoint.answer_at(PATHS[1], 500);
    }

    /// From here on the flaky endpoint says yes.
    pub fn relent(&self) {
        self.endpoint.answer_at(PATHS[1], 200);
    }

    /// Waits until everything is owed to everybody: the endpoint that always says yes was told.
    pub async fn is_owed(&self) {
        let all = |hits: &[testkit::Hit]| {
            let told = hits.iter().filter(|hit| hit.path == PATHS[0]);
            told.count() >= FACTS
        };
        self.endpoint.wait_until(all, SOON).await;
    }

    /// Enables or disables the flaky endpoint's subscription. What is there may die of it.
    pub async fn enable(&self, enabled: bool) -> Result<Answer, String> {
        let webhook =
            json!({ "url": self.endpoint.url(PATHS[1]), "events": ["*"], "enabled": enabled });
        let path = format!("/v1/webhooks/{}", self.webhooks[1]);
        self.client.call("PUT", &path, webhook.to_string()).await
    }

    /// Everything, once it is accepted.
    pub async fn accepted(mut self) -> Account {
        self.is_accepted().await;
        let accepted = self.accepted.unwrap();
        let events = accepted.events.into_iter();
        let events = events.map(|(number, id)| (format!("job.created {number}"), Some(id)));
        let messages = [EARLY, LATE, POLLED].map(|id| (format!("sms.delivered {id}"), None));
        Account {
            facts: events.chain(messages).collect(),
            applicable: accepted.applicable,
            broken: accepted.broken,
            endpoint: self.endpoint,
            webhooks: self.webhooks,
            key: self.client.key.clone(),
            replays: self.replays,
        }
    }
}

/// What the client asks for.
enum Request<'a> {
    Event(u64),
    Message(&'a str),
    Report(&'a str),
    /// All that there is, told again.
    Replay,
    Callback(&'a str),
}

impl Client {
    /// One report comes before its message, one after it, and one is about a message that cannot be
    /// read.
    async fn work(self: Arc<Self>) -> Accepted {
        let mut accepted = Accepted::default();
        accepted.events.insert(1, self.publish(1).await);
        for id in [EARLY, LATE] {
            accepted.applicable.push(self.report(id).await);
        }
        accepted.broken = self.report(BROKEN).await;
        // Not before its report waits for it.
        self.is_applied(&accepted.applicable[0]).await;
        self.insist(Request::Message(EARLY)).await;
        self.insist(Request::Message(POLLED)).await;
        accepted.events.insert(2, self.publish(2).await);
        accepted
    }

    /// The event's id.
    async fn publish(&self, number: u64) -> String {
        let answer = self.insist(Request::Event(number)).await;
        answer.expect(202)["id"].as_str().unwrap().to_owned()
    }

    /// The callback's id.
    async fn report(&self, message: &str) -> String {
        let answer = self.insist(Request::Report(message)).await;
        let body = answer.expect(200);
        body["callback_id"].as_str().unwrap().to_owned()
    }

    /// Asks until it is told yes. No is a failure; trouble is not.
    async fn insist(&self, request: Request<'_>) -> Answer {
        loop {
            match timeout(PATIENCE, self.ask(&request)).await {
                Ok(Ok(answer)) if answer.status < 300 => return answer,
                Ok(Ok(answer)) => {
                    let is_early = answer.status == 404 && matches!(request, Request::Callback(_));
                    let is_trouble = matches!(answer.status, 409 | 503);
                    assert!(
                        is_early || is_trouble,
                        "a good request was refused: {answer}"
                    );
                }
                Ok(Err(_)) | Err(_) => {}
            }
            sleep(PAUSE).await;
        }
    }

    async fn ask(&self, request: &Request<'_>) -> Result<Answer, String> {
        let (api_url, ingress_url) = self.addresses.lock().unwrap().clone();
        let api = Api::new(&api_url, &self.key);
        match request {
            Request::Event(number) => {
                let event = json!({ "type": "job.created", "data": { "n": number } });
                let key = format!("event-{number}");
                let headers = [("idempotency-key", key.as_str())];
                api.try_post("/v1/events", &headers, event).await
            }
            Request::Message(id) => api.try_post("/v1/messages", &[], message(id)).await,
            Request::Report(id) => {
                let body = stub_report(id, "DELIVRD", PHONE, None);
                let headers = [("content-type", "application/json")];
                let ingress = Ingress::new(&ingress_url);
                ingress.try_request("POST", PATH, &headers, body).await
            }
            Request::Replay => {
                let range = json!({ "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" });
                let headers = [("idempotency-key", "replay")];
                let demand = json!({ "events": range });
                api.try_post("/v1/replays", &headers, demand).await
            }
            Request::Callback(id) => {
                let path = format!("/v1/callbacks/{id}");
                self.call("GET", &path, String::new()).await
            }
        }
    }

    /// Waits until a callback is applied.
    async fn is_applied(&self, id: &str) {
        while self.insist(Request::Callback(id)).await.body["status"] != "processed" {
            sleep(PAUSE).await;
        }
    }

    /// Any request to the API, which may be away.
    async fn call(&self, method: &str, path: &str, body: String) -> Result<Answer, String> {
        let api_url = self.addresses.lock().unwrap().0.clone();
        let key = format!("Bearer {}", self.key);
        let headers = [
            ("authorization", key.as_str()),
            ("content-type", "application/json"),
        ];
        // Its own client has only `try_post` for that.
        let client = Ingress::new(&api_url);
        client.try_request(method, path, &headers, body).await
    }
}

fn message(id: &str) -> Value {
    json!({ "provider_account": "clinic", "provider_message_id": id, "to": PHONE })
}
