//! What the API does by itself: it forgets old idempotency keys, tries whether the store takes
//! writes, and counts subscriptions.

use crate::Context;
use std::time::Duration;

const FORGET_EVERY: Duration = Duration::from_mins(10);
/// How often the store is tried, and subscriptions are counted.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(crate) fn start(context: &Context) {
    let check = context.readiness.register("store");
    let ours = context.clone();
    context.tasks.supervise("subscriptions.store", move || {
        let (context, check) = (ours.clone(), check.clone());
        async move {
            loop {
                match look(&context).await {
                    Ok(()) => check.ok("takes writes"),
                    Err(error) => check.failing(error.to_string()),
                }
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
    let ours = context.clone();
    context.tasks.supervise("subscriptions.forget", move || {
        let context = ours.clone();
        async move {
            loop {
                while context.store.forget_idempotency_keys().await? > 0 {}
                tokio::select! {
                    () = tokio::time::sleep(FORGET_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}

async fn look(context: &Context) -> Result<(), store::Error> {
    context.store.ping().await?;
    let counts = context.store.count_subscriptions().await?;
    for (state, is_enabled) in [("active", true), ("disabled", false)] {
        let number: i64 = counts
            .iter()
            .filter(|count| count.is_enabled == is_enabled)
            .map(|count| count.number)
            .sum();
        context
            .metrics
            .set_subscriptions(state, u64::try_from(number).unwrap_or(0));
    }
    Ok(())
}
