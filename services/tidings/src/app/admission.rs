//! Whether this process may use the store: its schema is of this release, and our key opens it. Until
//! that is known nothing is written. A database that is away is waited for; what stays wrong once it
//! is there keeps the process from being ready, and says why.

use super::backend;
use super::parts::Parts;
use crate::exit::Failure;
use crate::key::Key;
use config::{Config, Mode};
use std::time::Duration;
use store::Store;

/// How often a store that does not fit, or is away, is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often one that fits is tried.
const PING_EVERY: Duration = Duration::from_secs(5);
/// How often partitions are looked after.
const PARTITIONS_EVERY: Duration = Duration::from_hours(1);

/// Why the store cannot be used.
pub(super) enum Unfit {
    /// It does not answer.
    Away(store::Error),
    /// It is not the store of this release, or not of this key.
    Wrong(Failure),
}

impl From<store::Error> for Unfit {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::SchemaTooNew(_) | store::Error::SchemaTooOld(_) => {
                Self::Wrong(error.into())
            }
            _ if error.is_outage() => Self::Away(error),
            _ => Self::Wrong(error.into()),
        }
    }
}

impl Unfit {
    fn reason(&self) -> String {
        match self {
            Self::Away(error) => error.to_string(),
            Self::Wrong(failure) => failure.to_string(),
        }
    }
}

/// Looks whether the store fits. Embedded mode migrates it first.
pub(super) async fn admit(config: &Config, store: &Store, key: &Key) -> Result<(), Unfit> {
    if config.mode() == Mode::Embedded {
        for applied in backend::migrate_postgres(config).await? {
            tracing::info!(migration = applied, "the store was migrated");
        }
    }
    store.check().await?;
    match key.check(store).await? {
        Ok(()) => Ok(()),
        Err(failure) => Err(Unfit::Wrong(failure)),
    }
}

/// Opens the gate as soon as the store fits, and tells how the store is from then on.
pub(super) fn watch(parts: &Parts, key: Key) {
    let check = parts.readiness.register("store");
    let parts = parts.clone();
    parts.tasks.clone().spawn("store", async move {
        loop {
            let is_well = if parts.admission.is_open() {
                parts.store.ping().await.map_err(|error| error.to_string())
            } else {
                let admitted = admit(&parts.config, &parts.store, &key).await;
                admitted.map_err(|unfit| unfit.reason())
            };
            let pause = match is_well {
                Ok(()) => {
                    parts.admission.open();
                    check.ok("takes writes");
                    PING_EVERY
                }
                Err(reason) => {
                    check.failing(reason);
                    AGAIN_AFTER
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = parts.shutdown.draining() => return,
            }
        }
    });
}

/// Makes the partitions of the coming days, where the store has any.
pub(super) fn keep_partitions(parts: &Parts) {
    let parts = parts.clone();
    parts.tasks.clone().supervise("store.partitions", move || {
        let parts = parts.clone();
        async move {
            tokio::select! {
                () = parts.admission.opened() => {}
                () = parts.shutdown.draining() => return Ok(()),
            }
            loop {
                for made in parts.store.prepare_partitions().await? {
                    tracing::info!(partition = made, "a partition was made");
                }
                tokio::select! {
                    () = tokio::time::sleep(PARTITIONS_EVERY) => {}
                    () = parts.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}
