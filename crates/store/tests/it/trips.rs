//! How often PostgreSQL is waited for.

use crate::proxy::Proxy;
use crate::scene::{PHONE, Scene};
use domain::State;
use domain::message::Registration;
use domain::poll::Plan;
use domain::report::Report;
use domain::send_attempt::SendAttempt;
use std::sync::Arc;
use tidings_store::Store;
use tidings_store::message::Registered;

/// How often each is done: the least counts, since statements are prepared once for each connection, and
/// now and then one is renewed.
const TIMES: usize = 12;

on_postgres!(only_notifications_and_messages_that_were_sent_again_cost_a_further_round_trip);
async fn only_notifications_and_messages_that_were_sent_again_cost_a_further_round_trip(
    scene: Scene,
) {
    let proxy = Proxy::before(scene.url()).await;
    let url = proxy.url(scene.url());
    let store = Store::open_postgres(&url, scene.clock.clone(), scene.random.clone()).unwrap();
    let (mut plain, mut notified, mut sent_again) = (Costs::new(), Costs::new(), Costs::new());
    for number in 0..TIMES {
        let registration = scene.registration(&format!("p-{number}"), PHONE);
        plain
            .of_message(&scene, &store, &proxy, registration, false)
            .await;
        let registration = Registration {
            notification_id: Some(format!("n-{number}")),
            ..scene.registration(&format!("n-{number}"), PHONE)
        };
        notified
            .of_message(&scene, &store, &proxy, registration, false)
            .await;
        let registration = scene.registration(&format!("a-{number}"), PHONE);
        sent_again
            .of_message(&scene, &store, &proxy, registration, true)
            .await;
    }
    assert_eq!(notified.register, plain.register + 1);
    assert_eq!(sent_again.register, plain.register);
    assert_eq!(notified.apply, plain.apply + 1);
    assert_eq!(sent_again.apply, plain.apply + 1);
    // The transaction's begin and commit are two. Registering: names, message, waiting reports. Applying:
    // receipts, those of each callback, their rows, names, messages, what was heard, the changes.
    assert_eq!((plain.register, plain.apply), (5, 9));
}

/// The least round trips of each.
struct Costs {
    register: usize,
    apply: usize,
}

impl Costs {
    const fn new() -> Self {
        Self {
            register: usize::MAX,
            apply: usize::MAX,
        }
    }

    async fn of_message(
        &mut self,
        scene: &Scene,
        store: &Store,
        proxy: &Proxy,
        registration: Registration,
        is_sent_again: bool,
    ) {
        let id = registration.provider_message_id.clone().unwrap();
        let before = proxy.round_trips();
        let registered = store.register_message(scene.tenant, registration).await;
        self.register = self.register.min(proxy.round_trips() - before);
        let Registered::New { message, .. } = registered.unwrap() else {
            panic!("it is new")
        };
        if is_sent_again {
            let attempt = SendAttempt {
                number: 0,
                account_id: scene.account,
                provider_account: "clinic".parse().unwrap(),
                provider: "stub".to_owned(),
                provider_message_id: Some(format!("{id}-again")),
                client_reference: None,
                created_at: scene.clock.now(),
            };
            let sent = store
                .send_again(scene.tenant, message.id, attempt, Plan::default())
                .await;
            sent.unwrap();
        }
        let report: Report = Scene::report(&id, State::Delivered);
        let batch = Arc::new(vec![scene.callback(vec![report])]);
        let before = proxy.round_trips();
        store.apply_callbacks(batch).await.unwrap();
        self.apply = self.apply.min(proxy.round_trips() - before);
    }
}
