//! Handlers and brokers at work, for tests.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidings_broker::{Broker, Consume, Depth, Disposition, Handler, Received};
use wire::Queue;

pub const QUEUE: Queue = Queue::Callbacks;

pub const OPTIONS: Consume = Consume {
    batch: 100,
    lease: Duration::from_mins(1),
    max_attempts: 3,
};

/// Answers with a function, and remembers what it was asked: `payload#attempt`, batch by batch.
pub struct Scripted<F> {
    script: F,
    seen: Mutex<Vec<Vec<String>>>,
}

impl<F: Fn(&Received) -> Disposition> Scripted<F> {
    pub fn new(script: F) -> Self {
        Self {
            script,
            seen: Mutex::default(),
        }
    }

    pub fn batches(&self) -> Vec<Vec<String>> {
        self.seen.lock().unwrap().clone()
    }

    pub fn seen(&self) -> Vec<String> {
        self.batches().concat()
    }
}

impl<F: Fn(&Received) -> Disposition + Send + Sync> Handler for Scripted<F> {
    async fn handle(&self, jobs: &[Received]) -> Vec<Disposition> {
        let batch = jobs
            .iter()
            .map(|job| format!("{}#{}", text(job), job.attempt))
            .collect();
        self.seen.lock().unwrap().push(batch);
        jobs.iter().map(|job| (self.script)(job)).collect()
    }
}

/// Begins, says so, and never ends.
#[derive(Clone, Default)]
pub struct Hanging(pub Arc<tokio::sync::Notify>);

impl Handler for Hanging {
    async fn handle(&self, _: &[Received]) -> Vec<Disposition> {
        self.0.notify_one();
        std::future::pending().await
    }
}

pub fn text(job: &Received) -> String {
    String::from_utf8(job.payload.clone()).unwrap()
}

pub fn retry(after: Duration, reason: &str) -> Disposition {
    Disposition::Retry {
        after,
        reason: reason.to_owned(),
    }
}

pub fn dead(reason: &str) -> Disposition {
    Disposition::DeadLetter {
        reason: reason.to_owned(),
    }
}

pub async fn publish(broker: &Broker, payloads: impl IntoIterator<Item = impl ToString>) {
    for payload in payloads {
        broker
            .publish(QUEUE, payload.to_string().into_bytes())
            .await
            .unwrap();
    }
}

/// Consumes until the queue looks as wished.
pub async fn consume_until<H: Handler>(
    broker: &Broker,
    options: Consume,
    handler: &H,
    wish: impl FnMut(&Depth) -> bool + Send,
) {
    let shutdown = until(broker, wish);
    broker
        .consume(QUEUE, options, handler, shutdown)
        .await
        .unwrap();
}

/// Waits until the queue looks as wished, at several looks: what is on its way from RabbitMQ to a
/// consumer is nowhere for a moment.
pub async fn until(broker: &Broker, mut wish: impl FnMut(&Depth) -> bool + Send) {
    let mut in_a_row = 0;
    for _ in 0..4_000 {
        in_a_row = if wish(&depth(broker).await) {
            in_a_row + 1
        } else {
            0
        };
        if in_a_row == 5 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never came to be, but stayed {:?}", depth(broker).await);
}

pub async fn depth(broker: &Broker) -> Depth {
    broker.depth(QUEUE).await.unwrap()
}

/// Ready, leased, delayed, dead.
pub async fn counts(broker: &Broker) -> (u64, u64, u64, u64) {
    let depth = depth(broker).await;
    (depth.ready, depth.leased, depth.delayed, depth.dead)
}

/// How many jobs are not done yet: what RabbitMQ delays is ready a little before its time.
pub const fn not_done(depth: &Depth) -> u64 {
    depth.ready + depth.leased + depth.delayed
}

pub fn is_empty(depth: &Depth) -> bool {
    not_done(depth) == 0
}
