//! What arrives for one consumer, over a channel of its own.

use super::entrance;
use super::job::Job;
use super::link::Line;
use super::topology::{Place, Topology};
use domain::{Clock, Random};
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;
use wire::Queue;

/// A job that arrived, and is ours until it is acknowledged or the channel ends.
pub(super) struct Arrival {
    tag: u64,
    pub(super) job: Job,
    /// Whether some consumer had it before, and ended without a word about it.
    pub(super) is_redelivered: bool,
    pub(super) is_alone: bool,
    pub(super) at: Instant,
}

pub(super) struct Intake {
    channel: Channel,
    ready: Consumer,
    alone: Consumer,
    pub(super) arrived: VecDeque<Arrival>,
    pub(super) arrived_alone: VecDeque<Arrival>,
    /// Every delivery that was not acknowledged yet.
    unacknowledged: BTreeSet<u64>,
    /// The exchange from which what others publish comes in.
    entrance: Option<ShortString>,
    clock: Clock,
    random: Random,
}

impl Intake {
    /// Begins to consume. Of the jobs that are offered alone, one is in hand at a time: if it kills its
    /// consumer, RabbitMQ gives back no other.
    pub(super) async fn open(
        line: &Line,
        topology: &Topology,
        queue: Queue,
        prefetch: u16,
        clock: Clock,
        random: Random,
    ) -> lapin::Result<Self> {
        let channel = line.connection.create_channel().await?;
        let consume = async |place: Place<'_>, prefetch: u16| {
            channel
                .basic_qos(prefetch, BasicQosOptions::default())
                .await?;
            let name = topology.name(queue, &place);
            let options = BasicConsumeOptions::default();
            channel
                .basic_consume(name.clone(), name, options, FieldTable::default())
                .await
        };
        let ready = consume(Place::Ready, prefetch).await?;
        let alone = consume(Place::Alone, 1).await?;
        Ok(Self {
            channel,
            ready,
            alone,
            arrived: VecDeque::new(),
            arrived_alone: VecDeque::new(),
            unacknowledged: BTreeSet::new(),
            entrance: Some(topology.entrance())
                .filter(|(_, has_entrance)| *has_entrance == queue)
                .map(|(exchange, _)| exchange),
            clock,
            random,
        })
    }

    /// Waits until something arrives. Dropping the future loses nothing.
    pub(super) async fn wait(&mut self) -> lapin::Result<()> {
        tokio::select! {
            arrival = self.ready.next() => self.take_in(arrival, false)?,
            arrival = self.alone.next() => self.take_in(arrival, true)?,
        }
        // More of the same packet is on its way.
        tokio::task::yield_now().await;
        self.look()
    }

    /// Takes in what is there already.
    pub(super) fn look(&mut self) -> lapin::Result<()> {
        while let Some(arrival) = self.ready.next().now_or_never() {
            self.take_in(arrival, false)?;
        }
        while let Some(arrival) = self.alone.next().now_or_never() {
            self.take_in(arrival, true)?;
        }
        Ok(())
    }

    fn take_in(
        &mut self,
        arrival: Option<lapin::Result<Delivery>>,
        is_alone: bool,
    ) -> lapin::Result<()> {
        // A consumer that RabbitMQ cancelled, because its queue is gone, is a lost channel.
        let ended =
            || lapin::ErrorKind::InvalidChannelState(lapin::ChannelState::Closed, "cancelled");
        let delivery = arrival.ok_or_else(|| lapin::Error::from(ended()))??;
        let tag = delivery.delivery_tag;
        self.unacknowledged.insert(tag);
        let arrival = Arrival {
            tag,
            is_redelivered: delivery.redelivered,
            is_alone,
            at: Instant::now(),
            job: self.read(delivery),
        };
        if is_alone {
            self.arrived_alone.push_back(arrival);
        } else {
            self.arrived.push_back(arrival);
        }
        Ok(())
    }

    fn read(&self, delivery: Delivery) -> Job {
        let now = self.clock.now();
        if self.entrance.as_ref() == Some(&delivery.exchange) {
            return Job::new(entrance::admit(delivery, now), now, &self.random);
        }
        Job::of(delivery, now, &self.random)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.channel.status().connected()
    }

    /// Acknowledges: with one word, where nothing older is left out.
    pub(super) async fn acknowledge(&mut self, arrivals: &[Arrival]) -> lapin::Result<()> {
        let mut tags: Vec<u64> = arrivals.iter().map(|arrival| arrival.tag).collect();
        tags.sort_unstable();
        let Some(last) = tags.last().copied() else {
            return Ok(());
        };
        for tag in &tags {
            self.unacknowledged.remove(tag);
        }
        if self
            .unacknowledged
            .first()
            .is_none_or(|first| *first > last)
        {
            let all = BasicAckOptions { multiple: true };
            return self.channel.basic_ack(last, all).await;
        }
        let one = BasicAckOptions { multiple: false };
        let each = tags.iter().map(|tag| self.channel.basic_ack(*tag, one));
        futures_util::future::try_join_all(each).await.map(drop)
    }

    /// Takes no more, and takes in what was on its way.
    pub(super) async fn stop(&mut self) -> lapin::Result<()> {
        for consumer in [&self.ready, &self.alone] {
            let options = BasicCancelOptions::default();
            self.channel.basic_cancel(consumer.tag(), options).await?;
        }
        while let Some(arrival) = self.ready.next().await {
            self.take_in(Some(arrival), false)?;
        }
        while let Some(arrival) = self.alone.next().await {
            self.take_in(Some(arrival), true)?;
        }
        Ok(())
    }

    /// Ends the channel. What is not acknowledged is delivered again.
    pub(super) async fn close(self) {
        // It may be closed already, which is what is wanted.
        let _ = self.channel.close(200, "done".into()).await;
    }
}
