//! How the engines go about our statements.

use crate::deliveries::{attempt, claim_due, lease, recipients};
use crate::scene::{PHONE, Scene, ask};
use crate::tallies::{end, make_account};
use domain::State;
use domain::message::Outcome;
use domain::tally::{By, Slot};
use std::time::Duration;
use tidings_store::asked::Asked;
use tidings_store::delivery::Then;
use tidings_store::directory::Directory;
use tidings_store::idempotency::{Answer, Claim};
use tidings_store::message::{Filter, Registered};
use tidings_store::page::Window;
use tidings_store::tally::{self, Book};

/// Everything that grows with the work done.
const GROWING: &str = "'^(events|deliveries|attempts|messages|message_history|send_attempts|notifications|callbacks|\
                       callback_keys|report_keys|orphans|idempotency_keys|tallies|polls)'";

// The plans are made while the tables are empty, and nobody analyses these.
on_postgres!(whatever_is_done_about_an_event_or_a_callback_reads_only_their_rows);
async fn whatever_is_done_about_an_event_or_a_callback_reads_only_their_rows(scene: Scene) {
    make_account(&scene, scene.account, scene.tenant, "clinic").await;
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

/// What a tracker, an API and a dispatcher do: twenty of each, one of which is tried twice. Then the whole
/// story of each message is read.
async fn work(
    scene: &Scene,
    holding: &tidings_store::shard::Holding,
    directory: &Directory,
    round: u32,
) {
    let now = scene.clock.now();
    let mut callbacks = Vec::new();
    let mut messages = Vec::new();
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
        let mut message = scene.registration(&id, PHONE);
        message.notification_id = (number % 2 == 0).then(|| format!("n-{round}"));
        let registered = scene.store.register_message(scene.tenant, message).await;
        let Registered::New { message, .. } = registered.unwrap() else {
            panic!("{id} is known")
        };
        messages.push(message.id);
        callbacks.push(scene.callback(vec![Scene::report(&id, State::Delivered)]));
    }
    scene.track(callbacks).await;
    crate::polls::ask_about_one(scene, &format!("silent-{round}")).await;
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
    count(scene).await;
    for id in messages {
        let timeline = scene.store.timeline(scene.tenant, id).await.unwrap();
        assert!(timeline.unwrap().lines.len() >= 4);
    }
    for to in &recipients {
        let store = &scene.store;
        let retried = store.retry_delivery(scene.tenant, to.delivery_id).await;
        retried.unwrap();
        let cancelled = store.cancel_delivery(scene.tenant, to.delivery_id).await;
        cancelled.unwrap();
        let lease = lease(holding, *to);
        let claimed = store
            .claim_later(lease, to.subscription_id, 20, directory)
            .await;
        claimed.unwrap();
    }
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

/// The filters that take a beginning, with the index that finds each.
fn beginnings() -> Vec<(&'static str, Filter, [&'static str; 2])> {
    let asked = || Some(Asked::Beginning("+254700000".to_owned()));
    let none = Filter::default;
    vec![
        (
            "recipient",
            Filter {
                to: asked(),
                ..none()
            },
            [
                "messages_by_tenant_recipient",
                "messages_by_tenant_recipient",
            ],
        ),
        (
            "notification_id",
            Filter {
                notification_id: asked(),
                ..none()
            },
            [
                "messages_by_tenant_notification",
                "messages_by_tenant_notification",
            ],
        ),
        (
            "provider_message_id",
            Filter {
                provider_message_id: asked(),
                ..none()
            },
            [
                "messages_by_tenant_message",
                "send_attempts_by_tenant_message",
            ],
        ),
        (
            "client_reference",
            Filter {
                client_reference: asked(),
                ..none()
            },
            [
                "messages_by_tenant_reference",
                "send_attempts_by_tenant_reference",
            ],
        ),
    ]
}

on_each_engine!(messages_are_found_by_the_beginning_of_a_text_through_its_index);
async fn messages_are_found_by_the_beginning_of_a_text_through_its_index(scene: Scene) {
    let mut registration = scene.registration("+25470000000", PHONE);
    registration.client_reference = Some("+254700000".to_owned());
    registration.notification_id = Some("+254700000 x".to_owned());
    let registered = scene.store.register_message(scene.tenant, registration);
    registered.await.unwrap();
    let mut other = scene.registration("+2547", "+254800000001");
    other.notification_id = Some("+25470000".to_owned());
    scene
        .store
        .register_message(scene.tenant, other)
        .await
        .unwrap();
    let is_sqlite = scene.explain("select 1").is_some();
    if !is_sqlite {
        // Many of the same tenant, and others.
        let many = "insert into messages select made.* \
            from messages m, generate_series(1, 5000) n, jsonb_populate_record(m, jsonb_build_object( \
                'id', gen_random_uuid(), 'identity_key', '\\x' || md5(n::text), \
                'recipient', '+2551' || n, 'provider_message_id', 'p' || n, \
                'client_reference', 'r' || n, 'notification_id', 'n' || n)) made \
            where m.provider_message_id = '+2547'";
        ask(scene.url(), many).await;
    }
    for (column, filter, indexes) in beginnings() {
        let window = Window {
            before: None,
            limit: 50,
        };
        let page = scene
            .store
            .list_messages(scene.tenant, filter, window)
            .await;
        assert_eq!(page.unwrap().items.len(), 1, "{column}");
        for (index, key) in indexes.into_iter().zip(["id", "message_id"]) {
            let table = index.split_once("_by").unwrap().0;
            let key = if table == "messages" { "id" } else { key };
            let query = format!(
                "select {key} from {table} where tenant_id = x'00' and {column} >= '+25470' \
                 and {column} < '+25471' order by {key} desc limit 51"
            );
            if let Some(plan) = scene.explain(&query) {
                assert!(
                    plan.contains(&format!(
                        "INDEX {index} (tenant_id=? AND {column}>? AND {column}<?)"
                    )),
                    "{plan}"
                );
            } else {
                wait_for_scan(&scene, index).await;
            }
        }
    }
}

/// Waits until the server has counted that an index was looked into.
async fn wait_for_scan(scene: &Scene, index: &str) {
    for _ in 0..60 {
        let counted = format!(
            "select coalesce(sum(idx_scan), 0) > 0 from pg_stat_user_indexes where indexrelname = '{index}'"
        );
        if ask(scene.url(), &counted).await == ["t"] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("{index} was not used");
}

/// What is counted of them.
async fn count(scene: &Scene) {
    let (book, now) = (Book::default(), scene.clock.now());
    book.note(|sheet| {
        sheet.processed(scene.account, now, Duration::ZERO, &[Outcome::Applied]);
        sheet.ended(&end(scene.account, By::Callback, now));
    });
    book.hand_in(&scene.store).await.unwrap();
}

on_postgres!(whoever_asks_for_counts_reads_only_the_slots_and_names_asked_for);
async fn whoever_asks_for_counts_reads_only_the_slots_and_names_asked_for(scene: Scene) {
    make_account(&scene, scene.account, scene.tenant, "clinic").await;
    let now = Slot::of(scene.clock.now());
    // Four days of 25 accounts of as many tenants, of which one is this one.
    let own = (scene.account.0, scene.tenant.0);
    let fill = format!(
        "insert into tallies (slot, account_id, name, tenant_id, provider, count) \
         select {} - slot, case number when 0 then '{}'::uuid else md5(number::text)::uuid end, \
                name, case number when 0 then '{}'::uuid else md5(number::text)::uuid end, 'stub', 1 \
         from generate_series(0, 1151) as slot, generate_series(0, 24) as number, \
              unnest(array['received', 'ended_callback', 'delay_le_64']) as name; \
         analyze tallies; select pg_stat_reset()",
        now.0, own.0, own.1
    );
    ask(scene.url(), &fill).await;
    let filter = tally::Filter {
        account_id: None,
        provider: None,
        slots: now.before(287)..Slot(now.0 + 1),
    };
    let sums = scene
        .store
        .sum_callbacks(scene.tenant, filter)
        .await
        .unwrap();
    assert_eq!(sums.values().map(|sums| sums.received).sum::<u64>(), 288);
    let health = scene.store.find_health(scene.tenant, scene.account).await;
    assert!(health.unwrap().is_some());
    let judged = scene.store.judge_providers(0.3).await.unwrap();
    assert_eq!(judged.missed.get("stub"), Some(&Some(0.0)));
    let limit = now.before(1_146).start();
    assert_eq!(scene.store.forget_tallies(limit).await.unwrap(), 24);
    let mut looks = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        looks += 1;
        assert!(looks < 60, "the server does not count");
        let counted = "select idx_scan > 0, seq_tup_read from pg_stat_user_tables \
                       where relname = 'tallies' and idx_tup_fetch > 500";
        if ask(scene.url(), counted).await == ["t"] {
            break;
        }
    }
    let whole = "select seq_tup_read from pg_stat_user_tables where relname = 'tallies'";
    assert_eq!(ask(scene.url(), whole).await, ["0"]);
}

on_postgres!(a_timeline_finds_the_events_of_its_message_among_all_others_of_the_days_since);
async fn a_timeline_finds_the_events_of_its_message_among_all_others_of_the_days_since(
    scene: Scene,
) {
    let registration = scene.registration("m-1", PHONE);
    let registered = scene
        .store
        .register_message(scene.tenant, registration)
        .await;
    let Registered::New { message, .. } = registered.unwrap() else {
        panic!("it is known")
    };
    let report = Scene::report("m-1", State::Delivered);
    scene.track(vec![scene.callback(vec![report])]).await;
    // Three days of others' events, two thousand each.
    let fill = format!(
        "insert into events (id, tenant_id, shard, event_type, version, environment, created_at, \
             source, data, message_id, transition, caused_at) \
         select (lpad(to_hex({} + day * 86400000), 12, '0') || substr(md5(day || '.' || n), 1, 20))::uuid, \
             '{}'::uuid, 1, 'sms.sent', 1, 'production', now(), 'tidings', '{{}}', \
             md5(n::text)::uuid, 1, now() \
         from generate_series(0, 2) as day, generate_series(1, 2000) as n; \
         analyze events; select pg_stat_reset()",
        scene.clock.now().as_millis(),
        scene.tenant.0,
    );
    ask(scene.url(), &fill).await;
    let found = scene.store.timeline(scene.tenant, message.id).await;
    assert_eq!(found.unwrap().unwrap().lines.len(), 4);
    let read = "select case when indexrelname like '%message_id%' then 'by message' else 'others' end \
                    || ': ' || sum(idx_tup_read) \
                from pg_stat_user_indexes where relname ~ '^events' and idx_tup_read > 0 \
                group by indexrelname like '%message_id%'";
    let mut looks = 0;
    let read = loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        looks += 1;
        assert!(looks < 60, "the server does not count");
        let read = ask(scene.url(), read).await;
        if !read.is_empty() {
            break read;
        }
    };
    // The planner itself looks at where an index ends, in each partition.
    let few = |line: &String| line == "by message: 1" || line == "others: 3";
    assert!(
        read.contains(&"by message: 1".to_owned()) && read.iter().all(few),
        "{read:?}"
    );
    let whole = "select sum(seq_tup_read) from pg_stat_user_tables where relname ~ '^events'";
    assert_eq!(ask(scene.url(), whole).await, ["0"]);
}
