//! The timeline of a message, as far as the store alone decides.

use crate::scene::{PHONE, Scene};
use domain::id::{MessageId, TenantId};
use domain::{State, Timestamp};
use std::time::Duration;
use tidings_store::message::Registered;
use tidings_store::timeline::{Line, MOST, Timeline, What};

async fn register(scene: &Scene, id: &str) -> MessageId {
    let registration = scene.registration(id, PHONE);
    let registered = scene
        .store
        .register_message(scene.tenant, registration)
        .await;
    match registered.unwrap() {
        Registered::New { message, .. } => message.id,
        other => panic!("{other:?}"),
    }
}

async fn timeline(scene: &Scene, id: MessageId) -> Timeline {
    let found = scene.store.timeline(scene.tenant, id).await.unwrap();
    found.unwrap()
}

fn words(lines: &[Line]) -> Vec<&str> {
    let word = |line: &Line| match &line.what {
        What::SendAttempt(_) => "send_attempt",
        What::Poll(_) => "poll",
        What::Registered(_) => "registered",
        What::Callback(_) => "callback",
        What::Report(_) => "report",
        What::Ruling(_) => "ruling",
        What::Event(_) => "event",
        What::Delivery(_) => "delivery",
        What::Attempt(_) => "attempt",
    };
    lines.iter().map(word).collect()
}

on_each_engine!(of_a_long_story_the_newest_lines_are_told);
async fn of_a_long_story_the_newest_lines_are_told(scene: Scene) {
    let id = register(&scene, "m-1").await;
    let said = |number: i64| {
        let mut report = Scene::report("m-1", State::Sent);
        report.provider_time = Some(Timestamp::from_millis(number));
        report
    };
    // Each is a callback and a report, and the first one an event too.
    for number in 0..249 {
        scene.clock.advance(Duration::from_millis(10));
        scene.track(vec![scene.callback(vec![said(number)])]).await;
    }
    let whole = timeline(&scene, id).await;
    assert_eq!(whole.lines.len(), MOST);
    assert!(!whole.is_truncated);
    assert_eq!(
        words(&whole.lines[..4]),
        ["registered", "callback", "report", "event"]
    );

    scene.clock.advance(Duration::from_millis(10));
    scene.track(vec![scene.callback(vec![said(249)])]).await;
    let cut = timeline(&scene, id).await;
    assert_eq!(cut.lines.len(), MOST);
    assert!(cut.is_truncated);
    assert_eq!(words(&cut.lines[..2]), ["report", "event"]);
    assert_eq!(cut.lines[..MOST - 2], whole.lines[2..]);
}

on_each_engine!(a_conflict_is_told_in_the_timeline_though_it_is_no_change_of_state);
async fn a_conflict_is_told_in_the_timeline_though_it_is_no_change_of_state(scene: Scene) {
    let (id, other) = (register(&scene, "m-1").await, register(&scene, "m-2").await);
    for state in [State::Delivered, State::Failed] {
        scene.clock.advance(Duration::from_millis(10));
        let report = Scene::report("m-1", state);
        scene.track(vec![scene.callback(vec![report])]).await;
    }
    let lines = timeline(&scene, id).await.lines;
    let types: Vec<_> = lines
        .iter()
        .filter_map(|line| match &line.what {
            What::Event(told) => Some(told.event_type.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(types, ["sms.delivered", "sms.status.conflict"]);
    assert_eq!(words(&timeline(&scene, other).await.lines), ["registered"]);
}

on_each_engine!(of_a_callback_of_the_platforms_account_a_tenant_sees_only_its_own_reports);
async fn of_a_callback_of_the_platforms_account_a_tenant_sees_only_its_own_reports(scene: Scene) {
    let id = register(&scene, "m-1").await;
    let stranger = TenantId::new(scene.clock.now(), &scene.random);
    scene.make_tenant(stranger).await;
    let foreign = scene.registration("m-2", PHONE);
    scene
        .store
        .register_message(stranger, foreign)
        .await
        .unwrap();
    let reports = ["m-1", "m-2"].map(|id| Scene::report(id, State::Delivered));
    for owner in [TenantId::PLATFORM, stranger] {
        let mut callback = scene.callback(reports.to_vec());
        callback.tenant_id = owner;
        scene.track(vec![callback]).await;
    }
    let lines = timeline(&scene, id).await.lines;
    assert_eq!(words(&lines), ["registered", "callback", "report", "event"]);
    let What::Callback(receipt) = &lines[1].what else {
        panic!("{lines:?}")
    };
    assert_eq!(receipt.outcomes, [domain::message::Outcome::Applied]);
    let found = scene.store.timeline(stranger, id).await.unwrap();
    assert_eq!(found, None);
}
