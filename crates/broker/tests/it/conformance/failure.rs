//! What goes wrong in a handler or its process stays with the job that caused it.

use super::{Backend, ack, crash_in_hand};
use crate::handlers::{
    OPTIONS, QUEUE, Scripted, consume_until, counts, dead, is_empty, publish, retry, text, until,
};
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidings_broker::{Broker, Consume, DeadLetter, Depth, Disposition, Handler, Received};

pub async fn a_job_becomes_a_dead_letter_with_the_last_reason_after_its_attempts(
    backend: impl Backend,
) {
    let broker = backend.open().await;
    let published_at = backend.clock().now();
    publish(&broker, ["bad"]).await;
    let handler = Scripted::new(|job| {
        assert_eq!(job.is_last_attempt, job.attempt == 3);
        retry(Duration::ZERO, &format!("reason {}", job.attempt))
    });
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["bad#1", "bad#2", "bad#3"]);

    broker.close().await;
    let broker = backend.open().await;
    assert_eq!(counts(&broker).await, (0, 0, 0, 1));
    let letters = broker.dead_letters(QUEUE, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].payload, b"bad");
    assert_eq!(letters[0].reason, "reason 3");
    assert_eq!(letters[0].attempts, 3);
    assert!(letters[0].first_seen_at >= published_at);
    assert!(letters[0].died_at >= letters[0].first_seen_at);
}

pub async fn a_deferred_job_costs_no_attempt(backend: impl Backend) {
    let broker = backend.open().await;
    publish(&broker, ["good"]).await;
    let asked = std::sync::atomic::AtomicU32::new(0);
    let handler = Scripted::new(move |job| {
        assert_eq!(job.attempt, 1);
        if asked.fetch_add(1, Ordering::SeqCst) < 2 * OPTIONS.max_attempts {
            return Disposition::Defer {
                after: Duration::ZERO,
                reason: "the store is away".to_owned(),
            };
        }
        Disposition::Ack
    });
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(counts(&broker).await, (0, 0, 0, 0));
    assert_eq!(handler.seen().len(), 7);
}

pub async fn dead_letters_stay_until_they_are_forgotten_and_come_oldest_first(
    backend: impl Backend,
) {
    let broker = backend.open().await;
    let none = broker.claim_dead_letters(QUEUE, 10).await.unwrap();
    assert!(none.letters().is_empty());
    none.forget().await.unwrap();
    bury(&broker, ["a", "b", "c"]).await;

    // Recorded: two of them are gone for good.
    let claimed = broker.claim_dead_letters(QUEUE, 2).await.unwrap();
    let letters = claimed.letters();
    assert_eq!(payloads(&letters), ["a", "b"]);
    assert_eq!(letters[0].reason, "unreadable");
    assert_eq!(letters[0].attempts, 1);
    claimed.forget().await.unwrap();
    assert_eq!(counts(&broker).await, (0, 0, 0, 1));

    // Not recorded: it stays, however often that happens.
    for _ in 0..25 {
        let claimed = broker.claim_dead_letters(QUEUE, 10).await.unwrap();
        let again = claimed.letters();
        assert_eq!(payloads(&again), ["c"]);
        assert_eq!(again[0].reason, "unreadable");
        claimed.put_back().await.unwrap();
    }
    assert_eq!(counts(&broker).await, (0, 0, 0, 1));
    let claimed = broker.claim_dead_letters(QUEUE, 10).await.unwrap();
    claimed.forget().await.unwrap();
    broker.close().await;
    let broker = backend.open().await;
    assert_eq!(counts(&broker).await, (0, 0, 0, 0));
}

pub async fn a_dead_letter_in_hand_when_the_process_dies_is_claimed_again(
    mut backend: impl Backend,
) {
    let broker = backend.open().await;
    bury(&broker, ["a", "b"]).await;
    let claimed = broker.claim_dead_letters(QUEUE, 1).await.unwrap();
    let before = claimed.letters();
    let broker = backend.crash(broker).await;
    drop(claimed);
    until(&broker, |depth| depth.dead == 2).await;
    let claimed = broker.claim_dead_letters(QUEUE, 10).await.unwrap();
    let letters = claimed.letters();
    assert_eq!(payloads(&letters), ["a", "b"]);
    assert_eq!(letters[0], before[0], "it says the same as before");
}

pub async fn what_is_published_again_is_offered_alone_and_begins_anew(backend: impl Backend) {
    let broker = backend.open().await;
    bury(&broker, ["a"]).await;
    let claimed = broker.claim_dead_letters(QUEUE, 10).await.unwrap();
    let payload = claimed.letters()[0].payload.clone();
    claimed.forget().await.unwrap();
    publish(&broker, ["x"]).await;
    broker.publish_again(QUEUE, payload).await.unwrap();
    publish(&broker, ["y"]).await;
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert!(handler.batches().contains(&vec!["a#1".to_owned()]));
    assert_eq!(handler.seen().len(), 3);
    assert_eq!(counts(&broker).await, (0, 0, 0, 0));
}

/// Makes dead letters.
async fn bury(broker: &Broker, payloads: impl IntoIterator<Item = &'static str>) {
    publish(broker, payloads).await;
    let refusing = Scripted::new(|_| dead("unreadable"));
    consume_until(broker, OPTIONS, &refusing, is_empty).await;
}

fn payloads(letters: &[DeadLetter]) -> Vec<String> {
    let text = |letter: &DeadLetter| String::from_utf8(letter.payload.clone()).unwrap();
    letters.iter().map(text).collect()
}

pub async fn one_panicking_job_of_a_hundred_harms_no_other(backend: impl Backend) {
    let broker = backend.open().await;
    publish(&broker, 0..100).await;
    let handler = Scripted::new(|job| {
        assert_ne!(text(job), "42", "cannot do 42");
        Disposition::Ack
    });
    let clock = backend.clock();
    consume_until(&broker, OPTIONS, &handler, |depth| {
        clock.advance(Duration::from_secs(1));
        is_empty(depth)
    })
    .await;
    assert_eq!(counts(&broker).await, (0, 0, 0, 1));
    let others = handler
        .seen()
        .into_iter()
        .filter(|job| !job.starts_with("42#"));
    assert!(others.clone().all(|job| job.ends_with("#1")));
    assert_eq!(others.collect::<std::collections::HashSet<_>>().len(), 99);
    let letters = broker.dead_letters(QUEUE, 10).await.unwrap();
    assert_eq!(letters[0].payload, b"42");
    assert_eq!(letters[0].attempts, 3);
    assert!(
        letters[0].reason.contains("cannot do 42"),
        "{}",
        letters[0].reason
    );
}

/// Hangs on one job, and acknowledges the others.
#[derive(Clone)]
struct HangingOn(&'static str);

impl Handler for HangingOn {
    async fn handle(&self, jobs: &[Received]) -> Vec<Disposition> {
        if jobs.iter().any(|job| text(job) == self.0) {
            std::future::pending::<()>().await;
        }
        jobs.iter().map(ack).collect()
    }
}

pub async fn a_job_that_hangs_harms_no_other(backend: impl Backend) {
    let broker = backend.open().await;
    publish(&broker, ["a", "b", "c"]).await;
    let options = Consume {
        lease: Duration::from_millis(50),
        max_attempts: 1,
        ..OPTIONS
    };
    consume_until(&broker, options, &HangingOn("b"), is_empty).await;
    let letters = broker.dead_letters(QUEUE, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].payload, b"b");
    assert!(
        letters[0].reason.contains("lease of 50ms"),
        "{}",
        letters[0].reason
    );
}

pub async fn a_job_in_hand_when_the_process_dies_comes_again_as_another_attempt(
    mut backend: impl Backend,
) {
    let broker = backend.open().await;
    publish(&broker, ["a"]).await;
    let broker = crash_in_hand(&mut backend, broker).await;
    assert_eq!(counts(&broker).await, (1, 0, 0, 0));
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["a#2"]);
}

pub async fn a_job_that_outlives_its_processes_becomes_a_dead_letter_unhandled(
    mut backend: impl Backend,
) {
    let mut broker = backend.open().await;
    publish(&broker, ["killer"]).await;
    for _ in 0..OPTIONS.max_attempts {
        broker = crash_in_hand(&mut backend, broker).await;
    }
    publish(&broker, ["other"]).await;
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["other#1"]);
    let letters = broker.dead_letters(QUEUE, 10).await.unwrap();
    assert_eq!(letters[0].payload, b"killer");
    assert_eq!(letters[0].attempts, 3);
    assert!(
        letters[0].reason.contains("the process died"),
        "{}",
        letters[0].reason
    );
}

/// Gives one disposition too few, the first time.
#[derive(Clone, Default)]
struct Miscounting {
    miscounted: Arc<Mutex<HashSet<String>>>,
}

impl Handler for Miscounting {
    async fn handle(&self, jobs: &[Received]) -> Vec<Disposition> {
        let mut miscounted = self.miscounted.lock().unwrap();
        let is_first = miscounted.is_empty();
        if is_first {
            miscounted.extend(jobs.iter().map(text));
        }
        for job in jobs {
            let comes_again = !is_first && miscounted.contains(&text(job));
            assert_eq!(job.attempt, if comes_again { 2 } else { 1 });
        }
        jobs.iter().skip(usize::from(is_first)).map(ack).collect()
    }
}

pub async fn a_wrong_number_of_dispositions_retries_them_all(backend: impl Backend) {
    let broker = backend.open().await;
    publish(&broker, 0..3).await;
    let handler = Miscounting::default();
    let miscounted = Arc::clone(&handler.miscounted);
    let is_retried = move |depth: &Depth| {
        let miscounted = u64::try_from(miscounted.lock().unwrap().len()).unwrap();
        miscounted > 0 && depth.delayed == miscounted && depth.ready + depth.leased == 0
    };
    consume_until(&broker, OPTIONS, &handler, is_retried).await;
    backend.clock().advance(Duration::from_secs(2));
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(counts(&broker).await, (0, 0, 0, 0));
}
