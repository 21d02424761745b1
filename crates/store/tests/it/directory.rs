use crate::scene::Scene;
use domain::account::Environment;
use domain::id::SubscriptionId;
use domain::subscription::{Pattern, Settings};
use tidings_store::directory::{Directory, Found};
use tidings_store::fan_out::FannedOut;
use tidings_store::subscription::{Change, EndpointSecret};

fn receivers(done: &FannedOut) -> Vec<SubscriptionId> {
    done.owed
        .iter()
        .flat_map(|owed| &owed.to)
        .map(|to| to.subscription_id)
        .collect()
}

on_each_engine!(a_subscription_gets_exactly_the_events_written_after_it);
async fn a_subscription_gets_exactly_the_events_written_after_it(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let directory = Directory::default();
    // Written before, stamped after: not for it.
    scene.publish("job.created").await;
    let subscription = scene.subscribe(&["job.*"]).await;
    assert!(receivers(&scene.fan_out(&holding, &directory).await).is_empty());
    scene.publish("job.created").await;
    scene.publish("call.failed").await;
    assert_eq!(
        receivers(&scene.fan_out(&holding, &directory).await),
        [subscription]
    );
    // The directory knows the tenant by now: a new subscription counts all the same.
    let second = scene.subscribe(&["*"]).await;
    scene.publish("job.failed").await;
    assert_eq!(
        receivers(&scene.fan_out(&holding, &directory).await),
        [subscription, second]
    );
}

on_each_engine!(what_is_disabled_or_deleted_or_elsewhere_is_owed_nothing_new);
async fn what_is_disabled_or_deleted_or_elsewhere_is_owed_nothing_new(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let directory = Directory::default();
    let subscription = scene.subscribe(&["*"]).await;
    let change = |environment: &str, is_enabled| Change {
        url: "https://example.org/other".to_owned(),
        patterns: vec![Pattern::All],
        secret: None,
        name: None,
        description: None,
        environment: environment.parse::<Environment>().unwrap(),
        settings: Settings::default(),
        headers: None,
        endpoint_secret: EndpointSecret::Stays,
        is_enabled,
        updated_at: scene.clock.now(),
    };
    let owed_after = async |environment, is_enabled| {
        let change = change(environment, is_enabled);
        scene
            .store
            .update_subscription(scene.tenant, subscription, change)
            .await
            .unwrap()
            .unwrap();
        scene.publish("job.created").await;
        receivers(&scene.fan_out(&holding, &directory).await).len()
    };
    assert_eq!(owed_after("production", true).await, 1);
    assert_eq!(owed_after("production", false).await, 0);
    assert_eq!(owed_after("staging", true).await, 0);
    assert_eq!(owed_after("production", true).await, 1);

    let at = scene.clock.now();
    assert!(
        scene
            .store
            .delete_subscription(scene.tenant, subscription, at)
            .await
            .unwrap()
    );
    assert!(
        !scene
            .store
            .delete_subscription(scene.tenant, subscription, at)
            .await
            .unwrap()
    );
    scene.publish("job.created").await;
    assert!(receivers(&scene.fan_out(&holding, &directory).await).is_empty());
    assert!(matches!(
        directory.find(scene.tenant, subscription),
        Found::Gone
    ));
}

on_each_engine!(a_change_reaches_the_directory_when_it_is_refreshed);
async fn a_change_reaches_the_directory_when_it_is_refreshed(scene: Scene) {
    let directory = Directory::default();
    let subscription = scene.subscribe(&["*"]).await;
    assert!(matches!(
        directory.find(scene.tenant, subscription),
        Found::NotLoaded
    ));
    assert!(
        scene
            .store
            .refresh_directory(&directory, vec![scene.tenant])
            .await
            .unwrap()
    );
    assert!(matches!(
        directory.find(scene.tenant, subscription),
        Found::Subscription(_)
    ));
    assert!(
        !scene
            .store
            .refresh_directory(&directory, vec![])
            .await
            .unwrap()
    );
    scene
        .store
        .delete_subscription(scene.tenant, subscription, scene.clock.now())
        .await
        .unwrap();
    assert!(
        scene
            .store
            .refresh_directory(&directory, vec![])
            .await
            .unwrap()
    );
    assert!(matches!(
        directory.find(scene.tenant, subscription),
        Found::Gone
    ));
}
