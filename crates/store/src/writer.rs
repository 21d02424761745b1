//! The writer: a thread that owns a connection and commits many callers' work in one transaction.
//!
//! Each caller's work runs in a savepoint of its own, so one fsync serves many callers and a
//! failure of one hurts nobody else. A caller is told only after the commit.

use crate::connection::Connection;
use crate::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How much work may wait for the writer; beyond it callers wait, then are told that it is busy.
const QUEUE: usize = 4_096;
/// The most work in one transaction.
const GROUP: usize = 256;
/// A transaction takes no more work once it is this old.
const GROUP_TIME: Duration = Duration::from_millis(5);

/// Tells a caller what became of its work.
type Tell = Box<dyn FnOnce(Result<(), Error>) + Send>;
/// Runs in the transaction.
type Work = Box<dyn FnOnce(&mut Connection) -> Ran + Send>;

/// Work that ran and is not committed yet.
struct Ran {
    tell: Tell,
    /// What the work met, if the store as a whole does not work: the engine may have ended the
    /// transaction by itself, so nothing after it can be trusted.
    outage: Option<String>,
}

/// The face of the writer thread. Ends when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::SyncSender<Work>,
    room: Arc<tokio::sync::Semaphore>,
}

impl Writer {
    /// Starts a thread for each connection; they share the queue.
    pub(crate) fn start(connections: Vec<Connection>) -> Result<Self, Error> {
        let (queue, work) = mpsc::sync_channel(QUEUE);
        let work = Arc::new(Mutex::new(work));
        for connection in connections {
            let work = work.clone();
            std::thread::Builder::new()
                .name("store-writer".to_owned())
                .spawn(move || run(connection, &work))
                .map_err(|error| Error::Open {
                    at: "writer".to_owned(),
                    reason: error.to_string(),
                })?;
        }
        Ok(Self {
            queue,
            room: Arc::new(tokio::sync::Semaphore::new(QUEUE)),
        })
    }

    /// Runs `work` in a transaction and returns when it is durable, or undone.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit =
            tokio::time::timeout(Duration::from_secs(5), self.room.clone().acquire_owned())
                .await
                .map_err(|_| Error::Busy("too many writes are waiting"))?
                .map_err(|_| Error::Closed)?;
        let (tell, told) = oneshot::channel();
        let job: Work = Box::new(move |connection| {
            let done = in_savepoint(connection, work);
            let outage = done.as_ref().err().filter(|error| error.is_outage());
            Ran {
                outage: outage.map(ToString::to_string),
                tell: Box::new(move |committed| {
                    drop(permit);
                    // The caller may have gone away; the work is done all the same.
                    let _ = tell.send(committed.and(done));
                }),
            }
        });
        self.queue.try_send(job).map_err(|_| Error::Closed)?;
        told.await
            .unwrap_or(Err(Error::Busy("a transaction could not begin")))
    }
}

fn run(mut connection: Connection, queue: &Mutex<mpsc::Receiver<Work>>) {
    while let Some(first) = take_first(queue) {
        let mut tell = Vec::new();
        let committed = commit_group(&mut connection, first, queue, &mut tell);
        if let Err(error) = &committed {
            tracing::error!(%error, callers = tell.len(), "a transaction failed and was undone");
        }
        for tell in tell {
            tell(match &committed {
                Ok(()) => Ok(()),
                Err(error) => Err(Error::Undone(error.to_string())),
            });
        }
    }
}

/// Waits for work; none when nobody can bring any more.
fn take_first(queue: &Mutex<mpsc::Receiver<Work>>) -> Option<Work> {
    queue
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .recv()
        .ok()
}

/// Work that waits already. While another thread waits for its first, there is none.
fn take_next(queue: &Mutex<mpsc::Receiver<Work>>) -> Option<Work> {
    queue.try_lock().ok()?.try_recv().ok()
}

fn commit_group(
    connection: &mut Connection,
    first: Work,
    queue: &Mutex<mpsc::Receiver<Work>>,
    tell: &mut Vec<Tell>,
) -> Result<(), Error> {
    // When it cannot begin, dropping the work tells its caller so.
    connection.begin()?;
    let started = Instant::now();
    let mut next = Some(first);
    let mut ended = Ok(());
    while let Some(work) = next.take() {
        let ran = work(connection);
        tell.push(ran.tell);
        if let Some(outage) = ran.outage {
            ended = Err(Error::Undone(outage));
        } else if tell.len() < GROUP && started.elapsed() < GROUP_TIME {
            next = take_next(queue);
        }
    }
    ended
        .and_then(|()| connection.execute("commit"))
        .inspect_err(|_| {
            // A commit that failed (a full disk) leaves the transaction open; there may be none.
            let _ = connection.execute("rollback");
        })
}

fn in_savepoint<T>(
    connection: &mut Connection,
    work: impl FnOnce(&mut Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    connection.execute("savepoint work")?;
    let done = catch_unwind(AssertUnwindSafe(|| work(connection)))
        .unwrap_or_else(|_| Err(Error::unreadable("what made its own code panic")));
    let end = if done.is_ok() {
        "release work"
    } else {
        "rollback to work; release work"
    };
    connection.execute(end)?;
    done
}
