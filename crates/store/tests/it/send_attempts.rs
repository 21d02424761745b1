//! A message that is sent again, perhaps through another account.

use crate::scene::{PHONE, Scene};
use domain::State;
use domain::erasure::Number;
use domain::id::{AccountId, MessageId, TenantId};
use domain::message::{Message, Outcome};
use domain::poll::Plan;
use domain::report::Report;
use domain::send_attempt::SendAttempt;
use tidings_store::asked::Asked;
use tidings_store::callback::Accepted;
use tidings_store::message::{Filter, Held, Registered, Ruling};
use tidings_store::page::Window;
use tidings_store::retention::Kind;
use tidings_store::send_attempt::SentAgain;

async fn register(scene: &Scene, id: &str) -> Message {
    let registration = scene.registration(id, PHONE);
    let registered = scene.store.register_message(scene.tenant, registration);
    match registered.await.unwrap() {
        Registered::New { message, .. } => *message,
        other => panic!("{other:?}"),
    }
}

fn other_account() -> AccountId {
    AccountId(uuid::Uuid::from_u128(77))
}

fn attempt(
    scene: &Scene,
    account: AccountId,
    id: Option<&str>,
    reference: Option<&str>,
) -> SendAttempt {
    SendAttempt {
        number: 0,
        account_id: account,
        provider_account: "other".parse().unwrap(),
        provider: "stub".to_owned(),
        provider_message_id: id.map(str::to_owned),
        client_reference: reference.map(str::to_owned),
        created_at: scene.clock.now(),
    }
}

async fn send_again(scene: &Scene, message: MessageId, id: &str) -> SentAgain {
    let attempt = attempt(scene, other_account(), Some(id), None);
    let sent = scene
        .store
        .send_again(scene.tenant, message, attempt, Plan::default())
        .await;
    sent.unwrap()
}

#[track_caller]
fn new(sent: SentAgain) -> Held {
    match sent {
        SentAgain::New { held, .. } => *held,
        other => panic!("{other:?}"),
    }
}

/// A callback that came to the other account.
fn to_other(scene: &Scene, report: Report) -> Accepted {
    Accepted {
        account_id: other_account(),
        ..scene.callback(vec![report])
    }
}

async fn find(scene: &Scene, id: MessageId) -> Held {
    let found = scene.store.find_message(scene.tenant, id).await;
    found.unwrap().unwrap()
}

on_each_engine!(a_report_belongs_to_the_attempt_whose_ids_it_names);
async fn a_report_belongs_to_the_attempt_whose_ids_it_names(scene: Scene) {
    let message = register(&scene, "m-1").await;
    let failed = scene.callback(vec![Scene::report("m-1", State::Failed)]);
    scene.track(vec![failed]).await;
    let held = new(send_again(&scene, message.id, "m-2").await);
    assert_eq!(held.message.state(), State::Pending);
    assert_eq!((held.message.send_attempt, held.message.transition), (2, 2));
    // What comes of the first attempt is late.
    let late = scene.callback(vec![Scene::report("m-1", State::Rejected)]);
    let sent = to_other(&scene, Scene::report("m-2", State::Sent));
    let applied = scene.track(vec![late, sent]).await;
    assert_eq!(applied.reports, [Outcome::Stale, Outcome::Applied]);
    let held = find(&scene, message.id).await;
    assert_eq!(held.message.state(), State::Sent);
    let attempts: Vec<_> = held
        .history
        .iter()
        .map(|entry| entry.send_attempt)
        .collect();
    assert_eq!(attempts, [1, 1, 2]);
    // Told states are told again, and those of an earlier attempt only where it was delivered.
    let again = to_other(&scene, Scene::report("m-2", State::Failed));
    let delivered = scene.callback(vec![Scene::report("m-1", State::Delivered)]);
    let applied = scene.track(vec![again, delivered]).await;
    let states: Vec<_> = applied
        .effects
        .changes
        .iter()
        .map(|change| change.to)
        .collect();
    assert_eq!(states, [State::Failed, State::Delivered]);
    let held = find(&scene, message.id).await;
    assert_eq!(
        (held.message.state(), held.message.standing.send_attempt),
        (State::Delivered, 1)
    );
}

on_each_engine!(an_attempt_and_its_reports_end_the_same_in_any_order);
async fn an_attempt_and_its_reports_end_the_same_in_any_order(scene: Scene) {
    let mut ends = Vec::new();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1]] {
        let id = |name: &str| format!("{name}-{}", ends.len());
        let message = register(&scene, &id("m")).await;
        for step in order {
            match step {
                0 => {
                    let first = Scene::report(&id("m"), State::Rejected);
                    scene.track(vec![scene.callback(vec![first])]).await;
                }
                1 => {
                    new(send_again(&scene, message.id, &id("n")).await);
                }
                2 => {
                    let sent = Scene::report(&id("n"), State::Sent);
                    scene.track(vec![to_other(&scene, sent)]).await;
                }
                _ => {
                    let unknown = Scene::report(&id("n"), State::Unknown);
                    scene.track(vec![to_other(&scene, unknown)]).await;
                }
            }
        }
        let held = find(&scene, message.id).await;
        assert_eq!(held.history.len(), 3);
        ends.push((held.message.standing, held.message.decided_seen));
    }
    assert_eq!(ends[0].0.state(), State::Unknown);
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    assert_eq!(scene.store.count_orphans().await.unwrap().waiting, 0);
}

on_each_engine!(a_name_never_means_two_messages_and_the_same_attempt_again_changes_nothing);
async fn a_name_never_means_two_messages_and_the_same_attempt_again_changes_nothing(scene: Scene) {
    let one = register(&scene, "m-1").await;
    let two = register(&scene, "m-2").await;
    let held = new(send_again(&scene, one.id, "n-1").await);
    let again = send_again(&scene, one.id, "n-1").await;
    assert_eq!(again, SentAgain::Same(Box::new(held)));
    assert_eq!(
        send_again(&scene, two.id, "n-1").await,
        SentAgain::Conflict(one.id)
    );
    // Its own first attempt is an attempt of it, and another's first attempt is not.
    let first = attempt(&scene, scene.account, Some("m-1"), None);
    let sent = scene
        .store
        .send_again(scene.tenant, one.id, first.clone(), Plan::default())
        .await;
    assert!(matches!(sent.unwrap(), SentAgain::Same(_)));
    let sent = scene
        .store
        .send_again(scene.tenant, two.id, first, Plan::default())
        .await;
    assert_eq!(sent.unwrap(), SentAgain::Conflict(one.id));
    // The same id with another reference is said of the same attempt.
    let other = attempt(&scene, other_account(), Some("n-1"), Some("r-1"));
    let sent = scene
        .store
        .send_again(scene.tenant, one.id, other, Plan::default())
        .await;
    assert_eq!(sent.unwrap(), SentAgain::Conflict(one.id));
    let mut registration = scene.registration("n-1", PHONE);
    registration.account_id = other_account();
    let registered = scene
        .store
        .register_message(scene.tenant, registration)
        .await;
    assert_eq!(registered.unwrap(), Registered::Conflict(one.id));
    let stranger = attempt(&scene, other_account(), Some("n-9"), None);
    let sent = scene
        .store
        .send_again(TenantId::PLATFORM, one.id, stranger, Plan::default())
        .await;
    assert_eq!(sent.unwrap(), SentAgain::Missing);
}

on_each_engine!(a_message_is_sent_at_most_fifteen_times_however_many_are_asked_for_at_once);
async fn a_message_is_sent_at_most_fifteen_times_however_many_are_asked_for_at_once(scene: Scene) {
    let message = register(&scene, "m-1").await;
    let names: Vec<_> = (2..=17).map(|number| format!("n-{number}")).collect();
    let sent = names
        .iter()
        .map(|name| send_again(&scene, message.id, name));
    let sent = futures_util::future::join_all(sent).await;
    let refused = sent.iter().filter(|sent| **sent == SentAgain::TooMany);
    assert_eq!(refused.count(), 2);
    let held = find(&scene, message.id).await;
    let numbers: Vec<_> = held
        .message
        .sendings()
        .map(|sending| sending.number)
        .collect();
    assert_eq!(numbers, (1..=15).collect::<Vec<_>>());
}

on_each_engine!(a_message_is_listed_by_the_ids_of_every_attempt);
async fn a_message_is_listed_by_the_ids_of_every_attempt(scene: Scene) {
    let one = register(&scene, "m-1").await;
    let two = register(&scene, "m-2").await;
    let again = attempt(&scene, other_account(), Some("m-1"), Some("r-1"));
    let sent = scene
        .store
        .send_again(scene.tenant, two.id, again, Plan::default())
        .await;
    new(sent.unwrap());
    let list = async |id: Option<&str>, reference: Option<&str>, before| {
        let filter = Filter {
            provider_message_id: id.map(|id| Asked::Exactly(id.to_owned())),
            client_reference: reference.map(|id| Asked::Exactly(id.to_owned())),
            ..Filter::default()
        };
        let window = Window { before, limit: 1 };
        let page = scene
            .store
            .list_messages(scene.tenant, filter, window)
            .await;
        let page = page.unwrap();
        let ids: Vec<_> = page.items.iter().map(|held| held.message.id).collect();
        (ids, page.next)
    };
    assert_eq!(list(Some("m-2"), None, None).await, (vec![two.id], None));
    assert_eq!(list(None, Some("r-1"), None).await, (vec![two.id], None));
    assert_eq!(list(Some("m-2"), Some("r-1"), None).await, (vec![], None));
    let (first, next) = list(Some("m-1"), None, None).await;
    assert_eq!(first, [two.id]);
    assert_eq!(list(Some("m-1"), None, next).await, (vec![one.id], None));
}

on_each_engine!(what_a_person_says_is_about_the_newest_attempt);
async fn what_a_person_says_is_about_the_newest_attempt(scene: Scene) {
    let message = register(&scene, "m-1").await;
    new(send_again(&scene, message.id, "n-1").await);
    let ruling = Ruling {
        state: State::Failed,
        reason: "lost".to_owned(),
        actor: "tenant".to_owned(),
        is_forced: false,
    };
    scene
        .store
        .rule(scene.tenant, message.id, ruling)
        .await
        .unwrap();
    let held = find(&scene, message.id).await;
    assert_eq!(
        (held.message.state(), held.history[0].send_attempt),
        (State::Failed, 2)
    );
    assert_eq!(
        new(send_again(&scene, message.id, "n-2").await)
            .message
            .state(),
        State::Pending
    );
}

on_each_engine!(an_erased_message_is_known_by_its_later_ids_and_its_number_may_be_anothers);
async fn an_erased_message_is_known_by_its_later_ids_and_its_number_may_be_anothers(scene: Scene) {
    let message = register(&scene, "m-1").await;
    new(send_again(&scene, message.id, "n-1").await);
    let number = Number::parse(PHONE).unwrap();
    scene.store.erase(scene.tenant, number).await.unwrap();
    let delivered = to_other(&scene, Scene::report("n-1", State::Delivered));
    let applied = scene.track(vec![delivered]).await;
    assert_eq!(applied.reports, [Outcome::Applied]);
    assert!(matches!(
        send_again(&scene, message.id, "n-1").await,
        SentAgain::Same(_)
    ));
    new(send_again(&scene, message.id, "n-2").await);
    // Registered again, it is another message: the key of the old one no longer says its number.
    let mut registration = scene.registration("n-1", PHONE);
    registration.account_id = other_account();
    let registered = scene
        .store
        .register_message(scene.tenant, registration)
        .await;
    assert!(matches!(registered.unwrap(), Registered::New { .. }));
}

on_each_engine!(attempts_are_forgotten_with_their_message);
async fn attempts_are_forgotten_with_their_message(scene: Scene) {
    let message = register(&scene, "m-1").await;
    new(send_again(&scene, message.id, "n-1").await);
    assert_eq!(scene.count(&["messages", "send_attempts"]).await, [1, 1]);
    scene
        .clock
        .advance(std::time::Duration::from_hours(24 * 401));
    let than = scene
        .clock
        .now()
        .minus(std::time::Duration::from_hours(24 * 400));
    scene
        .store
        .forget_page(Kind::Messages, than, None)
        .await
        .unwrap();
    assert_eq!(scene.count(&["messages", "send_attempts"]).await, [0, 0]);
}
