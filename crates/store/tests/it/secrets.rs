//! Sealed secrets, gone through while the encryption key is changed.

use crate::scene::Scene;
use domain::account::Environment;
use domain::callback::Kind;
use domain::id::{AccountId, QuarantineId, SubscriptionId};
use domain::security::Reason;
use domain::subscription::{Pattern, Settings};
use std::collections::BTreeSet;
use tidings_store::Store;
use tidings_store::account::{Account, Created};
use tidings_store::quarantine::Quarantined;
use tidings_store::secret::{Column, Resealed, Sealed};
use tidings_store::security::Noticed;
use tidings_store::subscription::{Change, EndpointSecret, Subscription};
use uuid::Uuid;

async fn make_account(scene: &Scene, slug: &str, checks: &[u8]) -> Account {
    let now = scene.clock.now();
    let account = Account {
        id: AccountId::new(now, &scene.random),
        tenant_id: scene.tenant,
        slug: slug.parse().unwrap(),
        provider: "stub".to_owned(),
        environment: Environment::default(),
        checks: checks.to_vec(),
        status_api: None,
        silence: domain::poll::Silence::default(),
        created_at: now,
        updated_at: now,
    };
    let made = scene.store.create_account(account.clone()).await.unwrap();
    assert_eq!(made, Created::New);
    account
}

fn refused(scene: &Scene) -> Quarantined {
    let now = scene.clock.now();
    Quarantined {
        id: QuarantineId::new(now, &scene.random),
        tenant_id: scene.tenant,
        provider_account: "clinic".to_owned(),
        kind: Kind::Reports,
        reason: Reason::InvalidToken,
        received_at: now,
        source_ip: "127.0.0.1".to_owned(),
        size_bytes: 2,
        sealed: b"old".to_vec(),
    }
}

async fn quarantine(scene: &Scene, number: usize) {
    let noticed = Noticed {
        quarantined: (0..number).map(|_| refused(scene)).collect(),
        ..Noticed::default()
    };
    scene.store.record_security(noticed).await.unwrap();
}

/// Everything of a column, page by page; how long the pages were.
async fn walk(store: &Store, of: Column) -> (Vec<Sealed>, Vec<usize>) {
    let (mut all, mut pages): (Vec<Sealed>, _) = (Vec::new(), Vec::new());
    loop {
        let after = all.last().map(|last| last.id);
        let page = store.list_sealed(of, after).await.unwrap();
        if page.is_empty() {
            return (all, pages);
        }
        pages.push(page.len());
        all.extend(page);
    }
}

fn resealed(id: Uuid, from: &[u8], to: &[u8]) -> Resealed {
    Resealed {
        id,
        from: from.to_vec(),
        to: to.to_vec(),
    }
}

async fn subscription(scene: &Scene, id: SubscriptionId) -> Subscription {
    let found = scene.store.find_subscription(scene.tenant, id).await;
    found.unwrap().unwrap()
}

on_each_engine!(every_secret_is_met_once_page_by_page_whoevers_it_is);
async fn every_secret_is_met_once_page_by_page_whoevers_it_is(scene: Scene) {
    quarantine(&scene, 250).await;
    let (all, pages) = walk(&scene.store, Column::QuarantinedRequest).await;
    assert_eq!(pages, [100, 100, 50]);
    let ids: BTreeSet<Uuid> = all.iter().map(|sealed| sealed.id).collect();
    assert_eq!(ids.len(), 250);
    assert!(all.iter().all(|sealed| sealed.value == b"old"));

    let mine = make_account(&scene, "mine", b"checks").await;
    let other = domain::id::TenantId::new(scene.clock.now(), &scene.random);
    scene.make_tenant(other).await;
    let theirs = Account {
        id: AccountId::new(scene.clock.now(), &scene.random),
        tenant_id: other,
        slug: "theirs".parse().unwrap(),
        ..mine.clone()
    };
    scene.store.create_account(theirs.clone()).await.unwrap();
    let (all, _) = walk(&scene.store, Column::AccountChecks).await;
    let met: BTreeSet<_> = all
        .iter()
        .map(|sealed| (sealed.tenant_id, sealed.id))
        .collect();
    let expected = [(scene.tenant, mine.id.0), (other, theirs.id.0)];
    assert_eq!(met, BTreeSet::from(expected));
}

on_each_engine!(a_secret_is_replaced_where_it_is_as_it_was_read_and_nowhere_else);
async fn a_secret_is_replaced_where_it_is_as_it_was_read_and_nowhere_else(scene: Scene) {
    let store = &scene.store;
    let one = make_account(&scene, "one", b"old").await;
    let other = make_account(&scene, "other", b"old").await;
    // Somebody changes one of them between the reading and the writing.
    let changed = Account {
        checks: b"newer".to_vec(),
        ..one.clone()
    };
    assert!(store.update_account(changed).await.unwrap());
    let gone = Uuid::from_u128(7);
    let all = [one.id.0, other.id.0, gone].map(|id| resealed(id, b"old", b"new"));
    let replaced = store
        .replace_sealed(Column::AccountChecks, all.to_vec())
        .await
        .unwrap();
    assert_eq!(replaced, 1);
    let find = async |id| store.find_account(scene.tenant, id).await.unwrap().unwrap();
    assert_eq!(find(one.id).await.checks, b"newer");
    let found = find(other.id).await;
    assert_eq!(found.checks, b"new");
    assert_eq!(found.updated_at, other.updated_at, "nothing a tenant sees");

    let (none, _) = walk(store, Column::AccountStatusApi).await;
    assert_eq!(none, [], "what is not there is not sealed again");
    let asked = Account {
        status_api: Some(b"old".to_vec()),
        ..find(other.id).await
    };
    assert!(store.update_account(asked).await.unwrap());
    let all = [one.id.0, other.id.0].map(|id| resealed(id, b"old", b"new"));
    let replaced = store.replace_sealed(Column::AccountStatusApi, all.to_vec());
    assert_eq!(replaced.await.unwrap(), 1);
    let (all, _) = walk(store, Column::AccountStatusApi).await;
    assert_eq!(all[0].value, b"new");
    assert_eq!(
        find(other.id).await.status_api.as_deref(),
        Some(&b"new"[..])
    );

    quarantine(&scene, 1).await;
    let (all, _) = walk(store, Column::QuarantinedRequest).await;
    let again = vec![resealed(all[0].id, b"old", b"new")];
    for expected in [1, 0] {
        let replaced = store.replace_sealed(Column::QuarantinedRequest, again.clone());
        assert_eq!(replaced.await.unwrap(), expected);
    }
    let id = QuarantineId(all[0].id);
    let found = store.find_quarantined(scene.tenant, id).await.unwrap();
    assert_eq!(found.unwrap().sealed, b"new");
}

on_each_engine!(a_change_of_a_subscription_that_keeps_its_secret_leaves_it_as_it_is_sealed_now);
async fn a_change_of_a_subscription_that_keeps_its_secret_leaves_it_as_it_is_sealed_now(
    scene: Scene,
) {
    let id = scene.subscribe(&["*"]).await;
    let (all, _) = walk(&scene.store, Column::SubscriptionSecret).await;
    assert_eq!(all[0].value, [1, 2, 3]);
    let again = vec![resealed(id.0, &[1, 2, 3], &[4, 5, 6])];
    let replaced = scene
        .store
        .replace_sealed(Column::SubscriptionSecret, again);
    assert_eq!(replaced.await.unwrap(), 1);
    let change = Change {
        url: "https://example.org/other".to_owned(),
        patterns: Pattern::read_list(&["*".to_owned()]).unwrap(),
        secret: None,
        name: None,
        description: None,
        environment: Environment::default(),
        settings: Settings::default(),
        headers: None,
        endpoint_secret: EndpointSecret::Stays,
        is_enabled: true,
        updated_at: scene.clock.now(),
    };
    let update = |secret| {
        let change = Change {
            secret,
            ..change.clone()
        };
        scene.store.update_subscription(scene.tenant, id, change)
    };
    update(None).await.unwrap().unwrap();
    assert_eq!(subscription(&scene, id).await.secret, [4, 5, 6]);
    update(Some(vec![9])).await.unwrap().unwrap();
    assert_eq!(subscription(&scene, id).await.secret, [9]);

    // One of a subscription that was deleted is met too, as one that nobody opens.
    let now = scene.clock.now();
    let deleted = scene.store.delete_subscription(scene.tenant, id, now).await;
    assert!(deleted.unwrap());
    let (all, _) = walk(&scene.store, Column::SubscriptionSecret).await;
    assert_eq!((all.len(), all[0].is_spent), (1, true));
}

on_each_engine!(what_is_kept_of_the_installation_is_replaced_once);
async fn what_is_kept_of_the_installation_is_replaced_once(scene: Scene) {
    let store = &scene.store;
    let keep = async |value: &[u8]| store.get_or_keep("encryption_check", value.to_vec()).await;
    let replace = async |from: &[u8], to: &[u8]| {
        store
            .replace_kept("encryption_check", from.to_vec(), to.to_vec())
            .await
            .unwrap()
    };
    assert_eq!(keep(b"old").await.unwrap(), b"old");
    assert!(replace(b"old", b"new").await);
    assert!(!replace(b"old", b"late").await);
    assert_eq!(keep(b"other").await.unwrap(), b"new");
}

/// A change of a subscription that read its row before the secret was sealed again.
mod at_once {
    use super::*;
    use futures_util::future::join_all;

    on_postgres!(whoever_changes_a_subscription_meanwhile_never_brings_the_old_secret_back);
    async fn whoever_changes_a_subscription_meanwhile_never_brings_the_old_secret_back(
        scene: Scene,
    ) {
        let other = scene.reopen();
        for _ in 0..20 {
            let id = scene.subscribe(&["*"]).await;
            let change = |number: usize| {
                let change = Change {
                    url: format!("https://example.org/{number}"),
                    patterns: Pattern::read_list(&["*".to_owned()]).unwrap(),
                    secret: None,
                    name: None,
                    description: None,
                    environment: Environment::default(),
                    settings: Settings::default(),
                    headers: None,
                    endpoint_secret: EndpointSecret::Stays,
                    is_enabled: true,
                    updated_at: scene.clock.now(),
                };
                other.update_subscription(scene.tenant, id, change)
            };
            let again = vec![resealed(id.0, &[1, 2, 3], &[4, 5, 6])];
            let reseal = scene
                .store
                .replace_sealed(Column::SubscriptionSecret, again);
            let (changed, replaced) = tokio::join!(join_all((0..4).map(change)), reseal);
            assert!(changed.into_iter().all(|changed| changed.is_ok()));
            assert_eq!(replaced.unwrap(), 1);
            assert_eq!(subscription(&scene, id).await.secret, [4, 5, 6]);
        }
    }
}
