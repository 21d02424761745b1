use crate::scene::{PHONE, Scene};
use domain::State;
use domain::callback::Status;
use domain::message::Outcome;
use std::sync::Arc;
use tidings_store::callback::Filter;
use tidings_store::event;
use tidings_store::page::Window;

const FIRST: Window<domain::id::ReceiptId> = Window {
    before: None,
    limit: 50,
};

on_each_engine!(a_callback_is_visible_before_it_is_applied);
async fn a_callback_is_visible_before_it_is_applied(scene: Scene) {
    let accepted = scene.callback(vec![Scene::report("m-1", State::Sent)]);
    let batch = Arc::new(vec![accepted.clone()]);
    scene.store.record_callbacks(batch.clone()).await.unwrap();
    let find = async || {
        scene
            .store
            .find_callback(scene.tenant, accepted.callback_id)
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(find().await.status, Status::Received);
    scene.store.apply_callbacks(batch).await.unwrap();
    let processed = find().await;
    assert_eq!(processed.status, Status::Processed);
    assert_eq!(processed.body, [0, 159, 255]);
    assert_eq!(processed.reports[0].outcome, Outcome::Orphaned);
}

on_each_engine!(applying_a_callback_twice_is_applying_it_once);
async fn applying_a_callback_twice_is_applying_it_once(scene: Scene) {
    scene
        .store
        .register_message(scene.tenant, scene.registration("m-1", PHONE))
        .await
        .unwrap();
    let batch = vec![scene.callback(vec![Scene::report("m-1", State::Sent)])];
    assert_eq!(scene.track(batch.clone()).await.reports, [Outcome::Applied]);
    let again = scene.track(batch.clone()).await;
    assert!(again.reports.is_empty() && again.effects.changes.is_empty());
    let callback = scene
        .store
        .find_callback(scene.tenant, batch[0].callback_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(callback.reports[0].outcome, Outcome::Applied);
    let events = scene
        .store
        .list_events(
            scene.tenant,
            event::Filter::default(),
            Window {
                before: None,
                limit: 9,
            },
        )
        .await;
    assert_eq!(events.unwrap().items.len(), 1);
}

on_each_engine!(a_duplicate_is_a_receipt_of_the_same_callback);
async fn a_duplicate_is_a_receipt_of_the_same_callback(scene: Scene) {
    scene
        .store
        .register_message(scene.tenant, scene.registration("m-1", PHONE))
        .await
        .unwrap();
    let one = scene.callback(vec![Scene::report("m-1", State::Delivered)]);
    let two = scene.callback(vec![Scene::report("m-1", State::Delivered)]);
    assert_eq!(one.callback_id, two.callback_id);
    let applied = scene.track(vec![one.clone(), two]).await;
    assert_eq!(applied.reports, [Outcome::Applied, Outcome::Duplicate]);
    let page = scene
        .store
        .list_callbacks(scene.tenant, Filter::default(), FIRST)
        .await
        .unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].receipts, 2);
    assert_eq!(page.items[0].receipt_id, one.receipt_id);
}

on_each_engine!(the_same_statement_twice_in_one_body_counts_once);
async fn the_same_statement_twice_in_one_body_counts_once(scene: Scene) {
    scene
        .store
        .register_message(scene.tenant, scene.registration("m-1", PHONE))
        .await
        .unwrap();
    let said = Scene::report("m-1", State::Delivered);
    let applied = scene
        .track(vec![scene.callback(vec![said.clone(), said])])
        .await;
    assert_eq!(applied.reports, [Outcome::Applied, Outcome::Duplicate]);
}

on_each_engine!(a_failure_is_noted_and_never_undoes_what_was_processed);
async fn a_failure_is_noted_and_never_undoes_what_was_processed(scene: Scene) {
    let accepted = scene.callback(vec![]);
    let batch = Arc::new(vec![accepted.clone()]);
    scene.store.record_callbacks(batch.clone()).await.unwrap();
    let note = async |status| {
        let note = scene
            .store
            .fail_callback(accepted.receipt_id, status, "poison".to_owned());
        note.await.unwrap();
        let id = accepted.callback_id;
        scene
            .store
            .find_callback(scene.tenant, id)
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(note(Status::Failed).await.error.as_deref(), Some("poison"));
    scene.store.apply_callbacks(batch).await.unwrap();
    let after = note(Status::DeadLettered).await;
    assert_eq!((after.status, after.error), (Status::Processed, None));
}

on_each_engine!(contradicting_reports_are_told_once_for_each_pair);
async fn contradicting_reports_are_told_once_for_each_pair(scene: Scene) {
    scene
        .store
        .register_message(scene.tenant, scene.registration("m-1", PHONE))
        .await
        .unwrap();
    for state in [
        State::Failed,
        State::Delivered,
        State::Failed,
        State::Rejected,
    ] {
        let mut report = Scene::report("m-1", state);
        report.part = Some(1 + u32::from(scene.random.bytes::<1>()[0]));
        scene.track(vec![scene.callback(vec![report])]).await;
    }
    let window = Window {
        before: None,
        limit: 50,
    };
    let events = scene
        .store
        .list_events(scene.tenant, event::Filter::default(), window)
        .await
        .unwrap()
        .items;
    let mut types: Vec<_> = events
        .iter()
        .map(|kept| kept.event.event_type.as_str())
        .collect();
    types.sort_unstable();
    assert_eq!(
        types,
        [
            "sms.delivered",
            "sms.failed",
            "sms.status.conflict",
            "sms.status.conflict",
            "sms.status.conflict"
        ]
    );
}
