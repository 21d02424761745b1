//! Several processes on one database.

use crate::scene::{PHONE, Scene, ask};
use domain::account::Environment;
use domain::id::{AccountId, EventId, MessageId};
use domain::message::Message;
use domain::report::Report;
use domain::shard::LEASE;
use domain::{Shard, State};
use futures_util::future::join_all;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tidings_store::Store;
use tidings_store::account::{Account, Created};
use tidings_store::delivery::Room;
use tidings_store::directory::Directory;
use tidings_store::event::{Filter, Published};
use tidings_store::fan_out::{FannedOut, Turns};
use tidings_store::idempotency::{Answer, Claim};
use tidings_store::message::Registered;
use tidings_store::page::Window;
use tidings_store::shard::Holding;

/// Two stores, so often in turn.
fn nodes(scene: &Scene, times: usize) -> Vec<Store> {
    let other = scene.reopen();
    let both = [scene.store.clone(), other];
    both.iter().cycle().take(2 * times).cloned().collect()
}

on_postgres!(the_same_message_registered_everywhere_at_once_is_one_message);
async fn the_same_message_registered_everywhere_at_once_is_one_message(scene: Scene) {
    let stores = nodes(&scene, 5);
    for number in 0..10 {
        let registration = scene.registration(&format!("m-{number}"), PHONE);
        let register = |store: &Store| {
            let (store, registration) = (store.clone(), registration.clone());
            async move { store.register_message(scene.tenant, registration).await }
        };
        let mut new = 0;
        let mut ids = HashSet::new();
        for registered in join_all(stores.iter().map(register)).await {
            ids.insert(match registered.unwrap() {
                Registered::New { message, .. } => {
                    new += 1;
                    message.id
                }
                Registered::Same(held) => held.message.id,
                conflict @ Registered::Conflict(_) => panic!("{conflict:?}"),
            });
        }
        assert_eq!((new, ids.len()), (1, 1));
    }
}

on_postgres!(a_key_claimed_everywhere_at_once_publishes_once);
async fn a_key_claimed_everywhere_at_once_publishes_once(scene: Scene) {
    let stores = nodes(&scene, 5);
    for key in 0..10 {
        let claim = Claim {
            tenant_id: scene.tenant,
            key: [key; 32],
            body_hash: [1; 32],
            answer: Answer {
                status: 202,
                body: format!("answer {key}"),
            },
            at: scene.clock.now(),
        };
        let published = stores
            .iter()
            .map(|store| store.publish_event(scene.event("job.created"), Some(claim.clone())));
        let published = join_all(published).await;
        let published: Vec<_> = published.into_iter().map(Result::unwrap).collect();
        let new = published.iter().filter(|told| **told == Published::New);
        assert_eq!(new.count(), 1);
        let replayed = Published::Replayed(claim.answer);
        let same = published.iter().filter(|told| **told == replayed);
        assert_eq!(same.count(), stores.len() - 1);
    }
    assert_eq!(
        ask(scene.url(), "select count(*) from events").await,
        ["10"]
    );
}

on_each_engine!(a_slug_that_is_taken_is_said_to_be);
async fn a_slug_that_is_taken_is_said_to_be(scene: Scene) {
    let account = || Account {
        id: AccountId::new(scene.clock.now(), &scene.random),
        tenant_id: scene.tenant,
        slug: "clinic".parse().unwrap(),
        provider: "stub".to_owned(),
        environment: Environment::default(),
        checks: vec![1],
        status_api: None,
        silence: domain::poll::Silence::default(),
        created_at: scene.clock.now(),
        updated_at: scene.clock.now(),
    };
    let created = join_all((0..10).map(|_| scene.store.create_account(account()))).await;
    let created: Vec<_> = created.into_iter().map(Result::unwrap).collect();
    let new = created.iter().filter(|told| **told == Created::New).count();
    assert_eq!(new, 1, "{created:?}");
}

on_postgres!(what_two_starts_want_to_keep_is_kept_once);
async fn what_two_starts_want_to_keep_is_kept_once(scene: Scene) {
    let stores = nodes(&scene, 5);
    let keep = stores
        .iter()
        .zip(0_u8..)
        .map(|(store, value)| store.get_or_keep("key check", vec![value]));
    let kept: HashSet<Vec<u8>> = join_all(keep)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(kept.len(), 1);
}

/// Every report that is made of a message: some by the provider's id, some by the platform's.
fn reports_of(number: usize) -> Vec<Report> {
    let by_id = |state| Scene::report(&format!("m-{number}"), state);
    let by_reference = |state| Report {
        provider_message_id: None,
        client_reference: Some(format!("r-{number}")),
        ..by_id(state)
    };
    vec![
        by_id(State::Sent),
        by_reference(State::Failed),
        by_id(State::Expired),
        by_reference(State::Sent),
        by_id(State::Delivered),
        by_reference(State::Unknown),
    ]
}

on_postgres!(reports_by_different_ids_on_different_nodes_lose_no_update);
async fn reports_by_different_ids_on_different_nodes_lose_no_update(scene: Scene) {
    const MESSAGES: usize = 12;
    let mut ids: Vec<MessageId> = Vec::new();
    for number in 0..MESSAGES {
        let mut registration = scene.registration(&format!("m-{number}"), PHONE);
        registration.client_reference = Some(format!("r-{number}"));
        let registered = scene
            .store
            .register_message(scene.tenant, registration)
            .await;
        let Registered::New { message, .. } = registered.unwrap() else {
            panic!("it is new")
        };
        ids.push(message.id);
    }
    // Each node gets each statement, in an order of its own and in batches of its own.
    let work = nodes(&scene, 2)
        .into_iter()
        .enumerate()
        .map(|(node, store)| {
            let mut all: Vec<_> = (0..MESSAGES).flat_map(reports_of).collect();
            let length = all.len();
            all.rotate_left(node * length / 4);
            if node % 2 == 1 {
                all.reverse();
            }
            let batches: Vec<Vec<_>> = all
                .chunks(5 + node)
                .map(|some| {
                    some.iter()
                        .map(|report| scene.callback(vec![report.clone()]))
                        .collect()
                })
                .collect();
            async move {
                for batch in batches {
                    let batch = Arc::new(batch);
                    store.record_callbacks(batch.clone()).await.unwrap();
                    store.apply_callbacks(batch).await.unwrap();
                }
            }
        });
    join_all(work).await;

    let events = all_events(&scene).await;
    for (number, id) in ids.into_iter().enumerate() {
        let held = scene
            .store
            .find_message(scene.tenant, id)
            .await
            .unwrap()
            .unwrap();
        let mut model = Message::register(
            id,
            scene.tenant,
            held.message.registration.clone(),
            held.message.created_at,
        );
        for report in reports_of(number) {
            model.apply(&report, 1, scene.clock.now());
        }
        assert_eq!(held.message.state(), model.state());
        assert_eq!(held.message.decided_seen, model.decided_seen);
        assert_eq!(held.history.len(), reports_of(number).len());
        let told = events.get(&id).cloned().unwrap_or_default();
        let every: Vec<u32> = (1..=held.message.transition).collect();
        assert_eq!(told, every, "each transition is told once");
    }
}

/// The numbers of the transitions that were told of each message.
async fn all_events(scene: &Scene) -> BTreeMap<MessageId, Vec<u32>> {
    let mut told: BTreeMap<MessageId, Vec<u32>> = BTreeMap::new();
    let mut before = None;
    loop {
        let window = Window { before, limit: 100 };
        let page = scene
            .store
            .list_events(scene.tenant, Filter::default(), window)
            .await
            .unwrap();
        for (id, number) in page.items.iter().filter_map(|kept| kept.event.transition) {
            told.entry(id).or_default().push(number);
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    for numbers in told.values_mut() {
        numbers.sort_unstable();
    }
    told
}

on_postgres!(a_report_and_its_registration_at_once_never_miss_one_another);
async fn a_report_and_its_registration_at_once_never_miss_one_another(scene: Scene) {
    let other = scene.reopen();
    for round in 0..10 {
        let names: Vec<String> = (0..10)
            .map(|number| format!("m-{round}-{number}"))
            .collect();
        let register = names
            .iter()
            .map(|name| other.register_message(scene.tenant, scene.registration(name, PHONE)));
        let says = |name: &String| scene.callback(vec![Scene::report(name, State::Delivered)]);
        let reports = names
            .chunks(3)
            .map(|some| scene.track(some.iter().map(says).collect()));
        let (registered, _) = tokio::join!(join_all(register), join_all(reports));
        for registered in registered {
            let Registered::New { message, .. } = registered.unwrap() else {
                panic!("it is new")
            };
            let held = scene.store.find_message(scene.tenant, message.id).await;
            assert_eq!(held.unwrap().unwrap().message.state(), State::Delivered);
        }
    }
    assert_eq!(scene.store.count_orphans().await.unwrap().waiting, 0);
}

on_postgres!(the_same_callbacks_received_everywhere_are_each_first_once);
async fn the_same_callbacks_received_everywhere_are_each_first_once(scene: Scene) {
    let stores = nodes(&scene, 4);
    let says = |number: usize| vec![Scene::report(&format!("m-{number}"), State::Sent)];
    // Each node has receipts of its own, and one job that is offered to all of them.
    let shared = scene.callback(says(0));
    let record = stores.iter().map(|store| {
        let mut batch: Vec<_> = (0..8).map(|number| scene.callback(says(number))).collect();
        batch.push(shared.clone());
        store.record_callbacks(Arc::new(batch))
    });
    for recorded in join_all(record).await {
        recorded.unwrap();
    }
    let window = Window {
        before: None,
        limit: 50,
    };
    let filter = tidings_store::callback::Filter::default();
    let page = scene
        .store
        .list_callbacks(scene.tenant, filter, window)
        .await
        .unwrap();
    let mut receipts: Vec<u32> = page
        .items
        .iter()
        .map(|callback| callback.receipts)
        .collect();
    receipts.sort_unstable();
    assert_eq!(receipts, [8, 8, 8, 8, 8, 8, 8, 9]);
}

async fn fan_out(store: &Store, holding: &Holding, directory: &Directory) -> FannedOut {
    let room = Room {
        each: 10_000,
        ..Room::default()
    };
    let shards = holding.shards.iter().map(|lease| lease.shard).collect();
    let all = Turns {
        after: None,
        shards,
    };
    store
        .fan_out(all, holding.shards.clone(), room, directory)
        .await
        .unwrap()
}

on_postgres!(a_subscription_gets_what_is_published_anywhere_after_it_and_nothing_before);
async fn a_subscription_gets_what_is_published_anywhere_after_it_and_nothing_before(scene: Scene) {
    let stores = nodes(&scene, 1);
    let holding = scene.hold_all("a").await;
    let directory = Directory::default();
    for round in 0..8 {
        let publish = async |store: &Store| {
            let event = scene.event("job.created");
            let id = event.id;
            store.publish_event(event, None).await.unwrap();
            id
        };
        let many = async || {
            let both = (0..20).flat_map(|_| &stores).map(publish);
            join_all(both).await
        };
        let before = many().await;
        // These are published while the subscription is made: they may be for it or not.
        let (subscription, between) = tokio::join!(scene.subscribe(&["*"]), many());
        let after = many().await;
        let mut got: HashSet<EventId> = HashSet::new();
        loop {
            let done = fan_out(&stores[round % 2], &holding, &directory).await;
            for owed in done.owed {
                if owed.to.iter().any(|to| to.subscription_id == subscription) {
                    got.insert(owed.event.event.id);
                }
            }
            if done.full_at.is_none() {
                break;
            }
        }
        assert!(after.iter().all(|id| got.contains(id)), "round {round}");
        assert!(!before.iter().any(|id| got.contains(id)), "round {round}");
        assert!(got.len() <= after.len() + between.len());
    }
}

on_postgres!(a_subscription_waits_for_events_that_are_being_written);
async fn a_subscription_waits_for_events_that_are_being_written(scene: Scene) {
    // Another process has taken a position, and commits after this one's 201 unless it waits.
    let (client, driver) = tokio_postgres::connect(scene.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let _ = driver.await;
    });
    let shard = Shard::of_tenant(scene.tenant).number();
    let writing = format!(
        "begin; select pg_advisory_xact_lock_shared(2, {shard}); select nextval('events_position')"
    );
    client.batch_execute(&writing).await.unwrap();
    let made = scene.subscribe(&["*"]);
    tokio::pin!(made);
    let patience = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, &mut made).await.is_err());
    client.batch_execute("commit").await.unwrap();
    made.await;
}

on_postgres!(an_event_takes_its_position_after_the_subscription_that_is_being_made);
async fn an_event_takes_its_position_after_the_subscription_that_is_being_made(scene: Scene) {
    let (client, driver) = tokio_postgres::connect(scene.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let _ = driver.await;
    });
    let shard = Shard::of_tenant(scene.tenant).number();
    let making = format!("begin; select pg_advisory_xact_lock(2, {shard})");
    client.batch_execute(&making).await.unwrap();
    let published = scene.publish("job.created");
    tokio::pin!(published);
    let patience = std::time::Duration::from_millis(300);
    let waits = tokio::time::timeout(patience, &mut published).await;
    assert!(waits.is_err());
    let taken = ask(scene.url(), "select is_called from events_position").await;
    assert_eq!(taken, ["f"]);
    client.batch_execute("commit").await.unwrap();
    published.await;
}

on_postgres!(an_event_is_stamped_once_whoever_fans_it_out);
async fn an_event_is_stamped_once_whoever_fans_it_out(scene: Scene) {
    let stores = nodes(&scene, 2);
    let holding = scene.hold_all("a").await;
    join_all((0..300).map(|_| scene.publish("job.created"))).await;
    let all = stores.iter().map(async |store| {
        let directory = Directory::default();
        let mut stamped = 0;
        loop {
            let done = fan_out(store, &holding, &directory).await;
            stamped += done.stamped.len();
            if done.full_at.is_none() {
                return stamped;
            }
        }
    });
    let stamped: usize = join_all(all).await.into_iter().sum();
    assert_eq!(stamped, 300);
    let sequences = "select count(distinct sequence) from events";
    assert_eq!(ask(scene.url(), sequences).await, ["300"]);
}

on_postgres!(no_shard_is_leased_to_two_dispatchers_and_no_fence_comes_twice);
async fn no_shard_is_leased_to_two_dispatchers_and_no_fence_comes_twice(scene: Scene) {
    let stores = nodes(&scene, 2);
    let owners = ["a", "b", "c", "d"];
    let mut owner_of: HashMap<(Shard, i64), &str> = HashMap::new();
    let mut known: HashMap<&str, Vec<Shard>> = HashMap::new();
    for round in 0..12 {
        let renewals = stores.iter().zip(owners).map(|(store, owner)| {
            let used = known.get(owner).cloned().unwrap_or_default();
            store.lease_shards(owner.to_owned(), used)
        });
        let renewals: Vec<_> = renewals.collect();
        let mut held: HashSet<Shard> = HashSet::new();
        for (holding, owner) in join_all(renewals).await.into_iter().zip(owners) {
            let leases = holding.unwrap().shards;
            known.insert(owner, leases.iter().map(|lease| lease.shard).collect());
            for lease in leases {
                assert!(
                    held.insert(lease.shard),
                    "round {round}: {lease:?} is held twice"
                );
                let first = owner_of.entry((lease.shard, lease.fence)).or_insert(owner);
                assert_eq!(*first, owner, "{lease:?}");
            }
        }
        match round % 4 {
            1 => scene.store.release_shards("c".to_owned()).await.unwrap(),
            3 => scene.clock.advance(LEASE),
            _ => {}
        }
    }
    assert!(owner_of.len() > 64);
}

on_postgres!(a_shard_is_not_taken_over_in_the_middle_of_its_owners_write);
async fn a_shard_is_not_taken_over_in_the_middle_of_its_owners_write(scene: Scene) {
    scene.hold_all("a").await;
    scene.clock.advance(LEASE);
    let (client, driver) = tokio_postgres::connect(scene.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let _ = driver.await;
    });
    client
        .batch_execute("begin; select pg_advisory_xact_lock_shared(3, 7::smallint)")
        .await
        .unwrap();
    let heir = scene.hold_all("b").await;
    assert_eq!(heir.adopted.len(), 63);
    client.batch_execute("commit").await.unwrap();
    let heir = scene.hold_all("b").await;
    assert_eq!((heir.adopted.len(), heir.shards.len()), (1, 64));
}
