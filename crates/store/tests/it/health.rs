//! The health of provider accounts: each change is told once.

use crate::scene::Scene;
use crate::tallies::{end, make_account};
use domain::health::{Condition, Health};
use domain::id::{AccountId, TenantId};
use domain::tally::By;
use serde_json::{Value, json};
use std::time::Duration;
use tidings_store::event::{Filter, Kept};
use tidings_store::health::Judged;
use tidings_store::page::Window;
use tidings_store::tally::Book;

const HOUR: Duration = Duration::from_hours(1);

async fn ends(scene: &Scene, account: AccountId, by: By, count: usize) {
    let (book, now) = (Book::default(), scene.clock.now());
    book.note(|sheet| {
        for _ in 0..count {
            sheet.ended(&end(account, by, now));
        }
    });
    book.hand_in(&scene.store).await.unwrap();
}

async fn judge(scene: &Scene) -> Judged {
    scene.store.judge_providers(0.3).await.unwrap()
}

/// The events told to a tenant, oldest first.
async fn told(scene: &Scene, tenant: TenantId) -> Vec<Kept> {
    let window = Window {
        before: None,
        limit: 100,
    };
    let mut page = scene
        .store
        .list_events(tenant, Filter::default(), window)
        .await
        .unwrap()
        .items;
    page.reverse();
    page
}

fn types(told: &[Kept]) -> Vec<&str> {
    told.iter()
        .map(|kept| kept.event.event_type.as_str())
        .collect()
}

async fn health(scene: &Scene) -> Value {
    let found = scene.store.find_health(scene.tenant, scene.account).await;
    let found: Health = found.unwrap().unwrap();
    serde_json::to_value(found).unwrap()
}

on_each_engine!(an_account_whose_reports_do_not_come_is_told_once_and_again_when_they_do);
async fn an_account_whose_reports_do_not_come_is_told_once_and_again_when_they_do(scene: Scene) {
    make_account(&scene, scene.account, scene.tenant, "clinic").await;
    assert_eq!(health(&scene).await["state"], "unknown");
    ends(&scene, scene.account, By::Callback, 13).await;
    ends(&scene, scene.account, By::Silence, 6).await;
    // Too few to say.
    let judged = judge(&scene).await;
    assert_eq!(judged.changed, []);
    assert_eq!(judged.missed.get("stub"), Some(&None));
    ends(&scene, scene.account, By::Callback, 1).await;
    let judged = judge(&scene).await;
    assert_eq!(judged.changed, [(scene.account, Condition::Degraded)]);
    assert_eq!(judged.missed.get("stub"), Some(&Some(0.3)));
    assert_eq!(judged.shards.len(), 1);
    for _ in 0..3 {
        assert_eq!(judge(&scene).await.changed, []);
    }
    let events = told(&scene, scene.tenant).await;
    assert_eq!(types(&events), ["provider.degraded"]);
    let event = &events[0].event;
    let resource = event.resource.as_ref().unwrap();
    assert_eq!(resource.kind, "provider_account");
    assert_eq!(resource.id, scene.account.to_string());
    let data: Value = serde_json::from_str(event.data.as_str()).unwrap();
    assert_eq!(data, health(&scene).await);
    assert_eq!(data["provider_account"], "clinic");
    assert_eq!(data["state"], "degraded");
    assert_eq!(data["missed_ratio"], json!(0.3));
    assert_eq!((&data["heard"], &data["missed"]), (&json!(14), &json!(6)));
    assert_eq!(data["since"], json!(event.created_at));

    // A little better is not well.
    ends(&scene, scene.account, By::Callback, 20).await;
    assert_eq!(judge(&scene).await.changed, []);
    ends(&scene, scene.account, By::Callback, 1).await;
    let judged = judge(&scene).await;
    assert_eq!(judged.changed, [(scene.account, Condition::Healthy)]);
    assert_eq!(health(&scene).await["state"], "healthy");
    let events = told(&scene, scene.tenant).await;
    assert_eq!(types(&events), ["provider.degraded", "provider.recovered"]);
}

on_each_engine!(an_hour_without_ends_says_nothing_and_a_person_says_nothing_of_a_provider);
async fn an_hour_without_ends_says_nothing_and_a_person_says_nothing_of_a_provider(scene: Scene) {
    make_account(&scene, scene.account, scene.tenant, "clinic").await;
    ends(&scene, scene.account, By::Poll, 30).await;
    assert_eq!(judge(&scene).await.changed.len(), 1);
    scene.clock.advance(HOUR + Duration::from_mins(10));
    let judged = judge(&scene).await;
    assert_eq!((judged.changed, judged.missed.len()), (Vec::new(), 0));
    let found = health(&scene).await;
    assert_eq!(
        (&found["state"], &found["missed_ratio"]),
        (&json!("degraded"), &Value::Null)
    );
    ends(&scene, scene.account, By::Manual, 30).await;
    assert_eq!(judge(&scene).await.changed, []);
    ends(&scene, scene.account, By::Callback, 30).await;
    assert_eq!(
        judge(&scene).await.changed,
        [(scene.account, Condition::Healthy)]
    );
}

on_each_engine!(each_account_is_judged_by_itself_and_told_to_its_own_tenant);
async fn each_account_is_judged_by_itself_and_told_to_its_own_tenant(scene: Scene) {
    make_account(&scene, scene.account, scene.tenant, "clinic").await;
    let shared = AccountId::new(scene.clock.now(), &scene.random);
    make_account(&scene, shared, TenantId::PLATFORM, "stub").await;
    ends(&scene, scene.account, By::Callback, 60).await;
    ends(&scene, shared, By::Silence, 40).await;
    let judged = judge(&scene).await;
    assert_eq!(judged.changed, [(shared, Condition::Degraded)]);
    assert_eq!(judged.missed.get("stub"), Some(&Some(0.4)));
    assert_eq!(
        types(&told(&scene, TenantId::PLATFORM).await),
        ["provider.degraded"]
    );
    assert_eq!(types(&told(&scene, scene.tenant).await), Vec::<&str>::new());
    let foreign = scene.store.find_health(scene.tenant, shared).await.unwrap();
    assert_eq!(foreign, None);
    // With the account goes what was told of it.
    let deleted = scene.store.delete_account(TenantId::PLATFORM, shared).await;
    assert!(deleted.unwrap());
    assert_eq!(scene.count(&["provider_health"]).await, [0]);
    assert_eq!(judge(&scene).await.changed, []);
}

on_each_engine!(the_arrival_of_reports_is_compared_with_the_day_before);
async fn the_arrival_of_reports_is_compared_with_the_day_before(scene: Scene) {
    make_account(&scene, scene.account, scene.tenant, "clinic").await;
    let reports = async |count: usize| {
        let (book, now) = (Book::default(), scene.clock.now());
        let outcomes = vec![domain::message::Outcome::Applied; count];
        book.note(|sheet| sheet.processed(scene.account, now, Duration::ZERO, &outcomes));
        book.hand_in(&scene.store).await.unwrap();
    };
    reports(2_880).await;
    assert_eq!(
        health(&scene).await["usual_reports_per_minute"],
        Value::Null
    );
    scene.clock.advance(12 * HOUR);
    reports(30).await;
    ends(&scene, scene.account, By::Callback, 20).await;
    let found = health(&scene).await;
    assert_eq!(found["reports_per_minute"], json!(0.5));
    assert_eq!(found["usual_reports_per_minute"], json!(2.0));
    assert_eq!(found["state"], "healthy");
    let p50 = found["delay_ms"]["p50"].as_u64().unwrap();
    assert!((8_192..=12_288).contains(&p50), "{found}");
    let expected = json!({ "63902": { "delivered": 20, "ended": 20, "ratio": 1.0 } });
    assert_eq!(found["success_by_network"], expected);
}

on_postgres!(however_many_trackers_judge_each_change_is_told_once);
async fn however_many_trackers_judge_each_change_is_told_once(scene: Scene) {
    let mut accounts = vec![scene.account];
    accounts.extend((0..9).map(|_| AccountId::new(scene.clock.now(), &scene.random)));
    for (number, account) in accounts.iter().enumerate() {
        make_account(&scene, *account, scene.tenant, &format!("clinic-{number}")).await;
    }
    let others = [scene.reopen(), scene.reopen()];
    let mut expected = 0;
    for by in [By::Silence, By::Callback, By::Poll] {
        for account in &accounts {
            ends(&scene, *account, by, 30).await;
        }
        let judges = (
            scene.store.judge_providers(0.3),
            others[0].judge_providers(0.3),
            others[1].judge_providers(0.3),
        );
        let (one, two, three) = tokio::join!(judges.0, judges.1, judges.2);
        let changed = [one, two, three].map(|judged| judged.unwrap().changed.len());
        expected += accounts.len();
        assert_eq!(changed.iter().sum::<usize>(), accounts.len(), "{changed:?}");
        assert_eq!(told(&scene, scene.tenant).await.len(), expected);
        scene.clock.advance(HOUR + Duration::from_mins(10));
    }
}
