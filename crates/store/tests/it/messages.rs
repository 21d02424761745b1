use crate::scene::{PHONE, Scene};
use domain::State;
use domain::cost::Cost;
use domain::message::Outcome;
use domain::report::Report;
use tidings_store::message::{Filter, Registered};
use tidings_store::page::Window;

on_each_engine!(registering_the_same_again_changes_nothing_and_other_content_is_a_conflict);
async fn registering_the_same_again_changes_nothing_and_other_content_is_a_conflict(scene: Scene) {
    let registration = scene.registration("m-1", PHONE);
    let first = scene
        .store
        .register_message(scene.tenant, registration.clone())
        .await
        .unwrap();
    let Registered::New { message, .. } = first else {
        panic!("{first:?}")
    };
    assert_eq!(message.state(), State::Pending);

    let again = scene
        .store
        .register_message(scene.tenant, registration.clone())
        .await
        .unwrap();
    let Registered::Same(held) = again else {
        panic!("{again:?}")
    };
    assert_eq!(held.message.id, message.id);

    let mut other = registration;
    other.from = Some("CLINIC".to_owned());
    let conflict = scene
        .store
        .register_message(scene.tenant, other)
        .await
        .unwrap();
    assert_eq!(conflict, Registered::Conflict(message.id));
}

on_each_engine!(one_send_to_many_shares_an_id_and_each_recipient_is_a_message);
async fn one_send_to_many_shares_an_id_and_each_recipient_is_a_message(scene: Scene) {
    for phone in [PHONE, "+254700000002"] {
        let registered = scene
            .store
            .register_message(scene.tenant, scene.registration("m-1", phone))
            .await;
        assert!(matches!(registered.unwrap(), Registered::New { .. }));
    }
    let for_second = Report {
        recipient: Some("tel:+254700000002".into()),
        ..Scene::report("m-1", State::Delivered)
    };
    let applied = scene.track(vec![scene.callback(vec![for_second])]).await;
    assert_eq!(applied.reports, [Outcome::Applied]);
    let filter = Filter {
        state: Some(State::Delivered),
        ..Filter::default()
    };
    let window = Window {
        before: None,
        limit: 10,
    };
    let page = scene
        .store
        .list_messages(scene.tenant, filter, window)
        .await
        .unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].message.registration.to, "+254700000002");
}

on_each_engine!(
    reports_that_came_first_wait_and_are_applied_in_their_order_when_the_message_is_registered
);
async fn reports_that_came_first_wait_and_are_applied_in_their_order_when_the_message_is_registered(
    scene: Scene,
) {
    for state in [State::Sent, State::Delivered, State::Failed] {
        let applied = scene
            .track(vec![scene.callback(vec![Scene::report("m-1", state)])])
            .await;
        assert_eq!(applied.reports, [Outcome::Orphaned]);
    }
    assert_eq!(scene.store.count_orphans().await.unwrap().waiting, 3);

    let registered = scene
        .store
        .register_message(scene.tenant, scene.registration("m-1", PHONE))
        .await
        .unwrap();
    let Registered::New { message, effects } = registered else {
        panic!("{registered:?}")
    };
    let states: Vec<_> = effects.changes.iter().map(|change| change.to).collect();
    assert_eq!(states, [State::Sent, State::Delivered]);
    assert_eq!(scene.store.count_orphans().await.unwrap().waiting, 0);

    let held = scene
        .store
        .find_message(scene.tenant, message.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(held.message.state(), State::Delivered);
    let applied: Vec<_> = held.history.iter().map(|entry| entry.is_applied).collect();
    assert_eq!(applied, [true, true, false]);
}

on_each_engine!(a_report_for_another_recipient_goes_on_waiting);
async fn a_report_for_another_recipient_goes_on_waiting(scene: Scene) {
    scene
        .track(vec![
            scene.callback(vec![Scene::report("m-1", State::Sent)]),
        ])
        .await;
    let other = scene.registration("m-1", "+254700000009");
    scene
        .store
        .register_message(scene.tenant, other)
        .await
        .unwrap();
    assert_eq!(scene.store.count_orphans().await.unwrap().waiting, 1);
    let right = scene.registration("m-1", PHONE);
    scene
        .store
        .register_message(scene.tenant, right)
        .await
        .unwrap();
    assert_eq!(scene.store.count_orphans().await.unwrap().waiting, 0);
}

on_each_engine!(a_message_is_nowhere_for_another_tenant);
async fn a_message_is_nowhere_for_another_tenant(scene: Scene) {
    let registered = scene
        .store
        .register_message(scene.tenant, scene.registration("m-1", PHONE))
        .await
        .unwrap();
    let Registered::New { message, .. } = registered else {
        panic!("{registered:?}")
    };
    let stranger = domain::id::TenantId::PLATFORM;
    assert_eq!(
        scene
            .store
            .find_message(stranger, message.id)
            .await
            .unwrap(),
        None
    );
}

on_each_engine!(pages_go_on_where_they_ended_while_messages_are_added);
async fn pages_go_on_where_they_ended_while_messages_are_added(scene: Scene) {
    let register = async |number: i32| {
        let registration = scene.registration(&format!("m-{number}"), PHONE);
        scene
            .store
            .register_message(scene.tenant, registration)
            .await
            .unwrap();
        scene.clock.advance(std::time::Duration::from_millis(1));
    };
    for number in 0..5 {
        register(number).await;
    }
    let page = async |before| {
        let window = Window { before, limit: 2 };
        scene
            .store
            .list_messages(scene.tenant, Filter::default(), window)
            .await
            .unwrap()
    };
    let mut seen = Vec::new();
    let mut next = None;
    loop {
        let found = page(next).await;
        seen.extend(
            found
                .items
                .into_iter()
                .filter_map(|held| held.message.registration.provider_message_id),
        );
        register(100 + i32::try_from(seen.len()).unwrap()).await;
        next = found.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["m-4", "m-3", "m-2", "m-1", "m-0"]);
}

on_each_engine!(what_a_report_says_of_the_cost_and_what_else_the_provider_answered_is_kept);
async fn what_a_report_says_of_the_cost_and_what_else_the_provider_answered_is_kept(scene: Scene) {
    let cost = |amount| Cost::new(amount, "KES").ok();
    let mut registration = scene.registration("m-1", PHONE);
    registration.cost = cost("0.80");
    let registered = scene
        .store
        .register_message(scene.tenant, registration.clone())
        .await;
    let Registered::New { message, .. } = registered.unwrap() else {
        panic!("it is new")
    };
    let report = Report {
        cost: cost("0.8000"),
        provider_response: Some("27: absent".to_owned()),
        ..Scene::report("m-1", State::Failed)
    };
    scene.track(vec![scene.callback(vec![report])]).await;
    let held = scene.store.find_message(scene.tenant, message.id).await;
    let held = held.unwrap().unwrap();
    assert_eq!(held.message.cost(), cost("0.8000").as_ref());
    assert_eq!(
        held.history[0].provider_response.as_deref(),
        Some("27: absent")
    );
    let again = scene
        .store
        .register_message(scene.tenant, registration.clone())
        .await;
    assert!(
        matches!(again.unwrap(), Registered::Same(_)),
        "what a report says is no part of it"
    );
    registration.cost = None;
    let other = scene
        .store
        .register_message(scene.tenant, registration)
        .await;
    assert_eq!(other.unwrap(), Registered::Conflict(message.id));
}
