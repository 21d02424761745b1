//! What the tracker does by itself: it forgets what is old. Several trackers may do it at once.

use crate::Context;
use domain::Timestamp;
use domain::delivery::State;
use std::time::Duration;
use store::retention::Kind;
use wire::Hint;

const FORGET_EVERY: Duration = Duration::from_mins(10);
/// Between two pages, so that those who work go first.
const BREATH: Duration = Duration::from_millis(20);
/// How long deliveries wait for a subscription that was disabled, by anybody but its owner.
const HELD_FOR: Duration = Duration::from_hours(30 * 24);
/// How long keys that were revoked or ended by themselves are shown.
const KEYS_FOR: Duration = Duration::from_hours(90 * 24);
/// How many refused requests are kept of one tenant.
const MOST_QUARANTINED: i64 = 10_000;
/// How many tests of webhooks are kept of one tenant.
const MOST_TRIALS: i64 = 1_000;

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    pub(crate) retention: config::Retention,
    /// How long a report waits for its message.
    pub(crate) orphans: Duration,
}

pub(crate) fn start(lengths: Lengths, context: &Context) {
    let context = context.clone();
    context.tasks.clone().supervise("tracker.forget", move || {
        let context = context.clone();
        async move {
            loop {
                tokio::select! {
                    forgotten = forget(&context, lengths) => forgotten?,
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

async fn forget(context: &Context, lengths: Lengths) -> Result<(), store::Error> {
    let now = context.clock.now();
    let retention = lengths.retention;
    expire_orphans(context, now.minus(lengths.orphans)).await?;
    // What hangs on something goes before it.
    for (kind, length) in [
        (Kind::Callbacks, retention.callbacks),
        (Kind::Attempts, retention.attempts),
        (Kind::Deliveries, retention.deliveries),
        (Kind::Replays, retention.deliveries),
        (Kind::Events, retention.events),
        (Kind::Messages, retention.messages),
        (Kind::Notifications, retention.messages),
        (Kind::History, retention.messages),
        (Kind::SecurityEvents, retention.security_events),
        (Kind::Quarantine, retention.quarantine),
        (Kind::DeadLetters, retention.dead_letters),
        (Kind::Polls, retention.polls),
        (Kind::Trials, retention.attempts),
    ] {
        forget_kind(context, kind, now.minus(length)).await?;
    }
    // A report may be heard before its message is registered, for as long as it waits for it.
    let heard_before = now.minus(retention.messages).minus(lengths.orphans);
    while context.store.forget_report_keys(heard_before).await? > 0 {
        tokio::time::sleep(BREATH).await;
    }
    let store = &context.store;
    while store.forget_quarantine_beyond(MOST_QUARANTINED).await? > 0 {
        tokio::time::sleep(BREATH).await;
    }
    while store.forget_trials_beyond(MOST_TRIALS).await? > 0 {
        tokio::time::sleep(BREATH).await;
    }
    let counted_before = now.minus(retention.tallies);
    while store.forget_tallies(counted_before).await? > 0 {
        tokio::time::sleep(BREATH).await;
    }
    while store.forget_report_delays().await? > 0 {
        tokio::time::sleep(BREATH).await;
    }
    while store.forget_limit_counters().await? > 0 {
        tokio::time::sleep(BREATH).await;
    }
    store.forget_suspicions().await?;
    while store.forget_expired_secrets(now).await? > 0 {
        tokio::time::sleep(BREATH).await;
    }
    while store.forget_ended_keys(now.minus(KEYS_FOR)).await? > 0 {
        tokio::time::sleep(BREATH).await;
    }
    let audited_before = now.minus(retention.audit);
    while store.forget_audit(audited_before).await? > 0 {
        tokio::time::sleep(BREATH).await;
    }
    give_up_held(context, now.minus(HELD_FOR)).await
}

/// Gives up what waits for a subscription that was disabled before this, by anybody but its owner.
async fn give_up_held(context: &Context, before: Timestamp) -> Result<(), store::Error> {
    loop {
        let given_up = context.store.fail_held_deliveries(before).await?;
        let deliveries = given_up.deliveries;
        if deliveries == 0 {
            return Ok(());
        }
        for _ in 0..deliveries {
            context.metrics.delivery(State::Failed.as_str());
        }
        for _ in 0..given_up.told.events {
            context.metrics.event("tidings");
        }
        for shard in given_up.told.shards {
            context.broker.hint(Hint::Events(shard));
        }
        tracing::info!(deliveries, "deliveries were held for too long");
        tokio::time::sleep(BREATH).await;
    }
}

/// Whole days first; then, by pages, what is older than this of the days that could not be dropped.
async fn forget_kind(context: &Context, kind: Kind, than: Timestamp) -> Result<(), store::Error> {
    let days = context.store.forget_days(kind, than).await?;
    for partition in days.dropped {
        tracing::info!(%partition, "a day is forgotten");
    }
    if days.is_busy {
        tracing::debug!(?kind, "a day that is over is in use; it is forgotten later");
        return Ok(());
    }
    let mut after = None;
    loop {
        after = context.store.forget_page(kind, than, after).await?.next;
        if after.is_none() {
            return Ok(());
        }
        tokio::time::sleep(BREATH).await;
    }
}

async fn expire_orphans(context: &Context, parked_before: Timestamp) -> Result<(), store::Error> {
    let mut expired = 0;
    loop {
        let page = context.store.expire_orphans(parked_before).await?;
        if page == 0 {
            break;
        }
        context
            .metrics
            .orphans_expired(u64::try_from(page).unwrap_or(0));
        expired += page;
        tokio::time::sleep(BREATH).await;
    }
    if expired > 0 {
        tracing::warn!(
            reports = expired,
            "reports were given up: their messages were never registered"
        );
    }
    Ok(())
}
