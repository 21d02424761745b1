//! Many subscriptions at once, finding them, and their tests.

use crate::scene::Scene;
use domain::attempt::Detail;
use domain::id::{EventId, SubscriptionId, TenantId, TrialId};
use domain::subscription::State;
use futures_util::future::join_all;
use std::time::Duration;
use tidings_store::Store;
use tidings_store::asked::Asked;
use tidings_store::directory::Directory;
use tidings_store::page::Window;
use tidings_store::subscription::{Change, Filter, Outcome, Subscription, Which};
use tidings_store::trial::{Ended, Trial};

const ALL: Window<SubscriptionId> = Window {
    before: None,
    limit: 100,
};

async fn found(scene: &Scene, filter: Filter) -> Vec<SubscriptionId> {
    let page = scene.store.list_subscriptions(scene.tenant, filter, ALL);
    let items = page.await.unwrap().items;
    items
        .iter()
        .map(|subscription| subscription.interest.subscription_id)
        .collect()
}

/// A moment later than the one before.
async fn subscribe(scene: &Scene, patterns: &[&str]) -> SubscriptionId {
    scene.clock.advance(Duration::from_millis(1));
    scene.subscribe(patterns).await
}

async fn find(scene: &Scene, id: SubscriptionId) -> Subscription {
    let found = scene.store.find_subscription(scene.tenant, id).await;
    found.unwrap().unwrap()
}

fn named(
    name: &str,
    scene: &Scene,
) -> impl Fn(&Subscription) -> Result<Option<Change>, ()> + Send + 'static {
    let (name, now) = (name.to_owned(), scene.clock.now());
    move |is| {
        Ok(Some(Change {
            name: Some(name.clone()),
            ..Change::of(is, now)
        }))
    }
}

on_each_engine!(subscriptions_are_found_by_the_types_that_they_want);
async fn subscriptions_are_found_by_the_types_that_they_want(scene: Scene) {
    let all = subscribe(&scene, &["*"]).await;
    let prefix = subscribe(&scene, &["call.failed", "sms.*"]).await;
    let exact = subscribe(&scene, &["sms.opt_out"]).await;
    let longer = subscribe(&scene, &["sms.status.conflict", "job.*"]).await;
    for (event_type, expected) in [
        ("sms.opt_out", vec![exact, prefix, all]),
        ("sms.status.conflict", vec![longer, prefix, all]),
        ("sms.optxout", vec![prefix, all]),
        ("call.failed", vec![prefix, all]),
        ("job.created", vec![longer, all]),
        ("email.sent", vec![all]),
    ] {
        let filter = Filter {
            event_type: Some(event_type.to_owned()),
            state: Some(State::Active),
            url: Some(Asked::Beginning("https://example.org".to_owned())),
            ..Filter::default()
        };
        assert_eq!(found(&scene, filter).await, expected, "{event_type}");
    }
    for filter in [
        Filter {
            state: Some(State::Unverified),
            ..Filter::default()
        },
        Filter {
            environment: Some("staging".parse().unwrap()),
            ..Filter::default()
        },
        Filter {
            name: Some(Asked::Exactly("x".to_owned())),
            ..Filter::default()
        },
    ] {
        assert_eq!(found(&scene, filter).await, []);
    }
}

on_each_engine!(what_is_made_together_gets_exactly_the_events_written_after_it);
async fn what_is_made_together_gets_exactly_the_events_written_after_it(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let directory = Directory::default();
    let pattern = find(&scene, subscribe(&scene, &["*"]).await).await;
    scene.publish("job.created").await;
    let new = (0..3).map(|_| {
        let id = SubscriptionId::new(scene.clock.now(), &scene.random);
        let mut new = pattern.clone();
        new.interest.subscription_id = id;
        new
    });
    let new: Vec<Subscription> = new.collect();
    let made = scene.store.create_subscriptions(scene.tenant, new.clone());
    made.await.unwrap();
    let told = |done: tidings_store::fan_out::FannedOut| -> usize {
        done.owed.iter().map(|owed| owed.to.len()).sum()
    };
    assert_eq!(told(scene.fan_out(&holding, &directory).await), 1);
    scene.publish("job.created").await;
    assert_eq!(told(scene.fan_out(&holding, &directory).await), 4);
    for made in new {
        let is = find(&scene, made.interest.subscription_id).await;
        let since_position = is.interest.since_position;
        assert!(since_position > 0);
        let mut expected = made;
        expected.interest.since_position = since_position;
        assert_eq!(is, expected);
    }
}

on_each_engine!(each_of_many_is_changed_as_is_said_of_it_and_a_dry_run_changes_none);
async fn each_of_many_is_changed_as_is_said_of_it_and_a_dry_run_changes_none(scene: Scene) {
    let ids = [
        subscribe(&scene, &["*"]).await,
        subscribe(&scene, &["sms.*"]).await,
        subscribe(&scene, &["job.*"]).await,
    ];
    let nobodys = SubscriptionId::new(scene.clock.now(), &scene.random);
    let order = vec![ids[2], nobodys, ids[0], ids[1]];
    scene.clock.advance(Duration::from_secs(1));
    let now = scene.clock.now();
    let refused = ids[0];
    let kept = ids[1];
    let decide = move |is: &Subscription| {
        let id = is.interest.subscription_id;
        if id == refused {
            return Err("not this one");
        }
        let change = Change {
            name: Some("new".to_owned()),
            description: None,
            secret: Some(vec![9; 4]),
            is_enabled: false,
            ..Change::of(is, now)
        };
        Ok((id != kept).then_some(change))
    };
    let before = find(&scene, ids[2]).await;
    for dry_run in [true, false] {
        let which = Which::Ids(order.clone());
        let done = scene
            .store
            .change_subscriptions(scene.tenant, which, dry_run, decide)
            .await
            .unwrap();
        let seen: Vec<SubscriptionId> = done.items.iter().map(|(id, _)| *id).collect();
        assert_eq!((&seen, done.next), (&order, None));
        let [changed, missing, refused, same] = &done.items[..] else {
            panic!("{done:?}")
        };
        assert!(matches!(&changed.1, Outcome::Changed(is) if is.name.as_deref() == Some("new")));
        assert!(matches!(missing.1, Outcome::Missing));
        assert!(matches!(refused.1, Outcome::Refused("not this one")));
        assert!(matches!(&same.1, Outcome::Same(is) if is.updated_at < now));
        if dry_run {
            assert_eq!(find(&scene, ids[2]).await, before);
        } else if let Outcome::Changed(told) = &changed.1 {
            let is = find(&scene, ids[2]).await;
            assert_eq!(&is, &**told);
            assert_eq!(
                (is.secret, is.is_enabled, is.disabled_at),
                (vec![9; 4], false, Some(now))
            );
            assert_eq!(is.url, before.url);
        }
    }
    // Another tenant changes and ends nothing.
    let other = TenantId::new(now, &scene.random);
    let which = || Which::Ids(ids.to_vec());
    let done = scene
        .store
        .change_subscriptions(other, which(), false, named("mine", &scene));
    let all_missing = |items: Vec<(SubscriptionId, Outcome<()>)>| {
        items
            .iter()
            .all(|(_, outcome)| matches!(outcome, Outcome::Missing))
    };
    assert!(all_missing(done.await.unwrap().items));
    let done = scene.store.delete_subscriptions(other, which(), false, now);
    assert!(all_missing(done.await.unwrap().items));
    assert_eq!(found(&scene, Filter::default()).await.len(), 3);
    let done = scene
        .store
        .delete_subscriptions(scene.tenant, which(), true, now);
    assert!(!all_missing(done.await.unwrap().items));
    assert_eq!(found(&scene, Filter::default()).await.len(), 3);
    let done = scene
        .store
        .delete_subscriptions(scene.tenant, which(), false, now);
    assert!(!all_missing(done.await.unwrap().items));
    assert_eq!(found(&scene, Filter::default()).await, []);
}

on_each_engine!(what_a_filter_finds_is_changed_page_by_page);
async fn what_a_filter_finds_is_changed_page_by_page(scene: Scene) {
    for _ in 0..5 {
        subscribe(&scene, &["sms.*"]).await;
    }
    let spared = subscribe(&scene, &["job.*"]).await;
    let filter = Filter {
        event_type: Some("sms.sent".to_owned()),
        ..Filter::default()
    };
    let (mut before, mut pages) = (None, Vec::new());
    loop {
        let which = Which::Found(filter.clone(), Window { before, limit: 2 });
        let done = scene
            .store
            .change_subscriptions(scene.tenant, which, false, named("n", &scene))
            .await
            .unwrap();
        pages.push(done.items.len());
        before = done.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(pages, [2, 2, 1]);
    assert_eq!(find(&scene, spared).await.name, None);
    let named = Filter {
        name: Some(Asked::Exactly("n".to_owned())),
        ..Filter::default()
    };
    assert_eq!(found(&scene, named).await.len(), 5);
}

on_each_engine!(changes_of_different_things_at_once_all_hold);
async fn changes_of_different_things_at_once_all_hold(scene: Scene) {
    let other = scene.store.clone();
    all_hold(scene, other).await;
}

on_postgres!(changes_by_two_processes_at_once_all_hold);
async fn changes_by_two_processes_at_once_all_hold(scene: Scene) {
    let other = scene.reopen();
    all_hold(scene, other).await;
}

async fn all_hold(scene: Scene, other: Store) {
    let ids = [
        subscribe(&scene, &["*"]).await,
        subscribe(&scene, &["*"]).await,
        subscribe(&scene, &["*"]).await,
    ];
    for round in 0..20 {
        let now = scene.clock.now();
        let changes = (0..8).map(|number| {
            let text = format!("{round}");
            let decide = move |is: &Subscription| -> Result<_, ()> {
                let mut change = Change::of(is, now);
                match number % 4 {
                    0 => change.name = Some(text.clone()),
                    1 => change.description = Some(text.clone()),
                    2 => change.url = format!("https://example.org/{text}"),
                    _ => change.settings.max_in_flight = round + 1,
                }
                Ok(Some(change))
            };
            // In any order: they wait for one another, and never for ever.
            let mut named = ids.to_vec();
            named.rotate_left(number % 3);
            let store = if number < 4 { &scene.store } else { &other };
            store.change_subscriptions(scene.tenant, Which::Ids(named), false, decide)
        });
        for done in join_all(changes).await {
            done.unwrap();
        }
        for id in ids {
            let (is, text) = (find(&scene, id).await, format!("{round}"));
            assert_eq!(
                (is.name.as_ref(), is.description.as_ref()),
                (Some(&text), Some(&text))
            );
            assert_eq!(is.url, format!("https://example.org/{text}"));
            assert_eq!(is.settings.max_in_flight, round + 1);
        }
    }
}

fn trial(scene: &Scene, subscription_id: SubscriptionId) -> Trial {
    let now = scene.clock.now();
    Trial {
        id: TrialId::new(now, &scene.random),
        tenant_id: scene.tenant,
        subscription_id,
        event_id: EventId::new(now, &scene.random),
        event_type: "webhook.test".to_owned(),
        request_body: "{}".to_owned(),
        begun_at: now,
        ended: None,
    }
}

on_each_engine!(a_test_is_known_before_it_has_ended_and_the_oldest_go);
async fn a_test_is_known_before_it_has_ended_and_the_oldest_go(scene: Scene) {
    let subscription = subscribe(&scene, &["*"]).await;
    let begun = trial(&scene, subscription);
    scene.store.begin_trial(begun.clone()).await.unwrap();
    let window = || Window {
        before: None,
        limit: 10,
    };
    let list = async |tenant| {
        let page = scene.store.list_trials(tenant, subscription, window());
        page.await.unwrap().items
    };
    assert_eq!(list(scene.tenant).await, std::slice::from_ref(&begun));
    let ended = Ended {
        duration_ms: 12,
        status_code: Some(503),
        error: Some("status_5xx".to_owned()),
        response_body: Some("later".to_owned()),
        detail: Detail {
            method: "POST".to_owned(),
            ..Detail::default()
        },
    };
    let other = TenantId::new(scene.clock.now(), &scene.random);
    let end = |tenant| scene.store.end_trial(tenant, begun.id, ended.clone());
    end(other).await.unwrap();
    assert_eq!(list(scene.tenant).await, std::slice::from_ref(&begun));
    end(scene.tenant).await.unwrap();
    let whole = Trial {
        ended: Some(ended.clone()),
        ..begun.clone()
    };
    assert_eq!(list(scene.tenant).await, [whole]);
    assert_eq!(list(other).await, []);
    for _ in 0..4 {
        scene.clock.advance(Duration::from_millis(1));
        let next = trial(&scene, subscription);
        scene.store.begin_trial(next).await.unwrap();
    }
    assert_eq!(scene.store.forget_trials_beyond(3).await.unwrap(), 2);
    assert_eq!(scene.store.forget_trials_beyond(3).await.unwrap(), 0);
    let kept = list(scene.tenant).await;
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|kept| kept.id != begun.id));
}
