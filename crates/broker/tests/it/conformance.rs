//! What every backend must do. A backend says how it is opened and how it crashes, and calls
//! [`conformance!`].

use crate::handlers::{
    Hanging, OPTIONS, QUEUE, Scripted, consume_until, counts, dead, depth, is_empty, publish,
    retry, text, until,
};
use domain::{Clock, Shard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tidings_broker::{
    Broker, Consume, Disposition, Error, Handler, HintSet, MAX_PAYLOAD_BYTES, Received,
};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use wire::Hint;

pub trait Backend {
    /// Nothing in it yet.
    fn new() -> Self;
    /// The clock its brokers have: a movable one.
    fn clock(&self) -> &Clock;
    /// A broker over what is in it.
    fn open(&self) -> Broker;
    /// What a new process finds when the one with this broker dies at this moment.
    async fn crash(&mut self, broker: Broker) -> Broker;
}

/// Runs the suite for a backend.
#[macro_export]
macro_rules! conformance {
    ($backend:ty: $($test:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            $crate::conformance::$test(<$backend as $crate::conformance::Backend>::new()).await;
        }
    )*};
    ($backend:ty) => {
        $crate::conformance! { $backend:
            a_published_job_survives_a_reopen
            jobs_come_in_the_order_of_publishing_and_in_batches
            an_acknowledged_job_never_comes_again
            a_waiting_consumer_gets_a_job_as_it_is_published
            a_retried_job_waits_for_its_time_and_lets_others_pass
            a_job_becomes_a_dead_letter_with_the_last_reason_after_its_attempts
            a_dead_letter_can_be_requeued_and_begins_anew
            one_panicking_job_of_a_hundred_harms_no_other
            a_job_that_hangs_harms_no_other
            a_job_in_hand_when_the_process_dies_comes_again_as_another_attempt
            a_job_that_outlives_its_processes_becomes_a_dead_letter_unhandled
            a_wrong_number_of_dispositions_retries_them_all
            a_thousand_publishes_from_fifty_tasks_come_exactly_once
            two_consumers_never_get_the_same_job
            a_shutdown_finishes_the_batch_in_hand_and_leaves_the_rest
            a_shutdown_amid_isolation_gives_the_rest_back_uncounted
            a_consumer_that_is_dropped_gives_its_jobs_back
            hints_merge_and_reach_every_receiver
            an_oversized_payload_is_refused
            the_depth_is_right_all_the_way
            a_closed_broker_refuses_and_says_so
        }
    };
}

fn ack(_: &Received) -> Disposition {
    Disposition::Ack
}

pub async fn a_published_job_survives_a_reopen(backend: impl Backend) {
    let broker = backend.open();
    publish(&broker, ["a"]).await;
    broker.close().await;
    let broker = backend.open();
    assert_eq!(counts(&broker).await, (1, 0, 0, 0));
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["a#1"]);
}

pub async fn jobs_come_in_the_order_of_publishing_and_in_batches(backend: impl Backend) {
    let broker = backend.open();
    publish(&broker, 0..25).await;
    let handler = Scripted::new(ack);
    consume_until(
        &broker,
        Consume {
            batch: 10,
            ..OPTIONS
        },
        &handler,
        is_empty,
    )
    .await;
    let expected: Vec<_> = (0..25).map(|n| format!("{n}#1")).collect();
    assert_eq!(handler.seen(), expected);
    let sizes: Vec<_> = handler.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 5]);
}

pub async fn an_acknowledged_job_never_comes_again(mut backend: impl Backend) {
    let broker = backend.open();
    publish(&broker, ["a", "b"]).await;
    consume_until(&broker, OPTIONS, &Scripted::new(ack), is_empty).await;
    let broker = backend.crash(broker).await;
    assert_eq!(counts(&broker).await, (0, 0, 0, 0));
    publish(&broker, ["c"]).await;
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["c#1"]);
}

pub async fn a_waiting_consumer_gets_a_job_as_it_is_published(backend: impl Backend) {
    let broker = backend.open();
    let handler = Scripted::new(ack);
    let consumed = consume_until(&broker, OPTIONS, &handler, |_| !handler.seen().is_empty());
    let published = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        publish(&broker, ["a"]).await;
    };
    tokio::join!(consumed, published);
    assert_eq!(handler.seen(), ["a#1"]);
}

pub async fn a_retried_job_waits_for_its_time_and_lets_others_pass(backend: impl Backend) {
    let broker = backend.open();
    publish(&broker, ["later", "now"]).await;
    let handler = Scripted::new(|job| match (text(job).as_str(), job.attempt) {
        ("later", 1) => retry(Duration::from_mins(1), "not yet"),
        _ => Disposition::Ack,
    });
    let one = Consume {
        batch: 1,
        ..OPTIONS
    };
    consume_until(&broker, one, &handler, |d| d.ready + d.leased == 0).await;
    assert_eq!(handler.seen(), ["later#1", "now#1"]);
    assert_eq!(counts(&broker).await, (0, 0, 1, 0));

    // The time passes under a consumer that already waits, and with the delay read from the disk.
    broker.close().await;
    let broker = backend.open();
    assert_eq!(counts(&broker).await, (0, 0, 1, 0));
    let consumed = consume_until(&broker, one, &handler, is_empty);
    let moved = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(handler.seen().len(), 2);
        backend.clock().advance(Duration::from_secs(61));
    };
    tokio::join!(consumed, moved);
    assert_eq!(handler.seen()[2..], ["later#2"]);
}

pub async fn a_job_becomes_a_dead_letter_with_the_last_reason_after_its_attempts(
    backend: impl Backend,
) {
    let broker = backend.open();
    let published_at = backend.clock().now();
    publish(&broker, ["bad"]).await;
    let handler = Scripted::new(|job| {
        assert_eq!(job.is_last_attempt, job.attempt == 3);
        retry(Duration::ZERO, &format!("reason {}", job.attempt))
    });
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["bad#1", "bad#2", "bad#3"]);

    broker.close().await;
    let broker = backend.open();
    assert_eq!(counts(&broker).await, (0, 0, 0, 1));
    let letters = broker.dead_letters(QUEUE, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].payload, b"bad");
    assert_eq!(letters[0].reason, "reason 3");
    assert_eq!(letters[0].attempts, 3);
    assert!(letters[0].first_seen_at >= published_at);
    assert!(letters[0].died_at >= letters[0].first_seen_at);
}

pub async fn a_dead_letter_can_be_requeued_and_begins_anew(backend: impl Backend) {
    let broker = backend.open();
    publish(&broker, ["a", "b"]).await;
    let refusing = Scripted::new(|_| dead("unreadable"));
    consume_until(&broker, OPTIONS, &refusing, is_empty).await;
    let letters = broker.dead_letters(QUEUE, 10).await.unwrap();
    assert_eq!(letters.len(), 2);
    assert_eq!(broker.dead_letters(QUEUE, 1).await.unwrap(), letters[..1]);

    let chosen = letters
        .iter()
        .find(|letter| letter.payload == b"a")
        .unwrap();
    broker.requeue_dead_letter(chosen.id).await.unwrap();
    assert_eq!(counts(&broker).await, (1, 0, 0, 1));
    let error = broker.requeue_dead_letter(chosen.id).await.unwrap_err();
    assert_eq!(error, Error::NoDeadLetter { id: chosen.id });
    let id = chosen.id;
    let handler = Scripted::new(move |job| {
        assert_eq!(job.id, id);
        Disposition::Ack
    });
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["a#1"]);
}

pub async fn one_panicking_job_of_a_hundred_harms_no_other(backend: impl Backend) {
    let broker = backend.open();
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
    let broker = backend.open();
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
    let broker = backend.open();
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
    let mut broker = backend.open();
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

/// The process dies while a handler has all jobs.
async fn crash_in_hand(backend: &mut impl Backend, broker: Broker) -> Broker {
    let hanging = Hanging::default();
    let begun = Arc::clone(&hanging.0);
    let mut consumers = JoinSet::new();
    let consumer = broker.clone();
    consumers.spawn(async move {
        consumer
            .consume(QUEUE, OPTIONS, hanging, std::future::pending())
            .await
    });
    begun.notified().await;
    backend.crash(broker).await
}

/// Gives one disposition too few, once.
#[derive(Clone, Default)]
struct Miscounting(Arc<AtomicBool>);

impl Handler for Miscounting {
    async fn handle(&self, jobs: &[Received]) -> Vec<Disposition> {
        let first = usize::from(!self.0.swap(true, Ordering::SeqCst));
        assert!(
            jobs.iter()
                .all(|job| job.attempt == if first == 1 { 1 } else { 2 })
        );
        jobs.iter().skip(first).map(ack).collect()
    }
}

pub async fn a_wrong_number_of_dispositions_retries_them_all(backend: impl Backend) {
    let broker = backend.open();
    publish(&broker, 0..3).await;
    let handler = Miscounting::default();
    consume_until(&broker, OPTIONS, &handler, |depth| depth.delayed == 3).await;
    backend.clock().advance(Duration::from_secs(2));
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(counts(&broker).await, (0, 0, 0, 0));
}

pub async fn a_thousand_publishes_from_fifty_tasks_come_exactly_once(backend: impl Backend) {
    let broker = backend.open();
    let handler = Scripted::new(ack);
    let mut publishers = JoinSet::new();
    for task in 0..50 {
        let broker = broker.clone();
        publishers.spawn(async move { publish(&broker, (0..20).map(|n| task * 20 + n)).await });
    }
    let consumed = consume_until(&broker, OPTIONS, &handler, |_| {
        handler.seen().len() >= 1_000
    });
    tokio::join!(publishers.join_all(), consumed);
    let mut seen = handler.seen();
    seen.sort();
    let mut expected: Vec<_> = (0..1_000).map(|n| format!("{n}#1")).collect();
    expected.sort();
    assert_eq!(seen, expected);
    assert_eq!(counts(&broker).await, (0, 0, 0, 0));
}

pub async fn two_consumers_never_get_the_same_job(backend: impl Backend) {
    let broker = backend.open();
    publish(&broker, 0..300).await;
    let handler = Scripted::new(ack);
    let few = Consume {
        batch: 7,
        ..OPTIONS
    };
    tokio::join!(
        consume_until(&broker, few, &handler, is_empty),
        consume_until(&broker, few, &handler, is_empty),
    );
    let mut seen = handler.seen();
    assert_eq!(seen.len(), 300);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 300);
}

/// Works until it is let go.
#[derive(Clone, Default)]
struct Gated {
    begun: Arc<Notify>,
    gate: Arc<Notify>,
}

impl Handler for Gated {
    async fn handle(&self, jobs: &[Received]) -> Vec<Disposition> {
        self.begun.notify_one();
        self.gate.notified().await;
        jobs.iter().map(ack).collect()
    }
}

pub async fn a_shutdown_finishes_the_batch_in_hand_and_leaves_the_rest(backend: impl Backend) {
    let broker = backend.open();
    publish(&broker, 0..5).await;
    let gated = Gated::default();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let consumed = broker.consume(
        QUEUE,
        Consume {
            batch: 2,
            ..OPTIONS
        },
        gated.clone(),
        async { stopped.await.unwrap() },
    );
    let directed = async {
        gated.begun.notified().await;
        stop.send(()).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        gated.gate.notify_one();
    };
    let (consumed, ()) = tokio::join!(consumed, directed);
    consumed.unwrap();
    assert_eq!(counts(&broker).await, (3, 0, 0, 0));
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["2#1", "3#1", "4#1"]);
}

pub async fn a_shutdown_amid_isolation_gives_the_rest_back_uncounted(backend: impl Backend) {
    let broker = backend.open();
    publish(&broker, 0..3).await;
    let is_broken = AtomicBool::new(false);
    let handler = Scripted::new(move |_| {
        assert!(is_broken.swap(true, Ordering::SeqCst), "the batch breaks");
        Disposition::Ack
    });
    // Asked whenever the consumer looks: three jobs in the batch, and the first of them again.
    let is_stopped = std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if handler.seen().len() >= 4 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    broker
        .consume(QUEUE, OPTIONS, &handler, is_stopped)
        .await
        .unwrap();
    assert_eq!(handler.seen(), ["0#1", "1#1", "2#1", "0#1"]);
    assert_eq!(counts(&broker).await, (2, 0, 0, 0));
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["1#1", "2#1"]);
}

pub async fn a_consumer_that_is_dropped_gives_its_jobs_back(backend: impl Backend) {
    let broker = backend.open();
    publish(&broker, ["a"]).await;
    let hanging = Hanging::default();
    tokio::select! {
        _ = broker.consume(QUEUE, OPTIONS, hanging.clone(), std::future::pending()) => {}
        () = hanging.0.notified() => {}
    }
    until(&broker, |depth| depth.ready == 1).await;
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["a#2"]);
}

pub async fn hints_merge_and_reach_every_receiver(backend: impl Backend) {
    let broker = backend.open();
    let (three, sixty) = (Shard::new(3).unwrap(), Shard::new(60).unwrap());
    broker.hint(Hint::Accounts);
    let (mut one, mut other) = (broker.hints(), broker.hints());
    drop(broker.hints());
    for _ in 0..100_000 {
        broker.hint(Hint::Shard(three));
    }
    broker.hint(Hint::Shard(sixty));
    broker.hint(Hint::Subscriptions);
    let expected = HintSet {
        shards: (1 << 3) | (1 << 60),
        subscriptions: true,
        accounts: false,
    };
    let received = one.recv().await;
    assert_eq!(received, expected);
    assert_eq!(received.shards().collect::<Vec<_>>(), [three, sixty]);
    assert_eq!(other.recv().await, expected);

    // Whoever waits is woken, and what was taken does not come again.
    let waited = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        broker.clone().hint(Hint::Accounts);
    };
    let (received, ()) = tokio::join!(one.recv(), waited);
    assert_eq!(
        received,
        HintSet {
            accounts: true,
            ..HintSet::default()
        }
    );
}

pub async fn an_oversized_payload_is_refused(backend: impl Backend) {
    let broker = backend.open();
    broker
        .publish(QUEUE, vec![1; MAX_PAYLOAD_BYTES])
        .await
        .unwrap();
    let error = broker
        .publish(QUEUE, vec![1; MAX_PAYLOAD_BYTES + 1])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    assert!(!error.is_transient());
    assert_eq!(counts(&broker).await, (1, 0, 0, 0));
}

pub async fn the_depth_is_right_all_the_way(mut backend: impl Backend) {
    let broker = backend.open();
    assert_eq!(depth(&broker).await, tidings_broker::Depth::default());
    let before = backend.clock().now();
    publish(&broker, ["ack", "dead", "delay", "other"]).await;
    assert_eq!(counts(&broker).await, (4, 0, 0, 0));
    let oldest = depth(&broker).await.oldest_ready_at.unwrap();
    assert!(oldest >= before && oldest <= backend.clock().now());

    let broker = crash_in_hand(&mut backend, broker).await;
    assert_eq!(counts(&broker).await, (4, 0, 0, 0));
    assert_eq!(depth(&broker).await.oldest_ready_at, Some(oldest));

    let gated = Gated::default();
    let in_hand = async {
        gated.begun.notified().await;
        let (ready, leased, delayed, dead) = counts(&broker).await;
        assert!(leased >= 1);
        assert_eq!((ready + leased, delayed, dead), (4, 0, 0));
    };
    tokio::select! {
        _ = broker.consume(QUEUE, OPTIONS, gated.clone(), std::future::pending()) => {}
        () = in_hand => {}
    }
    until(&broker, |depth| depth.ready == 4).await;

    let handler = Scripted::new(|job| match text(job).as_str() {
        "ack" => Disposition::Ack,
        "dead" => dead("no use"),
        _ => retry(Duration::from_mins(1), "not yet"),
    });
    let patient = Consume {
        max_attempts: 9,
        ..OPTIONS
    };
    consume_until(&broker, patient, &handler, |d| d.ready + d.leased == 0).await;
    assert_eq!(counts(&broker).await, (0, 0, 2, 1));
    assert_eq!(depth(&broker).await.oldest_ready_at, None);
    backend.clock().advance(Duration::from_mins(2));
    assert_eq!(counts(&broker).await, (2, 0, 0, 1));
    assert!(depth(&broker).await.oldest_ready_at.unwrap() > oldest);
    broker.close().await;
    assert_eq!(counts(&backend.open()).await, (2, 0, 0, 1));
}

pub async fn a_closed_broker_refuses_and_says_so(backend: impl Backend) {
    let broker = backend.open();
    assert_eq!(broker.health(), Ok(()));
    publish(&broker, ["a"]).await;
    let consumed =
        broker.consume(QUEUE, OPTIONS, Scripted::new(ack), std::future::pending());
    let closed = async {
        until(&broker, is_empty).await;
        broker.close().await;
    };
    let (consumed, ()) = tokio::join!(consumed, closed);
    assert_eq!(consumed, Err(Error::Closed));
    assert_eq!(broker.publish(QUEUE, Vec::new()).await, Err(Error::Closed));
    assert_eq!(broker.depth(QUEUE).await, Err(Error::Closed));
    assert_eq!(broker.health(), Err("the broker is closed".to_owned()));
    broker.close().await;
}
