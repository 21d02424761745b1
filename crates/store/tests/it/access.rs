//! Keys, tokens, members and links: who is let in, and until when.

use crate::scene::Scene;
use domain::Timestamp;
use domain::access::{Role, Scope, Scopes};
use domain::id::{EventId, KeyId, MemberId};
use std::time::Duration;
use tidings_store::key::{MOST_KEYS, Made, NewKey, Revoked};
use tidings_store::member::{Added, Change, Member};
use tidings_store::page::Window;
use tidings_store::tenant::State;
use tidings_store::token::{Entry, MOST_TOKENS, NewLink, NewToken};

async fn add(scene: &Scene, key: &NewKey) -> Made {
    let now = scene.clock.now();
    let made = scene.store.create_key(scene.tenant, key.clone(), now).await;
    made.unwrap()
}

async fn revoke(scene: &Scene, id: KeyId, may_be_last: bool) -> Revoked {
    let now = scene.clock.now();
    let revoked = scene.store.revoke_key(scene.tenant, id, may_be_last, now);
    revoked.await.unwrap()
}

async fn first_key(scene: &Scene) -> KeyId {
    let window = Window {
        before: None,
        limit: 100,
    };
    let page = scene.store.list_keys(scene.tenant, window).await.unwrap();
    page.items.last().unwrap().id
}

fn token(scene: &Scene, key_id: KeyId, lasts: Duration) -> NewToken {
    let now = scene.clock.now();
    NewToken {
        hash: scene.random.bytes(),
        tenant_id: scene.tenant,
        key_id,
        scopes: Role::Owner.scopes(),
        created_at: now,
        expires_at: now.plus(lasts),
    }
}

async fn opens(scene: &Scene, hash: [u8; 32]) -> Option<Scopes> {
    let found = scene.store.find_bearer_of_token(hash).await.unwrap();
    found.map(|bearer| bearer.scopes)
}

async fn a_key_opens_what_its_role_and_scopes_say_until_it_ends(scene: Scene) {
    let store = &scene.store;
    let narrow: Scopes = [Scope::EventsPublish].into_iter().collect();
    let key = NewKey {
        scopes: Some(narrow),
        expires_at: Some(scene.clock.now().plus(Duration::from_mins(1))),
        ..scene.key(Role::Publisher)
    };
    assert_eq!(add(&scene, &key).await, Made::Done);
    let found = store.find_bearer_of_key(key.hash).await.unwrap().unwrap();
    assert_eq!((found.tenant_id, found.scopes), (scene.tenant, narrow));
    assert_eq!((found.state, found.key_id), (State::Active, Some(key.id)));
    assert_eq!(store.find_bearer_of_key([0; 32]).await.unwrap(), None);
    scene.clock.advance(Duration::from_secs(61));
    assert_eq!(store.find_bearer_of_key(key.hash).await.unwrap(), None);

    let other = scene.key(Role::Viewer);
    add(&scene, &other).await;
    assert_eq!(revoke(&scene, other.id, false).await, Revoked::Done);
    assert_eq!(revoke(&scene, other.id, false).await, Revoked::Done);
    assert_eq!(store.find_bearer_of_key(other.hash).await.unwrap(), None);
    let shown = store.find_key(scene.tenant, other.id).await.unwrap();
    assert!(shown.unwrap().revoked_at.is_some());
    let unknown = scene.key(Role::Viewer).id;
    assert_eq!(revoke(&scene, unknown, true).await, Revoked::Missing);

    // Ended keys are shown for a while.
    let before = |days: u64| scene.clock.now().minus(Duration::from_hours(24 * days));
    assert_eq!(store.forget_ended_keys(before(1)).await.unwrap(), 0);
    scene.clock.advance(Duration::from_hours(24 * 91));
    assert_eq!(store.forget_ended_keys(before(90)).await.unwrap(), 2);
    assert_eq!(store.find_key(scene.tenant, other.id).await.unwrap(), None);
    assert!(
        store
            .find_key(scene.tenant, first_key(&scene).await)
            .await
            .unwrap()
            .is_some()
    );
}
on_each_engine!(a_key_opens_what_its_role_and_scopes_say_until_it_ends);

async fn the_last_owners_key_stays_unless_the_operator_revokes_it(scene: Scene) {
    let first = first_key(&scene).await;
    let narrow = NewKey {
        scopes: Some([Scope::KeysWrite].into_iter().collect()),
        ..scene.key(Role::Owner)
    };
    let over = NewKey {
        expires_at: Some(scene.clock.now().plus(Duration::from_secs(1))),
        ..scene.key(Role::Owner)
    };
    add(&scene, &narrow).await;
    add(&scene, &over).await;
    scene.clock.advance(Duration::from_secs(2));
    assert_eq!(revoke(&scene, first, false).await, Revoked::LastOwner);
    let second = scene.key(Role::Owner);
    add(&scene, &second).await;
    // Both at once: one of them is the last.
    let both = tokio::join!(
        revoke(&scene, first, false),
        revoke(&scene, second.id, false)
    );
    assert!(
        matches!(
            both,
            (Revoked::Done, Revoked::LastOwner) | (Revoked::LastOwner, Revoked::Done)
        ),
        "{both:?}"
    );
    for id in [first, second.id] {
        assert_eq!(revoke(&scene, id, true).await, Revoked::Done);
    }
}
on_each_engine!(the_last_owners_key_stays_unless_the_operator_revokes_it);

async fn a_tenant_has_so_many_keys_and_no_more(scene: Scene) {
    let mut last = scene.key(Role::Viewer);
    for _ in 1..MOST_KEYS {
        last = scene.key(Role::Viewer);
        assert_eq!(add(&scene, &last).await, Made::Done);
    }
    assert_eq!(add(&scene, &scene.key(Role::Viewer)).await, Made::TooMany);
    revoke(&scene, last.id, false).await;
    assert_eq!(add(&scene, &scene.key(Role::Viewer)).await, Made::Done);
}
on_each_engine!(a_tenant_has_so_many_keys_and_no_more);

async fn when_a_key_was_used_is_noted_and_never_goes_back(scene: Scene) {
    let first = first_key(&scene).await;
    let other = scene.key(Role::Viewer);
    add(&scene, &other).await;
    let now = scene.clock.now();
    let early = now.minus(Duration::from_mins(1));
    let note = async |uses: Vec<(KeyId, Timestamp)>| scene.store.note_key_uses(uses).await.unwrap();
    note(vec![(other.id, now), (first, early)]).await;
    note(vec![(first, now), (other.id, early)]).await;
    for id in [first, other.id] {
        let key = scene.store.find_key(scene.tenant, id).await.unwrap();
        assert_eq!(key.unwrap().last_used_at, Some(now));
    }
}
on_each_engine!(when_a_key_was_used_is_noted_and_never_goes_back);

async fn a_token_ends_with_its_time_and_with_its_key(scene: Scene) {
    let key = scene.key(Role::Developer);
    add(&scene, &key).await;
    let short = token(&scene, key.id, Duration::from_secs(10));
    let long = token(&scene, key.id, Duration::from_secs(1_000));
    for token in [&short, &long] {
        scene.store.create_token(token.clone()).await.unwrap();
        // It is never wider than its key.
        assert_eq!(
            opens(&scene, token.hash).await,
            Some(Role::Developer.scopes())
        );
    }
    scene.clock.advance(Duration::from_secs(11));
    assert_eq!(opens(&scene, short.hash).await, None);
    assert!(opens(&scene, long.hash).await.is_some());
    let now = scene.clock.now();
    assert_eq!(scene.store.forget_expired_tokens(now).await.unwrap(), 1);
    revoke(&scene, key.id, false).await;
    assert_eq!(opens(&scene, long.hash).await, None);
    // One that was being made meanwhile opens nothing either.
    scene
        .store
        .create_token(token(&scene, key.id, Duration::from_secs(9)))
        .await
        .unwrap();
    let late = token(&scene, key.id, Duration::from_secs(9));
    scene.store.create_token(late.clone()).await.unwrap();
    assert_eq!(opens(&scene, late.hash).await, None);
}
on_each_engine!(a_token_ends_with_its_time_and_with_its_key);

async fn a_key_has_so_many_tokens_and_the_oldest_end(scene: Scene) {
    let key = first_key(&scene).await;
    let mut made = Vec::new();
    for _ in 0..MOST_TOKENS + 2 {
        scene.clock.advance(Duration::from_millis(5));
        let token = token(&scene, key, Duration::from_mins(10));
        scene.store.create_token(token.clone()).await.unwrap();
        made.push(token.hash);
    }
    assert_eq!(scene.count(&["access_tokens"]).await, [MOST_TOKENS]);
    assert_eq!(opens(&scene, made[1]).await, None);
    assert!(opens(&scene, made[2]).await.is_some());
    assert!(opens(&scene, *made.last().unwrap()).await.is_some());
}
on_each_engine!(a_key_has_so_many_tokens_and_the_oldest_end);

async fn a_link_lets_its_member_in_once_and_both_are_told(scene: Scene) {
    let store = &scene.store;
    let now = scene.clock.now();
    let new = |email: &str| Member {
        id: MemberId::new(now, &scene.random),
        email: email.to_owned(),
        name: None,
        role: Role::Developer,
        created_at: now,
        updated_at: now,
        last_login_at: None,
    };
    let event = || EventId::new(now, &scene.random);
    let ann = new("ann@example.com");
    let added = store
        .create_member(scene.tenant, ann.clone(), event())
        .await;
    assert_eq!(added.unwrap(), Added::Done);
    let again = store.create_member(scene.tenant, new("ann@example.com"), event());
    assert_eq!(again.await.unwrap(), Added::EmailTaken);
    assert_eq!(scene.count(&["events"]).await, [1]);

    let link = |lasts: u64| NewLink {
        hash: scene.random.bytes(),
        tenant_id: scene.tenant,
        key_id: None,
        member_id: ann.id,
        created_at: now,
        expires_at: now.plus(Duration::from_secs(lasts)),
    };
    let (used, over) = (link(300), link(5));
    for link in [&used, &over] {
        assert!(store.create_link(link.clone()).await.unwrap());
    }
    scene.clock.advance(Duration::from_secs(6));
    let entry = |link: &NewLink| Entry {
        link: link.hash,
        token: scene.random.bytes(),
        event: event(),
        at: scene.clock.now(),
        expires_at: scene.clock.now().plus(Duration::from_mins(10)),
    };
    assert_eq!(store.use_link(entry(&over)).await.unwrap(), None);
    let (one, two) = (entry(&used), entry(&used));
    let both = tokio::join!(store.use_link(one.clone()), store.use_link(two.clone()));
    let entered = [both.0.unwrap(), both.1.unwrap()];
    assert_eq!(entered.iter().flatten().count(), 1, "{entered:?}");
    assert_eq!(scene.count(&["events", "console_links"]).await, [2, 0]);
    let session = if entered[0].is_some() { one } else { two };
    assert_eq!(
        opens(&scene, session.token).await,
        Some(Role::Developer.scopes())
    );
    let found = store.find_member(scene.tenant, ann.id).await.unwrap();
    assert_eq!(found.unwrap().last_login_at, Some(session.at));

    // What somebody is logged in with follows the role, and ends with the member.
    let viewer = Change {
        role: Some(Role::Viewer),
        ..Change::default()
    };
    let changed = store.update_member(scene.tenant, ann.id, viewer, session.at);
    assert!(changed.await.unwrap().is_some());
    assert_eq!(
        opens(&scene, session.token).await,
        Some(Role::Viewer.scopes())
    );
    assert!(store.delete_member(scene.tenant, ann.id).await.unwrap());
    assert_eq!(opens(&scene, session.token).await, None);
    assert!(!store.create_link(link(300)).await.unwrap());
}
on_each_engine!(a_link_lets_its_member_in_once_and_both_are_told);
