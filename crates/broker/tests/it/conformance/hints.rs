//! Hints.

use super::Backend;
use domain::Shard;
use std::time::Duration;
use tidings_broker::HintSet;
use wire::{Hint, Topic};

pub async fn hints_merge_and_reach_every_receiver_of_their_topic(backend: impl Backend) {
    let broker = backend.open().await;
    let (three, sixty) = (Shard::new(3).unwrap(), Shard::new(60).unwrap());
    broker.hint(Hint::Subscriptions);
    let (mut one, mut other) = (broker.hints(Topic::Work), broker.hints(Topic::Work));
    let mut accounts = broker.hints(Topic::Accounts);
    drop(broker.hints(Topic::Work));
    for _ in 0..100_000 {
        broker.hint(Hint::Events(three));
    }
    broker.hint(Hint::Events(sixty));
    broker.hint(Hint::Deliveries(three));
    broker.hint(Hint::Accounts);
    let expected = HintSet {
        events: (1 << 3) | (1 << 60),
        deliveries: 1 << 3,
        ..HintSet::default()
    };
    let received = one.recv().await;
    assert_eq!(received, expected);
    assert_eq!(received.events().collect::<Vec<_>>(), [three, sixty]);
    assert_eq!(received.deliveries().collect::<Vec<_>>(), [three]);
    assert_eq!(other.recv().await, expected);
    let of_accounts = HintSet {
        accounts: true,
        ..HintSet::default()
    };
    assert_eq!(accounts.recv().await, of_accounts);

    // Whoever waits is woken, and what was taken does not come again.
    let waited = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        broker.clone().hint(Hint::Subscriptions);
    };
    let (received, ()) = tokio::join!(one.recv(), waited);
    let of_subscriptions = HintSet {
        subscriptions: true,
        ..HintSet::default()
    };
    assert_eq!(received, of_subscriptions);
}
