//! A server is away for a while: what providers send meanwhile is accepted, or they are asked to send it
//! again. Never is a good callback called bad, and nothing accepted is lost.

use crate::servers::{Servers, variable};
use crate::{HEALED, TURN, fleet, scene};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::providers::stub_report;
use testkit::{ADMIN_KEY, Api, Endpoint, Hit, Ingress, Launch, Process};
use tokio::time::sleep;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidings");
const PATH: &str = "/v1/callbacks/clinic/reports";
const PHONE: &str = "+254700000001";
/// How long a server is away, in seconds; shorter, unless this says more.
const SECONDS: &str = "TIDINGS_TEST_OUTAGE_SECONDS";
const SHORT: u64 = 8;
/// How many messages are reported in each phase.
const EACH: usize = 40;
const BETWEEN: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_rabbitmq_is_away_every_callback_is_accepted_at_once_and_told_afterwards() {
    let Some((servers, _, rabbit)) = scene().await else {
        return;
    };
    let _turn = TURN.lock().await;
    let mut clinic = Clinic::open(servers).await;
    clinic.report(EACH).await.all_accepted();
    rabbit.stop().await;
    let since = Instant::now();
    let mut slowest = Duration::ZERO;
    while since.elapsed() < outage() {
        let told = clinic.report(EACH).await;
        told.all_accepted();
        slowest = slowest.max(told.slowest);
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    clinic.restart_door().await;
    clinic.report(EACH).await.all_accepted();
    rabbit.start().await;
    clinic.report(EACH).await.all_accepted();
    clinic.everything_is_told().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgresql_is_away_known_accounts_are_served_and_after_a_restart_nobody_hears_401() {
    let Some((servers, postgres, _)) = scene().await else {
        return;
    };
    let _turn = TURN.lock().await;
    let mut clinic = Clinic::open(servers).await;
    clinic.report(EACH).await.all_accepted();
    postgres.stop().await;
    let since = Instant::now();
    clinic.report(EACH).await.all_accepted();
    while since.elapsed() < outage() / 2 {
        sleep(BETWEEN).await;
    }
    clinic.restart_door().await;
    // It cannot know whose they are: it says so, quickly, and never that they are wrong.
    let told = clinic.report(EACH).await;
    assert_eq!(told.statuses, BTreeSet::from([503]));
    assert!(told.slowest < Duration::from_secs(8), "{:?}", told.slowest);
    while since.elapsed() < outage() {
        sleep(BETWEEN).await;
    }
    postgres.start().await;
    fleet::until_answer(
        &clinic.admin(),
        "/readyz",
        |said| said["ready"] == true,
        HEALED,
    )
    .await;
    clinic.report(EACH).await.all_accepted();
    clinic.everything_is_told().await;
}

fn outage() -> Duration {
    let seconds = variable(SECONDS).and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(SHORT))
}

/// An ingress of its own, and the other roles.
struct Clinic {
    servers: Servers,
    root: tempfile::TempDir,
    door: Process,
    others: Process,
    endpoint: Endpoint,
    tenant: Api,
    reported: usize,
    registered: usize,
    accepted: BTreeSet<String>,
}

/// How some callbacks were answered.
struct Told {
    statuses: BTreeSet<u16>,
    slowest: Duration,
}

impl Told {
    #[track_caller]
    fn all_accepted(&self) {
        assert_eq!(self.statuses, BTreeSet::from([200]));
    }
}

impl Clinic {
    async fn open(servers: Servers) -> Self {
        let root = tempfile::tempdir().unwrap();
        let door = door(&servers, root.path()).start().await;
        let others = launch(&servers, &root.path().join("others"))
            .roles(&["tracker", "dispatcher", "subscriptions"])
            .start()
            .await;
        let operator = Api::new(&others.api_url(), ADMIN_KEY);
        let made = operator
            .post("/v1/tenants", json!({ "name": "Clinic" }))
            .await;
        let tenant = operator.with_key(made.expect(201)["api_key"].as_str().unwrap());
        let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
        let account = json!({ "provider": "stub", "slug": "clinic", "auth": auth });
        let made = tenant.post("/v1/provider-accounts", account).await;
        made.expect(201);
        let endpoint = Endpoint::start().await;
        let webhook = json!({ "url": endpoint.url("/hook"), "events": ["sms.delivered"] });
        tenant.post("/v1/webhooks", webhook).await.expect(201);
        Self {
            servers,
            root,
            door,
            others,
            endpoint,
            tenant,
            reported: 0,
            registered: 0,
            accepted: BTreeSet::new(),
        }
    }

    fn admin(&self) -> Api {
        Api::anonymous(&self.door.admin_url())
    }

    /// Reports so many messages, each once.
    async fn report(&mut self, number: usize) -> Told {
        let mut told = Told {
            statuses: BTreeSet::new(),
            slowest: Duration::ZERO,
        };
        let ingress = Ingress::new(&self.door.ingress_url());
        for _ in 0..number {
            let id = format!("o-{}", self.reported);
            self.reported += 1;
            let report = stub_report(&id, "DELIVRD", PHONE, None);
            let report: Value = serde_json::from_str(&report).unwrap();
            let asked = Instant::now();
            let answer = ingress.post_json(PATH, report).await;
            told.slowest = told.slowest.max(asked.elapsed());
            told.statuses.insert(answer.status);
            if answer.status == 200 {
                self.accepted.insert(id);
            }
            sleep(BETWEEN).await;
        }
        told
    }

    async fn restart_door(&mut self) {
        self.door.kill();
        self.door = door(&self.servers, self.root.path())
            .without_waiting_for_ready()
            .start()
            .await;
    }

    /// The reports of messages that are registered only now wait for them, as orphans do.
    async fn everything_is_told(mut self) {
        fleet::until_answer(
            &self.admin(),
            "/readyz",
            |said| said["ready"] == true,
            HEALED,
        )
        .await;
        while self.registered < self.reported {
            let id = format!("o-{}", self.registered);
            let message =
                json!({ "provider_account": "clinic", "provider_message_id": id, "to": PHONE });
            let answer = self.tenant.post("/v1/messages", message).await;
            if answer.status == 503 {
                sleep(BETWEEN).await;
                continue;
            }
            answer.expect(201);
            self.registered += 1;
        }
        let told = |hits: &[Hit]| -> BTreeSet<String> {
            let id = |hit: &Hit| {
                hit.json()["data"]["provider_message_id"]
                    .as_str()
                    .map(str::to_owned)
            };
            hits.iter().filter_map(id).collect()
        };
        let accepted = self.accepted.clone();
        let hits = self
            .endpoint
            .wait_until(|hits| told(hits).is_superset(&accepted), HEALED * 2)
            .await;
        assert_eq!(
            told(&hits),
            self.accepted,
            "exactly what was accepted is told"
        );
        for process in [&self.door, &self.others] {
            let status = process.terminate(Duration::from_secs(25)).await;
            assert!(status.success(), "{}", process.log());
        }
    }
}

fn launch(servers: &Servers, data_dir: &Path) -> Launch {
    let settings = servers.settings();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Launch::new(PROGRAM, data_dir).settings(&settings)
}

fn door(servers: &Servers, root: &Path) -> Launch {
    launch(servers, &root.join("door")).roles(&["ingress"])
}
