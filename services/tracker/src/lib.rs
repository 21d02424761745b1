#![doc = include_str!("../README.md")]

mod health;
mod house;
mod letter;
mod orphan;
mod security;
mod source;
mod tally;
mod track;

use broker::Broker;
use domain::Clock;
use runtime::{Readiness, Shutdown, Tasks};
use store::Store;
use store::tally::Book;
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
pub fn start(config: &config::Config, context: &Context) {
    let max_attempts = config.tracker.max_attempts;
    let tells_new_sources = config.security.alert_thresholds.new_source;
    let book = Book::default();
    track::start(max_attempts, tells_new_sources, &book, context);
    security::start(max_attempts, context);
    orphan::start(context);
    letter::start(&book, context);
    tally::start(&book, context);
    health::start(config.tracker.provider_degraded_ratio, context);
    let lengths = house::Lengths {
        retention: config.retention,
        orphans: config.tracker.orphan_window,
    };
    house::start(lengths, context);
}
