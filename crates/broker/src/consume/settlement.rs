//! What becomes of a job in a consumer's hand.

use crate::handler::{Disposition, JobId, Received};
use std::time::Duration;

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
    Later {
        after: Duration,
    },
    /// As [`Outcome::Later`], and the attempt did not count.
    Deferred {
        after: Duration,
    },
    Dead {
        reason: String,
    },
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
                    outcome: Outcome::Deferred { after },
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
