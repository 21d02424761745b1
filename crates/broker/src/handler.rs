use domain::Timestamp;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

/// Does the jobs of a queue.
pub trait Handler: Send + Sync {
    /// Does these jobs, which came in this order, and says of each, in the same order, what becomes
    /// of it. Another number of dispositions than jobs retries them all. May panic or be dropped
    /// (see [`crate::Consume::lease`]): then the jobs come again, one at a time.
    fn handle(&self, jobs: &[Received]) -> impl Future<Output = Vec<Disposition>> + Send;
}

impl<H: Handler> Handler for &H {
    fn handle(&self, jobs: &[Received]) -> impl Future<Output = Vec<Disposition>> + Send {
        H::handle(self, jobs)
    }
}

/// A job as its handler gets it.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// Which job. The same on every attempt, and as a dead letter.
    pub id: JobId,
    /// The bytes that were published.
    pub payload: Vec<u8>,
    /// Which attempt this is, from 1. Counted durably before the handler gets the job.
    pub attempt: u32,
    /// Whether a [`Disposition::Retry`] makes this job a dead letter.
    pub is_last_attempt: bool,
    /// When it was published.
    pub first_seen_at: Timestamp,
}

/// What becomes of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// It is done.
    Ack,
    /// It is offered again; on its last attempt it becomes a dead letter with this reason.
    Retry {
        /// Not before this much later.
        after: Duration,
        /// Why, for people.
        reason: String,
    },
    /// It is offered again, and this attempt does not count: what is needed to do it is away, which
    /// is not the job's fault.
    Defer {
        /// Not before this much later.
        after: Duration,
        /// Why, for people.
        reason: String,
    },
    /// It can never be done, and is kept for people to look at.
    DeadLetter {
        /// Why, for people.
        reason: String,
    },
}

/// Which job. Text outside, opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(i64);

impl JobId {
    pub(crate) const fn new(number: i64) -> Self {
        Self(number)
    }

    pub(crate) const fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for JobId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Without the payload: it holds phone numbers and texts.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("id", &self.id)
            .field("payload_bytes", &self.payload.len())
            .field("attempt", &self.attempt)
            .field("is_last_attempt", &self.is_last_attempt)
            .field("first_seen_at", &self.first_seen_at)
            .finish()
    }
}
