//! What was given up: taking it out, and looking through it. RabbitMQ's queues cannot be read without
//! taking messages out, and RabbitMQ 4 gives up for good what is given back twenty times. So what stays is
//! published again behind the others before it is let go: a death in between doubles a letter and loses
//! none.

use super::Rabbit;
use super::job;
use super::link::Line;
use super::topology::{self, Place};
use crate::broker::PATIENCE;
use crate::dead_letter::DeadLetter;
use crate::error::Error;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions};
use lapin::types::{DeliveryTag, ShortString};
use lapin::{BasicProperties, Channel};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use wire::Queue;

/// How many are taken out at once. RabbitMQ holds back more than 32 acknowledgements of single messages
/// that are under way, and forgets those it holds when the channel ends.
const TAKE: usize = 30;
/// How many are looked through at the most.
const MOST: u64 = 10_000;
/// How many bytes of payloads are in hand, or in a list, at the most (or those of a single one).
const MAX_BYTES: usize = 8 * 1_048_576;

/// Messages that nobody else gets as long as the channel lasts, over which they came.
pub(crate) struct InHand {
    rabbit: Arc<Rabbit>,
    queue: Queue,
    line: Line,
    channel: Channel,
    messages: Vec<Message>,
}

struct Message {
    tag: DeliveryTag,
    properties: BasicProperties,
    payload: Vec<u8>,
}

/// Takes the oldest into hand.
pub(super) async fn claim(
    rabbit: &Arc<Rabbit>,
    queue: Queue,
    limit: usize,
) -> Result<(Vec<DeadLetter>, InHand), Error> {
    let line = rabbit.consuming.line().await?;
    let channel = line.channel().await?;
    let name = rabbit.dead(queue);
    let all = topology::count(&channel, name.clone()).await;
    let all = usize::try_from(all.map_err(|error| line.away(&error))?).unwrap_or(usize::MAX);
    let taken = take(&channel, &name, all.min(limit).min(TAKE)).await;
    let taken = taken.map_err(|error| line.away(&error))?;
    let (mut letters, mut messages) = (Vec::new(), Vec::new());
    for delivery in taken {
        messages.push(Message::of(&delivery));
        letters.push(rabbit.read(delivery, queue));
    }
    let in_hand = InHand {
        rabbit: Arc::clone(rabbit),
        queue,
        line,
        channel,
        messages,
    };
    if in_hand.messages.is_empty() {
        in_hand.close().await?;
    }
    Ok((letters, in_hand))
}

/// The newest, newest first.
pub(super) async fn list(
    rabbit: &Arc<Rabbit>,
    queue: Queue,
    limit: usize,
) -> Result<Vec<DeadLetter>, Error> {
    let line = rabbit.consuming.line().await?;
    let channel = line.channel().await?;
    let all = topology::count(&channel, rabbit.dead(queue)).await;
    let mut left = all.map_err(|error| line.away(&error))?.min(MOST);
    let mut newest: VecDeque<DeadLetter> = VecDeque::new();
    let mut seen = HashSet::new();
    let mut bytes = 0;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(TAKE);
        let (letters, in_hand) = claim(rabbit, queue, most).await?;
        in_hand.put_back().await?;
        if letters.is_empty() {
            break;
        }
        left = left.saturating_sub(u64::try_from(letters.len()).unwrap_or(left));
        for letter in letters {
            if seen.insert(letter.id) {
                bytes += letter.payload.len();
                newest.push_front(letter);
            }
            while newest.len() > limit || (bytes > MAX_BYTES && newest.len() > 1) {
                bytes -= newest.pop_back().map_or(0, |oldest| oldest.payload.len());
            }
        }
    }
    Ok(newest.into())
}

impl InHand {
    pub(crate) async fn forget(self) -> Result<(), Error> {
        if let Some(last) = self.messages.last() {
            let all = BasicAckOptions { multiple: true };
            let acknowledged = self.channel.basic_ack(last.tag, all).await;
            acknowledged.map_err(|error| self.line.away(&error))?;
            self.close().await?;
        }
        Ok(())
    }

    pub(crate) async fn put_back(mut self) -> Result<(), Error> {
        let (publisher, name) = (&self.rabbit.publisher, self.rabbit.dead(self.queue));
        let mut moved = Vec::with_capacity(self.messages.len());
        for message in &mut self.messages {
            let properties = std::mem::take(&mut message.properties);
            let under_way = publisher.place(PATIENCE).await?;
            let payload = &message.payload;
            let sent = publisher.send(under_way, self.queue, name.clone(), properties, payload);
            moved.push(sent.await?);
        }
        self.rabbit.confirmed(moved).await?;
        self.forget().await
    }

    /// An acknowledgement is not answered: when this is, RabbitMQ has it.
    async fn close(&self) -> Result<(), Error> {
        let closed = self.channel.close(200, "done".into()).await;
        closed.map_err(|error| self.line.away(&error))
    }
}

impl Message {
    fn of(delivery: &Delivery) -> Self {
        Self {
            tag: delivery.delivery_tag,
            properties: delivery.properties.clone(),
            payload: delivery.data.clone(),
        }
    }
}

impl Rabbit {
    fn dead(&self, queue: Queue) -> ShortString {
        self.topology.name(queue, &Place::Dead { reason: "" })
    }

    fn read(&self, delivery: Delivery, queue: Queue) -> DeadLetter {
        job::dead_letter(delivery, queue, self.clock.now(), &self.random)
    }
}

async fn take(channel: &Channel, name: &ShortString, count: usize) -> lapin::Result<Vec<Delivery>> {
    let mut taken: Vec<Delivery> = Vec::new();
    let mut bytes = 0;
    while taken.len() < count && bytes < MAX_BYTES {
        let options = BasicGetOptions::default();
        let Some(got) = channel.basic_get(name.clone(), options).await? else {
            break;
        };
        bytes += got.delivery.data.len();
        taken.push(got.delivery);
    }
    Ok(taken)
}
