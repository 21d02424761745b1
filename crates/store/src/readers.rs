//! The readers: a few connections shared by whoever reads.

use crate::connection::Connection;
use crate::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a reader waits for a connection before it is told that the store is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pool of connections that only read.
#[derive(Clone)]
pub(crate) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    free: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(connections: Vec<Connection>) -> Self {
        let free = Arc::new(Semaphore::new(connections.len()));
        Self {
            idle: Arc::new(Mutex::new(connections)),
            free,
        }
    }

    /// Runs `work` on a blocking thread with a connection of its own.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = tokio::time::timeout(PATIENCE, self.free.clone().acquire_owned())
            .await
            .map_err(|_| Error::Busy("too many reads are waiting"))?
            .map_err(|_| Error::Closed)?;
        let idle = self.idle.clone();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut lent = Lent {
                connection: Some(taken.ok_or(Error::Closed)?),
                idle,
            };
            lent.connection.as_mut().ok_or(Error::Closed).and_then(work)
        })
        .await
        .unwrap_or(Err(Error::Closed))
    }
}

/// Gives its connection back, also when the work panics.
struct Lent {
    connection: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
        }
    }
}
