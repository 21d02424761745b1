use crate::scene::Scene;
use domain::shard::LEASE;
use std::time::Duration;
use tidings_store::directory::Directory;

on_each_engine!(two_dispatchers_share_the_shards_and_a_third_takes_over_from_a_dead_one);
async fn two_dispatchers_share_the_shards_and_a_third_takes_over_from_a_dead_one(scene: Scene) {
    assert_eq!(scene.hold_all("a").await.shards.len(), 64);
    assert_eq!(scene.hold_all("b").await.shards.len(), 0);
    // It is told to use 32 no more, and gives them up once it knows.
    assert_eq!(scene.hold_all("a").await.shards.len(), 32);
    assert_eq!(scene.hold_all("b").await.shards.len(), 0);
    assert_eq!(scene.hold_all("a").await.shards.len(), 32);
    let second = scene.hold_all("b").await;
    assert_eq!((second.shards.len(), second.adopted.len()), (32, 32));

    // The first one dies; the second goes on renewing.
    scene.clock.advance(LEASE / 2);
    scene.hold_all("b").await;
    scene.clock.advance(LEASE / 2 + Duration::from_millis(1));
    let alone = scene.hold_all("b").await;
    assert_eq!((alone.shards.len(), alone.adopted.len()), (64, 32));
}

on_each_engine!(shards_that_are_given_up_are_free_at_once);
async fn shards_that_are_given_up_are_free_at_once(scene: Scene) {
    scene.hold_all("a").await;
    scene.store.release_shards("a".to_owned()).await.unwrap();
    assert_eq!(scene.hold_all("b").await.shards.len(), 64);
}

on_each_engine!(a_late_owner_stamps_nothing);
async fn a_late_owner_stamps_nothing(scene: Scene) {
    let late = scene.hold_all("a").await;
    scene.clock.advance(LEASE);
    scene.hold_all("b").await;
    scene.subscribe(&["*"]).await;
    scene.publish("job.created").await;
    let done = scene.fan_out(&late, &Directory::default()).await;
    assert!(done.stamped.is_empty() && done.owed.is_empty());
}

on_each_engine!(a_dispatcher_that_misses_its_renewals_is_seen_coming);
async fn a_dispatcher_that_misses_its_renewals_is_seen_coming(scene: Scene) {
    scene.hold_all("a").await;
    let fresh = scene.hold_all("b").await;
    assert_eq!(fresh.again_in, None, "a has just renewed");
    scene.clock.advance(Duration::from_millis(6_500));
    let soon = scene.hold_all("b").await.again_in.unwrap();
    assert!(soon <= Duration::from_millis(1_500), "{soon:?}");
    scene.clock.advance(soon);
    assert_eq!(scene.hold_all("b").await.shards.len(), 64);
}
