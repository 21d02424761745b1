//! RabbitMQ, 3.10 and later.
//!
//! Who is who: [`Rabbit`] is the face. Two [`link`]s keep a connection each, one to publish and one to
//! consume, for ever: a connection that RabbitMQ blocks for publishing still consumes. The
//! [`topology`] says which queues there are and how they are made. A [`source`] consumes for one
//! consumer; a [`job`] is a message with our headers. The [`relay`] carries hints between processes,
//! and [`dead_letters`] takes out, or looks through, what was given up.
//!
//! What a job goes through is always published and confirmed first and acknowledged then, so that a
//! death in between doubles it and never loses it. Attempts are counted in our own header. A job that
//! RabbitMQ delivers again had a consumer that died: that attempt is counted before the job is
//! offered again, alone.

mod address;
mod dead_letters;
mod entrance;
mod intake;
mod job;
mod link;
mod publish;
mod relay;
mod source;
mod tally;
mod topology;

pub(crate) use dead_letters::InHand as LettersInHand;
pub(crate) use source::Source;

use crate::dead_letter::DeadLetter;
use crate::depth::Depth;
use crate::error::Error;
use crate::hints::Hints;
use crate::reply::Reply;
use address::Address;
use domain::{Clock, Random};
use futures_util::future::try_join_all;
use job::Job;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use link::{Link, Purpose};
use publish::{Publisher, Sent, UnderWay};
use relay::Relay;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tally::Tally;
use tokio::sync::watch;
use tokio::time::timeout;
use topology::{Place, Topology};
use wire::{Hint, Queue};

/// How long closing may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long RabbitMQ may take to answer a question.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a RabbitMQ is, and what is ours in it.
#[derive(Clone)]
pub struct RabbitOptions {
    /// `amqp://user:password@host:port/vhost`, or `amqps://` for TLS, with RabbitMQ's own parameters
    /// `heartbeat`, `connection_timeout` and `cacertfile`.
    pub url: String,
    /// What the names of our queues begin with: several installations may share a virtual host.
    pub namespace: String,
    /// The waits that a delayed job is made of, shortest first: a queue each. A job whose time has not
    /// come after one of them waits again.
    pub waits: Vec<Duration>,
}

impl RabbitOptions {
    /// With the usual waits of 1, 10 and 60 s.
    pub fn new(url: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            namespace: namespace.into(),
            waits: [1, 10, 60].map(Duration::from_secs).to_vec(),
        }
    }
}

/// Without the URL: it holds a password.
impl fmt::Debug for RabbitOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitOptions")
            .field("namespace", &self.namespace)
            .field("waits", &self.waits)
            .finish_non_exhaustive()
    }
}

pub(crate) struct Rabbit {
    topology: Arc<Topology>,
    publisher: Publisher,
    consuming: Link,
    relay: Relay,
    tally: Tally,
    clock: Clock,
    random: Random,
    is_closed: watch::Sender<bool>,
}

impl Rabbit {
    pub(crate) fn open(
        options: &RabbitOptions,
        clock: Clock,
        random: Random,
        hints: &Arc<Hints>,
    ) -> Result<Self, Error> {
        let address = Arc::new(Address::parse(&options.url)?);
        let topology = Arc::new(Topology::new(options)?);
        let publishing = Link::start(Purpose::Publish, &address, &topology);
        let consuming = Link::start(Purpose::Consume, &address, &topology);
        Ok(Self {
            relay: Relay::start(&publishing, &consuming, &topology, hints, &random),
            publisher: Publisher::new(publishing),
            consuming,
            topology,
            tally: Tally::default(),
            clock,
            random,
            is_closed: watch::channel(false).0,
        })
    }

    pub(crate) async fn publish(
        &self,
        queue: Queue,
        payload: Vec<u8>,
        patience: Duration,
    ) -> Result<(), Error> {
        self.refuse_when_closed()?;
        let job = Job::new(payload, self.clock.now(), &self.random);
        let place = self.publisher.place(patience).await?;
        let sent = self.send_at(place, queue, Place::Ready, &job).await?;
        self.publisher.confirmed(sent).await
    }

    pub(crate) async fn publish_again(&self, queue: Queue, payload: Vec<u8>) -> Result<(), Error> {
        self.refuse_when_closed()?;
        let job = Job::new(payload, self.clock.now(), &self.random);
        let sent = self.send(queue, Place::Alone, &job).await?;
        self.publisher.confirmed(sent).await
    }

    /// Sends a job to a place of a queue.
    async fn send(&self, queue: Queue, place: Place<'_>, job: &Job) -> Result<Sent, Error> {
        let under_way = self.publisher.place(crate::broker::PATIENCE).await?;
        self.send_at(under_way, queue, place, job).await
    }

    /// As [`Self::send`], at a place in the publisher's window.
    async fn send_at(
        &self,
        under_way: UnderWay,
        queue: Queue,
        place: Place<'_>,
        job: &Job,
    ) -> Result<Sent, Error> {
        let name = self.topology.name(queue, &place);
        let properties = job.properties(place, self.clock.now());
        self.publisher
            .send(under_way, queue, name, properties, &job.payload)
            .await
    }

    /// Waits until RabbitMQ has all of these safe.
    async fn confirmed(&self, sent: Vec<Sent>) -> Result<(), Error> {
        let confirmed = sent.into_iter().map(|sent| self.publisher.confirmed(sent));
        try_join_all(confirmed).await.map(drop)
    }

    pub(crate) async fn depth(&self, queue: Queue) -> Result<Depth, Error> {
        self.refuse_when_closed()?;
        let counted = timeout(PATIENCE, self.count(queue)).await;
        let counted = counted.map_err(|_| Error::Busy { waited: PATIENCE })??;
        let local = self.tally.of(queue);
        let ready = counted.ready + local.ready;
        Ok(Depth {
            ready,
            leased: local.leased,
            delayed: counted.delayed + local.held,
            dead: counted.dead,
            oldest_ready_at: local.oldest.filter(|_| ready > 0),
        })
    }

    /// What waits in the server. What a consumer has, here or elsewhere, it does not tell.
    async fn count(&self, queue: Queue) -> Result<Counted, Error> {
        let line = self.consuming.line().await?;
        let channel = line.channel().await?;
        let mut counted = Counted::default();
        for place in self.topology.places() {
            let name = self.topology.name(queue, &place);
            let waiting = topology::count(&channel, name)
                .await
                .map_err(|error| line.away(&error))?;
            match place {
                Place::Ready | Place::Alone => counted.ready += waiting,
                Place::Delayed { .. } => counted.delayed += waiting,
                Place::Dead { .. } => counted.dead += waiting,
            }
        }
        Ok(counted)
    }

    pub(crate) async fn dead_letters(
        self: &Arc<Self>,
        queue: Queue,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Error> {
        self.refuse_when_closed()?;
        dead_letters::list(self, queue, limit).await
    }

    pub(crate) async fn claim_dead_letters(
        self: &Arc<Self>,
        queue: Queue,
        limit: usize,
    ) -> Result<(Vec<DeadLetter>, LettersInHand), Error> {
        self.refuse_when_closed()?;
        dead_letters::claim(self, queue, limit).await
    }

    pub(crate) fn hint(&self, hint: Hint) {
        self.relay.send(hint);
    }

    /// Sends an answer to who published something. Nobody waits for it: whoever misses it asks again under the
    /// same key.
    pub(crate) async fn reply(&self, reply: &Reply) -> Result<(), Error> {
        self.refuse_when_closed()?;
        let mut headers = FieldTable::default();
        headers.insert("status".into(), AMQPValue::LongUInt(reply.status.into()));
        let mut properties = BasicProperties::default()
            .with_content_type(reply.content_type.into())
            .with_headers(headers);
        if let Some(id) = &reply.correlation_id {
            properties = properties.with_correlation_id(id.as_str().into());
        }
        let to = reply.to.as_str().into();
        self.publisher
            .reply(to, properties, reply.body.as_bytes())
            .await
    }

    pub(crate) fn takes_replies(&self, queue: &str) -> bool {
        self.topology.takes_replies(queue)
    }

    pub(crate) fn health(&self) -> Result<(), String> {
        self.refuse_when_closed()
            .and_then(|()| self.publisher.link.health())
            .and_then(|()| self.consuming.health())
            .map_err(|error| error.to_string())
    }

    pub(crate) fn can_publish(&self, queue: Queue) -> Result<(), Error> {
        self.refuse_when_closed()?;
        self.publisher.link.can_publish(queue)
    }

    pub(crate) async fn close(&self) {
        if self.is_closed.send_replace(true) {
            return;
        }
        let farewell = async {
            self.publisher.settle().await;
            tokio::join!(self.publisher.link.close(), self.consuming.close());
        };
        if timeout(FAREWELL, farewell).await.is_err() {
            tracing::warn!("RabbitMQ does not say goodbye: closing goes on without it");
        }
    }

    async fn closed(&self) {
        // The sender is here, so this cannot fail.
        let _ = self.is_closed.subscribe().wait_for(|closed| *closed).await;
    }

    fn refuse_when_closed(&self) -> Result<(), Error> {
        if *self.is_closed.borrow() {
            return Err(Error::Closed);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Counted {
    ready: u64,
    delayed: u64,
    dead: u64,
}
