//! Dead letters: out of the broker into the store, where people see them, and back into the broker where
//! somebody wants them done again.

use crate::{Context, tally};
use broker::DeadLetter;
use std::sync::Arc;
use std::time::Duration;
use store::dead_letter::Died;
use store::tally::Book;
use wire::{Label, Queue};

/// How soon a dead letter can be seen.
const DRAIN_EVERY: Duration = Duration::from_secs(2);
/// How many letters are recorded at once.
const BATCH: usize = 100;
/// How soon one is done again that somebody asked for.
const REQUEUE_EVERY: Duration = Duration::from_secs(1);
/// How many hundreds are done again in a second at the most, also where a restart made many due.
const MOST_ROUNDS: usize = 5;
/// How often they are counted: a scrape of the metrics never looks into a table.
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// The kind of a job that says nothing.
const UNREADABLE: &str = "unreadable";

pub(crate) fn start(book: &Book, context: &Context) {
    let book = book.clone();
    let drain = move |context| drain(context, book.clone());
    repeat(context, "tracker.dead_letters", DRAIN_EVERY, drain);
    repeat(context, "tracker.requeue", REQUEUE_EVERY, requeue);
    repeat(context, "tracker.dead_letters_count", COUNT_EVERY, count);
}

/// Why it was not done. It is tried again.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Broker(#[from] broker::Error),
}

/// Does something again and again, until the process drains.
fn repeat<F>(
    context: &Context,
    name: &'static str,
    every: Duration,
    work: impl Fn(Context) -> F + Clone + Send + Sync + 'static,
) where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let context = context.clone();
    context.tasks.clone().supervise(name, move || {
        let (context, work) = (context.clone(), work.clone());
        async move {
            loop {
                tokio::select! {
                    done = work(context.clone()) => done?,
                    () = context.shutdown.draining() => return Ok(()),
                }
                tokio::select! {
                    () = tokio::time::sleep(every) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}

/// A queue that cannot be drained stops only itself.
async fn drain(context: Context, book: Book) -> Result<(), Error> {
    let mut outcome = Ok(());
    for queue in Queue::ALL {
        let drained = async {
            while drain_some(&context, &book, queue).await? {}
            Ok(())
        };
        outcome = outcome.and(drained.await);
    }
    outcome
}

/// Records the oldest dead letters of a queue, and takes them out of the broker then; whether there were
/// any.
async fn drain_some(context: &Context, book: &Book, queue: Queue) -> Result<bool, Error> {
    let claimed = context.broker.claim_dead_letters(queue, BATCH).await?;
    let letters = claimed.letters();
    if letters.is_empty() {
        return Ok(false);
    }
    let died = match owned(context, letters.iter().map(died).collect()).await {
        Ok(died) => died,
        Err(error) => {
            claimed.put_back().await?;
            return Err(error.into());
        }
    };
    match context.store.record_dead_letters(Arc::new(died)).await {
        Ok(dead) => book.note(|sheet| tally::died(sheet, &dead)),
        Err(error) => {
            claimed.put_back().await?;
            return Err(error.into());
        }
    }
    failpoint::reach!(TrackerBeforeForgetLetters);
    claimed.forget().await?;
    Ok(true)
}

/// What was published over the broker is of the tenant whose key it came with.
async fn owned(
    context: &Context,
    died: Vec<(Died, Option<[u8; 32]>)>,
) -> Result<Vec<Died>, store::Error> {
    let hashes = died.iter().filter_map(|(_, hash)| *hash).collect();
    let owners = context.store.tenants_of_keys(hashes).await?;
    let owned = died.into_iter().map(|(died, hash)| Died {
        tenant_id: died.tenant_id.or_else(|| owners.get(&hash?).copied()),
        ..died
    });
    Ok(owned.collect())
}

/// A dead letter, and the hash of the key that says whose it is.
fn died(letter: &DeadLetter) -> (Died, Option<[u8; 32]>) {
    let label = Label::read(&letter.payload);
    let died = Died {
        queue: letter.queue.as_str().to_owned(),
        kind: label.job.unwrap_or_else(|| UNREADABLE.to_owned()),
        tenant_id: label.tenant_id,
        provider_account: label.provider_account.map(Into::into),
        receipt_id: label.receipt_id,
        callback_id: label.callback_id,
        death: format!("{} at {}", letter.id, letter.died_at.as_millis()),
        reason: letter.reason.clone(),
        attempts: letter.attempts,
        first_seen_at: letter.first_seen_at,
        died_at: letter.died_at,
        payload: letter.payload.clone(),
    };
    (died, label.key_hash)
}

/// Publishes what is to be done again now. A death before it is removed publishes it again, which its
/// receipt makes one and the same.
async fn requeue(context: Context) -> Result<(), Error> {
    for _ in 0..MOST_ROUNDS {
        let requeued = context.store.claim_requeued().await?;
        if requeued.is_empty() {
            break;
        }
        let mut published = Vec::with_capacity(requeued.len());
        let mut outcome = Ok(());
        for letter in requeued {
            let Some(queue) = Queue::parse(&letter.queue) else {
                tracing::error!(queue = letter.queue, "a dead letter is of an unknown queue");
                continue;
            };
            outcome = context.broker.publish_again(queue, letter.payload).await;
            if outcome.is_err() {
                break;
            }
            published.push((letter.id, letter.death));
        }
        context.store.remove_requeued(published).await?;
        outcome?;
    }
    Ok(())
}

async fn count(context: Context) -> Result<(), Error> {
    let counts = context.store.count_dead_letters_by_queue().await?;
    for queue in Queue::ALL.map(Queue::as_str) {
        let count = counts.get(queue).copied().unwrap_or(0);
        context.metrics.set_dead_letters(queue, count);
    }
    Ok(())
}
