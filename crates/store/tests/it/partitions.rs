//! Partitions by day, on PostgreSQL.

use crate::scene::{PHONE, Scene, ask};
use domain::State;
use futures_util::future::join_all;
use std::time::Duration;

/// In which partitions the rows of a table are.
async fn places(scene: &Scene, table: &str) -> Vec<String> {
    let sql = format!("select distinct tableoid::regclass::text from {table} order by 1");
    ask(scene.url(), &sql).await
}

/// The name of the partition of a day from now.
async fn named(scene: &Scene, table: &str, days: i32) -> String {
    let sql = format!(
        "select '{table}_' || to_char((now() + interval '{days} days') at time zone 'UTC', 'YYYYMMDD')"
    );
    ask(scene.url(), &sql).await.remove(0)
}

on_postgres!(rows_are_kept_by_the_day_of_their_ids);
async fn rows_are_kept_by_the_day_of_their_ids(scene: Scene) {
    let message = scene.registration("m-1", PHONE);
    scene
        .store
        .register_message(scene.tenant, message)
        .await
        .unwrap();
    scene
        .track(vec![
            scene.callback(vec![Scene::report("m-1", State::Sent)]),
        ])
        .await;
    for table in ["events", "callbacks", "message_history"] {
        assert_eq!(places(&scene, table).await, [named(&scene, table, 0).await]);
    }
}

on_postgres!(a_week_is_made_ahead_once_by_whoever_is_first);
async fn a_week_is_made_ahead_once_by_whoever_is_first(scene: Scene) {
    assert_eq!(
        scene.store.prepare_partitions().await.unwrap(),
        Vec::<String>::new()
    );
    scene.clock.advance(Duration::from_hours(2 * 24));
    let other = scene.reopen();
    let (one, two) = tokio::join!(scene.store.prepare_partitions(), other.prepare_partitions());
    let (mut one, two) = (one.unwrap(), two.unwrap());
    one.extend(two);
    one.sort_unstable();
    let mut expected = Vec::new();
    for table in ["attempts", "callbacks", "events", "message_history"] {
        for days in [8, 9] {
            expected.push(named(&scene, table, days).await);
        }
    }
    assert_eq!(one, expected);
    assert!(other.prepare_partitions().await.unwrap().is_empty());
}

on_postgres!(what_came_before_its_partition_moves_into_it_and_is_found_all_the_while);
async fn what_came_before_its_partition_moves_into_it_and_is_found_all_the_while(scene: Scene) {
    scene.clock.advance(Duration::from_hours(30 * 24));
    let id = scene.publish("job.created").await;
    assert_eq!(places(&scene, "events").await, ["events_default"]);
    let found = async || {
        scene
            .store
            .find_event(scene.tenant, id)
            .await
            .unwrap()
            .unwrap()
    };
    let before = found().await;
    assert_eq!(scene.store.prepare_partitions().await.unwrap().len(), 4 * 8);
    assert_eq!(
        places(&scene, "events").await,
        [named(&scene, "events", 30).await]
    );
    assert_eq!(found().await, before);
    // Positions go on.
    let next = scene.publish("job.created").await;
    let next = scene
        .store
        .find_event(scene.tenant, next)
        .await
        .unwrap()
        .unwrap();
    assert!(next.position > before.position);
}

on_postgres!(partitions_are_made_while_everybody_goes_on_writing);
async fn partitions_are_made_while_everybody_goes_on_writing(scene: Scene) {
    scene.clock.advance(Duration::from_hours(30 * 24));
    for _ in 0..50 {
        scene.publish("job.created").await;
    }
    let published = async {
        let mut ids = Vec::new();
        for _ in 0..20 {
            ids.extend(join_all((0..10).map(|_| scene.publish("job.created"))).await);
        }
        ids
    };
    let (ids, made) = tokio::join!(published, scene.store.prepare_partitions());
    assert_eq!(made.unwrap().len(), 4 * 8);
    for id in ids {
        let found = scene.store.find_event(scene.tenant, id).await.unwrap();
        assert!(found.is_some());
    }
    let all = "select count(*) || ' ' || count(distinct id) from events";
    assert_eq!(ask(scene.url(), all).await, ["250 250"]);
    assert_eq!(
        places(&scene, "events").await,
        [named(&scene, "events", 30).await]
    );
}

on_each_engine!(preparing_partitions_is_done_at_any_time_on_any_engine);
async fn preparing_partitions_is_done_at_any_time_on_any_engine(scene: Scene) {
    assert!(scene.store.prepare_partitions().await.unwrap().is_empty());
}
