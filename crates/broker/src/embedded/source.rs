use super::{Embedded, Ticket};
use crate::consume::{Consume, Settlement};
use crate::error::Error;
use crate::handler::Received;
use std::sync::Arc;
use wire::Queue;

/// The jobs of a queue for one consumer.
pub(crate) struct Source {
    embedded: Arc<Embedded>,
    queue: Queue,
    options: Consume,
    in_hand: Option<Ticket>,
}

impl Source {
    pub(crate) const fn new(embedded: Arc<Embedded>, queue: Queue, options: Consume) -> Self {
        Self {
            embedded,
            queue,
            options,
            in_hand: None,
        }
    }

    pub(crate) async fn claim(&mut self) -> Result<Vec<Received>, Error> {
        let claim = self.embedded.claim(self.queue, self.options).await?;
        self.in_hand = Some(claim.ticket);
        Ok(claim.jobs)
    }

    pub(crate) const fn begin(&mut self) {
        if let Some(ticket) = &mut self.in_hand {
            ticket.begin();
        }
    }

    pub(crate) async fn settle(&mut self, settlements: &[Settlement]) -> Result<(), Error> {
        match &mut self.in_hand {
            Some(ticket) => ticket.settle(settlements).await,
            None => Ok(()),
        }
    }

    pub(crate) fn release(&mut self) {
        if let Some(ticket) = &mut self.in_hand {
            ticket.release();
        }
    }
}
