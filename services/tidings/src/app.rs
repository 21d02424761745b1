//! The app: everything composed, running in this process.

use crate::VERSION;
use crate::exit::Failure;
use crate::key;
use crate::role::Role;
use broker::Broker;
use config::{BrokerUrl, Config, StoreUrl};
use domain::{Clock, Random};
use runtime::http::Serving;
use runtime::{DataDir, Readiness, Shutdown, Tasks};
use signing::Vault;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use telemetry::{Metrics, Tracer};
use wire::Queue;

/// What roles have to drain; the rest of the 25 s is for what is around them.
const DRAIN_WITHIN: Duration = Duration::from_secs(22);
const STOP_WITHIN: Duration = Duration::from_secs(2);
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// The queue's file in the data directory.
const QUEUE_FILE: &str = "queue.db";

/// A running process's worth of Tidings. Several may run in one process, each with its own data
/// directory.
pub struct App {
    /// Where its listeners are: name and address.
    pub addresses: Vec<(&'static str, SocketAddr)>,
    shutdown: Shutdown,
    roles: Tasks,
    around: Tasks,
    parts: Parts,
    data_dir: DataDir,
}

/// What the roles are made of.
#[derive(Clone)]
struct Parts {
    config: Arc<Config>,
    store: Store,
    broker: Broker,
    vault: Arc<Vault>,
    client: egress::Client,
    clock: Clock,
    random: Random,
    metrics: Metrics,
    tracer: Tracer,
    shutdown: Shutdown,
    tasks: Tasks,
    readiness: Readiness,
}

impl App {
    /// Opens everything and starts the roles. The listeners are bound when this returns.
    pub async fn start(config: Config, roles: &[Role], clock: Clock) -> Result<Self, Failure> {
        config.check_roles(roles.len() == Role::ALL.len())?;
        let data_dir = DataDir::claim(&config.data_dir, "tidings")?;
        let random = Random::system();
        let store = open_store(&config, &clock, &random).await?;
        let vault = key::unlock(&config, &store, &random).await?;
        let broker = open_broker(&config, &clock)?;
        let shutdown = Shutdown::new();
        let parts = Parts {
            client: client(&config)?,
            metrics: Metrics::new(VERSION).map_err(Failure::runtime)?,
            tracer: tracer(&config).await?,
            tasks: Tasks::new(shutdown.clone()),
            readiness: Readiness::new(shutdown.clone()),
            config: Arc::new(config),
            vault: Arc::new(vault),
            store,
            broker,
            clock,
            random,
            shutdown: shutdown.clone(),
        };
        let mut app = Self {
            addresses: Vec::new(),
            roles: parts.tasks.clone(),
            around: Tasks::new(shutdown.clone()),
            shutdown,
            parts,
            data_dir,
        };
        app.serve_admin()?;
        app.start_roles(roles)?;
        app.measure_queues();
        app.data_dir.write_addresses(&app.addresses)?;
        Ok(app)
    }

    /// When it is asked to end.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// The base URL of a listener, by its name.
    pub fn url(&self, name: &str) -> Option<String> {
        let found = self.addresses.iter().find(|(known, _)| *known == name);
        found.map(|(_, address)| format!("http://{address}"))
    }

    /// Lets everything under way end, then ends: at most 25 s. The names of what did not end in
    /// time.
    pub async fn end(self) -> Vec<String> {
        self.shutdown.drain();
        let mut late = self.roles.join(DRAIN_WITHIN).await;
        self.shutdown.stop();
        late.extend(self.around.join(STOP_WITHIN).await);
        self.parts.broker.close().await;
        let tracer = self.parts.tracer.clone();
        let _ = tokio::task::spawn_blocking(move || tracer.flush_and_stop()).await;
        late
    }

    /// The one place that decides which roles run. The ingress comes before the API, which tells
    /// its address.
    fn start_roles(&mut self, roles: &[Role]) -> Result<(), Failure> {
        for role in Role::ALL.into_iter().filter(|role| roles.contains(role)) {
            let parts = self.parts.clone();
            let config = parts.config.clone();
            match role {
                Role::Ingress => {
                    let serving = ingress::serve(config.ingress.clone(), parts.into())?;
                    self.listen("ingress", serving);
                }
                Role::Tracker => tracker::start(&config.tracker, &parts.into()),
                Role::Dispatcher => dispatcher::start(&config.dispatcher, &parts.into()),
                Role::Poller => poller::start(&parts.into()),
                Role::Subscriptions => {
                    let context = parts.for_api(self.public_url());
                    let serving = subscriptions::serve(config.subscriptions.clone(), context)?;
                    self.listen("subscriptions", serving);
                }
            }
        }
        Ok(())
    }

    fn listen(&mut self, name: &'static str, serving: Serving) {
        self.addresses.push((name, serving.address));
        self.roles.spawn(name, ended(name, serving.run));
    }

    fn serve_admin(&mut self) -> Result<(), Failure> {
        let parts = &self.parts;
        let address = parts.config.runtime.admin_listen;
        let (readiness, metrics) = (parts.readiness.clone(), parts.metrics.clone());
        let serving = runtime::admin::serve(address, &self.shutdown, readiness, metrics)?;
        self.addresses.push(("admin", serving.address));
        self.around.spawn("admin", ended("admin", serving.run));
        Ok(())
    }

    fn public_url(&self) -> String {
        let configured = self.parts.config.ingress.public_url.clone();
        let bound = || self.url("ingress");
        configured
            .or_else(bound)
            .unwrap_or_else(|| format!("http://{}", self.parts.config.ingress.listen))
    }

    /// Keeps the queue's numbers and its health current: a scrape looks at what is known already.
    fn measure_queues(&self) {
        let parts = self.parts.clone();
        let check = parts.readiness.register("broker");
        self.roles.spawn("queues", async move {
            while !parts.shutdown.is_draining() {
                match parts.broker.health() {
                    Ok(()) => check.ok("answers"),
                    Err(reason) => check.failing(reason),
                }
                for queue in Queue::ALL {
                    if let Ok(depth) = parts.broker.depth(queue).await {
                        let age = depth
                            .oldest_ready_at
                            .map_or(0.0, |oldest| parts.clock.now().since(oldest).as_secs_f64());
                        let waiting = depth.ready + depth.delayed + depth.leased;
                        parts.metrics.queue(queue.as_str(), waiting, age);
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(MEASURE_EVERY) => {}
                    () = parts.shutdown.draining() => {}
                }
            }
        });
    }
}

async fn ended(name: &'static str, run: impl Future<Output = Result<(), runtime::Error>>) {
    if let Err(error) = run.await {
        tracing::error!(listener = name, %error, "a listener ended");
    }
}

async fn open_store(config: &Config, clock: &Clock, random: &Random) -> Result<Store, Failure> {
    match &config.store.url {
        StoreUrl::Sqlite(path) => {
            let (path, clock, random) = (path.clone(), clock.clone(), random.clone());
            let opened =
                tokio::task::spawn_blocking(move || Store::open_sqlite(&path, clock, random));
            Ok(opened.await.map_err(Failure::runtime)??)
        }
        StoreUrl::Postgres(_) => Err(not_in_this_release("store.url", "sqlite:")),
    }
}

fn open_broker(config: &Config, clock: &Clock) -> Result<Broker, Failure> {
    match &config.broker.url {
        BrokerUrl::Embedded => {
            let path = config.data_dir.join(QUEUE_FILE);
            Broker::open_embedded(&path, clock.clone()).map_err(Failure::runtime)
        }
        BrokerUrl::Amqp(_) => Err(not_in_this_release("broker.url", "embedded:")),
    }
}

/// Applies the migrations that are missing; their names.
pub(crate) async fn migrate(config: &Config) -> Result<Vec<String>, Failure> {
    let StoreUrl::Sqlite(path) = &config.store.url else {
        return Err(not_in_this_release("store.url", "sqlite:"));
    };
    let _data_dir = DataDir::claim(&config.data_dir, "tidings")?;
    let path = path.clone();
    let migrated = tokio::task::spawn_blocking(move || Store::migrate_sqlite(&path));
    Ok(migrated.await.map_err(Failure::runtime)??)
}

/// The store of a data directory that no process uses.
pub(crate) async fn open_alone(config: &Config) -> Result<(DataDir, Store), Failure> {
    let data_dir = DataDir::claim(&config.data_dir, "tidings")?;
    let store = open_store(config, &Clock::system(), &Random::system()).await?;
    Ok((data_dir, store))
}

fn not_in_this_release(key: &str, instead: &str) -> Failure {
    Failure::Configuration(format!(
        "{key}: this release runs on {instead} only; leave the key out"
    ))
}

fn client(config: &Config) -> Result<egress::Client, Failure> {
    let policy = egress::Policy {
        allow_networks: config.egress.allow_networks.clone(),
        allow_ports: config.egress.allow_ports.clone(),
        require_https: config.egress.require_https,
    };
    let resolver = egress::Resolver::system().map_err(Failure::runtime)?;
    egress::Client::new(policy, resolver, egress::ClientOptions::default())
        .map_err(Failure::runtime)
}

async fn tracer(config: &Config) -> Result<Tracer, Failure> {
    let Some(endpoint) = config.telemetry.otlp_endpoint.clone() else {
        return Ok(Tracer::disabled());
    };
    // The exporter's client is made on a thread of its own: it must not meet the async runtime.
    let made =
        tokio::task::spawn_blocking(move || Tracer::otlp(endpoint.reveal(), "tidings", VERSION));
    made.await
        .map_err(Failure::runtime)?
        .map_err(|error| Failure::configuration(format!("telemetry.otlp_endpoint: {error}")))
}

/// Where a data directory's running server listens, if one runs there.
pub(crate) fn addresses(data_dir: &Path) -> Option<serde_json::Map<String, serde_json::Value>> {
    let text = std::fs::read_to_string(data_dir.join("addresses.json")).ok()?;
    serde_json::from_str(&text).ok()
}

impl Parts {
    fn for_api(self, public_url: String) -> subscriptions::Context {
        subscriptions::Context {
            policy: Arc::new(self.client.policy().clone()),
            store: self.store,
            broker: self.broker,
            vault: self.vault,
            clock: self.clock,
            random: self.random,
            metrics: self.metrics,
            tracer: self.tracer,
            shutdown: self.shutdown,
            tasks: self.tasks,
            readiness: self.readiness,
            public_url,
        }
    }
}

impl From<Parts> for ingress::Context {
    fn from(parts: Parts) -> Self {
        Self {
            store: parts.store,
            broker: parts.broker,
            vault: parts.vault,
            clock: parts.clock,
            random: parts.random,
            metrics: parts.metrics,
            tracer: parts.tracer,
            shutdown: parts.shutdown,
            tasks: parts.tasks,
            readiness: parts.readiness,
        }
    }
}

impl From<Parts> for tracker::Context {
    fn from(parts: Parts) -> Self {
        Self {
            store: parts.store,
            broker: parts.broker,
            clock: parts.clock,
            metrics: parts.metrics,
            tracer: parts.tracer,
            shutdown: parts.shutdown,
            tasks: parts.tasks,
            readiness: parts.readiness,
        }
    }
}

impl From<Parts> for dispatcher::Context {
    fn from(parts: Parts) -> Self {
        Self {
            store: parts.store,
            broker: parts.broker,
            client: parts.client,
            vault: parts.vault,
            clock: parts.clock,
            random: parts.random,
            metrics: parts.metrics,
            tracer: parts.tracer,
            shutdown: parts.shutdown,
            tasks: parts.tasks,
            readiness: parts.readiness,
            version: VERSION,
        }
    }
}

impl From<Parts> for poller::Context {
    fn from(parts: Parts) -> Self {
        Self {
            shutdown: parts.shutdown,
            tasks: parts.tasks,
            readiness: parts.readiness,
        }
    }
}
