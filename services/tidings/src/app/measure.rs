//! What is looked at in the background, so that a scrape looks only at what is known already.

use super::parts::Parts;
use crate::role::Role;
use config::Mode;
use std::time::Duration;
use wire::Queue;

const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// How often the broker's health is looked at, which costs nothing.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Keeps the broker's health current. A process that is only the ingress, and has a journal, is ready
/// without a broker once it has met it: whoever sends callbacks here is served.
pub(super) fn broker(parts: &Parts, roles: &[Role]) {
    let check = parts.readiness.register("broker");
    let config = &parts.config;
    let has_journal = config.mode() == Mode::Distributed && config.ingress.journal.enabled;
    let can_do_without = has_journal && roles == [Role::Ingress];
    let parts = parts.clone();
    parts.tasks.clone().spawn("broker", async move {
        let mut has_met = false;
        while !parts.shutdown.is_draining() {
            match parts.broker.health() {
                Ok(()) => {
                    has_met = true;
                    check.ok("answers");
                }
                Err(reason) if can_do_without && has_met => {
                    check.ok(format!("{reason}; callbacks are kept in the journal"));
                }
                Err(reason) => check.failing(reason),
            }
            pause(&parts, LOOK_EVERY).await;
        }
    });
}

/// Keeps the queues' numbers current.
pub(super) fn queues(parts: &Parts) {
    let parts = parts.clone();
    parts.tasks.clone().spawn("queues", async move {
        while !parts.shutdown.is_draining() {
            for queue in Queue::ALL {
                if let Ok(depth) = parts.broker.depth(queue).await {
                    let age = depth
                        .oldest_ready_at
                        .map_or(0.0, |oldest| parts.clock.now().since(oldest).as_secs_f64());
                    let waiting = depth.ready + depth.delayed + depth.leased;
                    parts.metrics.queue(queue.as_str(), waiting, age);
                }
            }
            pause(&parts, MEASURE_EVERY).await;
        }
    });
}

async fn pause(parts: &Parts, length: Duration) {
    tokio::select! {
        () = tokio::time::sleep(length) => {}
        () = parts.shutdown.draining() => {}
    }
}
