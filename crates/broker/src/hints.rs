use domain::Shard;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use tokio::sync::Notify;
use wire::Hint;

/// The hints that came since the last look, merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HintSet {
    /// Shards that have work: bit `n` is shard `n`.
    pub shards: u64,
    /// Whether a subscription changed.
    pub subscriptions: bool,
    /// Whether a provider account changed.
    pub accounts: bool,
}

impl HintSet {
    /// Whether there is no hint.
    pub const fn is_empty(self) -> bool {
        self.shards == 0 && !self.subscriptions && !self.accounts
    }

    /// Whether this shard has work.
    pub const fn has_shard(self, shard: Shard) -> bool {
        self.shards & bit(shard) != 0
    }

    /// The shards that have work.
    pub fn shards(self) -> impl Iterator<Item = Shard> {
        Shard::all().filter(move |shard| self.has_shard(*shard))
    }
}

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
        let receivers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for pending in receivers.iter().filter_map(Weak::upgrade) {
            pending.add(hint);
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
    fn add(&self, hint: Hint) {
        match hint {
            Hint::Shard(shard) => self.shards.fetch_or(bit(shard), Ordering::SeqCst),
            Hint::Subscriptions => self
                .changes
                .fetch_or(SUBSCRIPTIONS, Ordering::SeqCst)
                .into(),
            Hint::Accounts => self.changes.fetch_or(ACCOUNTS, Ordering::SeqCst).into(),
        };
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

const fn bit(shard: Shard) -> u64 {
    1 << shard.number()
}
