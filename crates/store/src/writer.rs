//! The writer: threads that own a connection each and commit many callers' work in one transaction.
//!
//! Each caller's work runs in a savepoint of its own, so one fsync serves many callers and a
//! failure of one hurts nobody else. A caller is told only after the commit.

mod group;
mod job;
mod queue;
mod remote;

use crate::checkpoint::Rest;
use crate::connection::Connection;
use crate::error::Error;
use crate::postgres::Gate;
use domain::Random;
use job::Call;
pub(crate) use job::Job;
use queue::Queue;
use remote::Remote;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How much work may wait for the writer; beyond it callers wait, then are told that it is busy.
const QUEUE: usize = 4_096;
/// How long a caller waits for a place.
const PATIENCE: Duration = Duration::from_secs(5);

/// The right to bring work, until it is done.
pub(crate) type Permit = OwnedSemaphorePermit;

/// The face of the writer threads. They end when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Writer {
    door: Arc<Door>,
    room: Arc<Semaphore>,
}

/// Where work goes in; dropped, nobody can bring any more.
struct Door(Arc<Queue>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Writer {
    /// One thread, on the connection to an SQLite file.
    pub(crate) fn local(connection: Connection, rest: Rest) -> Result<Self, Error> {
        let queue = Arc::new(Queue::default());
        start(&queue, Line::Local(connection, rest))?;
        Ok(Self::of(queue))
    }

    /// So many threads that connect to PostgreSQL when there is work.
    pub(crate) fn remote(gate: &Arc<Gate>, random: &Random, threads: usize) -> Result<Self, Error> {
        let queue = Arc::new(Queue::default());
        let connected = Arc::new(AtomicUsize::new(0));
        for _ in 0..threads {
            let remote = Remote::new(gate.clone(), random.clone(), connected.clone());
            start(&queue, Line::Remote(remote))?;
        }
        Ok(Self::of(queue))
    }

    fn of(queue: Arc<Queue>) -> Self {
        Self {
            door: Arc::new(Door(queue)),
            room: Arc::new(Semaphore::new(QUEUE)),
        }
    }

    /// Runs `work` in a transaction and returns when it is durable, or undone. It may be run more
    /// than once, and counts once.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.admit().await?;
        let (tell, told) = oneshot::channel();
        self.push(Box::new(Call::new(work, tell, permit)))?;
        told.await.unwrap_or(Err(Error::Closed))
    }

    /// Waits until there is room in the queue.
    pub(crate) async fn admit(&self) -> Result<Permit, Error> {
        tokio::time::timeout(PATIENCE, self.room.clone().acquire_owned())
            .await
            .map_err(|_| Error::Busy("too many writes are waiting"))?
            .map_err(|_| Error::Closed)
    }

    /// Puts work into the queue.
    pub(crate) fn push(&self, job: Box<dyn Job>) -> Result<(), Error> {
        self.door.0.push(job)
    }
}

/// How a thread commits.
enum Line {
    Local(Connection, Rest),
    Remote(Remote),
}

fn start(queue: &Arc<Queue>, mut line: Line) -> Result<(), Error> {
    let queue = queue.clone();
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || {
            while let Some(first) = queue.take_first() {
                match &mut line {
                    Line::Local(connection, rest) => {
                        commit_local(connection, first, &queue);
                        rest.move_when_due(connection);
                    }
                    Line::Remote(remote) => remote.commit(first, &queue),
                }
            }
        })
        .map_err(|error| Error::Open {
            at: "writer".to_owned(),
            reason: error.to_string(),
        })?;
    Ok(())
}

fn commit_local(connection: &mut Connection, first: Box<dyn Job>, queue: &Queue) {
    if let Err(error) = connection.execute("begin immediate; savepoint work") {
        tracing::error!(%error, "a transaction could not begin");
        let _ = connection.execute("rollback");
        return first.tell(Err(Error::Busy("a transaction could not begin")));
    }
    let mut group = group::run(connection, first, queue);
    let ended = match group.outage.take() {
        Some(outage) => Err(outage),
        None => connection.execute("commit"),
    };
    if ended.is_err() {
        // A commit that failed (a full disk) leaves the transaction open; there may be none.
        let _ = connection.execute("rollback");
    }
    group.tell(ended.map_err(|error| Error::Undone(error.to_string())));
}
