//! A job as a message of RabbitMQ: the payload as it is, and what we know of it in headers.

use super::topology::Place;
use crate::dead_letter::DeadLetter;
use crate::handler::{JobId, Received};
use domain::{Random, Timestamp};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use wire::Queue;

const ATTEMPTS: &str = "x-tidings-attempts";
const FIRST_SEEN: &str = "x-tidings-first-seen-ms";
const NOT_BEFORE: &str = "x-tidings-not-before-ms";
const REASON: &str = "x-tidings-reason";
const DIED: &str = "x-tidings-died-ms";
/// What RabbitMQ itself says when it moved a message.
const BROKERS_REASON: &str = "x-first-death-reason";

const PERSISTENT: u8 = 2;

/// A job between two messages.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) id: JobId,
    /// How many attempts were made.
    pub(super) attempts: u32,
    pub(super) first_seen_at: Timestamp,
    /// When it may be offered, where it had to wait.
    pub(super) not_before: Option<Timestamp>,
    pub(super) payload: Vec<u8>,
}

impl Job {
    pub(super) fn new(payload: Vec<u8>, now: Timestamp, random: &Random) -> Self {
        Self {
            id: new_id(random),
            attempts: 0,
            first_seen_at: now,
            not_before: None,
            payload,
        }
    }

    /// Reads a message. One that was not published by us is a job all the same: its handler says what
    /// it thinks of the payload.
    pub(super) fn of(delivery: Delivery, now: Timestamp, random: &Random) -> Self {
        let properties = &delivery.properties;
        let number = |name| number(properties, name);
        let id = properties.message_id().as_ref();
        let id = id.and_then(|id| id.as_str().parse().ok());
        Self {
            id: id.unwrap_or_else(|| new_id(random)),
            attempts: number(ATTEMPTS)
                .and_then(|attempts| u32::try_from(attempts).ok())
                .unwrap_or(0),
            first_seen_at: number(FIRST_SEEN).map_or(now, Timestamp::from_millis),
            not_before: number(NOT_BEFORE).map(Timestamp::from_millis),
            payload: delivery.data,
        }
    }

    /// What the message of this job says besides the payload, at this place.
    pub(super) fn properties(&self, place: Place<'_>, now: Timestamp) -> BasicProperties {
        let mut headers = FieldTable::default();
        let mut set = |name: &str, value: i64| {
            headers.insert(name.into(), AMQPValue::LongLongInt(value));
        };
        set(ATTEMPTS, self.attempts.into());
        set(FIRST_SEEN, self.first_seen_at.as_millis());
        match place {
            Place::Ready | Place::Alone => {}
            Place::Delayed { until, .. } => set(NOT_BEFORE, until.as_millis()),
            Place::Dead { reason } => {
                set(DIED, now.as_millis());
                headers.insert(REASON.into(), AMQPValue::LongString(reason.into()));
            }
        }
        BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_message_id(self.id.to_string().into())
            .with_headers(headers)
    }

    pub(super) fn received(&self, max_attempts: u32) -> Received {
        let attempt = self.attempts.saturating_add(1);
        Received {
            id: self.id,
            payload: self.payload.clone(),
            attempt,
            is_last_attempt: attempt >= max_attempts,
            first_seen_at: self.first_seen_at,
        }
    }
}

/// Reads a message of a queue's dead letters.
pub(super) fn dead_letter(
    delivery: Delivery,
    queue: Queue,
    now: Timestamp,
    random: &Random,
) -> DeadLetter {
    let properties = delivery.properties.clone();
    let reason = text(&properties, REASON).unwrap_or_else(|| {
        let said = text(&properties, BROKERS_REASON);
        format!(
            "RabbitMQ gave it up: {}",
            said.as_deref().unwrap_or("it does not say why")
        )
    });
    let job = Job::of(delivery, now, random);
    DeadLetter {
        id: job.id,
        queue,
        reason,
        attempts: job.attempts,
        first_seen_at: job.first_seen_at,
        died_at: number(&properties, DIED).map_or(now, Timestamp::from_millis),
        payload: job.payload,
    }
}

/// 63 random bits: ids are only told apart, never counted.
fn new_id(random: &Random) -> JobId {
    JobId::new(i64::from_le_bytes(random.bytes()) & i64::MAX)
}

fn number(properties: &BasicProperties, name: &str) -> Option<i64> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongLongInt(number) => Some(*number),
        _ => None,
    }
}

fn text(properties: &BasicProperties, name: &str) -> Option<String> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        _ => None,
    }
}
