//! What becomes of a notification follows from its messages, in the same commit.

use crate::scene::{PHONE, Scene};
use domain::State;
use domain::id::TenantId;
use domain::message::Registration;
use domain::notification::{Counts, Notification};
use domain::poll::Plan;
use domain::send_attempt::SendAttempt;
use std::time::Duration;
use tidings_store::event;
use tidings_store::message::{Filter, Registered, Ruling};
use tidings_store::page::Window;
use tidings_store::retention::Kind;

const ID: &str = "reminder 7/ü";

fn registration(scene: &Scene, id: &str, notification: &str) -> Registration {
    Registration {
        notification_id: Some(notification.to_owned()),
        ..scene.registration(id, PHONE)
    }
}

async fn register(scene: &Scene, id: &str) -> domain::id::MessageId {
    let registered = registration(scene, id, ID);
    let registered = scene.store.register_message(scene.tenant, registered).await;
    match registered.unwrap() {
        Registered::New { message, .. } => message.id,
        other => panic!("{other:?}"),
    }
}

async fn track(scene: &Scene, said: &[(&str, State)]) {
    let reports = said.iter().map(|(id, state)| Scene::report(id, *state));
    scene.track(vec![scene.callback(reports.collect())]).await;
}

async fn find(scene: &Scene, id: &str) -> Notification {
    let found = scene.store.find_notification(scene.tenant, id.to_owned());
    found.await.unwrap().unwrap()
}

/// The states that were told of a notification, in the order in which they were written.
async fn told(scene: &Scene, id: &str) -> Vec<String> {
    let (mut states, mut before) = (Vec::new(), None);
    loop {
        let window = Window { before, limit: 100 };
        let page = scene
            .store
            .list_events(scene.tenant, event::Filter::default(), window)
            .await
            .unwrap();
        let updated = page.items.iter().filter(|kept| {
            let resource = kept.event.resource.as_ref();
            kept.event.event_type == "notification.updated" && resource.unwrap().id == id
        });
        states.extend(updated.map(|kept| {
            let data: serde_json::Value = serde_json::from_str(kept.event.data.as_str()).unwrap();
            data["state"].as_str().unwrap().to_owned()
        }));
        before = page.next;
        if before.is_none() {
            states.reverse();
            return states;
        }
    }
}

on_each_engine!(a_notification_is_told_exactly_when_its_state_changes);
async fn a_notification_is_told_exactly_when_its_state_changes(scene: Scene) {
    let first = register(&scene, "m-1").await;
    let second = register(&scene, "m-2").await;
    let message = async |id| {
        let found = scene.store.find_message(scene.tenant, id).await;
        found.unwrap().unwrap().message
    };
    let found = find(&scene, ID).await;
    assert_eq!(
        (found.counts.pending, found.counts.state()),
        (2, State::Pending)
    );
    assert!(
        told(&scene, ID).await.is_empty(),
        "that it begins is not told"
    );
    scene.clock.advance(Duration::from_secs(1));
    track(&scene, &[("m-1", State::Sent)]).await;
    track(&scene, &[("m-1", State::Delivered), ("m-2", State::Sent)]).await;
    let found = find(&scene, ID).await;
    assert_eq!(
        (found.counts.state(), found.sent_at),
        (State::Sent, message(first).await.sent_at)
    );
    assert_eq!(found.delivered_at(), None);
    scene.clock.advance(Duration::from_secs(1));
    track(&scene, &[("m-2", State::Failed), ("m-2", State::Delivered)]).await;
    assert_eq!(told(&scene, ID).await, ["sent", "delivered"]);
    let found = find(&scene, ID).await;
    let delivered_at = message(second).await.delivered_at;
    assert!(delivered_at > message(first).await.delivered_at);
    assert_eq!(found.delivered_at(), delivered_at);
    // One more message, which a provider refuses, is sent again, and is settled by a person.
    let third = register(&scene, "m-3").await;
    track(&scene, &[("m-3", State::Rejected)]).await;
    let again = SendAttempt {
        number: 0,
        account_id: scene.account,
        provider_account: "clinic".parse().unwrap(),
        provider: "stub".to_owned(),
        provider_message_id: Some("m-4".to_owned()),
        client_reference: None,
        created_at: scene.clock.now(),
    };
    scene
        .store
        .send_again(scene.tenant, third, again, Plan::default())
        .await
        .unwrap();
    let ruling = Ruling {
        state: State::Delivered,
        reason: "they called".to_owned(),
        actor: "tenant".to_owned(),
        is_forced: true,
    };
    scene.store.rule(scene.tenant, third, ruling).await.unwrap();
    let states = ["sent", "delivered", "sent", "rejected", "sent", "delivered"];
    assert_eq!(told(&scene, ID).await, states);
    let counts = Counts {
        delivered: 3,
        ..Counts::default()
    };
    assert_eq!(find(&scene, ID).await.counts, counts);
    let stranger = scene
        .store
        .find_notification(TenantId::PLATFORM, ID.to_owned());
    assert_eq!(stranger.await.unwrap(), None);
}

on_each_engine!(reports_that_waited_for_the_first_message_are_told_once_of_its_notification);
async fn reports_that_waited_for_the_first_message_are_told_once_of_its_notification(scene: Scene) {
    track(&scene, &[("m-1", State::Sent), ("m-1", State::Delivered)]).await;
    register(&scene, "m-1").await;
    assert_eq!(told(&scene, ID).await, ["delivered"]);
    // What changes nothing, and what is of no notification, is not told.
    track(&scene, &[("m-1", State::Expired)]).await;
    let plain = scene.registration("m-2", PHONE);
    scene
        .store
        .register_message(scene.tenant, plain)
        .await
        .unwrap();
    track(&scene, &[("m-2", State::Sent)]).await;
    assert_eq!(told(&scene, ID).await, ["delivered"]);
    assert_eq!(find(&scene, ID).await.counts.total(), 1);
    assert_eq!(scene.count(&["notifications"]).await, [1]);
}

on_each_engine!(many_trackers_at_once_count_every_message_and_tell_no_state_twice_in_a_row);
async fn many_trackers_at_once_count_every_message_and_tell_no_state_twice_in_a_row(scene: Scene) {
    let names: Vec<String> = (0..4).map(|number| format!("n-{number}")).collect();
    let scene = &scene;
    let registrations = (0..40).map(|number| {
        let registration = registration(scene, &format!("m-{number}"), &names[number % 4]);
        scene.store.register_message(scene.tenant, registration)
    });
    for registered in futures_util::future::join_all(registrations).await {
        registered.unwrap();
    }
    let said = (0..40).flat_map(|number| {
        let id = format!("m-{}", (number * 7) % 40);
        [State::Sent, State::Failed, State::Delivered].map(move |state| (id.clone(), state))
    });
    let said: Vec<_> = said.collect();
    // Each batch is about all notifications, in another order.
    let batches = (0..12).map(|turn| {
        let mut batch: Vec<_> = said.iter().skip(turn).step_by(12).collect();
        batch.rotate_left(turn % 10);
        let callbacks = batch
            .iter()
            .map(|(id, state)| scene.callback(vec![Scene::report(id, *state)]));
        scene.track(callbacks.collect())
    });
    futures_util::future::join_all(batches).await;
    for name in &names {
        let found = find(scene, name).await;
        assert_eq!((found.counts.delivered, found.counts.total()), (10, 10));
        let told = told(scene, name).await;
        assert_eq!(
            told.last().map(String::as_str),
            Some("delivered"),
            "{told:?}"
        );
        assert!(told.windows(2).all(|pair| pair[0] != pair[1]), "{told:?}");
    }
    let all = Window {
        before: None,
        limit: 100,
    };
    let page = scene
        .store
        .list_messages(scene.tenant, Filter::default(), all);
    assert_eq!(page.await.unwrap().items.len(), 40);
}

on_each_engine!(
    a_notification_is_forgotten_when_nothing_has_happened_to_it_for_as_long_as_messages_are_kept
);
async fn a_notification_is_forgotten_when_nothing_has_happened_to_it_for_as_long_as_messages_are_kept(
    scene: Scene,
) {
    let days = |days: u64| Duration::from_hours(24 * days);
    let other = registration(&scene, "m-1", "other");
    scene
        .store
        .register_message(scene.tenant, other)
        .await
        .unwrap();
    register(&scene, "m-2").await;
    scene.clock.advance(days(300));
    register(&scene, "m-3").await;
    let forget = async || {
        let than = scene.clock.now().minus(days(400));
        for kind in [Kind::Messages, Kind::Notifications] {
            scene.store.forget_page(kind, than, None).await.unwrap();
        }
    };
    scene.clock.advance(days(101));
    forget().await;
    assert_eq!(scene.count(&["messages", "notifications"]).await, [1, 1]);
    assert_eq!(
        find(&scene, ID).await.counts.total(),
        2,
        "counts do not go back"
    );
    scene.clock.advance(days(300));
    forget().await;
    assert_eq!(scene.count(&["messages", "notifications"]).await, [0, 0]);
}
