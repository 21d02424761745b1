//! The numbers.

use super::{Backend, Gated, crash_in_hand};
use crate::handlers::{
    OPTIONS, QUEUE, Scripted, consume_until, counts, dead, depth, not_done, publish, retry, text,
    until,
};
use std::time::Duration;
use tidings_broker::{Consume, Depth, Disposition};

pub async fn the_depth_is_right_all_the_way(mut backend: impl Backend) {
    let broker = backend.open().await;
    assert_eq!(depth(&broker).await, tidings_broker::Depth::default());
    publish(&broker, ["ack", "dead", "delay", "other"]).await;
    assert_eq!(counts(&broker).await, (4, 0, 0, 0));

    let broker = crash_in_hand(&mut backend, broker).await;
    until(&broker, |depth| depth.ready == 4).await;

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
    let is_settled = |depth: &Depth| (depth.delayed, depth.dead) == (2, 1);
    consume_until(&broker, patient, &handler, is_settled).await;
    broker.close().await;
    let broker = backend.open().await;
    assert_eq!(not_done(&depth(&broker).await), 2);
    assert_eq!(depth(&broker).await.dead, 1);
}
