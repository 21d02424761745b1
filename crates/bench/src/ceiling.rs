//! What the parts can do by themselves, on the same machine in the same run.

use crate::load::{self, rate};
use crate::receiver::{Endpoint, Manner};
use crate::report::Row;
use crate::script::Bare;
use crate::system::{Mode, Servers};
use crate::usage::{self, Group};
use anyhow::Context;
use broker::{Broker, RabbitOptions};
use domain::account::Environment;
use domain::event::Event;
use domain::id::{EventId, TenantId};
use domain::json::Raw;
use domain::{Clock, Random};
use std::path::Path;
use std::time::{Duration, Instant};
use store::Store;
use tokio::task::JoinSet;
use wire::Queue;

/// How many publish or write at once: enough for a commit of 200 rows.
const CALLERS: usize = 256;
/// A job of a callback is about so long.
const JOB_BYTES: usize = 700;

/// What could be done in a second.
#[derive(Debug, Clone, Copy)]
pub struct Ceilings {
    /// Requests, from this generator to this receiver.
    pub http: f64,
    /// What one of them costs both sides together, in microseconds of CPU.
    pub http_cpu_us: f64,
    /// Jobs published, each durable before it counts.
    pub broker: f64,
    /// Events written, in commits that many callers share.
    pub store: f64,
}

impl Ceilings {
    /// As lines of the report.
    pub fn rows(&self) -> [Row; 4] {
        let http = "ceiling HTTP: POST from this generator to this receiver";
        let broker = "ceiling broker: jobs published durably, 256 callers";
        let store = "ceiling store: events written, 256 callers";
        [
            Row::new(http, self.http, "/s"),
            Row::new(
                "the same, CPU of both sides",
                self.http_cpu_us / 1_000.0,
                "ms",
            ),
            Row::new(broker, self.broker, "/s"),
            Row::new(store, self.store, "/s"),
        ]
    }
}

/// Measures each of them for so long.
pub async fn measure(mode: &Mode, each: Duration) -> anyhow::Result<Ceilings> {
    let directory = tempfile::Builder::new()
        .prefix("tidings-bench-")
        .tempdir()?;
    let (http, http_cpu_us) = http(each).await?;
    let broker = open_broker(mode, directory.path())?;
    wait_for(&broker).await?;
    let published = repeat(each, move || publish(broker.clone())).await?;
    let store = open_store(mode, directory.path()).await?;
    let random = Random::system();
    let written = repeat(each, move || write(store.clone(), random.clone())).await?;
    Ok(Ceilings {
        http,
        http_cpu_us,
        broker: published,
        store: written,
    })
}

async fn http(each: Duration) -> anyhow::Result<(f64, f64)> {
    let endpoint = Endpoint::start(Manner::Forgets).await?;
    let this = [Group {
        name: "bench".to_owned(),
        process: std::process::id(),
    }];
    let before: Duration = usage::cpu(&this).iter().sum();
    let load = load::closed(Bare::new(), endpoint.address(), 0..u64::MAX, each).await;
    let after: Duration = usage::cpu(&this).iter().sum();
    let used = after.saturating_sub(before);
    // The reciprocal of how many a second of CPU is enough for.
    let cpu_us = 1e6
        / rate(
            load.accepted.len().max(1),
            used.max(Duration::from_millis(10)),
        );
    Ok((load.rate(), cpu_us))
}

fn open_broker(mode: &Mode, directory: &Path) -> anyhow::Result<Broker> {
    let clock = Clock::system();
    let opened = match mode {
        Mode::Embedded => Broker::open_embedded(&directory.join("queue.db"), clock),
        Mode::Distributed(servers) => {
            let options = RabbitOptions::new(&servers.broker_url, "ceiling");
            Broker::open_rabbit(&options, clock, Random::system())
        }
    };
    opened.context("cannot open a broker for its ceiling")
}

async fn wait_for(broker: &Broker) -> anyhow::Result<()> {
    for _ in 0..500 {
        if broker.health().is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    broker.health().map_err(anyhow::Error::msg)
}

async fn publish(broker: Broker) -> anyhow::Result<()> {
    Ok(broker
        .publish(Queue::Callbacks, vec![b'x'; JOB_BYTES])
        .await?)
}

async fn open_store(mode: &Mode, directory: &Path) -> anyhow::Result<Store> {
    let (clock, random) = (Clock::system(), Random::system());
    match mode {
        Mode::Embedded => Ok(Store::open_sqlite(
            &directory.join("tidings.db"),
            clock,
            random,
        )?),
        Mode::Distributed(servers) => {
            migrate(servers).await?;
            let url = &servers.ceiling_url;
            Ok(Store::open_postgres(url, clock, random)?)
        }
    }
}

async fn migrate(servers: &Servers) -> anyhow::Result<()> {
    let url = servers.ceiling_url.clone();
    let migrate = move || Store::migrate_postgres(&url);
    tokio::task::spawn_blocking(migrate).await??;
    Ok(())
}

async fn write(store: Store, random: Random) -> anyhow::Result<()> {
    store.publish_event(event(&random), None).await?;
    Ok(())
}

/// Like those that scenarios publish.
fn event(random: &Random) -> Event {
    let now = Clock::system().now();
    let data = r#"{"reference":"visit-00000001","clinic":"Kijani","language":"sw","text":"The results of your visit are ready to be fetched."}"#;
    Event {
        id: EventId::new(now, random),
        tenant_id: TenantId::PLATFORM,
        event_type: "job.completed".to_owned(),
        version: 1,
        environment: Environment::default(),
        created_at: now,
        source: "api".to_owned(),
        resource: None,
        context: None,
        metadata: None,
        data: Raw::of(&data),
        transition: None,
        traceparent: None,
        caused_at: now,
    }
}

/// Has many callers do something again and again for so long; how many times a second it was done.
async fn repeat<F, W>(each: Duration, work: F) -> anyhow::Result<f64>
where
    F: Fn() -> W + Clone + Send + 'static,
    W: Future<Output = anyhow::Result<()>> + Send,
{
    let began = Instant::now();
    let deadline = began + each;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let work = work.clone();
        callers.spawn(async move {
            let mut done = 0;
            while Instant::now() < deadline {
                work().await?;
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    let mut done = 0;
    for caller in callers.join_all().await {
        done += caller?;
    }
    Ok(rate(done, began.elapsed()))
}
