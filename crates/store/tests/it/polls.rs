//! Due messages, the leases under which they are asked about, and what is recorded of it.

use crate::scene::{PHONE, Scene};
use domain::account::Environment;
use domain::id::{AccountId, MessageId};
use domain::message::Registration;
use domain::poll::{LEASE, Outcome, Plan, Silence};
use domain::{State, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;
use tidings_store::account::Account;
use tidings_store::message::{NewMessage, Registered, Ruling};
use tidings_store::poll::{
    DueMessage, Given, Inbox, Lease, PAGE, Polled, Recorded, Rest, RestReason, Search, Wished,
};
use tidings_store::retention::Kind;

const FIRST: Duration = Duration::from_mins(5);

async fn register(scene: &Scene, id: &str) -> MessageId {
    let registration = scene.registration(id, PHONE);
    register_as(scene, registration).await
}

async fn register_as(scene: &Scene, registration: Registration) -> MessageId {
    let new = NewMessage {
        registration,
        plan: Plan::ask(FIRST),
    };
    let registered = scene.store.register_message(scene.tenant, new).await;
    match registered.unwrap() {
        Registered::New { message, .. } => message.id,
        other => panic!("{other:?}"),
    }
}

async fn due_accounts(scene: &Scene) -> Vec<AccountId> {
    let search = Search {
        after: None,
        limit: 10,
    };
    scene.store.find_due_accounts(search).await.unwrap()
}

async fn lease(scene: &Scene, owner: &str) -> Option<Lease> {
    let wanted = vec![scene.account];
    let leases = scene.store.lease_accounts(owner.to_owned(), wanted).await;
    leases.unwrap().pop()
}

/// All pass the time of their first polls, however they are spread.
fn pass(scene: &Scene) {
    scene.clock.advance(FIRST.mul_f64(1.1));
}

fn polled(scene: &Scene, message: &DueMessage, next: Option<Timestamp>) -> Polled {
    Polled {
        message_id: message.id,
        tenant_id: message.tenant_id,
        send_attempt: 1,
        was_due_at: message.due.at,
        at: scene.clock.now(),
        outcome: Some(Outcome::Nothing),
        detail: None,
        next,
        polls: message.due.polls + 1,
    }
}

async fn due_of(scene: &Scene, id: MessageId) -> domain::poll::Due {
    let held = scene.store.find_message(scene.tenant, id).await.unwrap();
    held.unwrap().message.due
}

on_each_engine!(a_message_is_due_after_its_first_wait_and_no_more_once_it_is_decided);
async fn a_message_is_due_after_its_first_wait_and_no_more_once_it_is_decided(scene: Scene) {
    let [one, two, three] = ["m-1", "m-2", "m-3"];
    let one = register(&scene, one).await;
    let two = register(&scene, two).await;
    let three = register(&scene, three).await;
    assert_eq!(due_accounts(&scene).await, []);
    scene
        .track(vec![
            scene.callback(vec![Scene::report("m-1", State::Delivered)]),
            scene.callback(vec![Scene::report("m-2", State::Unknown)]),
        ])
        .await;
    let ruling = Ruling {
        state: State::Failed,
        reason: "seen".to_owned(),
        actor: "tenant".to_owned(),
        is_forced: false,
    };
    scene.store.rule(scene.tenant, three, ruling).await.unwrap();
    pass(&scene);
    assert_eq!(due_accounts(&scene).await, [scene.account]);
    let due = scene.store.list_due(scene.account).await.unwrap();
    let ids: Vec<_> = due.iter().map(|message| message.id).collect();
    assert_eq!(ids, [two], "what is unknown is asked about");
    assert_eq!(due[0].due.delay, FIRST);
    for decided in [one, three] {
        assert_eq!(due_of(&scene, decided).await.at, None);
    }
}

on_each_engine!(one_poller_at_a_time_asks_about_an_account);
async fn one_poller_at_a_time_asks_about_an_account(scene: Scene) {
    register(&scene, "m-1").await;
    pass(&scene);
    let first = lease(&scene, "a").await.unwrap();
    assert_eq!(lease(&scene, "b").await, None);
    assert_eq!(
        due_accounts(&scene).await,
        [],
        "nobody looks for it meanwhile"
    );
    scene.clock.advance(LEASE / 2);
    let mine = vec![scene.account];
    let renewed = |owner: &str| scene.store.renew_accounts(owner.to_owned(), mine.clone());
    assert_eq!(renewed("a").await.unwrap(), mine);
    assert_eq!(renewed("b").await.unwrap(), []);
    scene.clock.advance(LEASE / 2 + Duration::from_millis(1));
    assert_eq!(lease(&scene, "b").await, None);

    // It dies: after its lease another has the account, and the late one changes nothing.
    scene.clock.advance(LEASE / 2);
    let second = lease(&scene, "b").await.unwrap();
    assert!(second.fence > first.fence);
    let due = scene.store.list_due(scene.account).await.unwrap();
    let late = vec![polled(&scene, &due[0], None)];
    let recorded = scene.store.record_polls(&first, late.clone()).await;
    assert_eq!(recorded.unwrap(), Recorded::LeaseLost);
    scene
        .store
        .give_back(&first, Given::default())
        .await
        .unwrap();
    assert_eq!(lease(&scene, "c").await, None);
    assert_eq!(scene.count(&["polls"]).await, [0]);
    let recorded = scene.store.record_polls(&second, late).await.unwrap();
    assert_eq!(recorded, Recorded::Done(1));
    scene
        .store
        .give_back(&second, Given::default())
        .await
        .unwrap();
    assert!(lease(&scene, "c").await.is_some());
}

on_each_engine!(ten_pollers_at_once_get_each_account_once);
async fn ten_pollers_at_once_get_each_account_once(scene: Scene) {
    let now = scene.clock.now();
    let accounts: Vec<AccountId> = (0..20)
        .map(|_| AccountId::new(now, &scene.random))
        .collect();
    let pollers = (0..10).map(|number| {
        let mut wanted = accounts.clone();
        wanted.rotate_left(number);
        scene
            .store
            .lease_accounts(format!("poller-{number}"), wanted)
    });
    let taken = futures_util::future::join_all(pollers).await;
    let taken: Vec<AccountId> = taken
        .into_iter()
        .flat_map(|leases| leases.unwrap())
        .map(|lease| lease.account_id)
        .collect();
    assert!(taken.len() <= 20);
    let distinct: BTreeSet<AccountId> = taken.iter().copied().collect();
    assert_eq!(distinct.len(), taken.len());
}

on_each_engine!(a_provider_that_is_left_alone_is_asked_again_at_once_when_its_account_changes);
async fn a_provider_that_is_left_alone_is_asked_again_at_once_when_its_account_changes(
    scene: Scene,
) {
    let now = scene.clock.now();
    let account = Account {
        id: scene.account,
        tenant_id: scene.tenant,
        slug: "clinic".parse().unwrap(),
        provider: "stub".to_owned(),
        environment: Environment::default(),
        checks: vec![1],
        status_api: Some(vec![2]),
        silence: Silence::default(),
        created_at: now,
        updated_at: now,
    };
    scene.store.create_account(account.clone()).await.unwrap();
    register(&scene, "m-1").await;
    pass(&scene);
    let first = lease(&scene, "a").await.unwrap();
    let given = Given {
        failures: 4,
        rest: Some(Rest {
            length: Duration::from_mins(1),
            reason: RestReason::Refused,
        }),
    };
    scene.store.give_back(&first, given).await.unwrap();
    assert_eq!(due_accounts(&scene).await, []);
    assert_eq!(lease(&scene, "b").await, None);
    let backlog = scene.store.poll_backlog().await.unwrap();
    let key = ("stub".to_owned(), RestReason::Refused);
    assert_eq!(backlog.resting.get(&key), Some(&1));
    assert!(backlog.oldest.is_some());

    scene.clock.advance(Duration::from_secs(61));
    assert_eq!(due_accounts(&scene).await, [scene.account]);
    let second = lease(&scene, "b").await.unwrap();
    assert_eq!(second.failures, 4, "the next one knows");
    scene.store.give_back(&second, given).await.unwrap();
    assert!(scene.store.update_account(account).await.unwrap());
    let third = lease(&scene, "a").await.unwrap();
    assert_eq!(third.failures, 0);
}

on_each_engine!(a_message_that_was_decided_while_it_was_asked_about_is_not_resurrected);
async fn a_message_that_was_decided_while_it_was_asked_about_is_not_resurrected(scene: Scene) {
    let decided = register(&scene, "m-1").await;
    let asked = register(&scene, "m-2").await;
    pass(&scene);
    let lease = lease(&scene, "a").await.unwrap();
    let due = scene.store.list_due(scene.account).await.unwrap();
    scene
        .track(vec![
            scene.callback(vec![Scene::report("m-1", State::Failed)]),
        ])
        .await;
    let next = scene.clock.now().plus(FIRST);
    let both = due
        .iter()
        .map(|message| polled(&scene, message, Some(next)));
    let recorded = scene
        .store
        .record_polls(&lease, both.collect())
        .await
        .unwrap();
    assert_eq!(recorded, Recorded::Done(1));
    assert_eq!(due_of(&scene, decided).await.at, None);
    let due = due_of(&scene, asked).await;
    assert_eq!((due.at, due.polls), (Some(next), 1));
    assert_eq!(scene.count(&["polls"]).await, [2], "both were asked about");
}

on_each_engine!(who_asks_for_a_poll_twice_gets_one);
async fn who_asks_for_a_poll_twice_gets_one(scene: Scene) {
    let id = register(&scene, "m-1").await;
    let wish = || scene.store.poll_now(scene.tenant, id);
    let stranger = domain::id::TenantId::new(scene.clock.now(), &scene.random);
    let other = scene.store.poll_now(stranger, id).await.unwrap();
    assert_eq!(other, Wished::Missing);
    let before = due_of(&scene, id).await.at.unwrap();
    let Wished::Due(held) = wish().await.unwrap() else {
        panic!("it can be asked about")
    };
    let at = held.message.due.at.unwrap();
    assert!(at < before);
    scene.clock.advance(Duration::from_secs(1));
    wish().await.unwrap();
    assert_eq!(due_of(&scene, id).await.at, Some(at), "it is due already");

    let lease = lease(&scene, "a").await.unwrap();
    let due = scene.store.list_due(scene.account).await.unwrap();
    let next = scene.clock.now().plus(FIRST);
    let asked = vec![polled(&scene, &due[0], Some(next))];
    scene.store.record_polls(&lease, asked).await.unwrap();
    wish().await.unwrap();
    assert_eq!(
        due_of(&scene, id).await.at,
        Some(next),
        "it was asked just now"
    );
    scene.clock.advance(Duration::from_secs(11));
    wish().await.unwrap();
    assert!(due_of(&scene, id).await.at.unwrap() < next);

    scene
        .track(vec![
            scene.callback(vec![Scene::report("m-1", State::Delivered)]),
        ])
        .await;
    assert_eq!(wish().await.unwrap(), Wished::Decided(State::Delivered));
}

on_each_engine!(many_due_at_once_are_read_and_moved_on_page_by_page);
async fn many_due_at_once_are_read_and_moved_on_page_by_page(scene: Scene) {
    const MANY: usize = 10_000;
    for some in (0..MANY).collect::<Vec<_>>().chunks(500) {
        let scene = &scene;
        let all = some.iter().map(|number| async move {
            let id = format!("m-{number}");
            register(scene, &id).await
        });
        futures_util::future::join_all(all).await;
    }
    // Of another account there is one, which is found beside them.
    let other = AccountId::new(scene.clock.now(), &scene.random);
    let registration = Registration {
        account_id: other,
        ..scene.registration("m-other", PHONE)
    };
    register_as(&scene, registration).await;
    pass(&scene);
    assert_eq!(due_accounts(&scene).await, [scene.account, other]);
    let behind = Search {
        after: Some(scene.account),
        limit: 10,
    };
    let found = scene.store.find_due_accounts(behind).await.unwrap();
    assert_eq!(found, [other]);

    let lease = lease(&scene, "a").await.unwrap();
    let next = scene.clock.now().plus(FIRST);
    let mut seen = BTreeSet::new();
    loop {
        let page = scene.store.list_due(scene.account).await.unwrap();
        assert!(page.len() <= PAGE);
        assert!(page.is_sorted_by_key(|message| message.due.at));
        if page.is_empty() {
            break;
        }
        for batch in page.chunks(50) {
            let moved = batch
                .iter()
                .map(|message| polled(&scene, message, Some(next)));
            let recorded = scene.store.record_polls(&lease, moved.collect()).await;
            assert_eq!(recorded.unwrap(), Recorded::Done(batch.len()));
        }
        seen.extend(page.into_iter().map(|message| message.id));
    }
    assert_eq!(seen.len(), MANY);
    assert_eq!(due_accounts(&scene).await, [other]);
}

on_each_engine!(an_inbox_goes_on_from_where_it_was_read_to);
async fn an_inbox_goes_on_from_where_it_was_read_to(scene: Scene) {
    let now = scene.clock.now();
    let account = Account {
        id: scene.account,
        tenant_id: scene.tenant,
        slug: "clinic".parse().unwrap(),
        provider: "africastalking".to_owned(),
        environment: Environment::default(),
        checks: vec![1],
        status_api: Some(vec![2]),
        silence: Silence::default(),
        created_at: now,
        updated_at: now,
    };
    scene.store.create_account(account).await.unwrap();
    let every = Duration::from_mins(1);
    let find = || {
        scene
            .store
            .find_due_inboxes(vec!["africastalking"], every, 10)
    };
    assert_eq!(find().await.unwrap(), [scene.account]);
    assert_eq!(scene.store.find_inbox(scene.account).await.unwrap(), None);
    let held = lease(&scene, "a").await.unwrap();
    assert_eq!(find().await.unwrap(), [], "somebody reads it");
    let read = Inbox {
        cursor: Some("17".to_owned()),
        fetched_at: scene.clock.now(),
    };
    let recorded = scene.store.record_inbox(&held, read.clone()).await;
    assert_eq!(recorded.unwrap(), Recorded::Done(1));
    assert_eq!(
        scene.store.find_inbox(scene.account).await.unwrap(),
        Some(read.clone())
    );
    scene
        .store
        .give_back(&held, Given::default())
        .await
        .unwrap();
    assert_eq!(find().await.unwrap(), [], "it was read just now");
    scene.clock.advance(every);
    assert_eq!(find().await.unwrap(), [scene.account]);
    let late = scene.store.record_inbox(&held, read).await.unwrap();
    assert_eq!(late, Recorded::LeaseLost);
    let gone = scene
        .store
        .delete_account(scene.tenant, scene.account)
        .await;
    assert!(gone.unwrap());
    assert_eq!(scene.count(&["inboxes"]).await, [0]);
}

on_each_engine!(what_was_asked_is_forgotten_by_its_age);
async fn what_was_asked_is_forgotten_by_its_age(scene: Scene) {
    register(&scene, "m-1").await;
    pass(&scene);
    let lease = lease(&scene, "a").await.unwrap();
    let due = scene.store.list_due(scene.account).await.unwrap();
    let asked = vec![polled(&scene, &due[0], None)];
    scene.store.record_polls(&lease, asked).await.unwrap();
    let forget = || {
        scene
            .store
            .forget_page(Kind::Polls, scene.clock.now(), None)
    };
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(forget().await.unwrap().rows, 1);
    assert_eq!(scene.count(&["polls"]).await, [0]);
}

/// Somebody wants a message asked about; it is found, asked about, and due later.
pub async fn ask_about_one(scene: &Scene, id: &str) {
    let id = register(scene, id).await;
    let wished = scene.store.poll_now(scene.tenant, id).await.unwrap();
    assert!(matches!(wished, Wished::Due(_)));
    assert_eq!(due_accounts(scene).await, [scene.account]);
    let lease = lease(scene, "a").await.unwrap();
    let due = scene.store.list_due(scene.account).await.unwrap();
    let next = scene.clock.now().plus(FIRST);
    let asked = due.iter().map(|message| polled(scene, message, Some(next)));
    let recorded = scene.store.record_polls(&lease, asked.collect()).await;
    assert_eq!(recorded.unwrap(), Recorded::Done(1));
    scene
        .store
        .give_back(&lease, Given::default())
        .await
        .unwrap();
    scene.store.poll_backlog().await.unwrap();
}

on_each_engine!(what_a_provider_answered_of_an_erased_number_is_erased);
async fn what_a_provider_answered_of_an_erased_number_is_erased(scene: Scene) {
    register(&scene, "m-1").await;
    pass(&scene);
    let lease = lease(&scene, "a").await.unwrap();
    let due = scene.store.list_due(scene.account).await.unwrap();
    let answered = Polled {
        detail: Some(format!("{PHONE} is not on this network")),
        ..polled(&scene, &due[0], None)
    };
    scene
        .store
        .record_polls(&lease, vec![answered])
        .await
        .unwrap();
    let digits = PHONE.trim_start_matches('+');
    assert!(scene.holds(digits).await);
    let number = domain::erasure::Number::parse(PHONE).unwrap();
    scene.store.erase(scene.tenant, number).await.unwrap();
    assert!(!scene.holds(digits).await);
    assert_eq!(scene.count(&["polls"]).await, [1]);
}
