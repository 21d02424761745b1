//! What the tracker does by itself: it forgets what is old.

use crate::Context;
use domain::Timestamp;
use std::time::Duration;
use store::retention::Kind;

const FORGET_EVERY: Duration = Duration::from_mins(10);
/// Between two pages, so that those who work go first.
const BREATH: Duration = Duration::from_millis(20);
/// How many refused requests are kept of one tenant.
const MOST_QUARANTINED: i64 = 10_000;

pub(crate) fn start(retention: config::Retention, context: &Context) {
    let context = context.clone();
    context.tasks.clone().supervise("tracker.forget", move || {
        let context = context.clone();
        async move {
            loop {
                tokio::select! {
                    forgotten = forget(&context, retention) => forgotten?,
                    () = context.shutdown.draining() => return Ok(()),
                }
                tokio::select! {
                    () = tokio::time::sleep(FORGET_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}

async fn forget(context: &Context, retention: config::Retention) -> Result<(), store::Error> {
    let now: Timestamp = context.clock.now();
    let store = &context.store;
    for (kind, length) in [
        (Kind::Callbacks, retention.callbacks),
        (Kind::SecurityEvents, retention.security_events),
        (Kind::Quarantine, retention.quarantine),
        (Kind::DeadLetters, retention.dead_letters),
    ] {
        while store.forget_older(kind, now.minus(length)).await? > 0 {
            tokio::time::sleep(BREATH).await;
        }
    }
    while store.forget_quarantine_beyond(MOST_QUARANTINED).await? > 0 {
        tokio::time::sleep(BREATH).await;
    }
    store.forget_suspicions().await?;
    Ok(())
}
