use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use tokio::sync::Notify;
use tokio::sync::watch;
use wire::{Hint, HintSet, Topic};

/// Gets every hint about its topic given after it was made. Hints merge while nobody receives.
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

/// Everybody who receives hints in this process, and whether anybody ever did.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    work: Heard,
    accounts: Heard,
    polls: Heard,
    feed: Heard,
}

#[derive(Debug, Default)]
struct Heard {
    receivers: RwLock<Vec<Weak<Pending>>>,
    is_wanted: watch::Sender<bool>,
}

impl Hints {
    pub(crate) fn give(&self, hint: Hint) {
        let mut hints = HintSet::default();
        hints.add(hint);
        self.give_all(hints);
    }

    pub(crate) fn give_all(&self, hints: HintSet) {
        for topic in Topic::ALL {
            let hints = hints.about(topic);
            if hints.is_empty() {
                continue;
            }
            let heard = &self.heard(topic).receivers;
            let receivers = heard.read().unwrap_or_else(PoisonError::into_inner);
            for pending in receivers.iter().filter_map(Weak::upgrade) {
                pending.add(hints);
            }
        }
    }

    pub(crate) fn receiver(&self, topic: Topic) -> HintReceiver {
        let pending = Arc::new(Pending::default());
        let heard = self.heard(topic);
        let mut receivers = heard
            .receivers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        receivers.retain(|receiver| receiver.strong_count() > 0);
        receivers.push(Arc::downgrade(&pending));
        heard.is_wanted.send_replace(true);
        HintReceiver(pending)
    }

    /// Waits until somebody here receives hints about a topic.
    pub(crate) async fn wanted(&self, topic: Topic) {
        let mut is_wanted = self.heard(topic).is_wanted.subscribe();
        // It fails only when the sender is gone, which is ours.
        let _ = is_wanted.wait_for(|is_wanted| *is_wanted).await;
    }

    const fn heard(&self, topic: Topic) -> &Heard {
        match topic {
            Topic::Work => &self.work,
            Topic::Accounts => &self.accounts,
            Topic::Polls => &self.polls,
            Topic::Feed => &self.feed,
        }
    }
}

#[derive(Debug, Default)]
struct Pending {
    events: AtomicU64,
    deliveries: AtomicU64,
    stamped: AtomicU64,
    changes: AtomicU8,
    arrived: Notify,
}

const SUBSCRIPTIONS: u8 = 1;
const ACCOUNTS: u8 = 2;
const POLLS: u8 = 4;

impl Pending {
    fn add(&self, hints: HintSet) {
        self.events.fetch_or(hints.events, Ordering::SeqCst);
        self.deliveries.fetch_or(hints.deliveries, Ordering::SeqCst);
        self.stamped.fetch_or(hints.stamped, Ordering::SeqCst);
        let mut changes = 0;
        if hints.subscriptions {
            changes |= SUBSCRIPTIONS;
        }
        if hints.accounts {
            changes |= ACCOUNTS;
        }
        if hints.polls {
            changes |= POLLS;
        }
        self.changes.fetch_or(changes, Ordering::SeqCst);
        self.arrived.notify_one();
    }

    fn take(&self) -> HintSet {
        let changes = self.changes.swap(0, Ordering::SeqCst);
        HintSet {
            events: self.events.swap(0, Ordering::SeqCst),
            deliveries: self.deliveries.swap(0, Ordering::SeqCst),
            subscriptions: changes & SUBSCRIPTIONS != 0,
            accounts: changes & ACCOUNTS != 0,
            polls: changes & POLLS != 0,
            stamped: self.stamped.swap(0, Ordering::SeqCst),
        }
    }
}
