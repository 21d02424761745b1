//! What the roles are made of, and what of it each gets.

use crate::VERSION;
use broker::Broker;
use config::{Config, RetryPolicy};
use domain::subscription::{Retry, Usual};
use domain::{Clock, Random};
use runtime::{Gate, Readiness, Shutdown, Tasks};
use signing::Vault;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use telemetry::{Metrics, Tracer};

/// What the roles are made of.
#[derive(Clone)]
pub(super) struct Parts {
    pub config: Arc<Config>,
    pub store: Store,
    /// What event types say, in memory.
    pub catalog: catalog::Directory,
    pub broker: Broker,
    pub vault: Arc<Vault>,
    pub client: egress::Client,
    /// What reaches the APIs of providers.
    pub asking: egress::Client,
    /// What tries endpoints.
    pub trying: egress::Client,
    pub clock: Clock,
    pub random: Random,
    pub metrics: Metrics,
    pub tracer: Tracer,
    pub shutdown: Shutdown,
    pub tasks: Tasks,
    pub readiness: Readiness,
    /// Open once the store was found to fit this release and this key.
    pub admission: Gate,
    /// How many connections a listener may have, by the limit of open files.
    pub most_connections: usize,
}

impl Parts {
    pub(super) fn for_ingress(self, journal: Option<journal::Journal>) -> ingress::Context {
        ingress::Context {
            store: self.store,
            broker: self.broker,
            journal,
            vault: self.vault,
            clock: self.clock,
            random: self.random,
            metrics: self.metrics,
            tracer: self.tracer,
            shutdown: self.shutdown,
            tasks: self.tasks,
            readiness: self.readiness,
        }
    }

    pub(super) fn for_api(
        self,
        public_url: String,
        replayable: Duration,
    ) -> subscriptions::Context {
        subscriptions::Context {
            usual: usual(&self.config.dispatcher),
            replayable,
            policy: Arc::new(self.client.policy().clone()),
            catalog: self.catalog,
            client: self.trying,
            version: VERSION,
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
            admission: self.admission,
            max_connections: self.most_connections,
            poller: self.config.poller,
            public_url,
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
            usual: usual(&parts.config.dispatcher),
            disable_after: parts.config.dispatcher.disable_after,
            api_url: parts
                .config
                .subscriptions
                .public_url
                .clone()
                .unwrap_or_default(),
            catalog: parts.catalog,
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
            store: parts.store,
            broker: parts.broker,
            client: parts.asking,
            vault: parts.vault,
            clock: parts.clock,
            random: parts.random,
            metrics: parts.metrics,
            tracer: parts.tracer,
            version: VERSION,
            shutdown: parts.shutdown,
            tasks: parts.tasks,
            readiness: parts.readiness,
        }
    }
}

/// What holds where a subscription says nothing of how its events are sent.
fn usual(config: &config::Dispatcher) -> Usual {
    let retry = config.retry.as_ref().map(|retry| match retry {
        RetryPolicy::Quick => Retry::Quick,
        RetryPolicy::Standard => Retry::Standard,
        RetryPolicy::Delays(waits) => Retry::Delays(waits.iter().map(Duration::as_secs).collect()),
    });
    Usual {
        retry,
        timeout_seconds: u32::try_from(config.timeout.as_secs()).unwrap_or(u32::MAX),
    }
}
