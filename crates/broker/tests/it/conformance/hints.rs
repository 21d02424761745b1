//! Hints.

use super::Backend;
use domain::Shard;
use std::time::Duration;
use tidings_broker::HintSet;
use wire::Hint;

pub async fn hints_merge_and_reach_every_receiver(backend: impl Backend) {
    let broker = backend.open().await;
    let (three, sixty) = (Shard::new(3).unwrap(), Shard::new(60).unwrap());
    broker.hint(Hint::Accounts);
    let (mut one, mut other) = (broker.hints(), broker.hints());
    drop(broker.hints());
    for _ in 0..100_000 {
        broker.hint(Hint::Shard(three));
    }
    broker.hint(Hint::Shard(sixty));
    broker.hint(Hint::Subscriptions);
    let expected = HintSet {
        shards: (1 << 3) | (1 << 60),
        subscriptions: true,
        accounts: false,
    };
    let received = one.recv().await;
    assert_eq!(received, expected);
    assert_eq!(received.shards().collect::<Vec<_>>(), [three, sixty]);
    assert_eq!(other.recv().await, expected);

    // Whoever waits is woken, and what was taken does not come again.
    let waited = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        broker.clone().hint(Hint::Accounts);
    };
    let (received, ()) = tokio::join!(one.recv(), waited);
    assert_eq!(
        received,
        HintSet {
            accounts: true,
            ..HintSet::default()
        }
    );
}
