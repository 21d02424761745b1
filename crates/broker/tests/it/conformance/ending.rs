//! How consuming ends.

use super::{Backend, Gated, ack};
use crate::handlers::{
    Hanging, OPTIONS, QUEUE, Scripted, consume_until, counts, is_empty, publish, until,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tidings_broker::{Consume, Disposition, Error};

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

pub async fn a_closed_broker_refuses_and_says_so(backend: impl Backend) {
    let broker = backend.open();
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
