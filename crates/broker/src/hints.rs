use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use tokio::sync::Notify;
use wire::{Hint, HintSet};

/// Gets every hint given after it was made. Hints merge while nobody receives.
#[derive(Debug)]
pub struct HintReceiver(Arc<Pending>);

impl HintReceiver {
    /// Waits until there is a hint, and takes all there are. Dropping the future loses none.
    pub async fn recv(&mut self) -> HintSet {
        loop {
            let hints = self.0.take();
            if !hints.is_empty() {
                return hints;
            }
            self.0.arrived.notified().await;
        }
    }
}

/// Everybody who receives hints in this process.
#[derive(Debug, Default)]
pub(crate) struct Hints(RwLock<Vec<Weak<Pending>>>);

impl Hints {
    pub(crate) fn give(&self, hint: Hint) {
        let mut hints = HintSet::default();
        hints.add(hint);
        self.give_all(hints);
    }

    pub(crate) fn give_all(&self, hints: HintSet) {
        let receivers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for pending in receivers.iter().filter_map(Weak::upgrade) {
            pending.add(hints);
        }
    }

    pub(crate) fn receiver(&self) -> HintReceiver {
        let pending = Arc::new(Pending::default());
        let mut receivers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        receivers.retain(|receiver| receiver.strong_count() > 0);
        receivers.push(Arc::downgrade(&pending));
        HintReceiver(pending)
    }
}

#[derive(Debug, Default)]
struct Pending {
    shards: AtomicU64,
    changes: AtomicU8,
    arrived: Notify,
}

const SUBSCRIPTIONS: u8 = 1;
const ACCOUNTS: u8 = 2;

impl Pending {
    fn add(&self, hints: HintSet) {
        self.shards.fetch_or(hints.shards, Ordering::SeqCst);
        let mut changes = 0;
        if hints.subscriptions {
            changes |= SUBSCRIPTIONS;
        }
        if hints.accounts {
            changes |= ACCOUNTS;
        }
        self.changes.fetch_or(changes, Ordering::SeqCst);
        self.arrived.notify_one();
    }

    fn take(&self) -> HintSet {
        let changes = self.changes.swap(0, Ordering::SeqCst);
        HintSet {
            shards: self.shards.swap(0, Ordering::SeqCst),
            subscriptions: changes & SUBSCRIPTIONS != 0,
            accounts: changes & ACCOUNTS != 0,
        }
    }
}
