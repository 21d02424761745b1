//! Dead letters: recorded once each, done again at their rate, purged in pages.

use crate::scene::Scene;
use domain::State;
use domain::callback::Status;
use domain::id::{DeadLetterId, TenantId};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tidings_store::Store;
use tidings_store::callback::Accepted;
use tidings_store::dead_letter::{DeadLetter, Died, Filter, MAX_LISTED_BYTES};
use tidings_store::page::Window;
use tidings_store::retention::Kind;

const FIRST: Window<DeadLetterId> = Window {
    before: None,
    limit: 50,
};
const TEN: NonZeroU32 = NonZeroU32::new(10).unwrap();

pub fn died(scene: &Scene, payload: &str, death: &str) -> Died {
    Died {
        queue: "callbacks.v1".to_owned(),
        kind: "callback.v1".to_owned(),
        tenant_id: Some(scene.tenant),
        provider_account: Some("clinic".to_owned()),
        receipt_id: None,
        callback_id: None,
        death: death.to_owned(),
        reason: "it cannot be done\0".to_owned(),
        attempts: 3,
        first_seen_at: scene.clock.now(),
        died_at: scene.clock.now(),
        payload: payload.as_bytes().to_vec(),
    }
}

fn of_callback(scene: &Scene, accepted: &Accepted) -> Died {
    Died {
        receipt_id: Some(accepted.receipt_id),
        callback_id: Some(accepted.callback_id),
        ..died(scene, "callback", "1")
    }
}

async fn record(store: &Store, died: Vec<Died>) {
    store.record_dead_letters(Arc::new(died)).await.unwrap();
}

async fn list(scene: &Scene, tenant: TenantId, filter: Filter) -> Vec<DeadLetter> {
    let page = scene.store.list_dead_letters(tenant, filter, FIRST).await;
    page.unwrap().items
}

async fn all(scene: &Scene) -> Vec<DeadLetter> {
    list(scene, scene.tenant, Filter::default()).await
}

on_each_engine!(a_dead_letter_that_is_recorded_twice_is_one_and_says_what_it_was);
async fn a_dead_letter_that_is_recorded_twice_is_one_and_says_what_it_was(scene: Scene) {
    let one = died(&scene, "a", "1");
    record(&scene.store, vec![one.clone(), one.clone()]).await;
    record(&scene.store, vec![one.clone()]).await;
    let letters = all(&scene).await;
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(letter.reason, "it cannot be done\u{fffd}");
    assert_eq!(letter.payload.as_deref(), Some(&b"a"[..]));
    assert_eq!((letter.attempts, letter.size_bytes), (3, 1));
    assert_eq!(letter.requeue_at, None);
    let found = scene.store.find_dead_letter(scene.tenant, letter.id).await;
    assert_eq!(found.unwrap().as_ref(), Some(letter));
}

on_each_engine!(what_names_nobody_we_know_is_the_platforms_and_nobody_sees_anothers);
async fn what_names_nobody_we_know_is_the_platforms_and_nobody_sees_anothers(scene: Scene) {
    let stranger = TenantId::new(scene.clock.now(), &scene.random);
    let of = |tenant_id, payload| Died {
        tenant_id,
        ..died(&scene, payload, "1")
    };
    let unread = vec![
        of(None, "a"),
        of(Some(stranger), "b"),
        of(Some(scene.tenant), "c"),
    ];
    record(&scene.store, unread).await;
    let platforms = list(&scene, TenantId::PLATFORM, Filter::default()).await;
    assert_eq!(platforms.len(), 2);
    assert_eq!(all(&scene).await.len(), 1);
    assert!(list(&scene, stranger, Filter::default()).await.is_empty());
    let (store, id) = (&scene.store, platforms[0].id);
    assert_eq!(
        store.find_dead_letter(scene.tenant, id).await.unwrap(),
        None
    );
    let one = || Filter {
        id: Some(id),
        ..Filter::default()
    };
    assert_eq!(
        store
            .mark_for_requeue(scene.tenant, one(), TEN, 0)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store.purge_dead_letters(scene.tenant, one()).await.unwrap(),
        0
    );
    assert_eq!(store.cancel_requeue(scene.tenant, one()).await.unwrap(), 0);
}

on_each_engine!(the_callback_of_a_dead_letter_is_dead_unless_it_is_applied);
async fn the_callback_of_a_dead_letter_is_dead_unless_it_is_applied(scene: Scene) {
    let accepted = scene.callback(vec![Scene::report("m-1", State::Sent)]);
    let batch = Arc::new(vec![accepted.clone()]);
    scene.store.record_callbacks(batch.clone()).await.unwrap();
    let failed = scene
        .store
        .fail_callback(accepted.receipt_id, Status::Failed, "state 99".into());
    failed.await.unwrap();
    let find = async || {
        let found = scene
            .store
            .find_callback(scene.tenant, accepted.callback_id);
        found.await.unwrap().unwrap()
    };
    record(&scene.store, vec![of_callback(&scene, &accepted)]).await;
    assert_eq!(find().await.status, Status::DeadLettered);
    let letter = all(&scene).await.remove(0);
    assert_eq!(letter.last_error.as_deref(), Some("state 99"));
    assert_eq!(letter.callback_id, Some(accepted.callback_id));

    scene.store.apply_callbacks(batch).await.unwrap();
    record(&scene.store, vec![of_callback(&scene, &accepted)]).await;
    assert_eq!(find().await.status, Status::Processed);
}

on_each_engine!(dead_letters_are_found_by_what_they_are);
async fn dead_letters_are_found_by_what_they_are(scene: Scene) {
    let begun = scene.clock.now();
    let unreadable = Died {
        kind: "unreadable".to_owned(),
        provider_account: None,
        queue: "security.v1".to_owned(),
        ..died(&scene, "a", "1")
    };
    record(&scene.store, vec![unreadable]).await;
    scene.clock.advance(Duration::from_hours(1));
    let middle = scene.clock.now();
    record(&scene.store, vec![died(&scene, "b", "2")]).await;
    // Of two of one moment nobody can tell which is newer.
    scene.clock.advance(Duration::from_millis(2));
    let large = "x".repeat(MAX_LISTED_BYTES as usize + 1);
    record(&scene.store, vec![died(&scene, &large, "3")]).await;
    let count = async |filter: Filter| {
        let listed = list(&scene, scene.tenant, filter.clone()).await.len();
        let counted = scene.store.count_dead_letters(scene.tenant, filter).await;
        assert_eq!(counted.unwrap(), u64::try_from(listed).unwrap());
        listed
    };
    let none = Filter::default;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(count(none()).await, 3);
    assert_eq!(
        count(Filter {
            queue: text("security.v1"),
            ..none()
        })
        .await,
        1
    );
    assert_eq!(
        count(Filter {
            kind: text("unreadable"),
            ..none()
        })
        .await,
        1
    );
    assert_eq!(
        count(Filter {
            provider_account: text("clinic"),
            ..none()
        })
        .await,
        2
    );
    assert_eq!(
        count(Filter {
            after: Some(middle),
            ..none()
        })
        .await,
        2
    );
    assert_eq!(
        count(Filter {
            before: Some(middle),
            ..none()
        })
        .await,
        1
    );
    assert_eq!(
        count(Filter {
            after: Some(begun),
            before: Some(middle),
            ..none()
        })
        .await,
        1
    );
    let by_queue = scene.store.count_dead_letters_by_queue().await.unwrap();
    assert_eq!((by_queue["callbacks.v1"], by_queue["security.v1"]), (2, 1));

    let letters = all(&scene).await;
    assert_eq!(
        letters[0].payload, None,
        "a list does not show what is large"
    );
    let alone = scene
        .store
        .find_dead_letter(scene.tenant, letters[0].id)
        .await;
    assert_eq!(alone.unwrap().unwrap().payload, Some(large.into_bytes()));
    let page = Window {
        before: None,
        limit: 2,
    };
    let store = &scene.store;
    let first = store
        .list_dead_letters(scene.tenant, none(), page)
        .await
        .unwrap();
    let rest = Window {
        before: first.next,
        limit: 2,
    };
    let rest = store
        .list_dead_letters(scene.tenant, none(), rest)
        .await
        .unwrap();
    assert_eq!(
        (first.items.len(), rest.items.len(), rest.next),
        (2, 1, None)
    );
}

on_each_engine!(what_is_to_be_done_again_comes_at_its_rate_once_each_and_can_be_taken_back);
async fn what_is_to_be_done_again_comes_at_its_rate_once_each_and_can_be_taken_back(scene: Scene) {
    let letters = (0..25).map(|number| died(&scene, &number.to_string(), "1"));
    record(&scene.store, letters.collect()).await;
    let none = Filter::default;
    let (store, tenant) = (&scene.store, scene.tenant);
    assert!(store.claim_requeued().await.unwrap().is_empty());
    assert_eq!(
        store
            .mark_for_requeue(tenant, none(), TEN, 0)
            .await
            .unwrap(),
        25
    );
    assert_eq!(
        store
            .mark_for_requeue(tenant, none(), TEN, 0)
            .await
            .unwrap(),
        0
    );
    let first = store.claim_requeued().await.unwrap();
    assert_eq!(first.len(), 10);
    assert!(
        store.claim_requeued().await.unwrap().is_empty(),
        "the others wait"
    );

    // Another tracker goes on where one died.
    let other = scene.reopen();
    scene.clock.advance(Duration::from_secs(1));
    let second = other.claim_requeued().await.unwrap();
    assert_eq!(second.len(), 10);
    scene.clock.advance(Duration::from_secs(20));
    let mut again = other.claim_requeued().await.unwrap();
    again.extend(other.claim_requeued().await.unwrap());
    assert_eq!(
        again.len(),
        25,
        "those in hand come again, and the last ones"
    );

    let published: Vec<_> = again[..20]
        .iter()
        .map(|one| (one.id, one.death.clone()))
        .collect();
    store.remove_requeued(published).await.unwrap();
    assert_eq!(store.cancel_requeue(tenant, none()).await.unwrap(), 5);
    scene.clock.advance(Duration::from_mins(1));
    assert!(store.claim_requeued().await.unwrap().is_empty());
    let left = all(&scene).await;
    assert_eq!(left.len(), 5);
    assert!(left.iter().all(|letter| letter.requeue_at.is_none()));
}

on_each_engine!(what_dies_again_before_it_is_removed_stays);
async fn what_dies_again_before_it_is_removed_stays(scene: Scene) {
    record(&scene.store, vec![died(&scene, "a", "1")]).await;
    let before = all(&scene).await.remove(0);
    let store = &scene.store;
    store
        .mark_for_requeue(scene.tenant, Filter::default(), TEN, 0)
        .await
        .unwrap();
    let requeued = store.claim_requeued().await.unwrap().remove(0);
    let again = Died {
        reason: "once more".to_owned(),
        ..died(&scene, "a", "2")
    };
    record(store, vec![again]).await;
    store
        .remove_requeued(vec![(requeued.id, requeued.death)])
        .await
        .unwrap();
    let after = all(&scene).await.remove(0);
    assert_eq!(after.id, before.id);
    assert_eq!(after.reason, "once more");
    assert_eq!(after.requeue_at, None, "it waits for people again");
}

on_each_engine!(dead_letters_are_purged_in_pages_and_forgotten_when_they_are_old);
async fn dead_letters_are_purged_in_pages_and_forgotten_when_they_are_old(scene: Scene) {
    let letters = (0..600).map(|number| died(&scene, &number.to_string(), "1"));
    record(&scene.store, letters.collect()).await;
    let (store, none) = (&scene.store, Filter::default);
    assert_eq!(
        store
            .purge_dead_letters(scene.tenant, none())
            .await
            .unwrap(),
        500
    );
    assert_eq!(
        store
            .purge_dead_letters(scene.tenant, none())
            .await
            .unwrap(),
        100
    );
    record(store, vec![died(&scene, "old", "1")]).await;
    scene.clock.advance(Duration::from_hours(1));
    record(store, vec![died(&scene, "young", "1")]).await;
    let limit = scene.clock.now().minus(Duration::from_mins(30));
    let forgotten = store.forget_page(Kind::DeadLetters, limit, None).await;
    assert_eq!(forgotten.unwrap().rows, 1);
    assert_eq!(all(&scene).await[0].payload.as_deref(), Some(&b"young"[..]));
}
