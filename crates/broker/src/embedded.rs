//! The embedded queue: one `SQLite` file, one thread that writes.
//!
//! Who is who: [`Embedded`] is the face. It puts requests into the [`mailbox`] and awaits the
//! answers. The [`writer`] thread takes them out and runs them in transactions of its [`ledger`],
//! which owns the connection and the [`tally`] of what the file holds. [`accept`], [`claim`],
//! [`settle`] and [`depth`] are the statements. A [`ticket`] is a consumer's hold on claimed jobs.
//! The [`checkpoint`] thread moves the write-ahead log into the file.

mod accept;
mod checkpoint;
mod checksum;
mod claim;
mod dead_letters;
mod depth;
mod file;
mod health;
mod ledger;
mod mailbox;
mod settle;
mod source;
mod tally;
mod ticket;
mod writer;

pub(crate) use source::Source;

use crate::broker::PATIENCE;
use crate::consume::Consume;
use crate::dead_letter::DeadLetter;
use crate::depth::Depth;
use crate::error::Error;
use crate::handler::{JobId, Received};
use accept::{Accept, Demand};
use checkpoint::Checkpoints;
use dead_letters::Order;
use domain::Clock;
use file::QueueFile;
use health::Health;
use mailbox::{Mailbox, Work};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ticket::Ticket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::timeout;
use wire::Queue;

/// How many publishes may wait.
const PLACES: usize = 4_096;

/// Jobs that are offered to nobody else until they are settled or the ticket is dropped.
pub(crate) struct Claim {
    pub(crate) jobs: Vec<Received>,
    pub(crate) ticket: Ticket,
}

/// How long closing may take.
const FAREWELL: Duration = Duration::from_secs(2);

pub(crate) struct Embedded {
    path: PathBuf,
    mailbox: Arc<Mailbox>,
    places: Arc<Semaphore>,
    health: Arc<Health>,
    checkpoints: Checkpoints,
    /// Changes when both threads have ended.
    ended: watch::Receiver<()>,
}

impl Embedded {
    pub(crate) fn open(path: &Path, clock: Clock) -> Result<Self, Error> {
        Self::start(file::open(path, clock.now())?, clock)
    }

    fn start(file: QueueFile, clock: Clock) -> Result<Self, Error> {
        let path = file.path.clone();
        let mailbox = Arc::new(Mailbox::default());
        let health = Arc::new(Health::default());
        let (alive, ended) = watch::channel(());
        let alive = Arc::new((alive, file.lock.clone()));
        let checkpoints = checkpoint::start(&file, Arc::clone(&mailbox), Arc::clone(&alive))?;
        // Should the writer not start, dropping this ends the other thread.
        let embedded = Self {
            path,
            places: Arc::new(Semaphore::new(PLACES)),
            mailbox: Arc::clone(&mailbox),
            health: Arc::clone(&health),
            checkpoints,
            ended,
        };
        writer::start(file, clock, mailbox, health, alive)?;
        Ok(embedded)
    }

    pub(crate) async fn publish(
        &self,
        queue: Queue,
        payload: Vec<u8>,
        patience: Duration,
    ) -> Result<(), Error> {
        let demand = Demand::Publish {
            slot: slot(queue)?,
            payload,
            is_alone: false,
        };
        self.accept(demand, patience).await
    }

    pub(crate) async fn publish_again(&self, queue: Queue, payload: Vec<u8>) -> Result<(), Error> {
        let demand = Demand::Publish {
            slot: slot(queue)?,
            payload,
            is_alone: true,
        };
        self.accept(demand, PATIENCE).await
    }

    pub(crate) async fn forget_dead_letters(&self, ids: Vec<JobId>) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        self.accept(Demand::Forget(ids), PATIENCE).await
    }

    async fn accept(&self, demand: Demand, patience: Duration) -> Result<(), Error> {
        let place = self.place(patience).await?;
        let (reply, answer) = oneshot::channel();
        self.mailbox.accept(Accept {
            demand,
            reply,
            _place: place,
        })?;
        answer.await.map_err(|_| Error::Closed)?
    }

    async fn place(&self, patience: Duration) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        timeout(patience, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| Error::Busy { waited: patience })?
            .map_err(|_| Error::Closed)
    }

    /// Waits as long as there is nothing to claim.
    pub(crate) async fn claim(&self, queue: Queue, options: Consume) -> Result<Claim, Error> {
        let (reply, answer) = oneshot::channel();
        self.mailbox.work(Work::Claim(claim::Request {
            slot: slot(queue)?,
            batch: options.batch.max(1),
            max_attempts: options.max_attempts.max(1),
            reply,
        }))?;
        answer.await.map_err(|_| Error::Closed)?
    }

    pub(crate) async fn depth(&self, queue: Queue) -> Result<Depth, Error> {
        let (reply, answer) = oneshot::channel();
        self.mailbox.work(Work::Depth(depth::Request {
            slot: slot(queue)?,
            reply,
        }))?;
        timeout(PATIENCE, answer)
            .await
            .map_err(|_| Error::Busy { waited: PATIENCE })?
            .map_err(|_| Error::Closed)?
    }

    pub(crate) async fn dead_letters(
        &self,
        queue: Queue,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Error> {
        self.list(queue, limit, Order::NewestFirst).await
    }

    pub(crate) async fn oldest_dead_letters(
        &self,
        queue: Queue,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Error> {
        if self.depth(queue).await?.dead == 0 {
            return Ok(Vec::new());
        }
        self.list(queue, limit, Order::OldestFirst).await
    }

    async fn list(
        &self,
        queue: Queue,
        limit: usize,
        order: Order,
    ) -> Result<Vec<DeadLetter>, Error> {
        let path = self.path.clone();
        let list = move || dead_letters::list(&path, queue, limit, order);
        let listing = tokio::task::spawn_blocking(list);
        listing.await.map_err(|_| Error::Closed)?
    }

    pub(crate) fn health(&self) -> Result<(), String> {
        if self.mailbox.is_closed() {
            return Err(Error::Closed.to_string());
        }
        self.health.report()
    }

    pub(crate) async fn close(&self) {
        self.end();
        let mut ended = self.ended.clone();
        if timeout(FAREWELL, ended.changed()).await.is_err() {
            tracing::warn!("the queue file is still being written: closing goes on without it");
        }
    }

    fn end(&self) {
        self.mailbox.close();
        self.places.close();
        self.checkpoints.stop();
    }
}

/// The threads end by themselves, and hold the file's lock until then.
impl Drop for Embedded {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where a queue stands in [`Queue::ALL`], and in the tally.
fn slot(queue: Queue) -> Result<usize, Error> {
    Queue::ALL
        .iter()
        .position(|known| *known == queue)
        .ok_or(Error::NoQueue {
            name: queue.as_str(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consume::{Outcome, Settlement};

    const ALL: Consume = Consume {
        batch: 10_000,
        lease: Duration::from_mins(1),
        max_attempts: 5,
    };

    #[tokio::test]
    async fn a_full_disk_refuses_publishes_takes_acknowledgements_and_heals() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::movable();
        let file = file::open(&folder.path().join("queue.db"), clock.now()).unwrap();
        file.connection
            .execute_batch("PRAGMA max_page_count = 60")
            .unwrap();
        let embedded = Embedded::start(file, clock).unwrap();
        let mut published = 0;
        let error = loop {
            match embedded
                .publish(Queue::Callbacks, vec![7; 3_000], PATIENCE)
                .await
            {
                Ok(()) => published += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        assert!(error.is_transient());
        assert!(embedded.health().unwrap_err().contains("is full"));

        let mut claim = embedded.claim(Queue::Callbacks, ALL).await.unwrap();
        assert_eq!(claim.jobs.len(), published);
        let settlements: Vec<_> = claim
            .jobs
            .iter()
            .map(|job| Settlement {
                id: job.id,
                attempt: 1,
                outcome: Outcome::Done,
            })
            .collect();
        claim.ticket.settle(&settlements).await.unwrap();
        embedded
            .publish(Queue::Callbacks, vec![7; 3_000], PATIENCE)
            .await
            .unwrap();
        assert_eq!(embedded.health(), Ok(()));
        let depth = embedded.depth(Queue::Callbacks).await.unwrap();
        assert_eq!((depth.ready, depth.leased), (1, 0));
    }

    #[tokio::test]
    async fn an_idle_queue_finds_by_itself_that_its_disk_has_room_again() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::movable();
        let file = file::open(&folder.path().join("queue.db"), clock.now()).unwrap();
        file.connection
            .execute_batch("PRAGMA max_page_count = 60")
            .unwrap();
        let embedded = Embedded::start(file, clock).unwrap();
        while embedded
            .publish(Queue::Callbacks, vec![7; 3_000], PATIENCE)
            .await
            .is_ok()
        {}
        assert!(embedded.health().unwrap_err().contains("is full"));
        let mut claim = embedded.claim(Queue::Callbacks, ALL).await.unwrap();
        let done = |job: &Received| Settlement {
            id: job.id,
            attempt: 1,
            outcome: Outcome::Done,
        };
        let settlements: Vec<_> = claim.jobs.iter().map(done).collect();
        claim.ticket.settle(&settlements).await.unwrap();
        let heals = async {
            while embedded.health().is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(10), heals).await.unwrap();
    }

    #[tokio::test]
    async fn a_claim_that_nobody_waits_for_any_more_is_given_back_uncounted() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::movable();
        let file = file::open(&folder.path().join("queue.db"), clock.now()).unwrap();
        let embedded = Embedded::start(file, clock).unwrap();
        let given_up = timeout(
            Duration::from_millis(20),
            embedded.claim(Queue::Callbacks, ALL),
        );
        assert!(given_up.await.is_err());
        embedded
            .publish(Queue::Callbacks, b"a".to_vec(), PATIENCE)
            .await
            .unwrap();
        drop(embedded.claim(Queue::Callbacks, ALL).await.unwrap());
        let claim = embedded.claim(Queue::Callbacks, ALL).await.unwrap();
        assert_eq!(claim.jobs[0].attempt, 1);
    }
}
