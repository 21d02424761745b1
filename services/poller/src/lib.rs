#![doc = include_str!("../README.md")]

use runtime::{Readiness, Shutdown, Tasks};

/// What the poller works with.
#[derive(Clone)]
pub struct Context {
    /// When to end.
    pub shutdown: Shutdown,
    /// Where its tasks run.
    pub tasks: Tasks,
    /// Where it says how it is.
    pub readiness: Readiness,
}

/// Starts the role, until the process drains.
pub fn start(context: &Context) {
    let check = context.readiness.register("poller");
    let shutdown = context.shutdown.clone();
    context.tasks.spawn("poller", async move {
        check.ok("no provider can be asked");
        shutdown.draining().await;
    });
}
