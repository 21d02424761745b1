//! Tenants take turns in the fan-out.

use crate::scene::Scene;
use domain::Shard;
use domain::id::TenantId;
use std::time::Duration;
use tidings_store::delivery::Room;
use tidings_store::directory::Directory;
use tidings_store::fan_out::{FannedOut, Turns};
use tidings_store::shard::Holding;

async fn fan_out(
    scene: &Scene,
    holding: &Holding,
    directory: &Directory,
    after: Option<(Shard, TenantId)>,
) -> FannedOut {
    let turns = Turns {
        shards: holding.shards.iter().map(|lease| lease.shard).collect(),
        after,
    };
    let room = Room {
        each: 1_000,
        ..Room::default()
    };
    let leases = holding.shards.clone();
    let done = scene.store.fan_out(turns, leases, room, directory).await;
    done.unwrap()
}

/// A tenant whose events are in the shard of the scene's tenant, before or behind them.
async fn neighbour(scene: &Scene, is_before: bool) -> TenantId {
    let (now, apart) = (scene.clock.now(), Duration::from_mins(1));
    // Ids begin with their time.
    let made_at = if is_before {
        now.minus(apart)
    } else {
        now.plus(apart)
    };
    loop {
        let other = TenantId::new(made_at, &scene.random);
        if Shard::of_tenant(other) == Shard::of_tenant(scene.tenant) {
            assert_eq!(other < scene.tenant, is_before);
            scene.make_tenant(other).await;
            return other;
        }
    }
}

async fn flood(scene: &Scene, tenant: TenantId, number: usize) {
    for _ in 0..number {
        let mut event = scene.event("job.created");
        event.tenant_id = tenant;
        scene.store.publish_event(event, None).await.unwrap();
    }
}

on_each_engine!(who_shares_a_shard_with_a_flood_has_the_next_turn);
async fn who_shares_a_shard_with_a_flood_has_the_next_turn(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let (directory, shard) = (Directory::default(), Shard::of_tenant(scene.tenant));
    scene.subscribe(&["*"]).await;
    let flooding = neighbour(&scene, true).await;
    flood(&scene, flooding, 300).await;
    let ours = [
        scene.publish("job.created").await,
        scene.publish("job.done").await,
    ];
    let first = fan_out(&scene, &holding, &directory, None).await;
    assert_eq!(first.full_at, Some((shard, flooding)));
    assert!(first.stamped.len() == 256 && first.owed.is_empty());
    let second = fan_out(&scene, &holding, &directory, first.full_at).await;
    let told: Vec<_> = second.owed.iter().map(|owed| owed.event.event.id).collect();
    assert_eq!(told, ours, "in their order");
    assert_eq!((second.stamped.len(), second.full_at), (2 + 44, None));
    let numbers = second.owed.iter().map(|owed| owed.event.sequence);
    assert_eq!(numbers.collect::<Vec<_>>(), [Some(257), Some(258)]);
}

on_each_engine!(a_turn_ends_when_it_has_made_many_deliveries);
async fn a_turn_ends_when_it_has_made_many_deliveries(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let (directory, shard) = (Directory::default(), Shard::of_tenant(scene.tenant));
    for _ in 0..100 {
        scene.subscribe(&["*"]).await;
    }
    let beside = neighbour(&scene, false).await;
    flood(&scene, scene.tenant, 50).await;
    flood(&scene, beside, 3).await;
    let first = fan_out(&scene, &holding, &directory, None).await;
    assert_eq!(first.full_at, Some((shard, scene.tenant)));
    assert_eq!((first.stamped.len(), first.owed.len()), (41, 41));
    let second = fan_out(&scene, &holding, &directory, first.full_at).await;
    assert_eq!((second.stamped.len(), second.owed.len()), (3 + 9, 9));
    assert_eq!(second.full_at, None);
    let last = second.owed.last().unwrap();
    assert_eq!((last.to.len(), last.event.sequence), (100, Some(53)));
}
