#![doc = include_str!("../README.md")]

mod account;
mod answer;
mod ask;
mod backlog;
mod breaker;
mod held;
mod inbox;
mod memory;
mod publish;
mod round;
#[cfg(test)]
mod scene;
mod silence;
mod turn;
mod wait;

use broker::Broker;
use domain::{Clock, Random};
use runtime::{Readiness, Shutdown, Tasks};
use signing::Vault;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use telemetry::{Metrics, Tracer};

/// The longest answer of a provider that is read, in bytes. The client that the poller is given has to have this
/// limit: an answer that goes on is none that can be read.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// What the poller works with.
#[derive(Clone)]
pub struct Context {
    /// Where due messages are.
    pub store: Store,
    /// Where answers go, and hints come from.
    pub broker: Broker,
    /// What reaches the providers.
    pub client: egress::Client,
    /// Opens what providers are asked with.
    pub vault: Arc<Vault>,
    /// The time.
    pub clock: Clock,
    /// Randomness for ids and jitter.
    pub random: Random,
    /// What is counted.
    pub metrics: Metrics,
    /// Where traces begin.
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

/// What the configuration says of asking.
#[derive(Debug, Clone, Copy)]
struct Rules {
    max_age: Duration,
    first_poll: Duration,
    first_poll_floor: Duration,
    first_poll_ceiling: Duration,
}

/// Starts the role, until the process drains.
pub fn start(config: &config::Poller, context: &Context) {
    let check = context.readiness.register("poller");
    if !config.enabled {
        check.ok("switched off by poller.enabled");
        let shutdown = context.shutdown.clone();
        context.tasks.spawn("poller", async move {
            shutdown.draining().await;
        });
        return;
    }
    let rules = Rules {
        max_age: config.max_age,
        first_poll: config.first_poll,
        first_poll_floor: config.first_poll_floor,
        first_poll_ceiling: config.first_poll_ceiling,
    };
    round::start(rules, check, context);
    backlog::start(context);
}
