//! The audit log: an entry with each change and none without, in a chain in which nothing can be changed unnoticed.

use crate::scene::Scene;
use domain::access::Role;
use domain::audit::{Action, Actor, Broken, Walk};
use domain::id::KeyId;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tidings_store::Store;
use tidings_store::audit::{Act, Filter, Listed, Seen, Shown, Target};
use tidings_store::key::Made;
use tidings_store::page::Window;
use tidings_store::tenant::Change;

fn acting(scene: &Scene, action: Action, target: Target) -> Store {
    scene.store.acting(Act {
        actor: Actor::Operator,
        tenant_id: scene.tenant,
        action,
        target,
        source_ip: Some("192.0.2.7".to_owned()),
        request_id: Some("req-1".to_owned()),
        show: Arc::new(|seen| {
            Shown::open(match seen {
                Seen::Tenant(it) => json!({ "name": it.name }),
                Seen::Key(it) => json!({ "name": it.name, "revoked_at": it.revoked_at }),
                Seen::Webhook(it) => json!({ "url": it.url }),
                other => panic!("{other:?} is no part of this story"),
            })
        }),
    })
}

/// Calls the tenant something else, for the operator.
async fn rename(scene: &Scene, name: &str) {
    let change = Change {
        name: Some(name.to_owned()),
        plan: None,
    };
    // Ids of one moment are in no order.
    scene.clock.advance(Duration::from_millis(1));
    let target = Target::Tenant(scene.tenant);
    let store = acting(scene, Action::TenantUpdated, target);
    store.update_tenant(scene.tenant, change).await.unwrap();
}

async fn entries(scene: &Scene) -> Vec<Listed> {
    let window = Window {
        before: None,
        limit: 100,
    };
    let page = scene
        .store
        .list_audit(scene.tenant, Filter::default(), window);
    page.await.unwrap().items
}

async fn chain(store: &Store) -> usize {
    let mut chained = 0;
    loop {
        match store.chain_audit().await.unwrap() {
            0 => return chained,
            page => chained += page,
        }
    }
}

/// Walks the chain in pages of two; how many entries it has.
async fn walk(store: &Store) -> Result<usize, Broken> {
    let mut page = store.audit_chain(0, 2).await.unwrap();
    let mut walk = Walk::after(page.anchor, None);
    let mut number = 0;
    while !page.entries.is_empty() {
        for it in &page.entries {
            walk.step(&it.entry, it.place, &it.previous_hash)?;
            number += 1;
        }
        let reached = walk.reached().position;
        page = store.audit_chain(reached, 2).await.unwrap();
    }
    walk.end(page.head)?;
    Ok(number)
}

async fn a_change_is_written_down_with_what_was_before_and_after(scene: Scene) {
    rename(&scene, "Ward 3").await;
    let found = entries(&scene).await;
    assert_eq!(found.len(), 1);
    let entry = &found[0].entry;
    assert_eq!(entry.action, "tenant.updated");
    assert_eq!(
        (entry.actor_type.as_str(), entry.actor_id.as_deref()),
        ("operator", None)
    );
    assert_eq!(entry.target_type, "tenant");
    assert_eq!(entry.target_id, Some(scene.tenant.to_string()));
    assert_eq!(entry.before.as_deref(), Some(r#"{"name":"clinic"}"#));
    assert_eq!(entry.after.as_deref(), Some(r#"{"name":"Ward 3"}"#));
    assert_eq!(entry.source_ip.as_deref(), Some("192.0.2.7"));
    assert_eq!(entry.request_id.as_deref(), Some("req-1"));
    assert_eq!((found[0].position, found[0].hash), (None, None));
    let id = entry.id;
    let again = scene.store.find_audit_entry(scene.tenant, id).await;
    assert_eq!(again.unwrap().unwrap().entry, *entry);
    let other = domain::id::TenantId::new(scene.clock.now(), &scene.random);
    let others = scene.store.find_audit_entry(other, id).await.unwrap();
    assert!(others.is_none());
}
on_each_engine!(a_change_is_written_down_with_what_was_before_and_after);

async fn what_changes_nothing_or_fails_or_is_nobodys_leaves_no_entry(scene: Scene) {
    rename(&scene, "clinic").await;
    // The same key twice: the second time the transaction fails as a whole.
    let key = scene.key(Role::Viewer);
    let now = scene.clock.now();
    let made = acting(&scene, Action::KeyCreated, Target::Key(key.id))
        .create_key(scene.tenant, key.clone(), now)
        .await;
    assert_eq!(made.unwrap(), Made::Done);
    let again = acting(&scene, Action::KeyCreated, Target::Key(key.id))
        .create_key(scene.tenant, key.clone(), now)
        .await;
    assert!(again.is_err());
    let unknown = KeyId::new(now, &scene.random);
    let revoked = acting(&scene, Action::KeyRevoked, Target::Key(unknown))
        .revoke_key(scene.tenant, unknown, true, now)
        .await;
    revoked.unwrap();
    scene.subscribe(&["*"]).await;
    let found = entries(&scene).await;
    let actions: Vec<&str> = found.iter().map(|it| it.entry.action.as_str()).collect();
    assert_eq!(actions, ["key.created"]);
}
on_each_engine!(what_changes_nothing_or_fails_or_is_nobodys_leaves_no_entry);

async fn of_changes_at_once_each_sees_what_the_one_before_made(scene: Scene) {
    let names: Vec<String> = (0..12).map(|number| format!("name {number}")).collect();
    let renamed = names.iter().map(|name| rename(&scene, name));
    futures_util::future::join_all(renamed).await;
    let found = entries(&scene).await;
    assert_eq!(found.len(), 12);
    // Each name was made once, and taken from by at most one.
    let mut befores: Vec<_> = found.iter().map(|it| it.entry.before.clone()).collect();
    befores.sort();
    befores.dedup();
    assert_eq!(befores.len(), 12, "{befores:?}");
}
on_each_engine!(of_changes_at_once_each_sees_what_the_one_before_made);

async fn entries_get_their_places_once_whoever_does_it(scene: Scene) {
    for number in 0..7 {
        rename(&scene, &format!("name {number}")).await;
    }
    let (one, other) = (scene.store.clone(), scene.store.clone());
    let (a, b) = tokio::join!(chain(&one), chain(&other));
    assert_eq!(a + b + chain(&one).await, 7);
    assert_eq!(walk(&scene.store).await, Ok(7));
    rename(&scene, "the last").await;
    assert_eq!(chain(&one).await, 1);
    assert_eq!(walk(&scene.store).await, Ok(8));
    let found = entries(&scene).await;
    assert_eq!(found[0].position, Some(8));
    assert_eq!(found[0].previous_hash, found[1].hash);
}
on_each_engine!(entries_get_their_places_once_whoever_does_it);

async fn what_is_old_is_forgotten_and_the_rest_still_hangs_together(scene: Scene) {
    for number in 0..3 {
        rename(&scene, &format!("old {number}")).await;
    }
    chain(&scene.store).await;
    scene.clock.advance(Duration::from_hours(48));
    for number in 0..2 {
        rename(&scene, &format!("new {number}")).await;
    }
    // One that has no place yet is not forgotten.
    let cut = scene.clock.now().minus(Duration::from_hours(1));
    assert_eq!(scene.store.forget_audit(cut).await.unwrap(), 3);
    assert_eq!(scene.store.forget_audit(cut).await.unwrap(), 0);
    chain(&scene.store).await;
    assert_eq!(walk(&scene.store).await, Ok(2));
    let (head, anchor) = scene.store.audit_ends().await.unwrap();
    assert_eq!((head.position, anchor.position), (5, 3));
}
on_each_engine!(what_is_old_is_forgotten_and_the_rest_still_hangs_together);

async fn what_is_done_to_the_rows_is_noticed(scene: Scene) {
    for number in 0..5 {
        rename(&scene, &format!("name {number}")).await;
    }
    chain(&scene.store).await;
    assert_eq!(walk(&scene.store).await, Ok(5));
    let update = "update audit_entries set";
    for (harm, mend, broken) in [
        (
            format!("{update} actor_type = 'tidings' where position = 2"),
            format!("{update} actor_type = 'operator' where position = 2"),
            Broken::Changed,
        ),
        (
            format!("{update} position = 99 where position = 3"),
            format!("{update} position = 3 where position = 99"),
            Broken::Missing(3),
        ),
        (
            format!("{update} position = null where position = 5"),
            format!("{update} position = 5 where position is null"),
            Broken::Truncated,
        ),
        (
            format!("{update} previous_hash = hash where position = 4"),
            format!(
                "{update} previous_hash = \
                 (select hash from audit_entries where position = 3) where position = 4"
            ),
            Broken::Unlinked,
        ),
    ] {
        scene.change(&harm).await;
        assert_eq!(walk(&scene.store).await, Err(broken), "{harm}");
        scene.change(&mend).await;
        assert_eq!(walk(&scene.store).await, Ok(5), "{mend}");
    }
    // Two that change places.
    for (from, to) in [(2, -1), (3, 2), (-1, 3)] {
        let swap = format!("{update} position = {to} where position = {from}");
        scene.change(&swap).await;
    }
    assert_eq!(walk(&scene.store).await, Err(Broken::Unlinked));
}
on_each_engine!(what_is_done_to_the_rows_is_noticed);
