//! What is published is offered, in order, until it is done.

use super::{Backend, ack};
use crate::handlers::{
    OPTIONS, QUEUE, Scripted, consume_until, counts, is_empty, not_done, publish, retry, text,
    until,
};
use std::time::Duration;
use tidings_broker::{Consume, Disposition, Error, MAX_PAYLOAD_BYTES};
use tokio::task::JoinSet;

pub async fn a_published_job_survives_a_reopen(backend: impl Backend) {
    let broker = backend.open().await;
    publish(&broker, ["a"]).await;
    broker.close().await;
    let broker = backend.open().await;
    assert_eq!(counts(&broker).await, (1, 0, 0, 0));
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["a#1"]);
}

pub async fn jobs_come_in_the_order_of_publishing_and_in_batches(backend: impl Backend) {
    let broker = backend.open().await;
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
    assert!(sizes.iter().all(|size| *size <= 10), "{sizes:?}");
    assert!(sizes.iter().any(|size| *size > 1), "{sizes:?}");
}

pub async fn an_acknowledged_job_never_comes_again(mut backend: impl Backend) {
    let broker = backend.open().await;
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
    let broker = backend.open().await;
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
    let broker = backend.open().await;
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
    until(&broker, |depth| not_done(depth) == 1).await;

    // The time passes under a consumer that already waits, and with the delay read from the disk.
    broker.close().await;
    let broker = backend.open().await;
    until(&broker, |depth| not_done(depth) == 1).await;
    let consumed = consume_until(&broker, one, &handler, is_empty);
    let moved = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(handler.seen().len(), 2);
        backend.clock().advance(Duration::from_secs(61));
    };
    tokio::join!(consumed, moved);
    assert_eq!(handler.seen()[2..], ["later#2"]);
}

pub async fn a_thousand_publishes_from_fifty_tasks_come_exactly_once(backend: impl Backend) {
    let broker = backend.open().await;
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
    let broker = backend.open().await;
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

pub async fn an_oversized_payload_is_refused(backend: impl Backend) {
    let broker = backend.open().await;
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
