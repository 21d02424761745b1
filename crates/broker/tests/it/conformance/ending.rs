//! How consuming ends.

use super::{Backend, Gated, ack};
use crate::handlers::{
    Hanging, OPTIONS, QUEUE, Scripted, consume_until, depth, is_empty, not_done, publish, until,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tidings_broker::{Consume, Disposition, Error, Handler, Received};

pub async fn a_shutdown_finishes_the_batch_in_hand_and_leaves_the_rest(backend: impl Backend) {
    let broker = backend.open().await;
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
    // A batch of at most two is done.
    let left = not_done(&depth(&broker).await);
    assert!((3..=4).contains(&left), "{left}");
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    let mut expected: Vec<_> = (5 - left..5).map(|n| n.to_string()).collect();
    let mut seen = returned(&backend, &handler.seen());
    expected.sort();
    seen.sort();
    assert_eq!(seen, expected);
}

pub async fn a_shutdown_amid_isolation_gives_the_rest_back_uncounted(backend: impl Backend) {
    let broker = backend.open().await;
    publish(&broker, 0..30).await;
    // Breaks the first batch of several, and stops as the first job of it has been done alone.
    let (is_broken, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let handler = Breaking {
        is_broken: &is_broken,
        is_over: &is_over,
    };
    let is_stopped = std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if is_over.load(Ordering::SeqCst) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    broker
        .consume(QUEUE, OPTIONS, &handler, is_stopped)
        .await
        .unwrap();
    let left = not_done(&depth(&broker).await);
    assert!(left >= 1, "{left}");
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    let mut seen = returned(&backend, &handler.seen());
    seen.sort();
    seen.dedup();
    assert_eq!(u64::try_from(seen.len()).unwrap(), left);
}

/// The payloads of jobs that were given back, each on an attempt that it may be on.
fn returned(backend: &impl Backend, seen: &[String]) -> Vec<String> {
    seen.iter()
        .map(|job| {
            let (payload, attempt) = job.split_once('#').unwrap();
            let allowed = backend.attempts_of_returned();
            assert!(allowed.contains(&attempt.parse().unwrap()), "{seen:?}");
            payload.to_owned()
        })
        .collect()
}

/// Panics at the first batch of several jobs; says when the first of them has been done alone.
struct Breaking<'a> {
    is_broken: &'a AtomicBool,
    is_over: &'a AtomicBool,
}

impl Handler for Breaking<'_> {
    async fn handle(&self, jobs: &[Received]) -> Vec<Disposition> {
        let breaks = jobs.len() > 1 && !self.is_broken.swap(true, Ordering::SeqCst);
        assert!(!breaks, "the batch breaks");
        if self.is_broken.load(Ordering::SeqCst) {
            self.is_over.store(true, Ordering::SeqCst);
        }
        jobs.iter().map(ack).collect()
    }
}

pub async fn a_consumer_that_is_dropped_gives_its_jobs_back(backend: impl Backend) {
    let broker = backend.open().await;
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

pub async fn a_closed_broker_refuses_and_says_so(backend: impl Backend) {
    let broker = backend.open().await;
    assert_eq!(broker.health(), Ok(()));
    publish(&broker, ["a"]).await;
    let consumed = broker.consume(QUEUE, OPTIONS, Scripted::new(ack), std::future::pending());
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
