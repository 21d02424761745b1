//! How PostgreSQL goes about our statements.

use crate::deliveries::{attempt, claim_due, recipients};
use crate::scene::{PHONE, Scene, ask};
use domain::State;
use std::time::Duration;
use tidings_store::delivery::Then;
use tidings_store::directory::Directory;
use tidings_store::idempotency::{Answer, Claim};

/// Everything that grows with the work done.
const GROWING: &str = "'^(events|deliveries|attempts|messages|message_history|send_attempts|callbacks|\
                       callback_keys|report_keys|orphans|idempotency_keys)'";

// The plans are made while the tables are empty, and nobody analyses these.
on_postgres!(whatever_is_done_about_an_event_or_a_callback_reads_only_their_rows);
async fn whatever_is_done_about_an_event_or_a_callback_reads_only_their_rows(scene: Scene) {
    let holding = scene.hold_all("a").await;
    scene.subscribe(&["*"]).await;
    let directory = Directory::default();
    let mut looks = 0;
    let read_whole = loop {
        work(&scene, &holding, &directory, looks).await;
        // The server counts once a second.
        tokio::time::sleep(Duration::from_millis(250)).await;
        looks += 1;
        assert!(looks < 60, "the server does not count");
        let counted = "select sum(idx_scan) > 500 from pg_stat_user_tables where relname ~ ";
        if ask(scene.url(), &format!("{counted}{GROWING}")).await == ["t"] {
            let whole = "select relname || ': ' || seq_tup_read || ' rows' \
                         from pg_stat_user_tables where seq_tup_read > 0 and relname ~ ";
            break ask(scene.url(), &format!("{whole}{GROWING}")).await;
        }
    };
    assert!(read_whole.is_empty(), "{read_whole:?}");
}

/// What a tracker, an API and a dispatcher do: twenty of each, one of which is tried twice.
async fn work(
    scene: &Scene,
    holding: &tidings_store::shard::Holding,
    directory: &Directory,
    round: u32,
) {
    let now = scene.clock.now();
    let mut callbacks = Vec::new();
    for number in 0..20 {
        let claim = Claim {
            tenant_id: scene.tenant,
            key: scene.random.bytes(),
            body_hash: [0; 32],
            answer: Answer {
                status: 202,
                body: "{}".to_owned(),
            },
            at: now,
        };
        let event = scene.event("job.created");
        let published = scene.store.publish_event(event, Some(claim)).await;
        published.unwrap();
        let id = format!("m-{round}-{number}");
        let message = scene.registration(&id, PHONE);
        let registered = scene.store.register_message(scene.tenant, message).await;
        registered.unwrap();
        callbacks.push(scene.callback(vec![Scene::report(&id, State::Delivered)]));
    }
    scene.track(callbacks).await;
    let done = scene.fan_out_with_room(holding, directory, 30).await;
    let recipients = recipients(&done.owed);
    let ended = recipients.iter().enumerate().map(|(number, to)| {
        let then = if number == 0 {
            Then::RetryAt(now)
        } else {
            Then::End(domain::delivery::State::Delivered)
        };
        attempt(scene, holding, *to, then)
    });
    scene.store.record_attempts(ended.collect()).await.unwrap();
    claim_due(scene, holding, 30).await;
    for (subscription, _) in done.backlogs.into_iter().take(1) {
        let shard = domain::Shard::of_subscription(subscription);
        let lease = holding.shards.iter().find(|lease| lease.shard == shard);
        let lease = *lease.unwrap();
        let claimed = scene
            .store
            .claim_backlog(lease, subscription, 20, directory)
            .await;
        assert!(!claimed.unwrap().owed.is_empty());
    }
}
