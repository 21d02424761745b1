//! The readers: a few connections shared by whoever reads.

use crate::connection::Connection;
use crate::error::Error;
use crate::postgres::Gate;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a reader waits for a connection before it is told that the store is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pool of connections that only read.
#[derive(Clone)]
pub(crate) struct Readers {
    pool: Arc<Pool>,
    free: Arc<Semaphore>,
}

struct Pool {
    idle: Mutex<Vec<Connection>>,
    /// Where more come from; none where all were there from the start.
    gate: Option<Arc<Gate>>,
}

impl Readers {
    /// On these connections.
    pub(crate) fn local(connections: Vec<Connection>) -> Self {
        let free = connections.len();
        Self::of(connections, None, free)
    }

    /// On so many connections at the most, made when they are needed.
    pub(crate) fn remote(gate: Arc<Gate>, most: usize) -> Self {
        Self::of(Vec::new(), Some(gate), most)
    }

    fn of(idle: Vec<Connection>, gate: Option<Arc<Gate>>, free: usize) -> Self {
        Self {
            pool: Arc::new(Pool {
                idle: Mutex::new(idle),
                gate,
            }),
            free: Arc::new(Semaphore::new(free)),
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
        let pool = self.pool.clone();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut lent = Lent {
                connection: Some(pool.take()?),
                pool,
            };
            lent.read(work)
        })
        .await
        .unwrap_or(Err(Error::Closed))
    }
}

impl Pool {
    fn take(&self) -> Result<Connection, Error> {
        let connection = loop {
            let Some(idle) = self.lock().pop() else {
                break self.gate.as_ref().ok_or(Error::Closed)?.connect()?;
            };
            if idle.is_fit() {
                break idle;
            }
        };
        connection.use_now();
        Ok(connection)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives its connection back, also when the work panics.
struct Lent {
    connection: Option<Connection>,
    pool: Arc<Pool>,
}

impl Lent {
    /// Reads. A connection on which that failed is tried before it serves anybody else.
    fn read<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let connection = self.connection.as_mut().ok_or(Error::Closed)?;
        let read = work(connection);
        if let Err(error) = &read
            && connection.execute("select 1").is_err()
        {
            self.connection = None;
            return Err(Error::Lost(error.to_string()));
        }
        read
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            if std::thread::panicking() {
                // It may be in the middle of a transaction.
                let _ = connection.execute("rollback");
            }
            connection.rest();
            self.pool.lock().push(connection);
        }
    }
}
