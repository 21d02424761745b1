//! One phone number, forgotten wherever it is named.

use crate::dead_letters::died;
use crate::deliveries::{attempt, recipients};
use crate::scene::{PHONE, Scene};
use domain::State;
use domain::erasure::{BLANK, Number};
use domain::id::{AccountId, TenantId};
use domain::json::Raw;
use domain::message::{Outcome, Registration};
use std::sync::Arc;
use tidings_store::callback::Accepted;
use tidings_store::delivery::Then;
use tidings_store::directory::Directory;
use tidings_store::erasure::Erased;
use tidings_store::message::{Held, Registered, Ruling};

const OTHER: &str = "+254700000002";
const BODY: &str = "id=m-1&phoneNumber=%2B254700000001&status=Success";

fn json(text: &str) -> Raw {
    Raw::parse(text.to_owned()).unwrap()
}

async fn register(scene: &Scene, tenant: TenantId, registration: Registration) -> Box<Held> {
    let registered = scene.store.register_message(tenant, registration).await;
    match registered.unwrap() {
        Registered::New { message, .. } => Box::new(Held {
            message: *message,
            history: Vec::new(),
        }),
        Registered::Same(held) => held,
        Registered::Conflict(id) => panic!("{id} is registered"),
    }
}

async fn find(scene: &Scene, held: &Held) -> Held {
    let (tenant, id) = (held.message.tenant_id, held.message.id);
    let found = scene.store.find_message(tenant, id).await;
    found.unwrap().unwrap()
}

fn said(scene: &Scene, id: &str, state: State) -> Accepted {
    let mut report = Scene::report(id, state);
    report.failure_reason = Some(format!("{PHONE} is barred"));
    report.provider_response = Some(format!("no route to {PHONE}"));
    let mut callback = scene.callback(vec![report]);
    callback.body = BODY.into();
    callback
}

async fn erase(scene: &Scene) -> Erased {
    let number = Number::parse(PHONE).unwrap();
    scene.store.erase(scene.tenant, number).await.unwrap()
}

on_each_engine!(a_number_is_nowhere_once_it_is_erased_and_states_and_counts_stay);
async fn a_number_is_nowhere_once_it_is_erased_and_states_and_counts_stay(scene: Scene) {
    let mut registration = scene.registration("m-1", PHONE);
    registration.metadata = Some(json(r#"{"cc":254700000001,"ref":7}"#));
    let to = register(&scene, scene.tenant, registration).await;
    let mut registration = scene.registration("m-2", OTHER);
    registration.from = Some(PHONE.to_owned());
    let from = register(&scene, scene.tenant, registration).await;
    // Twice, an orphan, and one that is about no message.
    let first = said(&scene, "m-1", State::Failed);
    let again = said(&scene, "m-1", State::Failed);
    let orphan = said(&scene, "m-3", State::Sent);
    let mut inbound = scene.callback(Vec::new());
    inbound.body = BODY.into();
    inbound.headers = vec![("x-from".to_owned(), PHONE.to_owned())];
    scene
        .track(vec![first.clone(), again, orphan, inbound])
        .await;
    let mut event = scene.event("job.created");
    event.data = json(r#"{"to":"254700000001","n":1.00}"#);
    event.context = Some(json(r#"{"list":["+254700000001"]}"#));
    let published = event.id;
    scene.store.publish_event(event, None).await.unwrap();
    scene.subscribe(&["*"]).await;
    let late = scene.subscribe(&["job.created"]).await;
    let mut event = scene.event("job.created");
    event.data = json(r#"{"to":"+254700000001"}"#);
    scene.store.publish_event(event, None).await.unwrap();
    let holding = scene.hold_all("a").await;
    let owed = scene.fan_out(&holding, &Directory::default()).await.owed;
    let in_an_hour = scene.clock.now().plus(std::time::Duration::from_hours(1));
    let to_all = recipients(&owed);
    let tried = to_all.iter().map(|to| {
        let mut tried = attempt(&scene, &holding, *to, Then::RetryAt(in_an_hour));
        tried.response_body = Some(format!("cannot tell {PHONE}"));
        tried
    });
    scene.store.record_attempts(tried.collect()).await.unwrap();
    let ruling = Ruling {
        state: State::Rejected,
        reason: format!("{PHONE} does not want it"),
        actor: "operator".to_owned(),
        is_forced: true,
    };
    scene
        .store
        .rule(scene.tenant, to.message.id, ruling)
        .await
        .unwrap();
    let job = format!(r#"{{"recipient":"{PHONE}"}}"#);
    let letters = vec![died(&scene, &job, "1"), died(&scene, "another", "1")];
    scene
        .store
        .record_dead_letters(Arc::new(letters))
        .await
        .unwrap();
    assert!(scene.holds(&PHONE[1..]).await);

    let erased = erase(&scene).await;
    let expected = Erased {
        messages: 2,
        history: 2,
        callbacks: 4,
        events: 4,
        attempts: to_all.len(),
        orphans: 1,
        dead_letters: 1,
        webhook_tests: 0,
    };
    assert_eq!(erased, expected);
    assert!(!scene.holds(&PHONE[1..]).await);
    assert_eq!(erase(&scene).await, Erased::default());

    let held = find(&scene, &to).await;
    assert_eq!(held.message.state(), State::Rejected);
    let reason = held.history[1].reason.as_deref();
    assert_eq!(reason, Some("[erased] does not want it"));
    assert_eq!(held.message.registration.to, BLANK);
    let metadata = held.message.registration.metadata.unwrap();
    assert_eq!(metadata.as_str(), r#"{"cc":"[erased]","ref":7}"#);
    let reason = held.history[0].failure_reason.as_deref();
    assert_eq!(reason, Some("[erased] is barred"));
    let held = find(&scene, &from).await;
    assert_eq!(held.message.registration.from.as_deref(), Some(BLANK));
    assert_eq!(held.message.registration.to, OTHER);
    let callback = scene
        .store
        .find_callback(scene.tenant, first.callback_id)
        .await;
    let callback = callback.unwrap().unwrap();
    assert_eq!((callback.body.len(), callback.receipts), (0, 2));
    assert!(callback.error.unwrap().starts_with("erased"));
    let event = scene.store.find_event(scene.tenant, published).await;
    let event = event.unwrap().unwrap().event;
    assert_eq!(event.data.as_str(), r#"{"to":"[erased]","n":1.00}"#);
    assert_eq!(event.context.unwrap().as_str(), r#"{"list":["[erased]"]}"#);
    // What was owed is owed.
    let page = scene.store.list_deliveries(
        scene.tenant,
        late,
        tidings_store::delivery::Filter::default(),
        tidings_store::page::Window {
            before: None,
            limit: 9,
        },
    );
    let state = page.await.unwrap().items[0].state;
    assert_eq!(state, domain::delivery::State::Pending);
}

on_each_engine!(a_report_of_an_erased_message_finds_it_and_does_not_bring_the_number_back);
async fn a_report_of_an_erased_message_finds_it_and_does_not_bring_the_number_back(scene: Scene) {
    let held = register(&scene, scene.tenant, scene.registration("m-1", PHONE)).await;
    erase(&scene).await;
    let report = Scene::report("m-1", State::Delivered);
    let applied = scene.track(vec![scene.callback(vec![report])]).await;
    assert_eq!(applied.reports, [Outcome::Applied]);
    let found = find(&scene, &held).await;
    assert_eq!(found.message.state(), State::Delivered);
    assert!(!scene.holds(&PHONE[1..]).await);
}

on_each_engine!(nothing_of_another_tenant_or_another_number_is_erased);
async fn nothing_of_another_tenant_or_another_number_is_erased(scene: Scene) {
    let (clock, random) = (&scene.clock, &scene.random);
    let other = TenantId::new(clock.now(), random);
    scene.make_tenant(other).await;
    let mut registration = scene.registration("m-1", PHONE);
    registration.account_id = AccountId::new(clock.now(), random);
    let theirs = register(&scene, other, registration).await;
    let longer = format!("{PHONE}9");
    let mut registration = scene.registration("m-2", OTHER);
    registration.metadata = Some(json(&format!(r#"{{"cc":"{longer}"}}"#)));
    let ours = register(&scene, scene.tenant, registration).await;
    let mut callback = scene.callback(Vec::new());
    callback.body = longer.clone().into_bytes();
    scene.track(vec![callback]).await;
    let mut event = scene.event("job.created");
    event.data = json(&format!(r#"{{"to":"{longer}"}}"#));
    scene.store.publish_event(event, None).await.unwrap();
    assert_eq!(erase(&scene).await, Erased::default());
    assert_eq!(find(&scene, &theirs).await.message, theirs.message);
    assert_eq!(find(&scene, &ours).await.message, ours.message);
}

on_each_engine!(more_than_a_page_of_messages_is_erased);
async fn more_than_a_page_of_messages_is_erased(scene: Scene) {
    for number in 0..620 {
        let id = format!("m-{number}");
        register(&scene, scene.tenant, scene.registration(&id, PHONE)).await;
        let mut event = scene.event("job.created");
        event.data = json(r#"{"to":"+254700000001"}"#);
        scene.store.publish_event(event, None).await.unwrap();
    }
    let erased = erase(&scene).await;
    assert_eq!((erased.messages, erased.events), (620, 620));
    assert!(!scene.holds(&PHONE[1..]).await);
}
