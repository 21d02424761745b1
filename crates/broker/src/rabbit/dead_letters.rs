//! Looking through what was given up. RabbitMQ's queues cannot be read without taking messages out, so
//! each is published again behind the others before it is let go: their order stays, and a look that
//! breaks off doubles a letter and loses none. (Putting a message back instead would make RabbitMQ 4
//! give it up for good after twenty looks.)

use super::Rabbit;
use super::job::{self, Job};
use super::topology::{self, Place};
use crate::broker::PATIENCE;
use crate::dead_letter::DeadLetter;
use crate::error::Error;
use crate::handler::JobId;
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions};
use std::collections::{HashSet, VecDeque};
use wire::Queue;

/// How many are taken out at once. RabbitMQ holds back more than 32 acknowledgements of single messages
/// that are under way, and forgets those it holds when the channel ends.
const TAKE: u64 = 30;
/// How many are looked through at the most.
const MOST: u64 = 10_000;
/// How many bytes of payloads a list holds at the most.
const MAX_LIST_BYTES: usize = 8 * 1_048_576;

/// The newest, newest first.
pub(super) async fn list(
    rabbit: &Rabbit,
    queue: Queue,
    limit: usize,
) -> Result<Vec<DeadLetter>, Error> {
    let mut newest: VecDeque<DeadLetter> = VecDeque::new();
    let mut seen = HashSet::new();
    let mut bytes = 0;
    sift(rabbit, queue, |letter| {
        if seen.insert(letter.id) {
            bytes += letter.payload.len();
            newest.push_front(letter.clone());
        }
        while newest.len() > limit || (bytes > MAX_LIST_BYTES && newest.len() > 1) {
            bytes -= newest.pop_back().map_or(0, |oldest| oldest.payload.len());
        }
        false
    })
    .await?;
    Ok(newest.into())
}

/// Makes a dead letter a job again. Whether there was one of this id.
pub(super) async fn requeue(rabbit: &Rabbit, queue: Queue, id: JobId) -> Result<bool, Error> {
    let mut is_found = false;
    sift(rabbit, queue, |letter| {
        is_found |= letter.id == id;
        letter.id == id
    })
    .await?;
    Ok(is_found)
}

/// Looks at every dead letter once; those that are wanted become jobs again.
async fn sift(
    rabbit: &Rabbit,
    queue: Queue,
    mut is_wanted: impl FnMut(&DeadLetter) -> bool,
) -> Result<(), Error> {
    let line = rabbit.consuming.line().await?;
    let channel = line.channel().await?;
    let name = rabbit.topology.name(queue, &Place::Dead { reason: "" });
    let all = topology::count(&channel, name.clone()).await;
    let mut left = all.map_err(|error| line.away(&error))?.min(MOST);
    while left > 0 {
        let taken = take(&channel, name.as_str(), left.min(TAKE)).await;
        let taken = taken.map_err(|error| line.away(&error))?;
        let Some(last) = taken.last().map(|delivery| delivery.delivery_tag) else {
            break;
        };
        left -= u64::try_from(taken.len()).unwrap_or(left).min(left);
        let mut moved = Vec::with_capacity(taken.len());
        for delivery in taken {
            let properties = delivery.properties.clone();
            let letter = job::dead_letter(delivery, queue, rabbit.clock.now(), &rabbit.random);
            moved.push(if is_wanted(&letter) {
                rabbit.send(queue, Place::Alone, &again(letter)).await?
            } else {
                let (publisher, name) = (&rabbit.publisher, name.clone());
                let payload = &letter.payload;
                let under_way = publisher.place(PATIENCE).await?;
                let sent = publisher.send(under_way, queue, name, properties, payload);
                sent.await?
            });
        }
        rabbit.confirmed(moved).await?;
        let all = BasicAckOptions { multiple: true };
        let acknowledged = channel.basic_ack(last, all).await;
        acknowledged.map_err(|error| line.away(&error))?;
    }
    // It ends with the channel otherwise, which is as well.
    let _ = channel.close(200, "done".into()).await;
    Ok(())
}

async fn take(channel: &Channel, name: &str, count: u64) -> lapin::Result<Vec<Delivery>> {
    let mut taken = Vec::new();
    for _ in 0..count {
        let options = BasicGetOptions::default();
        match channel.basic_get(name.into(), options).await? {
            Some(got) => taken.push(got.delivery),
            None => break,
        }
    }
    Ok(taken)
}

/// What was given up once may kill again, and begins anew.
fn again(letter: DeadLetter) -> Job {
    Job {
        id: letter.id,
        attempts: 0,
        first_seen_at: letter.first_seen_at,
        not_before: None,
        payload: letter.payload,
    }
}
