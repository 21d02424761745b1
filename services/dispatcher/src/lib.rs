#![doc = include_str!("../README.md")]

mod dispatch;
mod engine;
mod lane;
mod outgoing;
mod pace;
mod payload;
mod record;
mod round;
mod share;
mod verdict;

use broker::Broker;
use domain::breaker;
use domain::subscription::Usual;
use domain::{Clock, Random};
use runtime::{Readiness, Shutdown, Tasks};
use signing::Vault;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use telemetry::{Metrics, Tracer};

/// What the dispatcher works with.
#[derive(Clone)]
pub struct Context {
    /// Where events and deliveries are.
    pub store: Store,
    /// What event types say of their versions.
    pub catalog: catalog::Directory,
    /// Where hints come from.
    pub broker: Broker,
    /// What reaches the endpoints.
    pub client: egress::Client,
    /// Opens the subscriptions' secrets.
    pub vault: Arc<Vault>,
    /// The time.
    pub clock: Clock,
    /// Randomness for ids and jitter.
    pub random: Random,
    /// What is counted.
    pub metrics: Metrics,
    /// Where traces go on.
    pub tracer: Tracer,
    /// When to end.
    pub shutdown: Shutdown,
    /// Where its tasks run.
    pub tasks: Tasks,
    /// Where it says how it is.
    pub readiness: Readiness,
    /// What holds where a subscription says nothing of how its events are sent.
    pub usual: Usual,
    /// After which time with nothing but failures a subscription is disabled; none: never.
    pub disable_after: Option<Duration>,
    /// Under which URL tenants reach the API, without a slash at the end; empty where nobody said it,
    /// and what is told is relative to what they know.
    pub api_url: String,
    /// The version told in `user-agent`.
    pub version: &'static str,
}

/// What the configuration says of what is sent.
#[derive(Debug)]
pub struct Rules {
    /// Events older than this are about to be forgotten, and not replayed.
    pub replayable: Duration,
    /// When an endpoint that fails is left alone.
    pub breaker: breaker::Rules,
    /// How many requests are under way at once to one host, over all tenants.
    pub max_per_host: usize,
}

/// Starts dispatching, until the process drains.
pub fn start(rules: Rules, context: &Context) {
    engine::start(&Arc::new(rules), context);
}
