use crate::embedded::Embedded;
use crate::error::Error;
use crate::handler::JobId;
use crate::rabbit::LettersInHand;
use domain::Timestamp;
use std::fmt;
use std::sync::Arc;
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

/// Dead letters of one queue that were taken into hand, oldest first: to be recorded elsewhere, and
/// forgotten here then. Dropped, they stay where they were.
pub struct ClaimedLetters {
    letters: Arc<Vec<DeadLetter>>,
    hold: Hold,
}

/// What keeps them from others.
pub(crate) enum Hold {
    /// Nothing does: one process has the file, and in it one task drains.
    Embedded(Arc<Embedded>),
    Rabbit(Box<LettersInHand>),
}

impl ClaimedLetters {
    pub(crate) fn new(letters: Vec<DeadLetter>, hold: Hold) -> Self {
        Self {
            letters: Arc::new(letters),
            hold,
        }
    }

    /// The letters; none when there were none.
    pub fn letters(&self) -> Arc<Vec<DeadLetter>> {
        Arc::clone(&self.letters)
    }

    /// Takes them out of the broker: they are safe elsewhere. Should the process die before this, or this
    /// fail, they are claimed again.
    ///
    /// Fails as a publish does.
    pub async fn forget(self) -> Result<(), Error> {
        match self.hold {
            Hold::Embedded(embedded) => {
                let ids = self.letters.iter().map(|letter| letter.id).collect();
                embedded.forget_dead_letters(ids).await
            }
            Hold::Rabbit(in_hand) => in_hand.forget().await,
        }
    }

    /// Leaves them in the broker: they could not be recorded. On RabbitMQ they go behind the others, for
    /// 4.x gives up for good what is given back twenty times.
    ///
    /// Fails as a publish does, and then they are where they were.
    pub async fn put_back(self) -> Result<(), Error> {
        match self.hold {
            Hold::Embedded(_) => Ok(()),
            Hold::Rabbit(in_hand) => in_hand.put_back().await,
        }
    }
}

/// Without the letters' payloads.
impl fmt::Debug for ClaimedLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimedLetters")
            .field("letters", &self.letters)
            .finish_non_exhaustive()
    }
}
