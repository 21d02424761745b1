//! What whoever owns a shard next knows of how fast its subscriptions are sent to.

use crate::scene::Scene;
use domain::breaker::State;
use domain::id::SubscriptionId;
use domain::sends::{Log, Sends};
use domain::shard::LEASE;
use domain::subscription::RateLimit;
use domain::{Shard, Timestamp};
use std::time::Duration;
use tidings_store::shard::{Fenced, Holding};
use tidings_store::subscription::Broken;

const LIMIT: RateLimit = RateLimit {
    per_minute: Some(5),
    per_hour: None,
};

fn lease(holding: &Holding, id: SubscriptionId) -> Fenced {
    let shard = Shard::of_subscription(id);
    let mut leases = holding.shards.iter();
    *leases.find(|lease| lease.shard == shard).unwrap()
}

/// Another dispatcher has everything; what the one before had is late.
async fn hand_over(scene: &Scene) -> Holding {
    scene.clock.advance(LEASE);
    scene.hold_all("b").await
}

fn granted(now: Timestamp, number: u32) -> Log {
    let mut sends = Sends::default();
    let grant = sends.grant(LIMIT, number, Duration::from_secs(10), now);
    grant.unwrap().log
}

on_each_engine!(a_breaker_that_is_not_closed_is_handed_over_with_its_shard);
async fn a_breaker_that_is_not_closed_is_handed_over_with_its_shard(scene: Scene) {
    let id = scene.subscribe(&["*"]).await;
    let other = scene.subscribe(&["*"]).await;
    let first = scene.hold_all("a").await;
    assert_eq!(first.broken, []);
    let now = scene.clock.now();
    let open = Broken {
        subscription_id: id,
        state: State::Open,
        since: now,
    };
    let store = &scene.store;
    assert!(store.keep_breaker(lease(&first, id), open).await.unwrap());
    let half_open = Broken {
        state: State::HalfOpen,
        ..open
    };
    let second = hand_over(&scene).await;
    assert_eq!(second.broken, [open]);
    // Whoever is late changes nothing.
    let late = store.keep_breaker(lease(&first, id), half_open).await;
    assert!(!late.unwrap());
    let found = store.find_subscription(scene.tenant, id).await;
    assert_eq!(found.unwrap().unwrap().health.breaker, State::Open);
    let of_other = Broken {
        subscription_id: other,
        ..half_open
    };
    let kept = store.keep_breaker(lease(&second, other), of_other).await;
    assert!(kept.unwrap());
    let counts = store.count_breakers().await.unwrap();
    let [closed, open_ones, half] = [0, 1, 1];
    let expected = [
        (State::Closed, closed),
        (State::Open, open_ones),
        (State::HalfOpen, half),
    ];
    assert_eq!(counts, expected);
    for id in [id, other] {
        let closed = Broken {
            subscription_id: id,
            state: State::Closed,
            since: now,
        };
        let kept = store.keep_breaker(lease(&second, id), closed).await;
        assert!(kept.unwrap());
    }
    let counts = store.count_breakers().await.unwrap();
    assert_eq!(counts[0], (State::Closed, 2));
    // The one before has it all again, and finds them closed.
    scene.clock.advance(LEASE);
    assert_eq!(scene.hold_all("c").await.broken, []);
}

on_each_engine!(what_was_granted_is_handed_over_and_nobody_who_is_late_is_granted_anything);
async fn what_was_granted_is_handed_over_and_nobody_who_is_late_is_granted_anything(scene: Scene) {
    let id = scene.subscribe(&["*"]).await;
    let first = scene.hold_all("a").await;
    let store = &scene.store;
    let none = store.find_sends(lease(&first, id), id).await.unwrap();
    assert_eq!(none, Some(Log::default()));
    let log = granted(scene.clock.now(), 3);
    let kept = store.keep_sends(lease(&first, id), id, log.clone()).await;
    assert!(kept.unwrap());
    let second = hand_over(&scene).await;
    let found = store.find_sends(lease(&second, id), id).await.unwrap();
    assert_eq!(found, Some(log.clone()));
    let now = scene.clock.now();
    assert_eq!(Sends::after(log).room(LIMIT, now), 2);
    let more = granted(now, 1);
    let late = store.keep_sends(lease(&first, id), id, more).await;
    assert!(!late.unwrap());
    let late = store.find_sends(lease(&first, id), id).await;
    assert_eq!(late.unwrap(), None);
}
