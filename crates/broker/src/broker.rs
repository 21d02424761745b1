use crate::consume::{self, Consume};
use crate::dead_letter::{ClaimedLetters, DeadLetter, Hold};
use crate::depth::Depth;
use crate::embedded::Embedded;
use crate::error::Error;
use crate::handler::Handler;
use crate::hints::{HintReceiver, Hints};
use crate::rabbit::{Rabbit, RabbitOptions};
use crate::reply::Reply;
use domain::{Clock, Random};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use wire::{Hint, Queue, Topic};

/// The largest payload that is carried, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 8 * 1_048_576;
/// How long a caller waits for a place, unless it says otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// Carries jobs and hints. All clones are the same broker; it ends with the last of them.
#[derive(Clone)]
pub struct Broker {
    backend: Backend,
    hints: Arc<Hints>,
}

/// Which broker it is. Everything that differs is behind these matches.
#[derive(Clone)]
pub(crate) enum Backend {
    Embedded(Arc<Embedded>),
    Rabbit(Arc<Rabbit>),
}

impl Broker {
    /// Opens the embedded queue in this file, which is made if it is missing (its folder is not).
    /// Jobs that the last process had in hand are offered again. Blocks: up to 2 s while a process
    /// that is ending still holds the file.
    ///
    /// Fails when the file is in use, damaged, from a newer version, or cannot be opened.
    pub fn open_embedded(path: &Path, clock: Clock) -> Result<Self, Error> {
        let backend = Backend::Embedded(Arc::new(Embedded::open(path, clock)?));
        Ok(Self {
            backend,
            hints: Arc::default(),
        })
    }

    /// Uses a RabbitMQ server. It need not be there: it is connected to, for ever, in the background,
    /// and [`Self::health`] tells whether it is. Within a tokio runtime.
    ///
    /// Fails only when the URL cannot be used.
    pub fn open_rabbit(
        options: &RabbitOptions,
        clock: Clock,
        random: Random,
    ) -> Result<Self, Error> {
        let hints = Arc::default();
        let rabbit = Rabbit::open(options, clock, random, &hints)?;
        Ok(Self {
            backend: Backend::Rabbit(Arc::new(rabbit)),
            hints,
        })
    }

    /// Publishes a job, as [`Self::publish_within`] with the patience of 1 s.
    pub async fn publish(&self, queue: Queue, payload: Vec<u8>) -> Result<(), Error> {
        self.publish_within(queue, payload, PATIENCE).await
    }

    /// Publishes a job. Returns when it is safe: on the disk of the embedded queue, where publishes
    /// that wait at the same time share one fsync, or confirmed by RabbitMQ. When the future is
    /// dropped, the job may or may not be published.
    ///
    /// Fails with [`Error::TooLarge`] over [`MAX_PAYLOAD_BYTES`], with [`Error::Busy`] after waiting
    /// this long for a place among the 4,096 that may wait, and when the disk or the server takes
    /// nothing.
    pub async fn publish_within(
        &self,
        queue: Queue,
        payload: Vec<u8>,
        patience: Duration,
    ) -> Result<(), Error> {
        refuse_too_large(&payload)?;
        match &self.backend {
            Backend::Embedded(embedded) => embedded.publish(queue, payload, patience).await,
            Backend::Rabbit(rabbit) => rabbit.publish(queue, payload, patience).await,
        }
    }

    /// Publishes what was given up once, as [`Self::publish`] does. It may kill again, so it is offered
    /// alone, with all its attempts before it.
    pub async fn publish_again(&self, queue: Queue, payload: Vec<u8>) -> Result<(), Error> {
        refuse_too_large(&payload)?;
        match &self.backend {
            Backend::Embedded(embedded) => embedded.publish_again(queue, payload).await,
            Backend::Rabbit(rabbit) => rabbit.publish_again(queue, payload).await,
        }
    }

    /// Has the handler do the jobs of a queue until `shutdown` resolves; then finishes the batch in
    /// hand and gives back what was not begun. Transient failures of the broker are logged and
    /// waited out. When this future is dropped instead, the batch in hand counts as attempted and is
    /// offered again.
    ///
    /// Fails only when there is nothing to wait for: the broker was closed, its file is damaged.
    pub async fn consume(
        &self,
        queue: Queue,
        options: Consume,
        handler: impl Handler,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        consume::run(&self.backend, queue, options, &handler, shutdown).await
    }

    /// The newest dead letters of a queue, newest first: at most `limit`, and no more than fit into
    /// 8 MiB.
    pub async fn dead_letters(&self, queue: Queue, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.dead_letters(queue, limit).await,
            Backend::Rabbit(rabbit) => rabbit.dead_letters(queue, limit).await,
        }
    }

    /// Takes the oldest dead letters of a queue into hand, to be recorded elsewhere: at most `limit`, and
    /// no more than fit into 8 MiB (or a single one). Cheap when there are none. One task of a process
    /// does this for a queue; of several processes each gets others.
    pub async fn claim_dead_letters(
        &self,
        queue: Queue,
        limit: usize,
    ) -> Result<ClaimedLetters, Error> {
        let (letters, hold) = match &self.backend {
            Backend::Embedded(embedded) => (
                embedded.oldest_dead_letters(queue, limit).await?,
                Hold::Embedded(Arc::clone(embedded)),
            ),
            Backend::Rabbit(rabbit) => {
                let (letters, in_hand) = rabbit.claim_dead_letters(queue, limit).await?;
                (letters, Hold::Rabbit(Box::new(in_hand)))
            }
        };
        Ok(ClaimedLetters::new(letters, hold))
    }

    /// Whether others may publish to this broker by themselves: the embedded one has no door.
    pub const fn has_entrance(&self) -> bool {
        matches!(self.backend, Backend::Rabbit(_))
    }

    /// Whether a [`Reply`] may go to this queue.
    pub fn takes_replies(&self, queue: &str) -> bool {
        match &self.backend {
            Backend::Embedded(_) => false,
            Backend::Rabbit(rabbit) => rabbit.takes_replies(queue),
        }
    }

    /// Sends an answer to who published something through the entrance. It may be lost.
    pub async fn reply(&self, reply: &Reply) -> Result<(), Error> {
        match &self.backend {
            Backend::Embedded(_) => Ok(()),
            Backend::Rabbit(rabbit) => rabbit.reply(reply).await,
        }
    }

    /// How many jobs a queue holds. Cheap, however many there are.
    pub async fn depth(&self, queue: Queue) -> Result<Depth, Error> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.depth(queue).await,
            Backend::Rabbit(rabbit) => rabbit.depth(queue).await,
        }
    }

    /// Gives a hint to everybody who receives hints. Never waits, never fails; a hint may be lost
    /// with the process.
    pub fn hint(&self, hint: Hint) {
        self.hints.give(hint);
        match &self.backend {
            Backend::Embedded(_) => {}
            Backend::Rabbit(rabbit) => rabbit.hint(hint),
        }
    }

    /// A receiver of the hints given from now on. Each receiver gets all of them.
    pub fn hints(&self, topic: Topic) -> HintReceiver {
        self.hints.receiver(topic)
    }

    /// Whether jobs can be published now, and if not, why. Costs nothing.
    pub fn health(&self) -> Result<(), String> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.health(),
            Backend::Rabbit(rabbit) => rabbit.health(),
        }
    }

    /// Whether a publish to this queue could succeed now, and if not, why: [`Self::health`] without
    /// what only consuming and other queues need. Costs nothing, so that nobody waits for a broker that
    /// is known to be away.
    pub fn can_publish(&self, queue: Queue) -> Result<(), Error> {
        match &self.backend {
            Backend::Embedded(_) => Ok(()),
            Backend::Rabbit(rabbit) => rabbit.can_publish(queue),
        }
    }

    /// Commits what waits, refuses everything from now on, and leaves the queue file tidy. Returns
    /// after 2 s at the latest; what is not done by then is done by the next start.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.close().await,
            Backend::Rabbit(rabbit) => rabbit.close().await,
        }
    }
}

fn refuse_too_large(payload: &[u8]) -> Result<(), Error> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Error::TooLarge {
            size: payload.len(),
            max: MAX_PAYLOAD_BYTES,
        });
    }
    Ok(())
}

/// Without what waits in it: payloads hold phone numbers and texts.
impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}
