//! Deliveries that are retried or cancelled, one or many.

use crate::deliveries::{attempt, claim_due, lease, recipients};
use crate::scene::Scene;
use domain::delivery::{State, Wanted};
use domain::id::{DeliveryId, SubscriptionId, TenantId};
use domain::shard::LEASE;
use std::time::Duration;
use tidings_store::delivery::{Claimed, Delivery, Filter, Recipient, Recovered, Room, Then};
use tidings_store::directory::Directory;
use tidings_store::page::Window;
use tidings_store::recovery::Page;
use tidings_store::shard::Holding;
use tidings_store::sweep::{self, Action};

const FIRST: Window<DeliveryId> = Window {
    before: None,
    limit: 100,
};

/// A subscription, and so many deliveries to it that are in memory.
async fn owed(scene: &Scene, holding: &Holding, events: usize) -> (SubscriptionId, Vec<Recipient>) {
    let subscription = scene.subscribe(&["*"]).await;
    for _ in 0..events {
        scene.publish("job.created").await;
        scene.clock.advance(Duration::from_millis(1));
    }
    let directory = Directory::default();
    let done = scene.fan_out_with_room(holding, &directory, 2_000).await;
    (subscription, recipients(&done.owed))
}

async fn end(scene: &Scene, holding: &Holding, to: &[Recipient], then: Then) {
    let ended = to.iter().map(|to| attempt(scene, holding, *to, then));
    let recorded = scene.store.record_attempts(ended.collect()).await;
    assert!(recorded.unwrap().lost.is_empty());
}

pub async fn recover(scene: &Scene, holding: &Holding, directory: &Directory) -> Page {
    let leases = holding.shards.clone();
    let since = scene.clock.now().minus(Duration::from_hours(24));
    scene.store.recover(leases, since, directory).await.unwrap()
}

/// Until nothing is left to do.
async fn recover_all(scene: &Scene, holding: &Holding) -> Vec<(SubscriptionId, TenantId)> {
    let directory = Directory::default();
    let mut later = Vec::new();
    loop {
        let page = recover(scene, holding, &directory).await;
        later.extend(page.later);
        if !page.more {
            return later;
        }
    }
}

pub async fn list(scene: &Scene, subscription: SubscriptionId, wanted: Wanted) -> Vec<Delivery> {
    let filter = Filter {
        wanted: Some(wanted),
        event_id: None,
    };
    let page = scene
        .store
        .list_deliveries(scene.tenant, subscription, filter, FIRST)
        .await;
    page.unwrap().items
}

pub async fn claim_later(scene: &Scene, holding: &Holding, to: Recipient, limit: usize) -> Claimed {
    let directory = Directory::default();
    let lease = lease(holding, to);
    let claimed = scene
        .store
        .claim_later(lease, to.subscription_id, limit, &directory)
        .await;
    claimed.unwrap()
}

async fn retry(scene: &Scene, to: Recipient) -> Recovered {
    let retried = scene.store.retry_delivery(scene.tenant, to.delivery_id);
    retried.await.unwrap()
}

async fn cancel(scene: &Scene, to: Recipient) -> Recovered {
    let cancelled = scene.store.cancel_delivery(scene.tenant, to.delivery_id);
    cancelled.await.unwrap()
}

async fn state(scene: &Scene, to: Recipient) -> (State, usize) {
    let found = scene
        .store
        .find_delivery(scene.tenant, to.delivery_id)
        .await;
    let found = found.unwrap().unwrap();
    (found.state, found.attempts.len())
}

async fn claim_and_release(scene: &Scene, holding: &Holding, let_go: Vec<DeliveryId>) -> Claimed {
    let room = Room {
        each: 9,
        ..Room::default()
    };
    let directory = Directory::default();
    let claimed = scene
        .store
        .claim_due(holding.shards.clone(), room, let_go, &directory)
        .await;
    claimed.unwrap()
}

fn filter(wanted: Wanted) -> sweep::Filter {
    sweep::Filter {
        wanted,
        event_types: None,
        after: None,
        before: None,
    }
}

on_each_engine!(a_failed_delivery_that_is_retried_has_a_fresh_budget_and_its_numbers_go_on);
async fn a_failed_delivery_that_is_retried_has_a_fresh_budget_and_its_numbers_go_on(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let (_, to) = owed(&scene, &holding, 1).await;
    end(&scene, &holding, &to, Then::End(State::Failed)).await;
    let Recovered::Done(retried) = retry(&scene, to[0]).await else {
        panic!("it is there");
    };
    assert_eq!(retried.state, State::Pending);
    assert!(
        retried
            .next_attempt_at
            .is_some_and(|at| at <= scene.clock.now())
    );
    let again = recipients(&claim_due(&scene, &holding, 9).await.owed)[0];
    assert_eq!((again.attempts, again.budget_from), (1, 1));
    // As often as one likes.
    end(&scene, &holding, &[again], Then::End(State::Failed)).await;
    assert!(matches!(retry(&scene, to[0]).await, Recovered::Done(_)));
    let again = recipients(&claim_due(&scene, &holding, 9).await.owed)[0];
    assert_eq!((again.attempts, again.budget_from), (2, 2));
    end(&scene, &holding, &[again], Then::End(State::Delivered)).await;
    assert_eq!(state(&scene, to[0]).await, (State::Delivered, 3));
    assert_eq!(
        retry(&scene, to[0]).await,
        Recovered::Ended(State::Delivered)
    );
    assert_eq!(
        cancel(&scene, to[0]).await,
        Recovered::Ended(State::Delivered)
    );
}

on_each_engine!(a_pending_delivery_that_is_retried_is_due_and_keeps_its_budget);
async fn a_pending_delivery_that_is_retried_is_due_and_keeps_its_budget(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let (subscription, to) = owed(&scene, &holding, 1).await;
    let at = scene.clock.now().plus(Duration::from_hours(5));
    end(&scene, &holding, &to, Then::RetryAt(at)).await;
    assert_eq!(list(&scene, subscription, Wanted::Retrying).await.len(), 1);
    assert!(claim_due(&scene, &holding, 9).await.owed.is_empty());
    assert!(matches!(retry(&scene, to[0]).await, Recovered::Done(_)));
    let again = recipients(&claim_due(&scene, &holding, 9).await.owed)[0];
    assert_eq!((again.attempts, again.budget_from), (1, 0));
}

on_each_engine!(nobody_reaches_another_tenants_delivery_and_nothing_is_tried_for_a_deleted_webhook);
async fn nobody_reaches_another_tenants_delivery_and_nothing_is_tried_for_a_deleted_webhook(
    scene: Scene,
) {
    let holding = scene.hold_all("a").await;
    let (subscription, to) = owed(&scene, &holding, 1).await;
    let other = TenantId::new(scene.clock.now(), &scene.random);
    let (store, id) = (&scene.store, to[0].delivery_id);
    assert_eq!(store.find_delivery(other, id).await.unwrap(), None);
    let missing = Recovered::Missing;
    assert_eq!(store.retry_delivery(other, id).await.unwrap(), missing);
    assert_eq!(store.cancel_delivery(other, id).await.unwrap(), missing);
    assert_eq!(state(&scene, to[0]).await, (State::Pending, 0));
    let now = scene.clock.now();
    let deleted = store.delete_subscription(scene.tenant, subscription, now);
    assert!(deleted.await.unwrap());
    assert_eq!(retry(&scene, to[0]).await, Recovered::Ownerless);
}

on_each_engine!(what_is_cancelled_in_memory_is_recalled_until_its_owner_has_let_go_of_it);
async fn what_is_cancelled_in_memory_is_recalled_until_its_owner_has_let_go_of_it(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let (subscription, to) = owed(&scene, &holding, 1).await;
    for _ in 0..2 {
        assert!(matches!(cancel(&scene, to[0]).await, Recovered::Done(_)));
    }
    let id = to[0].delivery_id;
    for _ in 0..2 {
        let claimed = claim_due(&scene, &holding, 9).await;
        assert_eq!(claimed.recalled, [(id, subscription)]);
    }
    // Retried before its owner has let go of it, it is not given to anybody until he has.
    assert!(matches!(retry(&scene, to[0]).await, Recovered::Done(_)));
    assert!(claim_due(&scene, &holding, 9).await.owed.is_empty());
    let claimed = claim_and_release(&scene, &holding, vec![id]).await;
    assert!(claimed.recalled.is_empty());
    assert_eq!(recipients(&claimed.owed).len(), 1);
}

on_each_engine!(an_attempt_under_way_may_deliver_what_was_cancelled_and_does_not_fail_it);
async fn an_attempt_under_way_may_deliver_what_was_cancelled_and_does_not_fail_it(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let (_, to) = owed(&scene, &holding, 3).await;
    for to in &to {
        cancel(&scene, *to).await;
    }
    let later = scene.clock.now().plus(Duration::from_secs(1));
    for (to, then, ends) in [
        (to[0], Then::End(State::Delivered), State::Delivered),
        (to[1], Then::End(State::Failed), State::Cancelled),
        (to[2], Then::RetryAt(later), State::Cancelled),
    ] {
        end(&scene, &holding, &[to], then).await;
        assert_eq!(state(&scene, to).await, (ends, 1));
    }
    // Nobody has them in memory any more.
    assert!(claim_due(&scene, &holding, 9).await.recalled.is_empty());
}

on_each_engine!(an_attempt_of_before_does_not_end_a_delivery_that_got_a_fresh_budget);
async fn an_attempt_of_before_does_not_end_a_delivery_that_got_a_fresh_budget(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let (_, to) = owed(&scene, &holding, 1).await;
    end(&scene, &holding, &to, Then::RetryAt(scene.clock.now())).await;
    let again = recipients(&claim_due(&scene, &holding, 9).await.owed)[0];
    cancel(&scene, again).await;
    retry(&scene, again).await;
    end(&scene, &holding, &[again], Then::End(State::Failed)).await;
    assert_eq!(state(&scene, again).await, (State::Pending, 2));
    let fresh = recipients(&claim_due(&scene, &holding, 9).await.owed)[0];
    assert_eq!((fresh.attempts, fresh.budget_from), (2, 1));
    end(&scene, &holding, &[fresh], Then::End(State::Failed)).await;
    assert_eq!(state(&scene, again).await, (State::Failed, 3));
}

on_each_engine!(the_next_owner_does_not_hear_of_what_was_cancelled_in_the_dead_ones_memory);
async fn the_next_owner_does_not_hear_of_what_was_cancelled_in_the_dead_ones_memory(scene: Scene) {
    let dead = scene.hold_all("a").await;
    let (_, to) = owed(&scene, &dead, 2).await;
    cancel(&scene, to[0]).await;
    scene.clock.advance(LEASE);
    let heir = scene.hold_all("b").await;
    let claimed = claim_due(&scene, &heir, 9).await;
    assert!(claimed.recalled.is_empty());
    assert_eq!(recipients(&claimed.owed), [to[1]]);
}

on_each_engine!(many_are_retried_by_pages_and_wait_behind_everything_else);
async fn many_are_retried_by_pages_and_wait_behind_everything_else(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let (subscription, mut to) = owed(&scene, &holding, 250).await;
    for _ in 0..4 {
        for _ in 0..250 {
            scene.publish("job.created").await;
        }
        let directory = Directory::default();
        let done = scene.fan_out_with_room(&holding, &directory, 2_000).await;
        to.extend(recipients(&done.owed));
    }
    assert_eq!(to.len(), 1_250);
    for part in to.chunks(250) {
        end(&scene, &holding, part, Then::End(State::Failed)).await;
    }
    let all = filter(Wanted::In(State::Failed));
    let count = scene
        .store
        .count_deliveries(scene.tenant, subscription, all.clone())
        .await;
    assert_eq!(count.unwrap(), 1_250);
    let begun = scene
        .store
        .begin_sweep(scene.tenant, subscription, Action::Retry, all)
        .await;
    begun.unwrap();
    // As many as a page holds, and not by somebody whose lease is lost.
    let directory = Directory::default();
    recover(&scene, &holding, &directory).await;
    assert_eq!(failed(&scene, subscription).await, 750);
    scene.clock.advance(LEASE);
    let heir = scene.hold_all("b").await;
    recover(&scene, &holding, &directory).await;
    assert_eq!(failed(&scene, subscription).await, 750);
    let later = recover_all(&scene, &heir).await;
    assert_eq!(failed(&scene, subscription).await, 0);
    assert_eq!(later[0], (subscription, scene.tenant));
    assert!(claim_due(&scene, &heir, 9).await.owed.is_empty());
    let first = claim_later(&scene, &heir, to[0], 2).await;
    let first = recipients(&first.owed);
    assert_eq!((first[0].attempts, first[0].budget_from), (1, 1));
}

async fn failed(scene: &Scene, subscription: SubscriptionId) -> u64 {
    let all = filter(Wanted::In(State::Failed));
    let count = scene
        .store
        .count_deliveries(scene.tenant, subscription, all);
    count.await.unwrap()
}

on_each_engine!(only_what_a_filter_wants_is_cancelled);
async fn only_what_a_filter_wants_is_cancelled(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let subscription = scene.subscribe(&["*"]).await;
    let first = scene.clock.now();
    let mut middle = first;
    for (number, event_type) in ["job.created", "job.failed", "job.created"]
        .iter()
        .enumerate()
    {
        scene.clock.advance(Duration::from_secs(1));
        if number == 2 {
            middle = scene.clock.now();
        }
        scene.publish(event_type).await;
        scene.fan_out(&holding, &Directory::default()).await;
    }
    let wanted = sweep::Filter {
        event_types: Some(vec!["job.created".to_owned(), "sms.sent".to_owned()]),
        before: Some(middle),
        after: Some(first),
        ..filter(Wanted::In(State::Pending))
    };
    let count = scene
        .store
        .count_deliveries(scene.tenant, subscription, wanted.clone())
        .await;
    assert_eq!(count.unwrap(), 1);
    let begun = scene
        .store
        .begin_sweep(scene.tenant, subscription, Action::Cancel, wanted)
        .await;
    begun.unwrap();
    recover_all(&scene, &holding).await;
    let cancelled = list(&scene, subscription, Wanted::In(State::Cancelled)).await;
    assert_eq!(cancelled.len(), 1);
    assert_eq!(cancelled[0].event_type, "job.created");
    let pending = list(&scene, subscription, Wanted::In(State::Pending)).await;
    assert_eq!(pending.len(), 2);
    assert!(
        list(&scene, subscription, Wanted::Retrying)
            .await
            .is_empty()
    );
}
