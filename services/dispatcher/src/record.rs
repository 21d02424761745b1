//! Recording: what attempts did, many in one commit.

use crate::Context;
use domain::Shard;
use std::sync::Arc;
use std::time::Duration;
use store::delivery::{Attempt, Recorded, Then};
use tokio::sync::mpsc;
use wire::Hint;

/// How many attempts are recorded in one commit at the most.
const BATCH: usize = 256;
/// How many ended attempts may wait to be recorded; beyond it no new one is begun.
const WAITING: usize = 2_048;
/// How long ended attempts gather: whoever is told does not wait for it, and at a few hundred a
/// second it saves most of the commits. A crash makes the attempts of that time again, as it does
/// those under way.
const GATHER: Duration = Duration::from_millis(20);
/// How long to wait before a record that failed is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Where attempts are handed in.
pub(crate) type Recorder = mpsc::Sender<Attempt>;

/// Starts recording; ends when every [`Recorder`] is dropped and all is recorded. Shards whose
/// leases turn out to be lost are told to `lost`.
pub(crate) fn start(context: &Context, lost: mpsc::UnboundedSender<Vec<Shard>>) -> Recorder {
    let (recorder, mut ended) = mpsc::channel(WAITING);
    let context = context.clone();
    context
        .tasks
        .clone()
        .spawn("dispatcher.record", async move {
            let mut batch = Vec::with_capacity(BATCH);
            while gather(&mut ended, &mut batch).await {
                record(&context, batch.drain(..).collect(), &lost).await;
            }
        });
    recorder
}

/// What has ended within a moment of the first; false when nothing will any more.
async fn gather(ended: &mut mpsc::Receiver<Attempt>, batch: &mut Vec<Attempt>) -> bool {
    if ended.recv_many(batch, BATCH).await == 0 {
        return false;
    }
    let until = tokio::time::Instant::now() + GATHER;
    while batch.len() < BATCH {
        let more = ended.recv_many(batch, BATCH - batch.len());
        match tokio::time::timeout_at(until, more).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => break,
        }
    }
    true
}

/// Records a batch, however long the store is away: until then the attempts may be made again by
/// nobody, because their deliveries stay claimed.
async fn record(
    context: &Context,
    batch: Arc<[Attempt]>,
    lost: &mpsc::UnboundedSender<Vec<Shard>>,
) {
    let mut is_in_trouble = false;
    failpoint::reach!(DispatcherBeforeRecord);
    loop {
        match context.store.record_attempts(batch.clone()).await {
            Ok(recorded) => {
                failpoint::reach!(DispatcherAfterRecord);
                if is_in_trouble {
                    tracing::info!(attempts = batch.len(), "attempts are recorded again");
                }
                count(context, &batch, &recorded.lost);
                tell(context, &recorded);
                if !recorded.lost.is_empty() {
                    let _ = lost.send(recorded.lost);
                }
                return;
            }
            Err(error) => {
                if !std::mem::replace(&mut is_in_trouble, true) {
                    let attempts = batch.len();
                    tracing::error!(%error, attempts, "attempts could not be recorded yet");
                }
                tokio::select! {
                    () = tokio::time::sleep(AGAIN_AFTER) => {}
                    () = context.shutdown.stopped() => return,
                }
            }
        }
    }
}

/// Says what recording attempts did to their subscriptions.
fn tell(context: &Context, recorded: &Recorded) {
    for (id, reason) in &recorded.disabled {
        let reason = reason.as_str();
        context.metrics.subscription_disabled(reason);
        tracing::warn!(subscription.id = %id, reason, "a subscription is disabled");
    }
    if !recorded.disabled.is_empty() {
        context.broker.hint(Hint::Subscriptions);
    }
    for _ in 0..recorded.told.events {
        context.metrics.event("tidings");
    }
    for shard in &recorded.told.shards {
        context.broker.hint(Hint::Events(*shard));
    }
}

fn count(context: &Context, batch: &[Attempt], lost: &[Shard]) {
    for attempt in batch
        .iter()
        .filter(|attempt| !lost.contains(&attempt.lease.shard))
    {
        match attempt.then {
            Then::End(state) => context.metrics.delivery(state.as_str()),
            Then::RetryAt(_) => {}
        }
    }
}
