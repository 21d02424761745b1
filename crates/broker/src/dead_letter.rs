use crate::handler::JobId;
use domain::Timestamp;
use std::fmt;
use wire::Queue;

/// A job that could not be processed, kept for people to look at.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The job's id.
    pub id: JobId,
    /// Where it came from, and goes back to.
    pub queue: Queue,
    /// The bytes that were published.
    pub payload: Vec<u8>,
    /// Why, for people.
    pub reason: String,
    /// How often it was attempted.
    pub attempts: u32,
    /// When it was published.
    pub first_seen_at: Timestamp,
    /// When it was given up.
    pub died_at: Timestamp,
}

/// Without the payload: it holds phone numbers and texts.
impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("id", &self.id)
            .field("queue", &self.queue)
            .field("payload_bytes", &self.payload.len())
            .field("reason", &self.reason)
            .field("attempts", &self.attempts)
            .field("first_seen_at", &self.first_seen_at)
            .field("died_at", &self.died_at)
            .finish()
    }
}
