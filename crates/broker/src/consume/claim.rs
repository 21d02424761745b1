//! Jobs in a consumer's hand, and what becomes of them.

use crate::embedded;
use crate::error::Error;
use crate::handler::{Disposition, JobId, Received};
use std::time::Duration;

/// Jobs that are offered to nobody else until they are settled or the ticket is dropped.
pub(crate) struct Claim {
    pub(crate) jobs: Vec<Received>,
    pub(crate) ticket: Ticket,
}

/// The right to settle the jobs of a claim. Dropped, it gives back those that are not settled:
/// counted as attempted if their handling was begun.
pub(crate) enum Ticket {
    Embedded(embedded::Ticket),
}

impl Ticket {
    /// From here on the attempt counts.
    pub(crate) fn begin(&mut self) {
        match self {
            Self::Embedded(ticket) => ticket.begin(),
        }
    }

    /// Gives back what is not settled, without counting an attempt.
    pub(crate) fn release(&mut self) {
        match self {
            Self::Embedded(ticket) => ticket.release(),
        }
    }

    /// Records what becomes of some of the jobs: all of it or, with an error, nothing.
    pub(crate) async fn settle(&mut self, settlements: &[Settlement]) -> Result<(), Error> {
        match self {
            Self::Embedded(ticket) => ticket.settle(settlements).await,
        }
    }
}

/// What becomes of a job.
#[derive(Debug, Clone)]
pub(crate) struct Settlement {
    pub(crate) id: JobId,
    pub(crate) attempt: u32,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Done,
    Later { after: Duration },
    Dead { reason: String },
}

/// Reasons are for people, and people read no more.
const MAX_REASON_CHARS: usize = 1_000;

impl Settlement {
    pub(crate) fn new(job: &Received, disposition: Disposition) -> Self {
        let is_dead = Self::is_dead(job, &disposition);
        let outcome = match disposition {
            Disposition::Ack => Outcome::Done,
            Disposition::Defer { after, .. } => {
                return Self {
                    id: job.id,
                    attempt: job.attempt.saturating_sub(1),
                    outcome: Outcome::Later { after },
                };
            }
            Disposition::Retry { after, .. } if !is_dead => Outcome::Later { after },
            Disposition::Retry { reason, .. } | Disposition::DeadLetter { reason } => {
                Outcome::Dead {
                    reason: reason.chars().take(MAX_REASON_CHARS).collect(),
                }
            }
        };
        Self {
            id: job.id,
            attempt: job.attempt,
            outcome,
        }
    }

    /// Whether this disposition makes this job a dead letter.
    pub(crate) fn is_dead(job: &Received, disposition: &Disposition) -> bool {
        match disposition {
            Disposition::Ack | Disposition::Defer { .. } => false,
            Disposition::Retry { .. } => job.is_last_attempt,
            Disposition::DeadLetter { .. } => true,
        }
    }
}
