//! Requests that have a name: done at most once.

use crate::scene::Scene;
use futures_util::future::join_all;
use std::time::Duration;
use tidings_store::Error;
use tidings_store::idempotency::REMEMBERED;
use tidings_store::request::{Claimed, LEASE, Named, Run};

fn named(scene: &Scene, key: u8, body: u8) -> Named {
    Named {
        key: [key; 32],
        tenant_id: scene.tenant,
        body_hash: [body; 32],
    }
}

async fn claim(scene: &Scene, key: u8, body: u8) -> Claimed {
    let named = named(scene, key, body);
    scene.store.claim_request(named).await.unwrap()
}

async fn begin(scene: &Scene, key: u8) -> Run {
    match claim(scene, key, 1).await {
        Claimed::Begun(run) => run,
        other => panic!("{other:?}"),
    }
}

/// An effect that can be counted: how often something was kept.
async fn effect(scene: &Scene, run: Run, name: &'static str) -> Result<Vec<u8>, Error> {
    let value = scene.random.bytes::<8>().to_vec();
    run.during(scene.store.get_or_keep(name, value)).await
}

on_each_engine!(a_request_is_done_once_and_answered_the_same);
async fn a_request_is_done_once_and_answered_the_same(scene: Scene) {
    let run = begin(&scene, 1).await;
    assert_eq!(claim(&scene, 1, 1).await, Claimed::InFlight);
    assert_eq!(claim(&scene, 1, 2).await, Claimed::Other);
    effect(&scene, run, "one").await.unwrap();
    scene.store.keep_answer(run, vec![7]).await.unwrap();
    assert_eq!(claim(&scene, 1, 1).await, Claimed::Answered(vec![7]));
    assert_eq!(claim(&scene, 1, 2).await, Claimed::Other);
    scene.clock.advance(REMEMBERED + Duration::from_secs(1));
    assert!(matches!(claim(&scene, 1, 2).await, Claimed::Begun(_)));
}

on_each_engine!(of_many_at_once_one_does_it);
async fn of_many_at_once_one_does_it(scene: Scene) {
    let all = join_all((0..10).map(|_| claim(&scene, 1, 1))).await;
    let begun = all.iter().filter(|one| matches!(one, Claimed::Begun(_)));
    assert_eq!(begun.count(), 1, "{all:?}");
}

on_each_engine!(who_died_before_the_effect_is_followed_and_can_do_nothing_any_more);
async fn who_died_before_the_effect_is_followed_and_can_do_nothing_any_more(scene: Scene) {
    let slow = begin(&scene, 1).await;
    scene.clock.advance(LEASE + Duration::from_millis(1));
    let second = begin(&scene, 1).await;
    let late = effect(&scene, slow, "late").await;
    assert!(matches!(late, Err(Error::RequestLost)), "{late:?}");
    scene.store.keep_answer(slow, vec![1]).await.unwrap();
    scene.store.release_request(slow, false).await.unwrap();
    assert_eq!(claim(&scene, 1, 1).await, Claimed::InFlight);
    let kept = effect(&scene, second, "late").await.unwrap();
    let again = scene.store.get_or_keep("late", vec![0]).await.unwrap();
    assert_eq!(kept, again, "nothing was kept before");
}

on_each_engine!(who_died_after_the_effect_is_not_followed);
async fn who_died_after_the_effect_is_not_followed(scene: Scene) {
    let run = begin(&scene, 1).await;
    effect(&scene, run, "one").await.unwrap();
    scene.clock.advance(LEASE + Duration::from_millis(1));
    assert_eq!(claim(&scene, 1, 1).await, Claimed::AnswerLost);
    scene.store.release_request(run, true).await.unwrap();
    assert_eq!(claim(&scene, 1, 1).await, Claimed::AnswerLost);
    // A slow one that comes to its end after all is heard.
    scene.store.keep_answer(run, vec![7]).await.unwrap();
    assert_eq!(claim(&scene, 1, 1).await, Claimed::Answered(vec![7]));
}

on_each_engine!(a_request_that_was_refused_has_used_no_key);
async fn a_request_that_was_refused_has_used_no_key(scene: Scene) {
    let run = begin(&scene, 1).await;
    scene.store.release_request(run, true).await.unwrap();
    let run = begin(&scene, 1).await;
    effect(&scene, run, "one").await.unwrap();
    scene.store.release_request(run, false).await.unwrap();
    begin(&scene, 1).await;
}

on_each_engine!(old_requests_are_forgotten);
async fn old_requests_are_forgotten(scene: Scene) {
    begin(&scene, 1).await;
    scene.clock.advance(Duration::from_hours(20));
    begin(&scene, 2).await;
    scene.clock.advance(Duration::from_hours(5));
    assert_eq!(scene.store.forget_requests().await.unwrap(), 1);
    assert_eq!(scene.store.forget_requests().await.unwrap(), 0);
    assert_eq!(claim(&scene, 2, 2).await, Claimed::Other);
}
