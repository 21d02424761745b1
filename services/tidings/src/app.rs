//! The app: everything composed, running in this process.

mod admission;
mod backend;
mod measure;
mod news;
mod parts;
mod reach;

pub(crate) use backend::{jobs_left, migrate, open_alone, reach_broker};
pub use reach::Reach;

use crate::VERSION;
use crate::exit::Failure;
use crate::key::Key;
use crate::role::Role;
use admission::Unfit;
use config::{Config, Mode};
use domain::{Clock, Random};
use parts::Parts;
use runtime::http::Serving;
use runtime::{DataDir, Gate, Readiness, Shutdown, Tasks};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use telemetry::{Metrics, Tracer};

/// What roles have to drain; the rest of the 25 s is for what is around them.
const DRAIN_WITHIN: Duration = Duration::from_secs(22);
const STOP_WITHIN: Duration = Duration::from_secs(2);

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

impl App {
    /// Opens everything and starts the roles. The listeners are bound when this returns. A database or
    /// broker server that is away is waited for in the background.
    pub async fn start(config: Config, roles: &[Role], clock: Clock) -> Result<Self, Failure> {
        Self::start_reaching(config, roles, clock, &Reach::system()?).await
    }

    /// The same with name servers and root certificates of one's own.
    pub async fn start_reaching(
        config: Config,
        roles: &[Role],
        clock: Clock,
        reach: &Reach,
    ) -> Result<Self, Failure> {
        config.check_roles(roles.len() == Role::ALL.len())?;
        let most_connections = runtime::connections_of(runtime::raise_open_files());
        let data_dir = claim(&config, roles)?;
        let random = Random::system();
        let store = backend::open_store(&config, &clock, &random).await?;
        let key = Key::read(&config, &random)?;
        if let Some(change) = key.change() {
            tracing::warn!("{change}");
        }
        let admission = Gate::closed();
        match admission::admit(&config, &store, &key).await {
            Ok(()) => admission.open(),
            Err(Unfit::Wrong(failure)) => return Err(failure),
            Err(Unfit::Away(error)) => {
                tracing::error!(%error, "the store is away: this process waits for it");
            }
        }
        let broker = backend::open_broker(&config, &clock, &random)?;
        let shutdown = Shutdown::new();
        let parts = Parts {
            client: reach.client(&config)?,
            asking: reach.asking(&config)?,
            trying: reach.trying(&config)?,
            metrics: Metrics::new(VERSION).map_err(Failure::runtime)?,
            tracer: tracer(&config).await?,
            tasks: Tasks::new(shutdown.clone()),
            readiness: Readiness::new(shutdown.clone()),
            config: Arc::new(config),
            vault: key.vault(),
            admission,
            catalog: catalog::Directory::new(store.clone(), clock.clone()),
            store,
            broker,
            clock,
            random,
            shutdown: shutdown.clone(),
            most_connections,
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
        admission::watch(&app.parts, key);
        admission::keep_partitions(&app.parts);
        measure::broker(&app.parts, roles);
        measure::queues(&app.parts);
        news::start(&app.parts, roles);
        app.start_roles(roles)?;
        app.tell_addresses(roles)?;
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
                    let journal = backend::open_journal(&config, &parts.clock, &parts.random)?;
                    let context = parts.for_ingress(journal);
                    let mut ingress = config.ingress.clone();
                    ingress.max_connections = self.connections(ingress.max_connections);
                    let serving = ingress::serve(ingress, config.security, context)?;
                    self.listen("ingress", serving);
                }
                Role::Tracker => self.once_admitted("tracker", move || {
                    tracker::start(&config, &parts.into());
                }),
                Role::Dispatcher => self.once_admitted("dispatcher", move || {
                    let replayable = config.retention.replayable();
                    let sending = dispatcher::Rules {
                        replayable,
                        breaker: breaker(&config.dispatcher.breaker),
                        max_per_host: config.egress.max_per_host,
                    };
                    dispatcher::start(sending, &parts.into());
                }),
                Role::Poller => self.once_admitted("poller", move || {
                    poller::start(&config.poller, &parts.into());
                }),
                Role::Subscriptions => {
                    let replayable = config.retention.replayable();
                    let context = parts.for_api(self.public_url(), replayable);
                    let serving = subscriptions::serve(config.subscriptions.clone(), context)?;
                    self.listen("subscriptions", serving);
                }
            }
        }
        Ok(())
    }

    /// How many of so many connections this process can have.
    fn connections(&self, wanted: usize) -> usize {
        let most = self.parts.most_connections;
        if most < wanted {
            tracing::warn!(
                "the limit of open files allows {most} connections at a time, not \
                 ingress.max_connections = {wanted}: raise it (ulimit -n) or lower the setting"
            );
        }
        most.min(wanted)
    }

    /// Starts a role that does nothing without the store.
    fn once_admitted(&self, role: &'static str, start: impl FnOnce() + Send + 'static) {
        let parts = &self.parts;
        if parts.admission.is_open() {
            return start();
        }
        let (admission, shutdown) = (parts.admission.clone(), parts.shutdown.clone());
        self.roles.spawn(format!("{role}.start"), async move {
            tokio::select! {
                () = admission.opened() => start(),
                () = shutdown.draining() => {}
            }
        });
    }

    /// Tells where the listeners are. Processes that share a data directory have an admin address each.
    fn tell_addresses(&self, roles: &[Role]) -> Result<(), Failure> {
        let mut told = Vec::new();
        for (name, address) in &self.addresses {
            if *name == "admin" && self.parts.config.mode() == Mode::Distributed {
                let of_role = |role: &Role| (format!("{}.admin", role.as_str()), *address);
                told.extend(roles.iter().map(of_role));
            } else {
                told.push(((*name).to_owned(), *address));
            }
        }
        Ok(self.data_dir.write_addresses(&told)?)
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
}

async fn ended(name: &'static str, run: impl Future<Output = Result<(), runtime::Error>>) {
    if let Err(error) = run.await {
        tracing::error!(listener = name, %error, "a listener ended");
    }
}

/// An embedded installation is one process; of a distributed one, each role once in a directory.
fn claim(config: &Config, roles: &[Role]) -> Result<DataDir, Failure> {
    Ok(match config.mode() {
        Mode::Embedded => DataDir::claim(&config.data_dir)?,
        Mode::Distributed => {
            let parts: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            DataDir::claim_parts(&config.data_dir, &parts)?
        }
    })
}

const fn breaker(config: &config::Breaker) -> domain::breaker::Rules {
    domain::breaker::Rules {
        min_requests: config.min_requests,
        failure_ratio: config.failure_ratio,
        window: config.window,
        open: config.open,
    }
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
