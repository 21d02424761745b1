//! The numbers.

use super::{Backend, Gated, crash_in_hand};
use crate::handlers::{
    OPTIONS, QUEUE, Scripted, consume_until, counts, dead, depth, publish, retry, text, until,
};
use std::time::Duration;
use tidings_broker::{Consume, Disposition};

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
