//! Tallies: everything is counted once, adds up, and is forgotten.

use crate::scene::{PHONE, Scene};
use domain::account::Environment;
use domain::id::{AccountId, TenantId};
use domain::message::Outcome;
use domain::poll::SILENCE;
use domain::report::{Report, Source};
use domain::tally::{By, End, Name, Slot, Sums};
use domain::{State, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tidings_store::Store;
use tidings_store::account::Account;
use tidings_store::callback::Applied;
use tidings_store::ledger::Change;
use tidings_store::tally::{Book, Filter};

const HOUR: Duration = Duration::from_hours(1);

/// The scene's account, or another, as a row.
pub async fn make_account(scene: &Scene, id: AccountId, tenant: TenantId, slug: &str) {
    let now = scene.clock.now();
    let account = Account {
        id,
        tenant_id: tenant,
        slug: slug.parse().unwrap(),
        provider: "stub".to_owned(),
        environment: Environment::default(),
        checks: Vec::new(),
        status_api: None,
        silence: domain::poll::Silence::default(),
        created_at: now,
        updated_at: now,
    };
    scene.store.create_account(account).await.unwrap();
}

pub fn end(account: AccountId, by: By, at: Timestamp) -> End {
    End {
        account_id: account,
        provider: "stub".to_owned(),
        network: Some("63902".to_owned()),
        state: State::Delivered,
        by,
        delay: (by == By::Callback).then_some(Duration::from_secs(10)),
        received_at: at,
    }
}

/// The sums of the last day, added up.
async fn sums(store: &Store, tenant: TenantId, until: Timestamp) -> Sums {
    let filter = Filter {
        account_id: None,
        provider: None,
        slots: Slot::of(until.minus(24 * HOUR))..Slot(Slot::of(until).0 + 1),
    };
    let mut all = Sums::default();
    for sums in store.sum_callbacks(tenant, filter).await.unwrap().values() {
        all.merge(sums);
    }
    all
}

on_each_engine!(counts_are_summed_by_hour_and_provider_exactly_with_their_quantiles);
async fn counts_are_summed_by_hour_and_provider_exactly_with_their_quantiles(scene: Scene) {
    make_account(&scene, scene.account, scene.tenant, "clinic").await;
    let other = AccountId::new(scene.clock.now(), &scene.random);
    make_account(&scene, other, scene.tenant, "ward").await;
    let at = Slot(Slot::of(scene.clock.now()).0 / 12 * 12).start();
    let books = [Book::default(), Book::default()];
    for (number, took) in (1..=1_000u64).enumerate() {
        // Half of it an hour earlier, and by two processes.
        let at = if number % 2 == 0 { at } else { at.minus(HOUR) };
        books[number % 4 / 2].note(|sheet| {
            sheet.count(scene.account, at, &Name::Received);
            let took = Duration::from_millis(took);
            sheet.processed(
                scene.account,
                at,
                took,
                &[Outcome::Applied, Outcome::Duplicate],
            );
            sheet.count(other, at, &Name::Failed);
        });
        if number % 100 == 99 {
            let (one, two) = (
                books[0].hand_in(&scene.store),
                books[1].hand_in(&scene.store),
            );
            let (one, two) = tokio::join!(one, two);
            one.and(two).unwrap();
        }
    }
    let filter = Filter {
        account_id: None,
        provider: None,
        slots: Slot::of(at.minus(HOUR))..Slot(Slot::of(at).0 + 1),
    };
    let found = scene
        .store
        .sum_callbacks(scene.tenant, filter.clone())
        .await
        .unwrap();
    assert_eq!(found.len(), 2);
    for ((hour, provider), sums) in &found {
        assert!(
            provider == "stub" && [Slot(hour * 12), Slot(hour * 12 + 12)].contains(&Slot::of(at))
        );
        assert_eq!(
            (sums.received, sums.processed, sums.failed),
            (500, 500, 500)
        );
        assert_eq!((sums.applied, sums.duplicate, sums.orphaned), (500, 500, 0));
        for (of_a_thousand, exact) in [(500, 500u64), (950, 950), (990, 990)] {
            let told = sums.processing.quantile(of_a_thousand).unwrap();
            assert!(told.abs_diff(exact) <= 30, "{told} is not {exact}");
        }
    }
    let of = async |filter: Filter| {
        let found = scene
            .store
            .sum_callbacks(scene.tenant, filter)
            .await
            .unwrap();
        found
            .values()
            .map(|sums| (sums.received, sums.failed))
            .collect::<Vec<_>>()
    };
    let of_other = Filter {
        account_id: Some(other),
        ..filter.clone()
    };
    assert_eq!(of(of_other).await, [(0, 500), (0, 500)]);
    let earlier = Filter {
        slots: filter.slots.start..Slot::of(at),
        ..filter.clone()
    };
    assert_eq!(of(earlier).await, [(500, 500)]);
    let of_nobody = Filter {
        provider: Some("orange".to_owned()),
        ..filter.clone()
    };
    assert_eq!(of(of_nobody).await, []);
    let foreign = scene
        .store
        .sum_callbacks(TenantId::PLATFORM, filter)
        .await
        .unwrap();
    assert!(foreign.is_empty());
}

on_each_engine!(what_is_counted_of_an_account_that_is_gone_is_dropped_and_the_rest_is_not);
async fn what_is_counted_of_an_account_that_is_gone_is_dropped_and_the_rest_is_not(scene: Scene) {
    make_account(&scene, scene.account, scene.tenant, "clinic").await;
    let gone = AccountId::new(scene.clock.now(), &scene.random);
    let book = Book::default();
    let now = scene.clock.now();
    book.note(|sheet| {
        sheet.count(gone, now, &Name::Received);
        sheet.count(scene.account, now, &Name::Received);
    });
    book.hand_in(&scene.store).await.unwrap();
    assert_eq!(sums(&scene.store, scene.tenant, now).await.received, 1);
    assert_eq!(scene.count(&["tallies"]).await, [1]);
}

on_postgres!(two_processes_that_count_the_same_at_once_never_lose_or_double_a_count);
async fn two_processes_that_count_the_same_at_once_never_lose_or_double_a_count(scene: Scene) {
    let mut accounts = vec![scene.account];
    accounts.extend((0..9).map(|_| AccountId::new(scene.clock.now(), &scene.random)));
    for (number, account) in accounts.iter().enumerate() {
        make_account(&scene, *account, scene.tenant, &format!("clinic-{number}")).await;
    }
    let now = scene.clock.now();
    let count = async |store: Store| {
        let book = Book::default();
        for _ in 0..50 {
            book.note(|sheet| {
                for account in &accounts {
                    sheet.processed(*account, now, Duration::ZERO, &[Outcome::Applied]);
                    sheet.ended(&end(*account, By::Callback, now));
                }
            });
            book.hand_in(&store).await.unwrap();
        }
    };
    tokio::join!(count(scene.store.clone()), count(scene.reopen()));
    let found = sums(&scene.store, scene.tenant, now).await;
    assert_eq!((found.processed, found.applied), (1_000, 1_000));
    let learnt = scene.store.report_delays().await.unwrap();
    assert_eq!(learnt.iter().map(|one| one.samples).max(), Some(1_000));
}

on_each_engine!(a_job_that_comes_again_after_its_commit_counts_nothing);
async fn a_job_that_comes_again_after_its_commit_counts_nothing(scene: Scene) {
    let registration = scene.registration("m-1", PHONE);
    scene
        .store
        .register_message(scene.tenant, registration)
        .await
        .unwrap();
    let said = scene.callback(vec![Scene::report("m-1", State::Delivered)]);
    let receipt = said.receipt_id;
    let batch = Arc::new(vec![said]);
    let new = scene.store.record_callbacks(batch.clone()).await.unwrap();
    assert!(new.contains(&receipt));
    let applied = scene.store.apply_callbacks(batch.clone()).await.unwrap();
    assert_eq!(applied.processed.len(), 1);
    assert_eq!(applied.processed[0].reports, [Outcome::Applied]);
    assert_eq!(
        applied
            .effects
            .changes
            .iter()
            .filter_map(Change::end)
            .count(),
        1
    );

    let new = scene.store.record_callbacks(batch.clone()).await.unwrap();
    assert!(new.is_empty());
    let again = scene.store.apply_callbacks(batch).await.unwrap();
    assert!(again.processed.is_empty() && again.effects.changes.is_empty());
    let status = domain::callback::Status::Failed;
    let note = scene
        .store
        .fail_callback(receipt, status, "late".to_owned())
        .await;
    assert!(!note.unwrap(), "what was processed has not failed");
}

on_each_engine!(a_failure_is_news_once);
async fn a_failure_is_news_once(scene: Scene) {
    use domain::callback::Status::{DeadLettered, Failed};
    let said = scene.callback(vec![]);
    let receipt = said.receipt_id;
    scene
        .store
        .record_callbacks(Arc::new(vec![said]))
        .await
        .unwrap();
    let mut news = Vec::new();
    for status in [Failed, Failed, DeadLettered, DeadLettered] {
        let noted = scene
            .store
            .fail_callback(receipt, status, "poison".to_owned());
        news.push(noted.await.unwrap());
    }
    assert_eq!(news, [true, false, true, false]);
}

/// One report of a message; the ends that it made.
async fn hear(scene: &Scene, source: Source, report: Report) -> Vec<End> {
    let mut callback = scene.callback(vec![report]);
    callback.source = source;
    let Applied { effects, .. } = scene.track(vec![callback]).await;
    effects.changes.iter().filter_map(Change::end).collect()
}

on_each_engine!(a_message_ends_once_by_whoever_said_so_first);
async fn a_message_ends_once_by_whoever_said_so_first(scene: Scene) {
    for id in ["m-1", "m-2", "m-3"] {
        let registration = scene.registration(id, PHONE);
        scene
            .store
            .register_message(scene.tenant, registration)
            .await
            .unwrap();
    }
    scene.clock.advance(Duration::from_secs(30));
    let sent = hear(&scene, Source::Callback, Scene::report("m-1", State::Sent)).await;
    assert_eq!(sent, []);
    let network = Report {
        network_code: Some("63902".to_owned()),
        ..Scene::report("m-1", State::Failed)
    };
    let failed = hear(&scene, Source::Callback, network).await;
    let [failed] = failed.as_slice() else {
        panic!("{failed:?}")
    };
    assert_eq!((failed.by, failed.state), (By::Callback, State::Failed));
    assert_eq!(failed.network.as_deref(), Some("63902"));
    assert_eq!(failed.delay.unwrap().as_secs(), 30);
    // It is corrected, and does not end again.
    let corrected = Scene::report("m-1", State::Delivered);
    assert_eq!(hear(&scene, Source::Callback, corrected).await, []);

    let polled = hear(&scene, Source::Poll, Scene::report("m-2", State::Delivered)).await;
    assert_eq!((polled[0].by, polled[0].delay), (By::Poll, None));
    let silence = Report {
        word: SILENCE.to_owned(),
        ..Scene::report("m-3", State::Unknown)
    };
    let silent = hear(&scene, Source::Poll, silence).await;
    assert_eq!(
        (silent[0].by, silent[0].state),
        (By::Silence, State::Unknown)
    );
    // A provider that says that it does not know has not ended anything.
    let registration = scene.registration("m-4", PHONE);
    scene
        .store
        .register_message(scene.tenant, registration)
        .await
        .unwrap();
    let unknown = Scene::report("m-4", State::Unknown);
    assert_eq!(hear(&scene, Source::Callback, unknown).await, []);
}

on_each_engine!(delays_are_learned_from_a_hundred_reports_of_the_last_week);
async fn delays_are_learned_from_a_hundred_reports_of_the_last_week(scene: Scene) {
    let book = Book::default();
    let learn = async |network: &str, seconds: u64, count: usize| {
        let now = scene.clock.now();
        book.note(|sheet| {
            for _ in 0..count {
                sheet.ended(&End {
                    network: Some(network.to_owned()),
                    delay: Some(Duration::from_secs(seconds)),
                    ..end(scene.account, By::Callback, now)
                });
            }
        });
        book.hand_in(&scene.store).await.unwrap();
    };
    learn("63902", 1_000, 200).await;
    scene.clock.advance(Duration::from_hours(24 * 9));
    assert_eq!(scene.store.report_delays().await.unwrap(), []);
    learn("63902", 10, 95).await;
    assert_eq!(scene.store.report_delays().await.unwrap(), []);
    learn("63902", 100, 5).await;
    learn("63907", 10, 99).await;
    let learnt = scene.store.report_delays().await.unwrap();
    let keys: Vec<_> = learnt
        .iter()
        .map(|one| (one.network.as_deref(), one.samples))
        .collect();
    assert_eq!(keys, [(None, 199), (Some("63902"), 100)]);
    assert!(learnt.iter().all(|one| one.provider == "stub"));
    // 95 of 100 came within ten seconds, which is told with the bucket's width at the most.
    let p95 = learnt[1].p95;
    assert!((8_192..=12_288).contains(&p95.as_millis()), "{p95:?}");
    // Nobody looks at the first week any more.
    scene.clock.advance(Duration::from_hours(24 * 25));
    while scene.store.forget_report_delays().await.unwrap() > 0 {}
    let left = scene.count(&["report_delays"]).await;
    assert_eq!(left, [3]);
}

on_each_engine!(counts_are_forgotten_by_the_age_of_their_slot);
async fn counts_are_forgotten_by_the_age_of_their_slot(scene: Scene) {
    let book = Book::default();
    let count = async |accounts: &[AccountId]| {
        let now = scene.clock.now();
        book.note(|sheet| {
            for account in accounts {
                sheet.count(*account, now, &Name::Received);
                sheet.count(*account, now, &Name::Processed);
            }
        });
        book.hand_in(&scene.store).await.unwrap();
    };
    let mut accounts = Vec::new();
    for number in 0..20 {
        let account = AccountId::new(scene.clock.now(), &scene.random);
        make_account(&scene, account, scene.tenant, &format!("clinic-{number}")).await;
        accounts.push(account);
    }
    count(&accounts).await;
    scene.clock.advance(2 * HOUR);
    count(&accounts[..1]).await;
    assert_eq!(scene.count(&["tallies"]).await, [42]);
    let limit = scene.clock.now().minus(HOUR);
    let mut pages = 0;
    while scene.store.forget_tallies(limit).await.unwrap() > 0 {
        pages += 1;
    }
    assert_eq!((pages, scene.count(&["tallies"]).await), (3, vec![2]));
}
