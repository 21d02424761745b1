use crate::scene::Scene;
use domain::attempt::{Detail, Timing};
use domain::delivery::State;
use domain::id::{AttemptId, EventId, SubscriptionId};
use domain::shard::LEASE;
use domain::{Shard, Timestamp};
use std::time::Duration;
use tidings_store::delivery::{Attempt, Claimed, Filter, Owed, Recipient, Room, Then};
use tidings_store::directory::Directory;
use tidings_store::page::Window;
use tidings_store::shard::{Fenced, Holding};

pub fn recipients(owed: &[Owed]) -> Vec<Recipient> {
    owed.iter().flat_map(|owed| owed.to.clone()).collect()
}

pub fn lease(holding: &Holding, to: Recipient) -> Fenced {
    let shard = Shard::of_subscription(to.subscription_id);
    *holding
        .shards
        .iter()
        .find(|lease| lease.shard == shard)
        .unwrap()
}

pub fn attempt(scene: &Scene, holding: &Holding, to: Recipient, then: Then) -> Attempt {
    let failed = then != Then::End(State::Delivered);
    Attempt {
        id: AttemptId::new(scene.clock.now(), &scene.random),
        delivery_id: to.delivery_id,
        event_id: EventId::new(scene.clock.now(), &scene.random),
        event_type: "job.created".to_owned(),
        subscription_id: to.subscription_id,
        settings_of: scene.clock.now(),
        disable_after: None,
        lease: lease(holding, to),
        number: to.attempts + 1,
        budget_from: to.budget_from,
        started_at: scene.clock.now(),
        duration_ms: 3,
        status_code: Some(if failed { 500 } else { 200 }),
        error: failed.then_some("status_5xx"),
        response_body: Some("said".to_owned()),
        detail: Detail::default(),
        then,
        cause: None,
        disables: None,
    }
}

pub async fn claim_due(scene: &Scene, holding: &Holding, each: usize) -> Claimed {
    let room = Room {
        each,
        ..Room::default()
    };
    let directory = Directory::default();
    scene
        .store
        .claim_due(holding.shards.clone(), room, Vec::new(), &directory)
        .await
        .unwrap()
}

async fn states(scene: &Scene, subscription: SubscriptionId) -> Vec<(State, usize)> {
    let window = Window {
        before: None,
        limit: 100,
    };
    let page = scene
        .store
        .list_deliveries(scene.tenant, subscription, Filter::default(), window)
        .await;
    page.unwrap()
        .items
        .iter()
        .map(|delivery| (delivery.state, delivery.attempts.len()))
        .collect()
}

on_each_engine!(a_delivery_is_retried_when_it_is_due_and_ends_delivered);
async fn a_delivery_is_retried_when_it_is_due_and_ends_delivered(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let subscription = scene.subscribe(&["*"]).await;
    scene.publish("job.created").await;
    let done = scene.fan_out(&holding, &Directory::default()).await;
    let to = recipients(&done.owed)[0];
    assert!(
        claim_due(&scene, &holding, 9).await.owed.is_empty(),
        "it is in memory"
    );

    let at = scene.clock.now().plus(Duration::from_secs(5));
    let failed = attempt(&scene, &holding, to, Then::RetryAt(at));
    assert!(
        scene
            .store
            .record_attempts([failed.clone()].into())
            .await
            .unwrap()
            .lost
            .is_empty()
    );
    assert!(
        claim_due(&scene, &holding, 9).await.owed.is_empty(),
        "it is not due yet"
    );
    scene.clock.advance(Duration::from_secs(6));
    let to = recipients(&claim_due(&scene, &holding, 9).await.owed)[0];
    assert_eq!(to.attempts, 1);

    let succeeded = attempt(&scene, &holding, to, Then::End(State::Delivered));
    // The first one again, as after a crash between record and reply: it changes nothing.
    scene
        .store
        .record_attempts([failed, succeeded].into())
        .await
        .unwrap();
    assert_eq!(states(&scene, subscription).await, [(State::Delivered, 2)]);
    let health = scene
        .store
        .find_subscription(scene.tenant, subscription)
        .await
        .unwrap()
        .unwrap()
        .health;
    assert_eq!((health.delivered, health.failed), (1, 1));
    assert!(health.last_success_at > health.last_failure_at);
}

on_each_engine!(
    what_is_kept_of_an_attempt_is_read_as_it_was_also_where_an_earlier_release_wrote_it
);
async fn what_is_kept_of_an_attempt_is_read_as_it_was_also_where_an_earlier_release_wrote_it(
    scene: Scene,
) {
    let holding = scene.hold_all("a").await;
    scene.subscribe(&["*"]).await;
    let event_id = scene.publish("job.created").await;
    let done = scene.fan_out(&holding, &Directory::default()).await;
    let to = recipients(&done.owed)[0];
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let at = scene.clock.now().as_seconds().to_string();
    let detail = Detail {
        timing: Timing {
            first_byte_ms: Some(2),
            total_ms: 3,
            ..Timing::default()
        },
        method: "POST".to_owned(),
        request_headers: vec![
            header("content-type", "application/json"),
            header("webhook-id", &event_id.to_string()),
            header("webhook-timestamp", &at),
            header("traceparent", "00-0af7-b7ad-01"),
            header("x-own", "***"),
        ],
        response_headers: vec![header("content-length", "4")],
        trace_id: Some("0af7".to_owned()),
        payload_bytes: 412,
        payload_sha256: "9f".repeat(32),
        ..Detail::default()
    };
    let ended = Attempt {
        event_id,
        detail: detail.clone(),
        ..attempt(&scene, &holding, to, Then::End(State::Delivered))
    };
    scene.store.record_attempts([ended].into()).await.unwrap();
    let kept = async || {
        let deliveries = scene.store.deliveries_of_event(scene.tenant, event_id);
        deliveries.await.unwrap()[0].attempts[0].detail.clone()
    };
    assert_eq!(kept().await.as_ref(), Some(&detail));
    let earlier = serde_json::to_string(&detail).unwrap();
    let change = format!("update attempts set detail = '{earlier}'");
    scene.change(&change).await;
    assert_eq!(kept().await, Some(detail));
}

on_each_engine!(what_there_is_no_room_for_waits_behind_its_subscription_and_keeps_its_order);
async fn what_there_is_no_room_for_waits_behind_its_subscription_and_keeps_its_order(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let subscription = scene.subscribe(&["*"]).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(scene.publish("job.created").await);
        scene.clock.advance(Duration::from_millis(1));
    }
    let directory = Directory::default();
    let done = scene.fan_out_with_room(&holding, &directory, 2).await;
    assert_eq!(recipients(&done.owed).len(), 2);
    assert_eq!(done.backlogs.len(), 3);
    assert!(
        claim_due(&scene, &holding, 9).await.owed.is_empty(),
        "a backlog is not due"
    );
    let lease = lease(&holding, recipients(&done.owed)[0]);
    let load = async |limit| {
        scene
            .store
            .claim_backlog(lease, subscription, limit, &directory)
            .await
            .unwrap()
    };
    let first = load(2).await;
    assert!(first.more);
    let rest = load(2).await;
    assert!(!rest.more);
    let mut told: Vec<_> = done
        .owed
        .iter()
        .chain(&first.owed)
        .chain(&rest.owed)
        .collect();
    told.sort_by_key(|owed| owed.event.sequence);
    assert_eq!(
        told.iter()
            .map(|owed| owed.event.event.id)
            .collect::<Vec<_>>(),
        ids
    );
}

on_each_engine!(the_next_owner_finds_what_the_dead_one_had_in_memory_and_its_late_record_is_void);
async fn the_next_owner_finds_what_the_dead_one_had_in_memory_and_its_late_record_is_void(
    scene: Scene,
) {
    let dead = scene.hold_all("a").await;
    let subscription = scene.subscribe(&["*"]).await;
    for _ in 0..2 {
        scene.publish("job.created").await;
    }
    let directory = Directory::default();
    let done = scene.fan_out_with_room(&dead, &directory, 1).await;
    let to = recipients(&done.owed)[0];

    scene.clock.advance(LEASE);
    let heir = scene.hold_all("b").await;
    assert_eq!(heir.backlogs.len(), 1);
    assert_eq!(recipients(&claim_due(&scene, &heir, 9).await.owed), [to]);

    let late = attempt(&scene, &dead, to, Then::End(State::Delivered));
    let recorded = scene.store.record_attempts([late].into()).await.unwrap();
    assert_eq!(recorded.lost, [Shard::of_subscription(subscription)]);
    assert_eq!(states(&scene, subscription).await, [(State::Pending, 0); 2]);
}

on_each_engine!(a_deleted_subscription_is_owed_nothing_any_more);
async fn a_deleted_subscription_is_owed_nothing_any_more(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let subscription = scene.subscribe(&["*"]).await;
    scene.publish("job.created").await;
    let done = scene.fan_out(&holding, &Directory::default()).await;
    assert!(
        !scene
            .store
            .cancel_deliveries(&[subscription])
            .await
            .unwrap()
    );
    assert_eq!(states(&scene, subscription).await, [(State::Cancelled, 0)]);
    // An attempt that was under way is recorded, and does not bring it back.
    let to = recipients(&done.owed)[0];
    let at = Timestamp::from_millis(0);
    scene
        .store
        .record_attempts([attempt(&scene, &holding, to, Then::RetryAt(at))].into())
        .await
        .unwrap();
    assert_eq!(states(&scene, subscription).await, [(State::Cancelled, 1)]);
}

on_each_engine!(what_was_set_aside_is_a_backlog);
async fn what_was_set_aside_is_a_backlog(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let subscription = scene.subscribe(&["*"]).await;
    scene.publish("job.created").await;
    let directory = Directory::default();
    let to = recipients(&scene.fan_out(&holding, &directory).await.owed)[0];
    scene
        .store
        .set_aside(vec![to.delivery_id], Vec::new())
        .await
        .unwrap();
    assert!(claim_due(&scene, &holding, 9).await.owed.is_empty());
    let lease = lease(&holding, to);
    let claimed = scene
        .store
        .claim_backlog(lease, subscription, 9, &directory)
        .await
        .unwrap();
    assert_eq!(recipients(&claimed.owed), [to]);
}

on_each_engine!(a_list_shows_a_delivery_and_its_attempts_as_they_were_at_one_moment);
async fn a_list_shows_a_delivery_and_its_attempts_as_they_were_at_one_moment(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let subscription = scene.subscribe(&["*"]).await;
    for _ in 0..60 {
        scene.publish("job.created").await;
    }
    let directory = Directory::default();
    let owed = recipients(&scene.fan_out(&holding, &directory).await.owed);
    assert_eq!(owed.len(), 60);
    let record = async {
        for to in owed {
            let ended = attempt(&scene, &holding, to, Then::End(State::Delivered));
            scene.store.record_attempts([ended].into()).await.unwrap();
        }
    };
    let look = async {
        loop {
            let seen = states(&scene, subscription).await;
            for (state, attempts) in &seen {
                assert_eq!(*attempts == 1, *state == State::Delivered);
            }
            if seen.iter().all(|(state, _)| *state == State::Delivered) {
                break;
            }
        }
    };
    tokio::join!(record, look);
}
