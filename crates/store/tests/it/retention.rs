//! What is old is forgotten, and what is owed is not.

use crate::deliveries::{attempt, recipients};
use crate::scene::{PHONE, Scene, ask};
use domain::delivery::State as Delivery;
use domain::message::Outcome;
use domain::{State, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tidings_store::Store;
use tidings_store::delivery::{Recipient, Then};
use tidings_store::directory::Directory;
use tidings_store::retention::{Days, Kind};

const DAY: Duration = Duration::from_hours(24);
const ORPHAN_WINDOW: Duration = Duration::from_hours(72);
const TABLES: [&str; 8] = [
    "callbacks",
    "callback_keys",
    "attempts",
    "deliveries",
    "events",
    "messages",
    "message_history",
    "report_keys",
];

/// What a tracker does every ten minutes, with the lengths it has unless told otherwise.
async fn forget(scene: &Scene) {
    let now = scene.clock.now();
    for (kind, days) in [
        (Kind::Callbacks, 30),
        (Kind::Attempts, 30),
        (Kind::Deliveries, 90),
        (Kind::Events, 90),
        (Kind::Messages, 400),
        (Kind::History, 400),
    ] {
        let than = now.minus(DAY * days);
        assert!(!days_of(&scene.store, kind, than).await.is_busy);
        let mut after = None;
        loop {
            let page = scene.store.forget_page(kind, than, after).await.unwrap();
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    let heard_before = now.minus(DAY * 400).minus(ORPHAN_WINDOW);
    scene.store.forget_report_keys(heard_before).await.unwrap();
}

async fn days_of(store: &Store, kind: Kind, than: Timestamp) -> Days {
    store.forget_days(kind, than).await.unwrap()
}

/// Days pass.
async fn wait(scene: &Scene, days: u32) {
    scene.clock.advance(DAY * days);
    scene.store.prepare_partitions().await.unwrap();
    forget(scene).await;
}

async fn register(scene: &Scene, id: &str) {
    let registration = scene.registration(id, PHONE);
    let registered = scene.store.register_message(scene.tenant, registration);
    registered.await.unwrap();
}

async fn try_once(scene: &Scene, to: Recipient, then: Then) {
    let holding = scene.hold_all("a").await;
    let attempts = vec![attempt(scene, &holding, to, then)];
    scene.store.record_attempts(attempts.into()).await.unwrap();
}

/// A message that is delivered, told to one webhook at once and still owed to another.
async fn work(scene: &Scene) -> Recipient {
    scene.subscribe(&["sms.*"]).await;
    register(scene, "m-1").await;
    let delivered = scene.callback(vec![Scene::report("m-1", State::Delivered)]);
    scene.track(vec![delivered]).await;
    scene.publish("sms.delivered").await;
    let holding = scene.hold_all("a").await;
    let owed = scene.fan_out(&holding, &Directory::default()).await.owed;
    let to = recipients(&owed);
    let in_two_years = scene.clock.now().plus(DAY * 730);
    try_once(scene, to[0], Then::End(Delivery::Delivered)).await;
    try_once(scene, to[1], Then::RetryAt(in_two_years)).await;
    Recipient {
        attempts: 1,
        ..to[1]
    }
}

on_each_engine!(each_kind_goes_in_its_time_and_what_is_pending_stays);
async fn each_kind_goes_in_its_time_and_what_is_pending_stays(scene: Scene) {
    let pending = work(&scene).await;
    forget(&scene).await;
    assert_eq!(scene.count(&TABLES).await, [1, 1, 2, 2, 2, 1, 1, 1]);
    wait(&scene, 29).await;
    assert_eq!(scene.count(&TABLES).await, [1, 1, 2, 2, 2, 1, 1, 1]);
    wait(&scene, 2).await;
    assert_eq!(scene.count(&TABLES).await, [0, 0, 1, 2, 2, 1, 1, 1]);
    wait(&scene, 60).await;
    assert_eq!(scene.count(&TABLES).await, [0, 0, 1, 1, 1, 1, 1, 1]);
    wait(&scene, 310).await;
    assert_eq!(scene.count(&TABLES).await, [0, 0, 1, 1, 1, 0, 0, 1]);
    wait(&scene, 3).await;
    assert_eq!(scene.count(&TABLES).await, [0, 0, 1, 1, 1, 0, 0, 0]);
    try_once(&scene, pending, Then::End(Delivery::Delivered)).await;
    forget(&scene).await;
    assert_eq!(scene.count(&TABLES).await, [0; 8]);
}

on_each_engine!(a_message_goes_in_its_time_whatever_its_state);
async fn a_message_goes_in_its_time_whatever_its_state(scene: Scene) {
    register(&scene, "m-1").await;
    wait(&scene, 399).await;
    assert_eq!(scene.count(&["messages"]).await, [1]);
    wait(&scene, 2).await;
    assert_eq!(scene.count(&["messages"]).await, [0]);
}

on_each_engine!(a_report_of_a_message_that_is_forgotten_waits_like_any_other);
async fn a_report_of_a_message_that_is_forgotten_waits_like_any_other(scene: Scene) {
    register(&scene, "m-1").await;
    let say = async || {
        let said = scene.callback(vec![Scene::report("m-1", State::Delivered)]);
        scene.track(vec![said]).await.reports
    };
    assert_eq!(say().await, [Outcome::Applied]);
    wait(&scene, 399).await;
    assert_eq!(say().await, [Outcome::Duplicate]);
    wait(&scene, 2).await;
    assert_eq!(say().await, [Outcome::Duplicate]);
    wait(&scene, 3).await;
    assert_eq!(say().await, [Outcome::Orphaned]);
}

on_each_engine!(an_event_that_nobody_has_looked_at_yet_stays);
async fn an_event_that_nobody_has_looked_at_yet_stays(scene: Scene) {
    scene.publish("job.created").await;
    wait(&scene, 500).await;
    assert_eq!(scene.count(&["events"]).await, [1]);
    let holding = scene.hold_all("a").await;
    scene.fan_out(&holding, &Directory::default()).await;
    forget(&scene).await;
    assert_eq!(scene.count(&["events"]).await, [0]);
}

on_each_engine!(callbacks_behind_more_than_a_page_of_unapplied_ones_are_found);
async fn callbacks_behind_more_than_a_page_of_unapplied_ones_are_found(scene: Scene) {
    let numbers = 0..600;
    let waiting = numbers.map(|number| {
        let id = format!("m-{number}");
        scene.callback(vec![Scene::report(&id, State::Sent)])
    });
    let waiting = Arc::new(waiting.collect::<Vec<_>>());
    let recorded = scene.store.record_callbacks(waiting.clone());
    recorded.await.unwrap();
    scene.clock.advance(Duration::from_secs(1));
    let applied = scene.callback(vec![Scene::report("m-x", State::Sent)]);
    scene.track(vec![applied]).await;
    wait(&scene, 31).await;
    let tables = ["callbacks", "callback_keys"];
    assert_eq!(scene.count(&tables).await, [600, 600]);
    scene.store.apply_callbacks(waiting).await.unwrap();
    forget(&scene).await;
    assert_eq!(scene.count(&tables).await, [0, 0]);
}

on_each_engine!(a_report_whose_message_never_comes_is_given_up_and_said_again_waits_again);
async fn a_report_whose_message_never_comes_is_given_up_and_said_again_waits_again(scene: Scene) {
    let say = async || {
        let said = scene.callback(vec![Scene::report("m-1", State::Delivered)]);
        scene.track(vec![said]).await.reports
    };
    let expire = async || {
        let limit = scene.clock.now().minus(ORPHAN_WINDOW);
        scene.store.expire_orphans(limit).await.unwrap()
    };
    assert_eq!(say().await, [Outcome::Orphaned]);
    scene.clock.advance(Duration::from_hours(71));
    assert_eq!(expire().await, 0);
    assert_eq!(say().await, [Outcome::Duplicate]);
    scene.clock.advance(Duration::from_hours(2));
    assert_eq!(expire().await, 1);
    assert_eq!(scene.count(&["orphans", "report_keys"]).await, [0, 0]);
    assert_eq!(say().await, [Outcome::Orphaned]);
    register(&scene, "m-1").await;
    assert_eq!(scene.count(&["orphans", "message_history"]).await, [0, 1]);
}

/// The days of a table that are there, beside the default partition.
async fn there(scene: &Scene, table: &str) -> Vec<String> {
    let sql = format!(
        "select inhrelid::regclass::text from pg_inherits \
         where inhparent = '{table}'::regclass and inhrelid::regclass::text !~ 'default' order by 1"
    );
    ask(scene.url(), &sql).await
}

on_postgres!(a_day_is_dropped_as_a_whole_once_nothing_of_it_is_owed);
async fn a_day_is_dropped_as_a_whole_once_nothing_of_it_is_owed(scene: Scene) {
    let pending = work(&scene).await;
    let mut first = Vec::new();
    for table in ["callbacks", "attempts", "events", "message_history"] {
        first.push(there(&scene, table).await.remove(0));
    }
    let are_there = async || {
        let mut all = Vec::new();
        for name in &first {
            let sql = format!("select to_regclass('{name}') is not null");
            all.push(ask(scene.url(), &sql).await[0] == "t");
        }
        all
    };
    wait(&scene, 29).await;
    assert_eq!(are_there().await, [true, true, true, true]);
    wait(&scene, 2).await;
    assert_eq!(are_there().await, [false, true, true, true], "callbacks");
    wait(&scene, 370).await;
    assert_eq!(are_there().await, [false, true, true, false], "and history");
    try_once(&scene, pending, Then::End(Delivery::Failed)).await;
    forget(&scene).await;
    assert_eq!(are_there().await, [false; 4]);
    // What is written now has a place.
    scene.publish("job.created").await;
    assert_eq!(scene.count(&["events"]).await, [1]);
}

on_postgres!(a_day_in_use_is_left_for_later_and_nobody_waits_behind_it);
async fn a_day_in_use_is_left_for_later_and_nobody_waits_behind_it(scene: Scene) {
    work(&scene).await;
    let day = there(&scene, "callbacks").await.remove(0);
    scene.clock.advance(DAY * 31);
    let than = scene.clock.now().minus(DAY * 30);
    let (reader, driver) = tokio_postgres::connect(scene.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    let mut drivers = tokio::task::JoinSet::new();
    drivers.spawn(driver);
    let read = "begin; select count(*) from callbacks";
    reader.batch_execute(read).await.unwrap();
    let (days, longest) = tokio::join!(
        days_of(&scene.store, Kind::Callbacks, than),
        longest_of(&scene)
    );
    assert!(days.is_busy && days.dropped.is_empty(), "{days:?}");
    assert!(longest < Duration::from_millis(1_500), "{longest:?}");
    reader.batch_execute("rollback").await.unwrap();
    let others: Vec<Store> = (0..7).map(|_| scene.reopen()).collect();
    let all = others.iter().chain([&scene.store]);
    let all = all.map(|store| days_of(store, Kind::Callbacks, than));
    let days = futures_util::future::join_all(all).await;
    assert!(days.iter().all(|days| !days.is_busy));
    let dropped = days.iter().flat_map(|days| &days.dropped);
    assert_eq!(dropped.filter(|name| **name == day).count(), 1);
}

/// How long callbacks take to be recorded while a day is being dropped, at the most.
async fn longest_of(scene: &Scene) -> Duration {
    let mut longest = Duration::ZERO;
    for number in 0..20 {
        let id = format!("n-{number}");
        let said = scene.callback(vec![Scene::report(&id, State::Sent)]);
        let begun = std::time::Instant::now();
        scene.track(vec![said]).await;
        longest = longest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    longest
}
