#![doc = include_str!("../README.md")]

mod orphan;
mod track;

use broker::Broker;
use domain::Clock;
use runtime::{Readiness, Shutdown, Tasks};
use store::Store;
use telemetry::{Metrics, Tracer};

/// What the tracker works with.
#[derive(Clone)]
pub struct Context {
    /// Where states are kept.
    pub store: Store,
    /// Where jobs come from.
    pub broker: Broker,
    /// The time.
    pub clock: Clock,
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
}

/// Starts tracking, until the process drains.
pub fn start(config: &config::Tracker, context: &Context) {
    track::start(config.max_attempts, context);
    orphan::start(context);
}
