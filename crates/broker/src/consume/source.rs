//! Where a consumer's jobs come from, and what holds the batch in its hand.

use super::{Consume, Settlement};
use crate::broker::Backend;
use crate::error::Error;
use crate::handler::Received;
use crate::{embedded, rabbit};
use wire::Queue;

/// The jobs of a queue for one consumer. Dropped, it gives back what is not settled: counted as
/// attempted if its handling was begun.
pub(crate) enum Source {
    Embedded(embedded::Source),
    Rabbit(Box<rabbit::Source>),
}

impl Backend {
    pub(super) fn source(&self, queue: Queue, options: Consume) -> Source {
        match self {
            Self::Embedded(embedded) => {
                Source::Embedded(embedded::Source::new(embedded.clone(), queue, options))
            }
            Self::Rabbit(rabbit) => Source::Rabbit(Box::new(rabbit::Source::new(
                rabbit.clone(),
                queue,
                options,
            ))),
        }
    }
}

impl Source {
    /// Waits for jobs and takes them into its hand: at least one. They are offered to nobody else
    /// until they are settled. Dropping the future loses none.
    pub(crate) async fn claim(&mut self) -> Result<Vec<Received>, Error> {
        match self {
            Self::Embedded(source) => source.claim().await,
            Self::Rabbit(source) => source.claim().await,
        }
    }

    /// From here on the attempt counts.
    pub(crate) fn begin(&mut self) {
        match self {
            Self::Embedded(source) => source.begin(),
            // A job of RabbitMQ counts from its delivery on.
            Self::Rabbit(_) => {}
        }
    }

    /// Records what becomes of some of the jobs in hand. With an error nothing is recorded, or (on
    /// RabbitMQ) a job may come twice.
    pub(crate) async fn settle(&mut self, settlements: &[Settlement]) -> Result<(), Error> {
        match self {
            Self::Embedded(source) => source.settle(settlements).await,
            Self::Rabbit(source) => source.settle(settlements).await,
        }
    }

    /// Gives back what is not settled, without counting an attempt.
    pub(crate) async fn release(&mut self) {
        match self {
            Self::Embedded(source) => source.release(),
            Self::Rabbit(source) => source.release().await,
        }
    }

    /// Ends politely: what is not in hand goes back uncounted.
    pub(crate) async fn close(&mut self) {
        match self {
            Self::Embedded(_) => {}
            Self::Rabbit(source) => source.close().await,
        }
    }
}
