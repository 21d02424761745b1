//! Publishing with confirms: many under way at once, each answered for by RabbitMQ.

use super::link::{Line, Link};
use crate::broker::PATIENCE;
use crate::error::Error;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Confirmation, PublisherConfirm};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use wire::Queue;

/// How many publishes may be under way.
const WINDOW: u32 = 4_096;
/// How long RabbitMQ may take to confirm. Afterwards nobody knows whether it has the job.
const CONFIRM_WITHIN: Duration = Duration::from_secs(10);

/// A place in the window of publishes under way.
pub(super) type UnderWay = OwnedSemaphorePermit;

pub(super) struct Publisher {
    pub(super) link: Link,
    window: Arc<Semaphore>,
}

impl Publisher {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            window: Arc::new(Semaphore::new(WINDOW as usize)),
        }
    }

    /// Waits for a place in the window, this long.
    pub(super) async fn place(&self, patience: Duration) -> Result<UnderWay, Error> {
        timeout(patience, Arc::clone(&self.window).acquire_owned())
            .await
            .map_err(|_| Error::Busy { waited: patience })?
            .map_err(|_| Error::Closed)
    }

    /// Sends a message, which is not safe before it is [`Self::confirmed`]. What is sent one after the
    /// other stays in that order.
    pub(super) async fn send(
        &self,
        place: UnderWay,
        queue: Queue,
        name: ShortString,
        properties: BasicProperties,
        payload: &[u8],
    ) -> Result<Sent, Error> {
        let line = self.link.line().await?;
        line.refuse_blocked()?;
        line.refuse_other_arguments(queue)?;
        let options = BasicPublishOptions {
            mandatory: true,
            immediate: false,
        };
        let published = line
            .confirming
            .basic_publish("".into(), name, options, payload, properties)
            .await
            .map_err(|error| line.away(&error))?;
        Ok(Sent {
            line,
            confirm: Some(published),
            place: Some(place),
        })
    }

    /// Waits until RabbitMQ has it safe.
    pub(super) async fn confirmed(&self, mut sent: Sent) -> Result<(), Error> {
        let Some(confirm) = sent.confirm.as_mut() else {
            return Err(Error::Closed);
        };
        let confirmed = timeout(CONFIRM_WITHIN, confirm).await;
        let confirmed = confirmed.map_err(|_| Error::Busy {
            waited: CONFIRM_WITHIN,
        })?;
        sent.confirm = None;
        let refused = |reason: &str| Error::Refused {
            reason: reason.to_owned(),
        };
        match confirmed.map_err(|error| sent.line.away(&error))? {
            Confirmation::Ack(None) => Ok(()),
            // RabbitMQ confirms also what it could not put anywhere and gave back.
            Confirmation::Ack(Some(_)) => {
                self.link.declare_again();
                Err(refused("its queue is not there; it is made again"))
            }
            Confirmation::Nack(_) => Err(refused("the queue is full or has no leader")),
            Confirmation::NotRequested => Err(refused("the channel does not confirm")),
        }
    }

    /// Sends an answer, to a queue that may be gone. Nobody waits for the confirmation.
    pub(super) async fn reply(
        &self,
        queue: ShortString,
        properties: BasicProperties,
        payload: &[u8],
    ) -> Result<(), Error> {
        let place = self.place(PATIENCE).await?;
        let line = self.link.line().await?;
        line.refuse_blocked()?;
        let published = line
            .confirming
            .basic_publish(
                "".into(),
                queue,
                BasicPublishOptions::default(),
                payload,
                properties,
            )
            .await
            .map_err(|error| line.away(&error))?;
        drop(Sent {
            line,
            confirm: Some(published),
            place: Some(place),
        });
        Ok(())
    }

    /// Waits until nothing is under way any more.
    pub(super) async fn settle(&self) {
        let _ = self.window.acquire_many(WINDOW).await;
    }
}

/// A message that is not answered for yet. Its place is taken until it is, also when nobody waits for
/// the answer any more.
pub(super) struct Sent {
    line: Line,
    confirm: Option<PublisherConfirm>,
    place: Option<UnderWay>,
}

impl Drop for Sent {
    fn drop(&mut self) {
        let Some(confirm) = self.confirm.take() else {
            return;
        };
        let place = self.place.take();
        // An unanswered confirm that is dropped would stay in its channel for ever.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = timeout(CONFIRM_WITHIN, confirm).await;
                drop(place);
            });
        }
    }
}
