//! What consumers of this process have in their hands: RabbitMQ does not tell.

use domain::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wire::Queue;

/// What one consumer has, or all of them together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct InHand {
    /// Arrived and not offered yet.
    pub(super) ready: u64,
    /// With a handler.
    pub(super) leased: u64,
    /// Waiting for what is needed to do them.
    pub(super) held: u64,
    /// When the job was published that came last: about as old as the first that waits.
    pub(super) oldest: Option<Timestamp>,
}

#[derive(Clone, Default)]
pub(super) struct Tally(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    next: u64,
    by_consumer: HashMap<u64, (Queue, InHand)>,
}

impl Tally {
    /// A consumer's own entry, which ends with it.
    pub(super) fn enter(&self, queue: Queue) -> Entry {
        let mut entries = self.lock();
        let number = entries.next;
        entries.next += 1;
        let nothing = (queue, InHand::default());
        entries.by_consumer.insert(number, nothing);
        Entry {
            tally: self.clone(),
            number,
        }
    }

    pub(super) fn of(&self, queue: Queue) -> InHand {
        let mut sum = InHand::default();
        for (of, one) in self.lock().by_consumer.values() {
            if *of == queue {
                sum.ready += one.ready;
                sum.leased += one.leased;
                sum.held += one.held;
                sum.oldest = sum.oldest.min(one.oldest).or(sum.oldest).or(one.oldest);
            }
        }
        sum
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Entry {
    tally: Tally,
    number: u64,
}

impl Entry {
    pub(super) fn set(&self, in_hand: InHand) {
        if let Some((_, entry)) = self.tally.lock().by_consumer.get_mut(&self.number) {
            *entry = in_hand;
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.tally.lock().by_consumer.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumers_are_summed_up_and_forgotten_with_their_end() {
        let tally = Tally::default();
        let (one, other) = (tally.enter(Queue::Callbacks), tally.enter(Queue::Callbacks));
        one.set(InHand {
            ready: 2,
            leased: 1,
            held: 0,
            oldest: Some(Timestamp::from_millis(20)),
        });
        other.set(InHand {
            ready: 3,
            leased: 0,
            held: 4,
            oldest: Some(Timestamp::from_millis(10)),
        });
        let sum = InHand {
            ready: 5,
            leased: 1,
            held: 4,
            oldest: Some(Timestamp::from_millis(10)),
        };
        assert_eq!(tally.of(Queue::Callbacks), sum);
        drop((one, other));
        assert_eq!(tally.of(Queue::Callbacks), InHand::default());
    }
}
