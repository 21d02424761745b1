//! The event log and the feed, and batches.

use crate::scene::{PHONE, Scene, ask};
use domain::account::Environment;
use domain::event::{Event, Resource};
use domain::id::{EventId, MessageId, TenantId};
use futures_util::future::join_all;
use std::time::Duration;
use tidings_store::directory::Directory;
use tidings_store::event::{About, Batch, Filter, Publication, Published, Since};
use tidings_store::idempotency::{Answer, Claim};
use tidings_store::news::Told;
use tidings_store::page::Window;

const FIRST: Window<i64> = Window {
    before: None,
    limit: 50,
};

fn about(event: Event, kind: &str, id: &str) -> Event {
    Event {
        resource: Some(Resource {
            kind: kind.to_owned(),
            id: id.to_owned(),
            data: None,
        }),
        ..event
    }
}

async fn write(scene: &Scene, event: Event) -> EventId {
    let id = event.id;
    scene.store.publish_event(event, None).await.unwrap();
    id
}

async fn listed(scene: &Scene, filter: Filter) -> Vec<EventId> {
    let page = scene.store.list_events(scene.tenant, filter, FIRST).await;
    let page = page.unwrap();
    assert_eq!(page.next, None);
    page.items.into_iter().map(|kept| kept.event.id).collect()
}

fn of_type(name: &str) -> Filter {
    Filter {
        event_type: Some(name.to_owned()),
        ..Filter::default()
    }
}

fn that_begin(with: &[&str]) -> Filter {
    Filter {
        beginnings: with.iter().map(|&text| text.to_owned()).collect(),
        ..Filter::default()
    }
}

fn that_are_about(kind: &str, id: Option<&str>) -> Filter {
    Filter {
        about: Some(About::new(kind.to_owned(), id.map(str::to_owned))),
        ..Filter::default()
    }
}

on_each_engine!(events_are_found_by_what_they_are);
async fn events_are_found_by_what_they_are(scene: Scene) {
    let message = MessageId::new(scene.clock.now(), &scene.random).to_string();
    let created = write(&scene, scene.event("job.created")).await;
    let told = about(scene.event("sms.sent"), "message", &message);
    let told = write(&scene, told).await;
    let odd = about(scene.event("job.failed"), "message", "no id of ours");
    let odd = write(&scene, odd).await;
    let run = about(scene.event("job.failed"), "run", "r-1");
    let run = write(&scene, run).await;
    let number = write(&scene, scene.event("phone_number.assigned")).await;
    let staging = Event {
        environment: "staging".parse::<Environment>().unwrap(),
        ..about(scene.event("job.created"), "run", "r-2")
    };
    let staging = write(&scene, staging).await;

    assert_eq!(
        listed(&scene, of_type("job.created")).await,
        [staging, created]
    );
    assert_eq!(listed(&scene, of_type("job")).await, []);
    let jobs = [staging, run, odd, created];
    assert_eq!(listed(&scene, that_begin(&["job."])).await, jobs);
    assert_eq!(
        listed(&scene, that_begin(&["job.", "job.f"])).await,
        [run, odd]
    );
    assert_eq!(
        listed(&scene, that_begin(&["phone_number."])).await,
        [number]
    );
    // What means something to LIKE means itself.
    for other in ["phoneXnumber.", "%", "job_"] {
        assert_eq!(listed(&scene, that_begin(&[other])).await, [], "{other}");
    }
    let messages = [odd, told];
    assert_eq!(
        listed(&scene, that_are_about("message", None)).await,
        messages
    );
    let of_message = that_are_about("message", Some(&message));
    assert_eq!(listed(&scene, of_message).await, [told]);
    let of_odd = that_are_about("message", Some("no id of ours"));
    assert_eq!(listed(&scene, of_odd).await, [odd]);
    assert_eq!(
        listed(&scene, that_are_about("run", None)).await,
        [staging, run]
    );
    assert_eq!(
        listed(&scene, that_are_about("run", Some("r-1"))).await,
        [run]
    );
    let in_staging = Filter {
        environment: Some("staging".parse().unwrap()),
        ..that_are_about("run", None)
    };
    assert_eq!(listed(&scene, in_staging.clone()).await, [staging]);
    let elsewhere = Filter {
        event_type: Some("job.failed".to_owned()),
        ..in_staging
    };
    assert_eq!(listed(&scene, elsewhere).await, []);
    let others = scene
        .store
        .list_events(TenantId::PLATFORM, that_begin(&["job."]), FIRST)
        .await;
    assert!(others.unwrap().items.is_empty());
}

on_each_engine!(events_are_found_by_their_time_to_the_millisecond);
async fn events_are_found_by_their_time_to_the_millisecond(scene: Scene) {
    let mut written = Vec::new();
    for _ in 0..6 {
        let event = scene.event("job.created");
        let at = event.created_at;
        written.insert(0, (write(&scene, event).await, at));
        scene.clock.advance(Duration::from_mins(7));
    }
    for (from, to) in [(0, 5), (1, 3), (2, 2), (0, 0), (5, 5)] {
        // Newest first: `to` is later than `from`.
        let filter = Filter {
            after: Some(written[to].1),
            before: Some(written[from].1.plus(Duration::from_millis(1))),
            ..Filter::default()
        };
        let expected: Vec<EventId> = written[from..=to].iter().map(|(id, _)| *id).collect();
        assert_eq!(listed(&scene, filter).await, expected, "{from} {to}");
    }
    let before_all = Filter {
        before: Some(written[5].1),
        ..Filter::default()
    };
    assert_eq!(listed(&scene, before_all).await, []);
    let after_all = Filter {
        after: Some(scene.clock.now()),
        ..Filter::default()
    };
    assert_eq!(listed(&scene, after_all).await, []);
}

/// Fills the log with so many events of this tenant, all of one type and stamped.
async fn fill(scene: &Scene, number: i64) {
    scene.publish("job.created").await;
    let holding = scene.hold_all("a").await;
    scene.fan_out(&holding, &Directory::default()).await;
    let (made, id) = if scene.explain("select 1").is_some() {
        (
            format!(
                "with recursive n(n) as (select 1 union all select n + 1 from n where n < {number})"
            ),
            "randomblob(16)",
        )
    } else {
        (
            format!("with n as (select n from generate_series(1, {number}) n)"),
            "gen_random_uuid()",
        )
    };
    let sql = format!(
        "{made} insert into events (id, tenant_id, shard, event_type, version, environment, \
             created_at, source, data, caused_at, sequence) \
         select {id}, tenant_id, shard, event_type, version, environment, created_at, source, \
             data, caused_at, sequence + n from events, n"
    );
    scene.change(&sql).await;
    scene
        .change(&format!("update shards set sequence = sequence + {number}"))
        .await;
}

on_each_engine!(a_filter_that_nothing_fits_looks_at_a_bounded_number_of_events_and_goes_on);
async fn a_filter_that_nothing_fits_looks_at_a_bounded_number_of_events_and_goes_on(scene: Scene) {
    fill(&scene, 24_999).await;
    let elsewhere = || Filter {
        environment: Some("staging".parse().unwrap()),
        ..Filter::default()
    };
    let (mut pages, mut before) = (0, None);
    loop {
        let window = Window { before, limit: 10 };
        let page = scene
            .store
            .list_events(scene.tenant, elsewhere(), window)
            .await;
        let page = page.unwrap();
        assert!(page.items.is_empty());
        pages += 1;
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3, "ten thousand at a time");
    let (mut pages, mut since) = (0, Since::Start);
    loop {
        let page = scene
            .store
            .feed_events(scene.tenant, elsewhere(), since, 10)
            .await
            .unwrap();
        assert!(page.items.is_empty());
        pages += 1;
        since = Since::Sequence(page.next);
        if page.is_end {
            break;
        }
    }
    assert_eq!(pages, 3);
}

on_each_engine!(each_filter_of_the_log_has_its_index);
async fn each_filter_of_the_log_has_its_index(scene: Scene) {
    let queries = [
        (
            "events_by_sequence",
            "event_type || '' = 'job.failed' and resource_id || '' = 'r-1' \
             and sequence > 7 and sequence <= 9 order by sequence limit 51",
            "(tenant_id=? AND sequence>? AND sequence<?)",
        ),
        (
            "events_by_type",
            "event_type = 'job.failed' order by position desc limit 51",
            "(tenant_id=? AND event_type=?)",
        ),
        (
            "events_by_resource",
            "resource_type = 'run' and resource_id = 'r-1' order by position desc limit 51",
            "(tenant_id=? AND resource_type=? AND resource_id=?)",
        ),
        (
            "events_by_sequence",
            "sequence > 7 and sequence <= 9 order by sequence limit 51",
            "(tenant_id=? AND sequence>? AND sequence<?)",
        ),
    ];
    if scene.explain("select 1").is_some() {
        for (index, rest, by) in queries {
            let query = format!("select * from events where tenant_id = x'00' and {rest}");
            let plan = scene.explain(&query).unwrap();
            assert!(plan.contains(&format!("INDEX {index} {by}")), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
        return;
    }
    // Most partitions are too small here for any index to be worth its while.
    let forced = "set enable_seqscan = off; set enable_sort = off; set enable_bitmapscan = off; \
                  explain select * from events where tenant_id =";
    for (index, rest, _) in queries {
        let query = format!("{forced} '{}' and {rest}", scene.tenant.0);
        let plan = ask(scene.url(), &query).await.join("\n");
        let columns = match index {
            "events_by_type" => "tenant_id_event_type_position_idx",
            "events_by_resource" => "tenant_id_resource_type_resource_id_position_idx",
            _ => "tenant_id_sequence_idx",
        };
        assert!(
            plan.contains(&format!("events_default_{columns}")),
            "{plan}"
        );
        assert!(!plan.contains("Sort  ("), "{plan}");
    }
}

on_each_engine!(the_feed_has_what_is_stamped_in_its_order_and_goes_on_where_it_was);
async fn the_feed_has_what_is_stamped_in_its_order_and_goes_on_where_it_was(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let directory = Directory::default();
    let read = async |since, filter, limit| {
        let page = scene
            .store
            .feed_events(scene.tenant, filter, since, limit)
            .await;
        let page = page.unwrap();
        let ids: Vec<EventId> = page.items.iter().map(|kept| kept.event.id).collect();
        (ids, page.next, page.is_end)
    };
    let (ids, start, is_end) = read(Since::Start, Filter::default(), 10).await;
    assert_eq!((ids, is_end), (vec![], true));
    let mut written = Vec::new();
    for number in 0..5 {
        let name = if number % 2 == 0 {
            "job.created"
        } else {
            "job.failed"
        };
        written.push(scene.publish(name).await);
    }
    let (ids, ..) = read(Since::Start, Filter::default(), 10).await;
    assert!(ids.is_empty(), "nobody stamped them");
    scene.fan_out(&holding, &directory).await;
    let (ids, next, is_end) = read(Since::Sequence(start), Filter::default(), 3).await;
    assert_eq!((ids, is_end), (written[..3].to_vec(), false));
    let (ids, next, is_end) = read(Since::Sequence(next), Filter::default(), 3).await;
    assert_eq!((ids, is_end), (written[3..].to_vec(), true));
    assert_eq!(
        read(Since::Now, Filter::default(), 3).await,
        (vec![], next, true)
    );
    // A filter changes what is shown, and not how far one is.
    let (ids, reached, _) = read(Since::Start, of_type("job.failed"), 10).await;
    assert_eq!((ids, reached), (vec![written[1], written[3]], next));
    let (ids, reached, is_end) = read(Since::Start, of_type("sms.sent"), 10).await;
    assert_eq!((ids, reached, is_end), (vec![], next, true));
    // Who is further than the store goes on with what comes.
    assert_eq!(
        read(Since::Sequence(next + 100), Filter::default(), 3)
            .await
            .1,
        next
    );
    let newest = scene
        .store
        .newest_sequences(vec![domain::Shard::of_tenant(scene.tenant)])
        .await
        .unwrap();
    assert_eq!(newest, [(domain::Shard::of_tenant(scene.tenant), next)]);
    let others = scene
        .store
        .feed_events(TenantId::PLATFORM, Filter::default(), Since::Start, 10)
        .await;
    assert!(others.unwrap().items.is_empty());
}

fn publication(scene: &Scene, key: Option<(u8, u8)>) -> Publication {
    let event = scene.event("job.created");
    Publication {
        claim: key.map(|(key, body)| claim(scene, key, body, &format!("{}", event.id))),
        event,
        counts: false,
    }
}

fn claim(scene: &Scene, key: u8, body: u8, answer: &str) -> Claim {
    Claim {
        tenant_id: scene.tenant,
        key: [key; 32],
        body_hash: [body; 32],
        answer: Answer {
            status: 202,
            body: answer.to_owned(),
        },
        at: scene.clock.now(),
    }
}

on_each_engine!(a_batch_is_written_as_one_and_each_of_its_keys_counts);
async fn a_batch_is_written_as_one_and_each_of_its_keys_counts(scene: Scene) {
    let say = |done: &[Published]| format!("{} done", done.len());
    let publish = async |batch, claim| scene.store.publish_batch(batch, claim, say).await.unwrap();
    let first = publication(&scene, Some((1, 1)));
    let id = first.event.id.to_string();
    let batch = vec![
        first,
        publication(&scene, None),
        publication(&scene, Some((1, 1))),
        publication(&scene, Some((1, 2))),
    ];
    let again = Published::Replayed(Answer {
        status: 202,
        body: id.clone(),
    });
    let expected = [
        Published::New,
        Published::New,
        again.clone(),
        Published::Mismatch,
    ];
    let expected = Batch::New(expected.to_vec(), Told::default());
    assert_eq!(publish(batch, None).await, expected);
    assert_eq!(listed(&scene, Filter::default()).await.len(), 2);

    // The key of the whole is for the whole, and answers what was answered.
    let whole = || Some(claim(&scene, 9, 9, ""));
    let batch = || vec![publication(&scene, Some((1, 1))), publication(&scene, None)];
    let expected = Batch::New(vec![again, Published::New], Told::default());
    assert_eq!(publish(batch(), whole()).await, expected);
    let answer = Answer {
        status: 202,
        body: "2 done".to_owned(),
    };
    assert_eq!(publish(batch(), whole()).await, Batch::Replayed(answer));
    let other = Some(claim(&scene, 9, 8, ""));
    assert_eq!(publish(batch(), other).await, Batch::Mismatch);
    assert_eq!(listed(&scene, Filter::default()).await.len(), 3);
}

on_each_engine!(of_batches_at_once_under_one_key_one_is_written);
async fn of_batches_at_once_under_one_key_one_is_written(scene: Scene) {
    let publishes = (0..8).map(|_| {
        let batch = (0..20).map(|_| publication(&scene, None)).collect();
        let whole = Some(claim(&scene, 9, 9, ""));
        let say = |done: &[Published]| format!("{} done", done.len());
        scene.store.publish_batch(batch, whole, say)
    });
    let done = join_all(publishes).await;
    let new = done
        .iter()
        .filter(|done| matches!(done.as_ref().unwrap(), Batch::New(..)));
    assert_eq!(new.count(), 1);
    assert_eq!(listed(&scene, Filter::default()).await.len(), 20);
}

on_each_engine!(a_number_that_names_a_resource_is_not_found_by_once_it_is_erased);
async fn a_number_that_names_a_resource_is_not_found_by_once_it_is_erased(scene: Scene) {
    let event = about(scene.event("phone_number.assigned"), "number", PHONE);
    write(&scene, event).await;
    let by_number = || that_are_about("number", Some(PHONE));
    assert_eq!(listed(&scene, by_number()).await.len(), 1);
    let number = domain::erasure::Number::parse(PHONE).unwrap();
    scene.store.erase(scene.tenant, number).await.unwrap();
    assert_eq!(listed(&scene, by_number()).await, []);
    assert_eq!(
        listed(&scene, that_are_about("number", None)).await.len(),
        1
    );
    assert!(!scene.holds("254700000001").await);
}
