//! Somebody else holds what a write needs.

use crate::scene::Scene;
use futures_util::future::join_all;
use std::time::{Duration, Instant};
use tidings_store::installation::Versioned;
use tidings_store::message::Filter;
use tidings_store::page::Window;
use tokio_postgres::{Client, NoTls};

/// Locks what every change of a subscription moves, until the client is dropped.
async fn hold_version(scene: &Scene) -> (Client, tokio::task::JoinSet<()>) {
    let (client, driver) = tokio_postgres::connect(scene.url(), NoTls).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let _ = driver.await;
    });
    let lock = "begin; select value from versions where name = 'subscriptions' for update";
    client.batch_execute(lock).await.unwrap();
    (client, tasks)
}

on_postgres!(work_that_waits_for_a_lock_holds_up_nobody_and_is_done_when_it_is_free);
async fn work_that_waits_for_a_lock_holds_up_nobody_and_is_done_when_it_is_free(scene: Scene) {
    let (client, _tasks) = hold_version(&scene).await;
    let before = scene.store.version(Versioned::Subscriptions).await.unwrap();
    let begun = Instant::now();
    let others = async {
        for _ in 0..50 {
            scene.publish("job.created").await;
        }
        let took = begun.elapsed();
        client.batch_execute("commit").await.unwrap();
        took
    };
    let (_, took) = tokio::join!(scene.subscribe(&["*"]), others);
    assert!(took < Duration::from_secs(8), "{took:?}");
    let after = scene.store.version(Versioned::Subscriptions).await.unwrap();
    assert_eq!(after, before + 1, "it was done once");
}

on_postgres!(work_that_gets_no_lock_is_told_so_and_leaves_nothing_behind);
async fn work_that_gets_no_lock_is_told_so_and_leaves_nothing_behind(scene: Scene) {
    let subscription = scene.subscribe(&["*"]).await;
    let (client, _tasks) = hold_version(&scene).await;
    let at = scene.clock.now();
    let told = tokio::time::timeout(
        Duration::from_mins(1),
        scene
            .store
            .delete_subscription(scene.tenant, subscription, at),
    );
    let told = told.await.unwrap();
    let error = told.unwrap_err();
    assert!(error.is_transient() && !error.is_outage(), "{error}");
    client.batch_execute("commit").await.unwrap();
    let found = scene.store.find_subscription(scene.tenant, subscription);
    assert!(found.await.unwrap().is_some());
}

on_postgres!(what_a_hot_path_looks_up_waits_for_nobodys_list);
async fn what_a_hot_path_looks_up_waits_for_nobodys_list(scene: Scene) {
    let (client, _tasks) = hold_version(&scene).await;
    client
        .batch_execute("lock table messages in access exclusive mode")
        .await
        .unwrap();
    let window = Window {
        before: None,
        limit: 10,
    };
    let list = |_| {
        scene
            .store
            .list_messages(scene.tenant, Filter::default(), window)
    };
    let lists = join_all((0..8).map(list));
    tokio::pin!(lists);
    let begun = Instant::now();
    let looked_up = async {
        // The lists are waiting by now.
        tokio::time::sleep(Duration::from_millis(200)).await;
        scene.store.version(Versioned::Subscriptions).await.unwrap();
        begun.elapsed()
    };
    tokio::select! {
        _ = &mut lists => panic!("they were to wait"),
        took = looked_up => assert!(took < Duration::from_secs(3), "{took:?}"),
    }
    client.batch_execute("commit").await.unwrap();
    lists
        .await
        .into_iter()
        .for_each(|listed| assert!(listed.is_ok()));
}
