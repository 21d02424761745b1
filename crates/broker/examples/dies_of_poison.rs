//! Consumes `queue.db` in the working directory until it is empty, and dies of any job that says
//! `poison`: the tests run it in a process of its own, again and again.

use domain::Clock;
use std::path::Path;
use std::time::Duration;
use tidings_broker::{Broker, Consume, Disposition, Error, Handler, Received};
use wire::Queue;

const OPTIONS: Consume = Consume {
    batch: 100,
    lease: Duration::from_mins(1),
    max_attempts: 3,
};

struct Mortal;

impl Handler for Mortal {
    async fn handle(&self, jobs: &[Received]) -> Vec<Disposition> {
        if jobs.iter().any(|job| job.payload == b"poison") {
            std::process::abort();
        }
        vec![Disposition::Ack; jobs.len()]
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let broker = Broker::open_embedded(Path::new("queue.db"), Clock::system())?;
    broker
        .consume(Queue::Callbacks, OPTIONS, Mortal, is_empty(&broker))
        .await?;
    broker.close().await;
    Ok(())
}

async fn is_empty(broker: &Broker) {
    loop {
        if let Ok(depth) = broker.depth(Queue::Callbacks).await
            && depth.ready + depth.leased + depth.delayed == 0
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
