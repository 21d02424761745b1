#![doc = include_str!("../README.md")]

mod dispatch;
mod endpoint;
mod engine;
mod lane;
mod outgoing;
mod record;

use broker::Broker;
use domain::retry::Schedule;
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
    /// The version told in `user-agent`.
    pub version: &'static str,
}

/// What the configuration says of attempts.
#[derive(Debug)]
struct Rules {
    schedule: Schedule,
    timeout: Duration,
    /// Events older than this are about to be forgotten, and not replayed.
    replayable: Duration,
}

/// Starts dispatching, until the process drains. Events older than `replayable` are not replayed.
pub fn start(config: &config::Dispatcher, replayable: Duration, context: &Context) {
    let schedule = match &config.retry {
        config::RetryPolicy::Quick => Schedule::quick(),
        config::RetryPolicy::Delays(waits) => Schedule::new(waits.clone()),
    };
    let rules = Arc::new(Rules {
        schedule,
        timeout: config.timeout,
        replayable,
    });
    engine::start(&rules, context);
}
