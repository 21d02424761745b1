//! Changes on condition: only of what is as it was seen.

use crate::scene::Scene;
use domain::id::{SubscriptionId, TenantId};
use futures_util::future::join_all;
use std::time::Duration;
use tidings_store::Error;
use tidings_store::subscription::{Change, Subscription};
use tidings_store::tenant::{self, State};
use tidings_store::version::{Expected, Thing, Version};

async fn seen(scene: &Scene, thing: Thing) -> Option<Version> {
    scene.store.version_of(scene.tenant, thing).await.unwrap()
}

fn expected(scene: &Scene, thing: Thing, versions: &[Version]) -> Expected {
    Expected {
        tenant_id: scene.tenant,
        thing,
        versions: Some(versions.to_vec()),
    }
}

async fn rename(
    scene: &Scene,
    id: SubscriptionId,
    name: String,
) -> Result<Option<Subscription>, Error> {
    let is = scene.store.find_subscription(scene.tenant, id).await?;
    let change = Change {
        name: Some(name),
        ..Change::of(&is.unwrap(), scene.clock.now())
    };
    scene
        .store
        .update_subscription(scene.tenant, id, change)
        .await
}

on_each_engine!(of_many_who_have_seen_the_same_one_changes_it);
async fn of_many_who_have_seen_the_same_one_changes_it(scene: Scene) {
    let id = scene.subscribe(&["*"]).await;
    let thing = Thing::Subscription(id);
    for round in 0..5 {
        let version = seen(&scene, thing.clone()).await.unwrap();
        let all = (0..8).map(|number| {
            let rename = rename(&scene, id, format!("{round} {number}"));
            expected(&scene, thing.clone(), &[version]).during(rename)
        });
        let all = join_all(all).await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1, "{all:?}");
        let refused = all.iter().filter_map(|one| one.as_ref().err());
        for error in refused {
            assert!(matches!(error, Error::OtherVersion), "{error}");
        }
        assert_ne!(seen(&scene, thing.clone()).await.unwrap(), version);
    }
}

on_each_engine!(whoever_has_changed_it_may_go_on);
async fn whoever_has_changed_it_may_go_on(scene: Scene) {
    let id = scene.subscribe(&["*"]).await;
    let thing = Thing::Subscription(id);
    let first = seen(&scene, thing.clone()).await.unwrap();
    let both = async {
        rename(&scene, id, "one".to_owned()).await.unwrap();
        rename(&scene, id, "two".to_owned()).await
    };
    let both = expected(&scene, thing.clone(), &[first]).during(both);
    assert!(both.await.is_ok());
    let stale = rename(&scene, id, "three".to_owned());
    let stale = expected(&scene, thing, &[first]).during(stale).await;
    assert!(matches!(stale, Err(Error::OtherVersion)), "{stale:?}");
}

on_each_engine!(what_is_not_there_or_is_anothers_meets_any_condition);
async fn what_is_not_there_or_is_anothers_meets_any_condition(scene: Scene) {
    let id = scene.subscribe(&["*"]).await;
    let thing = Thing::Subscription(id);
    let other = TenantId::new(scene.clock.now(), &scene.random);
    let version = scene.store.version_of(other, thing.clone()).await;
    assert_eq!(version.unwrap(), None);
    let now = scene.clock.now();
    let of_other = Expected {
        tenant_id: other,
        ..expected(&scene, thing.clone(), &[])
    };
    let deleted = of_other.during(scene.store.delete_subscription(other, id, now));
    assert!(!deleted.await.unwrap());
    assert!(seen(&scene, thing).await.is_some());
}

on_each_engine!(changes_of_a_tenant_on_condition_and_others_do_not_wait_for_one_another);
/// Whoever suspends a tenant takes the version of all subscriptions first and the tenant then; so does this.
async fn changes_of_a_tenant_on_condition_and_others_do_not_wait_for_one_another(scene: Scene) {
    let thing = Thing::Tenant(scene.tenant);
    let id = scene.subscribe(&["*"]).await;
    let started = std::time::Instant::now();
    for round in 0..20 {
        let version = seen(&scene, thing.clone()).await.unwrap();
        let change = tenant::Change {
            name: Some(format!("Clinic {round}")),
            plan: None,
        };
        let renamed = scene.store.update_tenant(scene.tenant, change);
        let renamed = expected(&scene, thing.clone(), &[version]).during(renamed);
        let state = if round % 2 == 0 {
            State::Suspended
        } else {
            State::Active
        };
        let now = scene.clock.now();
        let set = scene.store.set_tenant_state(scene.tenant, state, now);
        let (renamed, set, changed) =
            tokio::join!(renamed, set, rename(&scene, id, format!("{round}")));
        assert!(set.is_ok() && changed.is_ok(), "{set:?} {changed:?}");
        let is_told = matches!(
            renamed,
            Ok(tenant::Changed::To(_)) | Err(Error::OtherVersion)
        );
        assert!(is_told, "{renamed:?}");
    }
    // PostgreSQL finds out after a second that two wait for one another.
    assert!(started.elapsed() < Duration::from_secs(15));
}
