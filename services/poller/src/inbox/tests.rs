//! An inbox of a provider of our own, read through everything but the round.

use super::*;
use crate::Context;
use crate::account::Api;
use crate::held::Held;
use crate::memory::Memory;
use broker::Broker;
use domain::callback::Statement;
use domain::id::{AccountId, TenantId};
use domain::inbound::Inbound;
use domain::{Clock, Random, Timestamp};
use providers::ask::{Access, Fetched, Field, Reply, Request, Unanswered};
use runtime::{Readiness, Shutdown, Tasks};
use signing::Vault;
use std::sync::Arc;
use std::time::Instant;
use store::Store;
use telemetry::{Metrics, Tracer};
use testkit::Endpoint;
use wire::Queue;

/// `{base_url}/inbox?after=…`, answered with the numbers of texts, the last of which is the cursor; a `+` at the
/// end says that there is more.
struct Numbers;

impl InboxApi for Numbers {
    fn base_url(&self) -> Option<&'static str> {
        None
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn request(&self, access: &Access, after: Option<&str>) -> Request {
        Request {
            method: "GET",
            url: format!("{}/inbox?after={}", access.base_url, after.unwrap_or("")),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    fn read(&self, _access: &Access, reply: Reply<'_>) -> Result<Fetched, Unanswered> {
        if reply.status != 200 {
            return Err(Unanswered::Unavailable(reply.status.to_string()));
        }
        let text = String::from_utf8_lossy(reply.body).into_owned();
        let numbers: Vec<&str> = text.trim_end_matches('+').split_whitespace().collect();
        Ok(Fetched {
            statements: numbers.iter().copied().map(inbound).collect(),
            cursor: numbers.last().map(|last| (*last).to_owned()),
            has_more: text.ends_with('+'),
        })
    }
}

fn inbound(number: &str) -> Statement {
    Statement::Inbound(Inbound {
        provider_message_id: Some(number.to_owned()),
        from: "+254700000001".to_owned(),
        to: "4455".to_owned(),
        text: "LEKA".to_owned(),
        provider_time: None,
        ids_repeat: false,
    })
}

struct Scene {
    context: Context,
    held: Held,
    api: Api,
    names: Names,
    lease: Lease,
    memory: Memory,
    endpoint: Endpoint,
    _directory: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (clock, random) = (Clock::movable(), Random::seeded(4));
        let path = |name: &str| directory.path().join(name);
        let store = Store::open_sqlite(&path("tidings.db"), clock.clone(), random.clone());
        let policy = egress::Policy {
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            allow_ports: vec![1..=65_535],
            require_https: false,
        };
        let resolver = egress::Resolver::system().unwrap();
        let client = egress::Client::new(policy, resolver, egress::ClientOptions::default());
        let shutdown = Shutdown::new();
        let context = Context {
            store: store.unwrap(),
            broker: Broker::open_embedded(&path("queue.db"), clock.clone()).unwrap(),
            client: client.unwrap(),
            vault: Arc::new(Vault::new([7; 32])),
            clock: clock.clone(),
            random: random.clone(),
            metrics: Metrics::new("1").unwrap(),
            tracer: Tracer::disabled(),
            tasks: Tasks::new(shutdown.clone()),
            readiness: Readiness::new(shutdown.clone()),
            shutdown,
            version: "1",
        };
        let account_id = AccountId::new(clock.now(), &random);
        let endpoint = Endpoint::start().await;
        let held = Held::default();
        held.take(account_id, Instant::now());
        let leases = context
            .store
            .lease_accounts("me".to_owned(), vec![account_id]);
        let lease = leases.await.unwrap().pop().unwrap();
        Self {
            api: Api {
                status: None,
                inbox: Some(&Numbers),
                access: Access {
                    base_url: endpoint.url(""),
                    values: std::collections::BTreeMap::new(),
                },
                per_second: 100,
            },
            names: Names {
                tenant_id: TenantId::PLATFORM,
                account_id,
                slug: "clinic".parse().unwrap(),
                provider: "numbers".to_owned(),
                environment: domain::account::Environment::default(),
            },
            context,
            held,
            lease,
            memory: Memory::default(),
            endpoint,
            _directory: directory,
        }
    }

    fn has(&self, answers: &[&str]) {
        let replies = answers
            .iter()
            .map(|text| testkit::Reply::with(200, &[], *text));
        self.endpoint
            .answer_at("/inbox", replies.collect::<Vec<_>>());
    }

    async fn read(&mut self) -> Result<(), Failed> {
        let mut asker = Asker {
            context: &self.context,
            held: &self.held,
            account_id: self.lease.account_id,
            api: &self.api,
            memory: &mut self.memory,
        };
        super::read(&mut asker, &Numbers, &self.names, &self.lease).await
    }

    async fn cursor(&self) -> Option<String> {
        let found = self.context.store.find_inbox(self.lease.account_id).await;
        found.unwrap().and_then(|inbox| inbox.cursor)
    }

    async fn jobs(&self) -> u64 {
        self.context
            .broker
            .depth(Queue::Callbacks)
            .await
            .unwrap()
            .ready
    }

    fn asked(&self) -> Vec<String> {
        let hits = self.endpoint.take_hits();
        hits.into_iter().map(|hit| hit.path).collect()
    }

    fn pass(&self, time: Duration) -> Timestamp {
        self.context.clock.advance(time);
        self.context.clock.now()
    }
}

#[tokio::test]
async fn what_is_new_is_published_once_and_the_next_reading_goes_on_behind_it() {
    let mut scene = Scene::new().await;
    scene.has(&["1 2+", "3", ""]);
    assert!(scene.read().await.is_ok());
    assert_eq!(scene.asked(), ["/inbox?after=", "/inbox?after=2"]);
    assert_eq!(
        (scene.cursor().await.as_deref(), scene.jobs().await),
        (Some("3"), 2)
    );
    // Within the minute it is not read again, and after it from there.
    assert!(scene.read().await.is_ok());
    assert_eq!(scene.asked(), [""; 0]);
    scene.pass(READ_EVERY);
    assert!(scene.read().await.is_ok());
    assert_eq!(scene.asked(), ["/inbox?after=3"]);
    assert_eq!(
        (scene.cursor().await.as_deref(), scene.jobs().await),
        (Some("3"), 2)
    );
}

#[tokio::test]
async fn an_endless_inbox_is_read_twenty_times_in_a_row() {
    let mut scene = Scene::new().await;
    scene.has(&["9+"]);
    assert!(scene.read().await.is_ok());
    assert_eq!(scene.asked().len(), MOST_FETCHES);
}

#[tokio::test]
async fn without_its_lease_nothing_is_fetched_or_written() {
    let mut scene = Scene::new().await;
    scene.has(&["1"]);
    scene.held.leave(scene.lease.account_id);
    let stopped = scene.read().await;
    assert!(matches!(stopped, Err(Failed::Stop(Stop::Lost))));
    assert_eq!(scene.asked(), [""; 0]);
    // Held here, and somebody else's in the store.
    scene.held.take(scene.lease.account_id, Instant::now());
    scene.lease.fence -= 1;
    let stopped = scene.read().await;
    assert!(matches!(stopped, Err(Failed::Stop(Stop::Lost))));
    assert_eq!(scene.cursor().await, None);
}
