//! What an endpoint's answer does to its subscription, what a delivery sends of its own, and secrets that are
//! replaced.

use crate::deliveries::{attempt, claim_due, recipients};
use crate::scene::Scene;
use domain::Shard;
use domain::delivery::{Cause, State};
use domain::id::SubscriptionId;
use domain::subscription::{DisabledReason, Pattern, Settings};
use std::time::Duration;
use tidings_store::delivery::{Attempt, Recipient, Then};
use tidings_store::directory::{Directory, Found};
use tidings_store::shard::{Fenced, Holding};
use tidings_store::subscription::{
    Change, EndpointSecret, PreviousSecret, Rotated, Rotation, Subscription,
};
use uuid::Uuid;

async fn find(scene: &Scene, id: SubscriptionId) -> Subscription {
    let found = scene.store.find_subscription(scene.tenant, id).await;
    found.unwrap().unwrap()
}

async fn one_delivery(scene: &Scene, holding: &Holding) -> Recipient {
    scene.publish("job.created").await;
    let done = scene.fan_out(holding, &Directory::default()).await;
    recipients(&done.owed)[0]
}

fn lease(holding: &Holding, to: Recipient) -> Fenced {
    let shard = Shard::of_subscription(to.subscription_id);
    let mut leases = holding.shards.iter();
    *leases.find(|lease| lease.shard == shard).unwrap()
}

/// An attempt that was answered 410, made with these settings.
fn gone(scene: &Scene, holding: &Holding, to: Recipient, of: &Subscription) -> Attempt {
    Attempt {
        cause: Some(Cause::Gone),
        disables: Some(DisabledReason::Gone),
        settings_of: of.updated_at,
        ..attempt(scene, holding, to, Then::End(State::Failed))
    }
}

async fn enable(scene: &Scene, id: SubscriptionId, is_enabled: bool) {
    let change = Change {
        url: "https://example.org/hook".to_owned(),
        patterns: vec![Pattern::All],
        secret: None,
        name: None,
        description: None,
        environment: domain::account::Environment::default(),
        settings: Settings::default(),
        headers: None,
        endpoint_secret: EndpointSecret::Stays,
        is_enabled,
        updated_at: scene.clock.now(),
    };
    let updated = scene.store.update_subscription(scene.tenant, id, change);
    updated.await.unwrap().unwrap();
}

on_each_engine!(an_answer_disables_its_subscription_once_and_only_for_the_shards_owner);
async fn an_answer_disables_its_subscription_once_and_only_for_the_shards_owner(scene: Scene) {
    let dead = scene.hold_all("a").await;
    let id = scene.subscribe(&["*"]).await;
    let made = find(&scene, id).await;
    let to = one_delivery(&scene, &dead).await;
    let late = gone(&scene, &dead, to, &made);
    scene.clock.advance(domain::shard::LEASE * 2);
    let heir = scene.hold_all("b").await;
    let recorded = scene.store.record_attempts([late].into()).await.unwrap();
    assert_eq!(recorded.lost, [Shard::of_subscription(id)]);
    assert!(find(&scene, id).await.is_enabled, "it is not the owner's");

    let directory = Directory::default();
    scene
        .store
        .refresh_directory(&directory, vec![scene.tenant])
        .await
        .unwrap();
    let record = gone(&scene, &heir, to, &made);
    scene
        .store
        .record_attempts([record.clone()].into())
        .await
        .unwrap();
    let disabled = find(&scene, id).await;
    assert!(!disabled.is_enabled);
    assert_eq!(disabled.disabled_reason, Some(DisabledReason::Gone));
    assert_eq!(disabled.disabled_at, Some(disabled.updated_at));
    let has_changed = scene.store.refresh_directory(&directory, Vec::new()).await;
    assert!(has_changed.unwrap(), "dispatchers look again");
    let Found::Subscription(known) = directory.find(scene.tenant, id) else {
        panic!("it is there");
    };
    assert!(!known.is_enabled);

    // Its owner enables it; the same record said again is of before.
    scene.clock.advance(Duration::from_secs(1));
    enable(&scene, id, true).await;
    scene.store.record_attempts([record].into()).await.unwrap();
    let enabled = find(&scene, id).await;
    assert!(enabled.is_enabled);
    assert_eq!((enabled.disabled_reason, enabled.disabled_at), (None, None));
    // And so is an attempt that was made with the settings before.
    let to = one_delivery(&scene, &heir).await;
    let before = gone(&scene, &heir, to, &made);
    scene.store.record_attempts([before].into()).await.unwrap();
    assert!(find(&scene, id).await.is_enabled);
}

on_each_engine!(what_waits_for_a_subscription_that_its_endpoint_disabled_is_given_up_in_time);
async fn what_waits_for_a_subscription_that_its_endpoint_disabled_is_given_up_in_time(
    scene: Scene,
) {
    let holding = scene.hold_all("a").await;
    let id = scene.subscribe(&["*"]).await;
    let made = find(&scene, id).await;
    let held = one_delivery(&scene, &holding).await;
    let to = one_delivery(&scene, &holding).await;
    let record = gone(&scene, &holding, to, &made);
    scene.store.record_attempts([record].into()).await.unwrap();
    scene
        .store
        .set_aside(vec![held.delivery_id], Vec::new())
        .await
        .unwrap();
    let disabled_at = find(&scene, id).await.disabled_at.unwrap();
    let give_up = async |before| {
        let given_up = scene.store.fail_held_deliveries(before).await;
        given_up.unwrap().deliveries
    };
    assert_eq!(give_up(disabled_at).await, 0);
    let later = disabled_at.plus(Duration::from_secs(1));
    assert_eq!(give_up(later).await, 1);
    assert_eq!(give_up(later).await, 0);
    // What its owner disabled waits.
    enable(&scene, id, true).await;
    one_delivery(&scene, &holding).await;
    enable(&scene, id, false).await;
    assert_eq!(
        give_up(scene.clock.now().plus(Duration::from_hours(999))).await,
        0
    );
}

on_each_engine!(what_a_delivery_sends_of_its_own_is_kept_once_and_under_the_lease);
async fn what_a_delivery_sends_of_its_own_is_kept_once_and_under_the_lease(scene: Scene) {
    let holding = scene.hold_all("a").await;
    scene.subscribe(&["*"]).await;
    let to = one_delivery(&scene, &holding).await;
    assert!(!to.has_body);
    let lease = lease(&holding, to);
    let keep = async |lease, body: &[u8]| {
        let kept = scene.store.keep_body(lease, to.delivery_id, body.to_vec());
        kept.await.unwrap()
    };
    let lost = Fenced {
        fence: lease.fence - 1,
        ..lease
    };
    assert!(!keep(lost, b"lost").await);
    assert!(keep(lease, b"first").await);
    assert!(keep(lease, b"second").await);
    let found = scene.store.find_body(to.delivery_id).await.unwrap();
    assert_eq!(found.as_deref(), Some(&b"first"[..]));
    let again = attempt(&scene, &holding, to, Then::RetryAt(scene.clock.now()));
    scene.store.record_attempts([again].into()).await.unwrap();
    let claimed = claim_due(&scene, &holding, 9).await;
    assert!(recipients(&claimed.owed)[0].has_body);
}

on_each_engine!(a_secret_is_replaced_where_it_is_the_one_that_was_read);
async fn a_secret_is_replaced_where_it_is_the_one_that_was_read(scene: Scene) {
    let id = scene.subscribe(&["*"]).await;
    let now = scene.clock.now();
    let rotate = async |from: &[u8], to: &[u8], row: Option<u128>| {
        let rotation = Rotation {
            from: from.to_vec(),
            to: to.to_vec(),
            previous: row.map(|row| PreviousSecret {
                id: Uuid::from_u128(row),
                secret: from.to_vec(),
                expires_at: now.plus(Duration::from_mins(1)),
            }),
            at: now,
        };
        let rotated = scene.store.rotate_secret(scene.tenant, id, rotation);
        rotated.await.unwrap()
    };
    let previous = async || {
        let directory = Directory::default();
        let tenants = vec![scene.tenant];
        scene
            .store
            .refresh_directory(&directory, tenants)
            .await
            .unwrap();
        let Found::Subscription(known) = directory.find(scene.tenant, id) else {
            panic!("it is there");
        };
        let secrets = known.previous_secrets.iter();
        secrets
            .map(|previous| previous.secret.clone())
            .collect::<Vec<_>>()
    };
    // As `subscribe` made it.
    let first: &[u8] = &[1, 2, 3];
    assert_eq!(rotate(b"other", b"b", Some(1)).await, Rotated::Changed);
    assert_eq!(rotate(first, b"b", Some(1)).await, Rotated::Done);
    assert_eq!(rotate(first, b"c", Some(2)).await, Rotated::Changed);
    assert_eq!(rotate(b"b", b"c", Some(2)).await, Rotated::Done);
    assert_eq!(rotate(b"c", b"d", Some(3)).await, Rotated::Done);
    assert_eq!(previous().await, [b"c", b"b"], "two, the newest first");
    let forget = async |now| scene.store.forget_expired_secrets(now).await.unwrap();
    assert_eq!(forget(now).await, 0);
    assert_eq!(forget(now.plus(Duration::from_mins(1))).await, 2);
    assert_eq!(rotate(b"d", b"e", Some(4)).await, Rotated::Done);
    assert_eq!(rotate(b"e", b"f", None).await, Rotated::Done);
    assert!(previous().await.is_empty(), "at once, and all");
    let other = domain::id::TenantId::new(now, &scene.random);
    let rotation = Rotation {
        from: b"f".to_vec(),
        to: b"g".to_vec(),
        previous: None,
        at: now,
    };
    let rotated = scene.store.rotate_secret(other, id, rotation).await;
    assert_eq!(rotated.unwrap(), Rotated::Gone);
}
