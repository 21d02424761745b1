//! What plans limit: counted exactly, told once, and given back with the next day.

use crate::proxy::Proxy;
use crate::scene::Scene;
use domain::access::Role;
use domain::event::Event;
use domain::id::TenantId;
use domain::plan::{Limit, MAX_OWN_PLANS, Plan, Use, day_of, end_of};
use domain::subscription::RateLimit;
use futures_util::future::{join_all, try_join_all};
use std::collections::HashMap;
use std::time::Duration;
use tidings_store::Store;
use tidings_store::directory::{Directory, Found};
use tidings_store::event::{Batch, Filter, Publication, Published};
use tidings_store::idempotency::{Answer, Claim};
use tidings_store::page::Window;
use tidings_store::plan::{Deleted, Put};
use tidings_store::tenant::{Change, Changed, State, Tenant};

const DAY: Duration = Duration::from_hours(24);
const GOLD: &str = "gold";

fn plan(events_per_day: Option<u64>, webhooks: Option<u32>) -> Plan {
    Plan {
        name: GOLD.to_owned(),
        is_shipped: false,
        events_per_day,
        webhooks,
        rate_limit: None,
    }
}

/// Gives the tenant of the scene this plan.
async fn give(scene: &Scene, plan: Plan) {
    let name = plan.name.clone();
    scene.store.put_plan(plan).await.unwrap();
    let change = Change {
        name: None,
        plan: Some(name),
    };
    let changed = scene.store.update_tenant(scene.tenant, change).await;
    assert!(matches!(changed.unwrap(), Changed::To(_)));
}

fn counted(scene: &Scene, key: Option<u8>) -> Publication {
    let event = scene.event("job.created");
    let claim = key.map(|key| Claim {
        tenant_id: scene.tenant,
        key: [key; 32],
        body_hash: [1; 32],
        answer: Answer {
            status: 202,
            body: event.id.to_string(),
        },
        at: scene.clock.now(),
    });
    Publication {
        event,
        claim,
        counts: true,
    }
}

async fn publish(scene: &Scene) -> Published {
    let published = scene.store.publish(counted(scene, None)).await;
    published.unwrap().0
}

/// What a tenant has in its log, by type.
async fn types_of(scene: &Scene, tenant: TenantId) -> HashMap<String, usize> {
    let mut types = HashMap::new();
    for event in log_of(scene, tenant).await {
        *types.entry(event.event_type).or_default() += 1;
    }
    types
}

async fn log_of(scene: &Scene, tenant: TenantId) -> Vec<Event> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let window = Window { before, limit: 100 };
        let page = scene.store.list_events(tenant, Filter::default(), window);
        let page = page.await.unwrap();
        all.extend(page.items.into_iter().map(|kept| kept.event));
        before = page.next;
        if before.is_none() {
            return all;
        }
    }
}

/// How often the tenant and the platform were warned, and told that nothing is left.
async fn told(scene: &Scene) -> (usize, usize) {
    let mut told = Vec::new();
    for tenant in [scene.tenant, TenantId::PLATFORM] {
        let types = types_of(scene, tenant).await;
        let number = |name: &str| types.get(name).copied().unwrap_or(0);
        told.push((
            number("tenant.limit.warning"),
            number("tenant.limit.reached"),
        ));
    }
    assert_eq!(told[0], told[1], "the platform is told the same");
    told[0]
}

async fn used(scene: &Scene) -> Option<Use> {
    let limits = scene.store.find_limits(scene.tenant).await;
    limits.unwrap().events_per_day
}

/// Publishes so often by itself, and in so many batches of ten, all at once over these stores; how many
/// events were accepted.
async fn publish_at_once(scene: &Scene, stores: &[Store]) -> usize {
    let alone = (0..100).map(|number| {
        let store = &stores[number % stores.len()];
        store.publish(counted(scene, None))
    });
    let batches = (0..6).map(|number| {
        let store = &stores[number % stores.len()];
        let batch = (0..10).map(|_| counted(scene, None)).collect();
        store.publish_batch(batch, None, |_| String::new())
    });
    let (alone, batches) = tokio::join!(join_all(alone), join_all(batches));
    let mut done: Vec<Published> = alone.into_iter().map(|one| one.unwrap().0).collect();
    for batch in batches {
        let Batch::New(published, _) = batch.unwrap() else {
            panic!("the batch has no key");
        };
        // Those that come first have the places that are left.
        let new = published.iter().take_while(|one| **one == Published::New);
        let rest = &published[new.count()..];
        assert!(rest.iter().all(|one| matches!(one, Published::Refused(_))));
        done.extend(published);
    }
    done.iter().filter(|one| **one == Published::New).count()
}

on_each_engine!(of_many_published_at_once_exactly_as_many_are_taken_as_the_plan_allows);
async fn of_many_published_at_once_exactly_as_many_are_taken_as_the_plan_allows(scene: Scene) {
    give(&scene, plan(Some(73), None)).await;
    let stores = [scene.store.clone()];
    assert_eq!(publish_at_once(&scene, &stores).await, 73);
    let types = types_of(&scene, scene.tenant).await;
    assert_eq!(types["job.created"], 73);
    // Many at once may step over the warning.
    let (warned, reached) = told(&scene).await;
    assert!(warned <= 1);
    assert_eq!(reached, 1);
    let found = used(&scene).await.unwrap();
    assert_eq!((found.used, found.allowed), (73, 73));
}

on_postgres!(several_nodes_take_together_exactly_as_many_as_the_plan_allows);
async fn several_nodes_take_together_exactly_as_many_as_the_plan_allows(scene: Scene) {
    give(&scene, plan(Some(91), None)).await;
    let stores: Vec<Store> = (0..4).map(|_| scene.reopen()).collect();
    assert_eq!(publish_at_once(&scene, &stores).await, 91);
    assert_eq!(types_of(&scene, scene.tenant).await["job.created"], 91);
    assert_eq!(told(&scene).await.1, 1);
}

on_each_engine!(a_tenant_is_warned_once_and_told_once_and_again_on_the_next_day);
async fn a_tenant_is_warned_once_and_told_once_and_again_on_the_next_day(scene: Scene) {
    give(&scene, plan(Some(10), None)).await;
    for day in 1..=2 {
        for number in 1..=10 {
            assert_eq!(publish(&scene).await, Published::New);
            let expected = (
                day - usize::from(number < 8),
                day - usize::from(number < 10),
            );
            assert_eq!(told(&scene).await, expected, "{number} on the day {day}");
        }
        let resets_at = Some(end_of(day_of(scene.clock.now())));
        let full = Use {
            limit: Limit::EventsPerDay,
            plan: GOLD.to_owned(),
            used: 10,
            allowed: 10,
            resets_at,
        };
        for _ in 0..3 {
            assert_eq!(publish(&scene).await, Published::Refused(full.clone()));
        }
        assert_eq!(told(&scene).await, (day, day));
        assert_eq!(used(&scene).await, Some(full));
        scene.clock.advance(DAY);
    }
    assert_eq!(used(&scene).await.unwrap().used, 0);
    let last = &log_of(&scene, scene.tenant).await[0];
    assert_eq!(last.event_type, "tenant.limit.reached");
    let data: serde_json::Value = serde_json::from_str(last.data.as_str()).unwrap();
    assert_eq!(data["limit"], "events_per_day");
    assert_eq!((&data["used"], &data["allowed"]), (&10.into(), &10.into()));
}

on_each_engine!(another_plan_holds_at_once_and_is_told_of_anew);
async fn another_plan_holds_at_once_and_is_told_of_anew(scene: Scene) {
    give(&scene, plan(Some(5), None)).await;
    for _ in 0..5 {
        assert_eq!(publish(&scene).await, Published::New);
    }
    assert!(matches!(publish(&scene).await, Published::Refused(_)));
    assert_eq!(told(&scene).await, (1, 1));
    scene.store.put_plan(plan(Some(10), None)).await.unwrap();
    for _ in 0..5 {
        assert_eq!(publish(&scene).await, Published::New);
    }
    assert_eq!(told(&scene).await, (2, 2));
    // Fewer than are used: what is left is nothing, and not less.
    scene.store.put_plan(plan(Some(4), None)).await.unwrap();
    let Published::Refused(full) = publish(&scene).await else {
        panic!("nothing is left");
    };
    assert_eq!((full.used, full.allowed), (10, 4));
    assert_eq!(
        told(&scene).await,
        (2, 2),
        "it was told that nothing is left"
    );
    scene.store.put_plan(plan(None, None)).await.unwrap();
    assert_eq!(publish(&scene).await, Published::New);
    assert_eq!(used(&scene).await, None);
}

on_each_engine!(what_was_published_before_is_not_counted_again_and_a_refused_key_is_free);
async fn what_was_published_before_is_not_counted_again_and_a_refused_key_is_free(scene: Scene) {
    give(&scene, plan(Some(3), None)).await;
    let first = counted(&scene, Some(1));
    let same = Published::Replayed(Answer {
        status: 202,
        body: first.event.id.to_string(),
    });
    let say = |_: &[Published]| "said".to_owned();
    let publish = async |one| scene.store.publish(one).await.unwrap().0;
    assert_eq!(publish(first).await, Published::New);
    for _ in 0..5 {
        assert_eq!(publish(counted(&scene, Some(1))).await, same);
    }
    assert_eq!(used(&scene).await.unwrap().used, 1);

    // Two places are left for four; the same key twice is refused twice.
    let keys = [Some(1), Some(2), None, Some(3), Some(3), None];
    let batch = keys.map(|key| counted(&scene, key)).to_vec();
    let Batch::New(done, _) = scene.store.publish_batch(batch, None, say).await.unwrap() else {
        panic!("the batch has no key");
    };
    assert_eq!(done[..3], [same, Published::New, Published::New]);
    let is_refused = |one: &Published| matches!(one, Published::Refused(_));
    assert!(done[3..].iter().all(is_refused), "{done:?}");
    assert!(is_refused(&publish(counted(&scene, Some(3))).await));

    // The key stands for nothing: with the next day it does.
    scene.clock.advance(Duration::from_hours(23));
    let until_midnight = end_of(day_of(scene.clock.now())).since(scene.clock.now());
    scene.clock.advance(until_midnight);
    let again = counted(&scene, Some(3));
    let answer = Answer {
        status: 202,
        body: again.event.id.to_string(),
    };
    assert_eq!(publish(again).await, Published::New);
    let again = publish(counted(&scene, Some(3))).await;
    assert_eq!(again, Published::Replayed(answer));
}

on_each_engine!(what_does_not_count_costs_nothing_and_is_never_refused);
async fn what_does_not_count_costs_nothing_and_is_never_refused(scene: Scene) {
    give(&scene, plan(Some(0), Some(0))).await;
    for _ in 0..3 {
        let told = scene.store.publish_event(scene.event("sms.sent"), None);
        assert_eq!(told.await.unwrap(), Published::New);
    }
    assert_eq!(scene.count(&["limit_counters"]).await, [0]);
    // Without a limit nothing is counted either, whoever asks for it.
    scene.store.put_plan(plan(None, None)).await.unwrap();
    assert_eq!(publish(&scene).await, Published::New);
    assert_eq!(scene.count(&["limit_counters"]).await, [0]);
}

on_postgres!(who_has_no_quota_publishes_in_as_few_round_trips_as_ever);
async fn who_has_no_quota_publishes_in_as_few_round_trips_as_ever(scene: Scene) {
    let proxy = Proxy::before(scene.url()).await;
    let url = proxy.url(scene.url());
    let store = Store::open_postgres(&url, scene.clock.clone(), scene.random.clone()).unwrap();
    give(&scene, plan(Some(1_000), None)).await;
    // The least counts: statements are prepared once for each connection.
    let least = async |counts: bool| {
        let mut least = usize::MAX;
        for _ in 0..12 {
            let one = Publication {
                counts,
                ..counted(&scene, None)
            };
            let before = proxy.round_trips();
            assert_eq!(store.publish(one).await.unwrap().0, Published::New);
            least = least.min(proxy.round_trips() - before);
        }
        least
    };
    // The begin, the event and the commit; counted, also the plan, and the counter twice.
    assert_eq!((least(false).await, least(true).await), (3, 6));
}

on_each_engine!(two_webhooks_never_take_the_last_place_both);
async fn two_webhooks_never_take_the_last_place_both(scene: Scene) {
    give(&scene, plan(None, Some(5))).await;
    let first = scene.subscribe(&["*"]).await;
    let like = scene.store.find_subscription(scene.tenant, first).await;
    let like = like.unwrap().unwrap();
    let fresh = || {
        let mut fresh = like.clone();
        fresh.interest.subscription_id =
            domain::id::SubscriptionId::new(scene.clock.now(), &scene.random);
        fresh
    };
    let makes = (0..6).map(|_| {
        let new = vec![fresh(), fresh()];
        scene.store.create_subscriptions(scene.tenant, new)
    });
    let made = try_join_all(makes).await.unwrap();
    assert_eq!(made.iter().map(|made| made.number).sum::<usize>(), 4);
    let refused = made.iter().filter_map(|made| made.refused.as_ref());
    for refused in refused {
        assert_eq!((refused.used, refused.allowed), (5, 5));
        assert_eq!(refused.resets_at, None);
    }
    assert_eq!(scene.count(&["subscriptions"]).await, [5]);
    let (_, reached) = told(&scene).await;
    assert_eq!(reached, 1);
    let made = made.iter().map(|made| made.told.events);
    assert!(made.sum::<usize>() >= 2);

    // A place that is given back is a place, and is warned of again.
    let now = scene.clock.now();
    let store = &scene.store;
    let all = store.find_limits(scene.tenant).await.unwrap();
    assert_eq!(all.webhooks.unwrap().used, 5);
    assert!(
        store
            .delete_subscription(scene.tenant, first, now)
            .await
            .unwrap()
    );
    let before = told(&scene).await;
    let made = store.create_subscription(fresh()).await.unwrap();
    assert_eq!((made.number, made.refused), (1, None));
    assert_eq!(told(&scene).await, before, "it was told already");
    let made = store.create_subscription(fresh()).await.unwrap();
    assert_eq!(made.number, 0);
    assert_eq!(made.refused.unwrap().limit, Limit::Webhooks);
}

on_each_engine!(how_fast_a_webhook_is_sent_to_follows_the_plan_and_its_own_limit);
async fn how_fast_a_webhook_is_sent_to_follows_the_plan_and_its_own_limit(scene: Scene) {
    let directory = Directory::default();
    let id = scene.subscribe(&["*"]).await;
    let limit = async || {
        let of = vec![scene.tenant];
        let changed = scene.store.refresh_directory(&directory, of).await.unwrap();
        match directory.find(scene.tenant, id) {
            Found::Subscription(found) => (changed, found.settings.rate_limit),
            other => panic!("{other:?}"),
        }
    };
    let rate = |per_minute, per_hour| {
        Some(RateLimit {
            per_minute,
            per_hour,
        })
    };
    assert_eq!(limit().await, (true, None));
    assert_eq!(limit().await, (false, None));
    let starter = Change {
        name: None,
        plan: Some("starter".to_owned()),
    };
    let changed = scene.store.update_tenant(scene.tenant, starter).await;
    assert!(matches!(changed.unwrap(), Changed::To(_)));
    assert_eq!(limit().await, (true, rate(Some(60), Some(1_000))));
    let fast = Plan {
        rate_limit: rate(Some(600), None),
        ..plan(None, None)
    };
    give(&scene, fast).await;
    assert_eq!(limit().await, (true, rate(Some(600), None)));
    let faster = Plan {
        rate_limit: rate(None, Some(7)),
        ..plan(None, None)
    };
    scene.store.put_plan(faster).await.unwrap();
    assert_eq!(limit().await, (true, rate(None, Some(7))));

    let found = scene.store.find_subscription(scene.tenant, id).await;
    let found = found.unwrap().unwrap();
    assert_eq!(found.settings.rate_limit, None, "its own stays its own");
    let mut change = tidings_store::subscription::Change::of(&found, scene.clock.now());
    change.settings.rate_limit = rate(Some(3), Some(100));
    let store = &scene.store;
    store
        .update_subscription(scene.tenant, id, change)
        .await
        .unwrap();
    assert_eq!(limit().await, (true, rate(Some(3), Some(7))));
}

on_each_engine!(plans_that_ship_or_are_in_use_stay);
async fn plans_that_ship_or_are_in_use_stay(scene: Scene) {
    let store = &scene.store;
    let names = async || {
        let plans = store.list_plans().await.unwrap();
        let names = plans.into_iter().map(|plan| plan.name);
        names.collect::<Vec<_>>()
    };
    let delete = async |name: &str| store.delete_plan(name.to_owned()).await.unwrap();
    assert_eq!(names().await, ["standard", "starter"]);
    let standard = store.find_plan("standard".to_owned()).await.unwrap();
    let standard = standard.unwrap();
    assert!(standard.is_shipped);
    assert_eq!((standard.events_per_day, standard.rate_limit), (None, None));
    assert_eq!(store.put_plan(standard).await.unwrap(), Put::Shipped);
    assert_eq!(delete("starter").await, Deleted::Shipped);
    assert_eq!(delete(GOLD).await, Deleted::Missing);

    let gold = plan(Some(1), Some(2));
    assert_eq!(store.put_plan(gold.clone()).await.unwrap(), Put::Made);
    assert_eq!(store.put_plan(gold.clone()).await.unwrap(), Put::Replaced);
    let found = store.find_plan(GOLD.to_owned()).await.unwrap();
    assert_eq!(found, Some(gold.clone()));
    assert_eq!(names().await, [GOLD, "standard", "starter"]);
    give(&scene, gold).await;
    assert_eq!(delete(GOLD).await, Deleted::InUse);

    // A tenant that is gone has no plan, and one that was never there is given none.
    store
        .delete_tenant(scene.tenant, scene.clock.now())
        .await
        .unwrap();
    assert_eq!(delete(GOLD).await, Deleted::Gone);
    let tenant = Tenant {
        id: TenantId::new(scene.clock.now(), &scene.random),
        name: "late".to_owned(),
        plan: GOLD.to_owned(),
        state: State::Active,
        state_at: None,
        created_at: scene.clock.now(),
    };
    let id = tenant.id;
    let key = scene.key(Role::Owner);
    assert!(!store.create_tenant(tenant, key).await.unwrap());
    assert!(!store.has_tenant(id).await.unwrap());
    let change = Change {
        name: None,
        plan: Some(GOLD.to_owned()),
    };
    let changed = store.update_tenant(TenantId::PLATFORM, change).await;
    assert_eq!(changed.unwrap(), Changed::NoSuchPlan);
}

on_each_engine!(a_plan_that_is_given_and_deleted_at_once_is_one_or_the_other);
async fn a_plan_that_is_given_and_deleted_at_once_is_one_or_the_other(scene: Scene) {
    for _ in 0..10 {
        scene.store.put_plan(plan(None, None)).await.unwrap();
        let change = Change {
            name: None,
            plan: Some(GOLD.to_owned()),
        };
        let (given, deleted) = tokio::join!(
            scene.store.update_tenant(scene.tenant, change),
            scene.store.delete_plan(GOLD.to_owned()),
        );
        match (given.unwrap(), deleted.unwrap()) {
            (Changed::To(_), Deleted::InUse) | (Changed::NoSuchPlan, Deleted::Gone) => {}
            other => panic!("{other:?}"),
        }
        let change = Change {
            name: None,
            plan: Some("standard".to_owned()),
        };
        scene
            .store
            .update_tenant(scene.tenant, change)
            .await
            .unwrap();
    }
}

on_each_engine!(there_are_not_more_plans_than_somebody_could_read);
async fn there_are_not_more_plans_than_somebody_could_read(scene: Scene) {
    let named = |number| Plan {
        name: format!("plan-{number}"),
        ..plan(None, None)
    };
    for number in 0..MAX_OWN_PLANS {
        let put = scene.store.put_plan(named(number)).await.unwrap();
        assert_eq!(put, Put::Made);
    }
    let put = async |number| scene.store.put_plan(named(number)).await.unwrap();
    assert_eq!(put(MAX_OWN_PLANS).await, Put::TooMany);
    assert_eq!(put(1).await, Put::Replaced);
}

on_each_engine!(counters_of_days_that_are_over_are_forgotten);
async fn counters_of_days_that_are_over_are_forgotten(scene: Scene) {
    give(&scene, plan(Some(10), Some(3))).await;
    scene.subscribe(&["*"]).await;
    for _ in 0..5 {
        publish(&scene).await;
        scene.clock.advance(DAY);
    }
    assert_eq!(scene.count(&["limit_counters"]).await, [6]);
    while scene.store.forget_limit_counters().await.unwrap() > 0 {}
    // Of the last two days, and of what has no day.
    assert_eq!(scene.count(&["limit_counters"]).await, [3]);
    assert_eq!(publish(&scene).await, Published::New);
    assert_eq!(used(&scene).await.unwrap().used, 1);
}
