//! What the API does by itself: it forgets old idempotency keys, and counts subscriptions and replays.

use crate::Context;
use std::time::Duration;
use store::subscription::Count;

const FORGET_EVERY: Duration = Duration::from_mins(10);
const COUNT_EVERY: Duration = Duration::from_secs(5);

pub(crate) fn start(context: &Context) {
    let ours = context.clone();
    context.tasks.supervise("subscriptions.count", move || {
        let context = ours.clone();
        async move {
            if !is_admitted(&context).await {
                return Ok(());
            }
            loop {
                count(&context).await?;
                tokio::select! {
                    () = tokio::time::sleep(COUNT_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
    let ours = context.clone();
    context.tasks.supervise("subscriptions.forget", move || {
        let context = ours.clone();
        async move {
            if !is_admitted(&context).await {
                return Ok(());
            }
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

/// Waits for the store; false where the process drains first.
pub(crate) async fn is_admitted(context: &Context) -> bool {
    tokio::select! {
        () = context.admission.opened() => true,
        () = context.shutdown.draining() => false,
    }
}

async fn count(context: &Context) -> Result<(), store::Error> {
    let replays = context.store.count_replays().await?;
    for state in domain::replay::State::ALL {
        let of_state = replays.iter().filter(|(known, _)| *known == state);
        let number = of_state.map(|(_, number)| number).sum();
        context.metrics.set_replays(state.as_str(), number);
    }
    for (state, number) in context.store.count_breakers().await? {
        let number = u64::try_from(number).unwrap_or(0);
        context.metrics.set_breakers(state.as_str(), number);
    }
    let counts = context.store.count_subscriptions().await?;
    let state_of = |count: &Count| match (count.is_enabled, count.is_failing) {
        (false, _) => "disabled",
        (true, true) => "failing",
        (true, false) => "active",
    };
    for state in ["active", "failing", "disabled"] {
        let in_state = counts.iter().filter(|count| state_of(count) == state);
        let number: i64 = in_state.map(|count| count.number).sum();
        context
            .metrics
            .set_subscriptions(state, u64::try_from(number).unwrap_or(0));
    }
    Ok(())
}
