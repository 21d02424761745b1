//! Which store and which broker: the only place that looks at the schemes of their URLs.

use crate::exit::Failure;
use broker::{Broker, RabbitOptions};
use config::{BrokerUrl, Config, Mode, StoreUrl};
use domain::{Clock, Random};
use journal::Journal;
use runtime::DataDir;
use std::time::Duration;
use store::Store;
use wire::Queue;

/// How often a broker that is being connected to is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The queue's file in the data directory.
const QUEUE_FILE: &str = "queue.db";
/// The folder of the ingress's journal in the data directory.
const JOURNAL_FOLDER: &str = "journal";

/// Opens the store: a file at once, a server when it is first needed.
pub(crate) async fn open_store(
    config: &Config,
    clock: &Clock,
    random: &Random,
) -> Result<Store, Failure> {
    let (clock, random) = (clock.clone(), random.clone());
    match &config.store.url {
        StoreUrl::Sqlite(path) => {
            let path = path.clone();
            let opened =
                tokio::task::spawn_blocking(move || Store::open_sqlite(&path, clock, random));
            Ok(opened.await.map_err(Failure::runtime)??)
        }
        StoreUrl::Postgres(url) => Store::open_postgres(url.reveal(), clock, random)
            .map_err(|error| Failure::Configuration(format!("store.url: {error}"))),
    }
}

/// Opens the broker: a file at once, a server in the background.
pub(crate) fn open_broker(
    config: &Config,
    clock: &Clock,
    random: &Random,
) -> Result<Broker, Failure> {
    match &config.broker.url {
        BrokerUrl::Embedded => {
            let path = config.data_dir.join(QUEUE_FILE);
            Broker::open_embedded(&path, clock.clone()).map_err(Failure::runtime)
        }
        BrokerUrl::Amqp(url) => {
            let options = RabbitOptions::new(url.reveal(), &config.broker.namespace);
            Broker::open_rabbit(&options, clock.clone(), random.clone())
                .map_err(|error| Failure::Configuration(format!("broker.url: {error}")))
        }
    }
}

/// Opens the journal of the ingress, where there is to be one: an embedded broker is on this disk itself.
/// Blocks as long as it takes to read what an earlier process left in it.
pub(super) fn open_journal(
    config: &Config,
    clock: &Clock,
    random: &Random,
) -> Result<Option<Journal>, Failure> {
    let journal = config.ingress.journal;
    if config.mode() == Mode::Embedded || !journal.enabled {
        return Ok(None);
    }
    let folder = config.data_dir.join(JOURNAL_FOLDER);
    Journal::open(&folder, journal.max_bytes, clock.clone(), random.clone())
        .map(Some)
        .map_err(Failure::runtime)
}

/// Applies the migrations that are missing; their names.
pub(crate) async fn migrate(config: &Config) -> Result<Vec<String>, Failure> {
    match &config.store.url {
        StoreUrl::Sqlite(path) => {
            let _data_dir = DataDir::claim(&config.data_dir)?;
            let path = path.clone();
            let migrated = tokio::task::spawn_blocking(move || Store::migrate_sqlite(&path));
            Ok(migrated.await.map_err(Failure::runtime)??)
        }
        StoreUrl::Postgres(_) => Ok(migrate_postgres(config).await?),
    }
}

/// As [`migrate`], with the error as it is. Nothing, for a file: it is migrated as it is opened.
pub(super) async fn migrate_postgres(config: &Config) -> Result<Vec<String>, store::Error> {
    let StoreUrl::Postgres(url) = &config.store.url else {
        return Ok(Vec::new());
    };
    let url = url.clone();
    tokio::task::spawn_blocking(move || Store::migrate_postgres(url.reveal()))
        .await
        .unwrap_or(Err(store::Error::Closed))
}

/// The store, for a command that needs nothing else of the installation. An embedded one must not be
/// in use by a server.
pub(crate) async fn open_alone(config: &Config) -> Result<(Option<DataDir>, Store), Failure> {
    let data_dir = match config.mode() {
        Mode::Embedded => Some(DataDir::claim(&config.data_dir)?),
        Mode::Distributed => None,
    };
    let store = open_store(config, &Clock::system(), &Random::system()).await?;
    if data_dir.is_some() {
        migrate_postgres(config).await?;
    }
    store.check().await?;
    Ok((data_dir, store))
}

/// How many jobs of a queue in the data directory are not done. Nobody may be using it.
pub(crate) async fn jobs_left(config: &Config, queue: Queue) -> Result<u64, Failure> {
    if !config.data_dir.join(QUEUE_FILE).exists() {
        return Ok(0);
    }
    let (clock, random) = (Clock::system(), Random::system());
    let broker = open_broker(config, &clock, &random)?;
    let depth = broker.depth(queue).await;
    broker.close().await;
    let depth = depth.map_err(Failure::runtime)?;
    Ok(depth.ready + depth.delayed + depth.leased)
}

/// Whether the broker can be used within this time; why not.
pub(crate) async fn reach_broker(config: &Config, within: Duration) -> Result<(), String> {
    let broker = open_broker(config, &Clock::system(), &Random::system())
        .map_err(|failure| failure.to_string())?;
    let healthy = async {
        while broker.health().is_err() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let _ = tokio::time::timeout(within, healthy).await;
    let health = broker.health();
    broker.close().await;
    health
}
