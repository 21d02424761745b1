//! Old events that are told again.

use crate::deliveries::{claim_due, recipients};
use crate::recovery::recover;
use crate::scene::Scene;
use domain::Shard;
use domain::delivery::State as DeliveryState;
use domain::id::{EventId, SubscriptionId, TenantId};
use domain::replay::{Selection, State};
use domain::shard::LEASE;
use std::time::Duration;
use tidings_store::delivery::{Claimed, Filter};
use tidings_store::directory::Directory;
use tidings_store::page::Window;
use tidings_store::replay::{Changed, Demand, Replay, Wish};
use tidings_store::retention::Kind;
use tidings_store::shard::Holding;

const HOUR: Duration = Duration::from_hours(1);

/// Publishes so many events, and has them told to whoever wants them.
async fn tell(scene: &Scene, holding: &Holding, events: usize) -> Vec<EventId> {
    let mut ids = Vec::new();
    for _ in 0..events {
        ids.push(scene.publish("job.created").await);
    }
    let directory = Directory::default();
    let mut left = events;
    while left > 0 {
        left -= scene.fan_out(holding, &directory).await.stamped.len();
    }
    ids
}

fn all(scene: &Scene) -> Selection {
    let now = scene.clock.now();
    Selection::Range {
        from: now.minus(HOUR),
        to: now.plus(HOUR),
        types: None,
    }
}

async fn begin(scene: &Scene, to: Option<SubscriptionId>, selection: Selection) -> Replay {
    let demand = Demand {
        tenant_id: scene.tenant,
        subscription_id: to,
        selection,
        per_second: None,
        since: scene.clock.now().minus(24 * HOUR),
    };
    scene.store.begin_replay(demand).await.unwrap()
}

async fn find(scene: &Scene, replay: &Replay) -> Replay {
    let found = scene.store.find_replay(scene.tenant, replay.id).await;
    found.unwrap().unwrap()
}

async fn recover_until_done(scene: &Scene, holding: &Holding, replay: &Replay) -> Replay {
    let directory = Directory::default();
    for _ in 0..100 {
        recover(scene, holding, &directory).await;
        let found = find(scene, replay).await;
        if found.ended_at.is_some() {
            return found;
        }
        scene.clock.advance(Duration::from_secs(1));
    }
    panic!("it does not end");
}

async fn claim_later(
    scene: &Scene,
    holding: &Holding,
    subscription: SubscriptionId,
    limit: usize,
) -> Claimed {
    let directory = Directory::default();
    let shard = Shard::of_subscription(subscription);
    let lease = holding.shards.iter().find(|lease| lease.shard == shard);
    let lease = *lease.unwrap();
    let claimed = scene
        .store
        .claim_later(lease, subscription, limit, &directory)
        .await;
    claimed.unwrap()
}

/// The events whose deliveries wait for their turn, in that order. They are in memory then.
async fn waiting(scene: &Scene, holding: &Holding, subscription: SubscriptionId) -> Vec<EventId> {
    let mut ids = Vec::new();
    loop {
        // One at a time: a claim tells them by their events.
        let claimed = claim_later(scene, holding, subscription, 1).await;
        ids.extend(claimed.owed.iter().map(|owed| owed.event.event.id));
        if !claimed.more {
            return ids;
        }
    }
}

async fn change(scene: &Scene, replay: &Replay, wish: Wish) -> Changed {
    let changed = scene.store.change_replay(scene.tenant, replay.id, wish);
    changed.await.unwrap()
}

on_each_engine!(a_replay_tells_one_webhook_what_was_there_before_it_in_order);
async fn a_replay_tells_one_webhook_what_was_there_before_it_in_order(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let events = tell(&scene, &holding, 40).await;
    let subscription = scene.subscribe(&["*"]).await;
    let replay = begin(&scene, Some(subscription), all(&scene)).await;
    assert_eq!((replay.state, replay.total), (State::Running, 40));
    // What is written from now on is not of it.
    tell(&scene, &holding, 1).await;
    let directory = Directory::default();
    let page = recover(&scene, &holding, &directory).await;
    assert_eq!(page.later, [(subscription, scene.tenant)]);
    let done = find(&scene, &replay).await;
    assert_eq!(
        (done.state, done.done, done.deliveries),
        (State::Done, 40, 40)
    );
    assert!(claim_due(&scene, &holding, 99).await.owed.is_empty());
    let first = claim_later(&scene, &holding, subscription, 1).await;
    let to = recipients(&first.owed)[0];
    assert_eq!(to.replay_id, Some(replay.id));
    assert_eq!(first.owed[0].event.event.id, events[0]);
    assert_eq!(waiting(&scene, &holding, subscription).await, events[1..]);
}

on_each_engine!(a_page_is_made_once_and_by_who_has_the_lease_alone);
async fn a_page_is_made_once_and_by_who_has_the_lease_alone(scene: Scene) {
    let holding = scene.hold_all("a").await;
    tell(&scene, &holding, 700).await;
    let subscription = scene.subscribe(&["*"]).await;
    let replay = begin(&scene, Some(subscription), all(&scene)).await;
    let directory = Directory::default();
    // Two who have the same lease, as a dispatcher that does not know what became of its commit.
    tokio::join!(
        recover(&scene, &holding, &directory),
        recover(&scene, &holding, &directory),
    );
    let half = find(&scene, &replay).await;
    assert_eq!((half.done, half.deliveries), (500, 500));
    scene.clock.advance(LEASE);
    let heir = scene.hold_all("b").await;
    assert_eq!(heir.later.len(), 1, "the heir finds what waits");
    recover(&scene, &holding, &directory).await;
    assert_eq!(find(&scene, &replay).await, half, "the lease is lost");
    let done = recover_until_done(&scene, &heir, &replay).await;
    assert_eq!(
        (done.state, done.done, done.deliveries),
        (State::Done, 700, 700)
    );
    assert_eq!(scene.count(&["deliveries"]).await, [700]);
}

on_each_engine!(more_are_made_only_when_some_have_left);
async fn more_are_made_only_when_some_have_left(scene: Scene) {
    let holding = scene.hold_all("a").await;
    tell(&scene, &holding, 1_700).await;
    let subscription = scene.subscribe(&["*"]).await;
    let replay = begin(&scene, Some(subscription), all(&scene)).await;
    let directory = Directory::default();
    for _ in 0..5 {
        recover(&scene, &holding, &directory).await;
        scene.clock.advance(Duration::from_secs(1));
    }
    let rests = find(&scene, &replay).await;
    assert_eq!((rests.state, rests.done), (State::Running, 1_000));
    claim_later(&scene, &holding, subscription, 9).await;
    recover(&scene, &holding, &directory).await;
    assert_eq!(find(&scene, &replay).await.done, 1_500);
    // Whoever is to be told nothing now holds nobody up.
    disable(&scene, subscription).await;
    let done = recover_until_done(&scene, &holding, &replay).await;
    assert_eq!((done.state, done.deliveries), (State::Done, 1_700));
}

async fn disable(scene: &Scene, subscription: SubscriptionId) {
    let found = scene.store.find_subscription(scene.tenant, subscription);
    let known = found.await.unwrap().unwrap();
    let change = tidings_store::subscription::Change {
        url: known.url,
        patterns: known.interest.patterns,
        secret: None,
        name: None,
        description: None,
        environment: known.interest.environment,
        settings: known.settings,
        headers: known.headers,
        endpoint_secret: tidings_store::subscription::EndpointSecret::Stays,
        is_enabled: false,
        updated_at: scene.clock.now(),
    };
    let changed = scene
        .store
        .update_subscription(scene.tenant, subscription, change);
    changed.await.unwrap().unwrap();
}

on_each_engine!(a_cancelled_replay_makes_no_more_and_what_it_made_is_cancelled);
async fn a_cancelled_replay_makes_no_more_and_what_it_made_is_cancelled(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let subscription = scene.subscribe(&["*"]).await;
    tell(&scene, &holding, 600).await;
    let replay = begin(&scene, None, all(&scene)).await;
    let directory = Directory::default();
    recover(&scene, &holding, &directory).await;
    let claimed = claim_later(&scene, &holding, subscription, 1).await;
    let in_memory = recipients(&claimed.owed)[0];
    assert!(matches!(
        change(&scene, &replay, Wish::Cancel).await,
        Changed::Done(_)
    ));
    let done = recover_until_done(&scene, &holding, &replay).await;
    assert_eq!((done.state, done.deliveries), (State::Cancelled, 500));
    let cancelled = scene.count(&["deliveries where state = 3"]).await;
    assert_eq!(cancelled, [500]);
    // The live ones are as they were.
    assert_eq!(scene.count(&["deliveries where state = 0"]).await, [600]);
    let recalled = claim_due(&scene, &holding, 9).await.recalled;
    assert_eq!(recalled, [(in_memory.delivery_id, subscription)]);
    assert_eq!(
        change(&scene, &replay, Wish::Resume).await,
        Changed::Ended(State::Cancelled)
    );
}

on_each_engine!(a_paused_replay_waits_and_goes_on_where_it_was);
async fn a_paused_replay_waits_and_goes_on_where_it_was(scene: Scene) {
    let holding = scene.hold_all("a").await;
    tell(&scene, &holding, 600).await;
    let subscription = scene.subscribe(&["*"]).await;
    let replay = begin(&scene, Some(subscription), all(&scene)).await;
    let directory = Directory::default();
    recover(&scene, &holding, &directory).await;
    change(&scene, &replay, Wish::Pause).await;
    scene.clock.advance(Duration::from_secs(5));
    let page = recover(&scene, &holding, &directory).await;
    assert!(!page.more, "nothing is asked for");
    assert_eq!(find(&scene, &replay).await.done, 500);
    change(&scene, &replay, Wish::Resume).await;
    let done = recover_until_done(&scene, &holding, &replay).await;
    assert_eq!((done.done, done.deliveries), (600, 600));
}

on_each_engine!(an_event_that_nobody_was_told_yet_is_waited_for);
async fn an_event_that_nobody_was_told_yet_is_waited_for(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let subscription = scene.subscribe(&["*"]).await;
    tell(&scene, &holding, 2).await;
    let untold = scene.publish("job.created").await;
    let replay = begin(&scene, Some(subscription), all(&scene)).await;
    assert_eq!(replay.total, 3);
    let directory = Directory::default();
    for _ in 0..3 {
        recover(&scene, &holding, &directory).await;
        scene.clock.advance(Duration::from_secs(1));
    }
    let waits = find(&scene, &replay).await;
    assert_eq!((waits.state, waits.done), (State::Running, 2));
    scene.fan_out(&holding, &directory).await;
    let done = recover_until_done(&scene, &holding, &replay).await;
    assert_eq!((done.state, done.done), (State::Done, 3));
    let again = waiting(&scene, &holding, subscription).await;
    assert_eq!(again[2], untold);
}

on_each_engine!(what_another_dispatcher_is_to_send_it_finds_and_has_wait_for_its_turn);
async fn what_another_dispatcher_is_to_send_it_finds_and_has_wait_for_its_turn(scene: Scene) {
    let whole = scene.hold_all("a").await;
    tell(&scene, &whole, 3).await;
    let mut subscription = scene.subscribe(&["*"]).await;
    let of_tenant = Shard::of_tenant(scene.tenant);
    while Shard::of_subscription(subscription) == of_tenant {
        subscription = scene.subscribe(&["*"]).await;
    }
    let replay = begin(&scene, Some(subscription), all(&scene)).await;
    let only = Holding {
        shards: whole
            .shards
            .iter()
            .copied()
            .filter(|lease| lease.shard == of_tenant)
            .collect(),
        ..Holding::default()
    };
    let page = recover(&scene, &only, &Directory::default()).await;
    assert!(page.later.is_empty());
    let elsewhere: Vec<Shard> = page.elsewhere.into_iter().collect();
    assert_eq!(elsewhere, [Shard::of_subscription(subscription)]);
    assert_eq!(find(&scene, &replay).await.state, State::Done);
    let claimed = claim_due(&scene, &whole, 9).await;
    assert!(claimed.owed.is_empty(), "its turn is late");
    assert_eq!(claimed.later, [(subscription, scene.tenant)]);
    assert_eq!(waiting(&scene, &whole, subscription).await.len(), 3);
}

on_each_engine!(the_same_event_is_owed_once_for_each_replay);
async fn the_same_event_is_owed_once_for_each_replay(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let subscription = scene.subscribe(&["*"]).await;
    let events = tell(&scene, &holding, 1).await;
    let ids = Selection::Ids {
        ids: vec![events[0], EventId::new(scene.clock.now(), &scene.random)],
    };
    for _ in 0..2 {
        let replay = begin(&scene, Some(subscription), ids.clone()).await;
        assert_eq!(replay.total, 1);
        let done = recover_until_done(&scene, &holding, &replay).await;
        assert_eq!((done.done, done.deliveries), (1, 1));
    }
    let window = Window {
        before: None,
        limit: 100,
    };
    let page = scene
        .store
        .list_deliveries(scene.tenant, subscription, Filter::default(), window)
        .await;
    let made: Vec<_> = page.unwrap().items.iter().map(|d| d.replay_id).collect();
    assert_eq!(made.len(), 3);
    assert!(made[2].is_none() && made[0] != made[1]);
}

on_each_engine!(a_replay_is_its_tenants_alone_and_ends_with_its_webhook);
async fn a_replay_is_its_tenants_alone_and_ends_with_its_webhook(scene: Scene) {
    let holding = scene.hold_all("a").await;
    tell(&scene, &holding, 3).await;
    let subscription = scene.subscribe(&["*"]).await;
    let replay = begin(&scene, Some(subscription), all(&scene)).await;
    let other = TenantId::new(scene.clock.now(), &scene.random);
    let (store, id) = (&scene.store, replay.id);
    assert_eq!(store.find_replay(other, id).await.unwrap(), None);
    let asked = store.change_replay(other, id, Wish::Cancel).await.unwrap();
    assert_eq!(asked, Changed::Missing);
    assert_eq!(
        store
            .count_selected(other, all(&scene), scene.clock.now().minus(HOUR))
            .await
            .unwrap(),
        0
    );
    let deleted = store.delete_subscription(scene.tenant, subscription, scene.clock.now());
    assert!(deleted.await.unwrap());
    let ended = recover_until_done(&scene, &holding, &replay).await;
    assert_eq!((ended.state, ended.deliveries), (State::Cancelled, 0));
    let counts = store.count_replays().await.unwrap();
    assert_eq!(counts, [(State::Cancelled, 1)]);
}

on_each_engine!(old_replays_are_forgotten_but_not_before_they_have_ended);
async fn old_replays_are_forgotten_but_not_before_they_have_ended(scene: Scene) {
    let holding = scene.hold_all("a").await;
    tell(&scene, &holding, 1).await;
    let done = begin(&scene, None, all(&scene)).await;
    recover_until_done(&scene, &holding, &done).await;
    let paused = begin(&scene, None, all(&scene)).await;
    change(&scene, &paused, Wish::Pause).await;
    scene.clock.advance(HOUR);
    let than = scene.clock.now();
    let gone = scene.store.forget_page(Kind::Replays, than, None).await;
    assert_eq!(gone.unwrap().rows, 1);
    assert_eq!(find(&scene, &paused).await.state, State::Paused);
}

on_each_engine!(what_is_about_to_be_forgotten_is_left_out);
async fn what_is_about_to_be_forgotten_is_left_out(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let old = tell(&scene, &holding, 2).await;
    scene.clock.advance(23 * HOUR);
    let subscription = scene.subscribe(&["*"]).await;
    let now = scene.clock.now();
    let range = Selection::Range {
        from: now.minus(48 * HOUR),
        to: now.plus(HOUR),
        types: None,
    };
    let by_range = begin(&scene, Some(subscription), range.clone()).await;
    let by_ids = Selection::Ids { ids: old };
    let by_ids = begin(&scene, Some(subscription), by_ids).await;
    assert_eq!((by_range.total, by_ids.total), (2, 2));
    // They grow too old while it waits.
    scene.clock.advance(2 * HOUR);
    for replay in [by_range, by_ids] {
        let done = recover_until_done(&scene, &holding, &replay).await;
        assert_eq!(
            (done.state, done.done, done.deliveries),
            (State::Done, 0, 0)
        );
    }
    assert_eq!(begin(&scene, None, range).await.total, 0);
}

on_each_engine!(what_is_owed_of_an_event_that_is_gone_is_given_up);
async fn what_is_owed_of_an_event_that_is_gone_is_given_up(scene: Scene) {
    let holding = scene.hold_all("a").await;
    tell(&scene, &holding, 1).await;
    let subscription = scene.subscribe(&["*"]).await;
    let replay = begin(&scene, Some(subscription), all(&scene)).await;
    recover_until_done(&scene, &holding, &replay).await;
    scene.change("delete from events").await;
    let claimed = claim_later(&scene, &holding, subscription, 9).await;
    assert!(claimed.owed.is_empty() && !claimed.more);
    let found = scene.store.list_deliveries(
        scene.tenant,
        subscription,
        Filter::default(),
        Window {
            before: None,
            limit: 1,
        },
    );
    let found = found.await.unwrap().items;
    assert_eq!(found[0].state, DeliveryState::Cancelled);
}
