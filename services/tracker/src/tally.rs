//! What is counted of callbacks and of the messages they end: in memory, handed in once a second. A process
//! that is killed takes at most that second with it.

use crate::Context;
use domain::Timestamp;
use domain::id::{AccountId, ReceiptId};
use domain::report::Source;
use domain::tally::{Name, Sheet};
use std::collections::HashSet;
use std::time::Duration;
use store::callback::{Accepted, Applied};
use store::ledger::Change;
use store::tally::Book;

const HAND_IN_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn start(book: &Book, context: &Context) {
    let (context, book) = (context.clone(), book.clone());
    context.tasks.clone().supervise("tracker.tallies", move || {
        let (context, book) = (context.clone(), book.clone());
        async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(HAND_IN_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
                book.hand_in(&context.store).await?;
            }
        }
    });
}

/// Hands in what is counted, as a tracker's last act.
pub(crate) async fn hand_in(book: &Book, context: &Context) {
    if let Err(error) = book.hand_in(&context.store).await {
        tracing::warn!(%error, "what was counted last is not handed in");
    }
}

/// Counts callbacks that were not recorded before.
pub(crate) fn recorded(sheet: &mut Sheet, batch: &[Accepted], new: &HashSet<ReceiptId>) {
    let new = batch
        .iter()
        .filter(|accepted| is_call(accepted.source) && new.contains(&accepted.receipt_id));
    for accepted in new {
        sheet.count(accepted.account_id, accepted.received_at, &Name::Received);
    }
}

/// Counts callbacks that were applied by this try, and the messages that ended by it.
pub(crate) fn applied(sheet: &mut Sheet, applied: &Applied, now: Timestamp) {
    for callback in applied.processed.iter().filter(|one| is_call(one.source)) {
        let took = now.since(callback.received_at);
        sheet.processed(
            callback.account_id,
            callback.received_at,
            took,
            &callback.reports,
        );
    }
    for end in applied.effects.changes.iter().filter_map(Change::end) {
        sheet.ended(&end);
    }
}

/// Counts callbacks that became dead letters.
pub(crate) fn died(sheet: &mut Sheet, dead: &[(AccountId, Timestamp)]) {
    for (account, received_at) in dead {
        sheet.count(*account, *received_at, &Name::DeadLettered);
    }
}

/// An answer to our own question is no callback, though it comes by the same door.
fn is_call(source: Source) -> bool {
    source == Source::Callback
}
