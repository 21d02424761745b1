//! Partitions by day, where the engine has them.

use crate::Store;
use crate::connection::Connection;
use crate::dialect::partition;
use crate::error::Error;
use std::time::Duration;

impl Store {
    /// Makes the partitions of today and the next seven days that are missing; their names. Any node
    /// may do it at any time; SQLite has none. Ids decide where a row belongs, and those of no day
    /// that was made go to a default partition: so it may be late, and should not be.
    pub async fn prepare_partitions(&self) -> Result<Vec<String>, Error> {
        let shift = self.clock.shift();
        let Some(gate) = self.gate.clone() else {
            return Ok(Vec::new());
        };
        let missing = self
            .look_up(move |connection| partition::missing(connection, shift))
            .await?;
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        // On a connection of its own: it may wait for whoever reads the default partition.
        tokio::task::spawn_blocking(move || prepare(&mut gate.connect()?, shift))
            .await
            .unwrap_or(Err(Error::Closed))
    }
}

/// See [`Store::prepare_partitions`].
pub(crate) fn prepare(connection: &mut Connection, shift: Duration) -> Result<Vec<String>, Error> {
    let mut made = Vec::new();
    for partition in partition::missing(connection, shift)? {
        if partition::make(connection, &partition)? {
            made.push(partition.name);
        }
    }
    Ok(made)
}
