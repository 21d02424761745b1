//! Which queues there are, and how they are made. A queue's arguments never change: other arguments
//! are another version in its name.

use super::RabbitOptions;
use crate::error::Error;
use domain::Timestamp;
use lapin::options::{
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ExchangeKind};
use std::time::Duration;
use wire::Queue;

/// How long a name may be, with what is added to it.
const LONGEST_NAMESPACE: usize = 64;

/// The names and arguments of everything of ours in RabbitMQ.
#[derive(Debug)]
pub(super) struct Topology {
    namespace: String,
    waits: Vec<Duration>,
}

/// Where a job of a queue is. A queue of RabbitMQ each.
#[derive(Debug, Clone)]
pub(super) enum Place<'a> {
    /// To be offered.
    Ready,
    /// To be offered, one at a time: what it may do to its consumer is not known.
    Alone,
    /// Not before its time.
    Delayed {
        /// Which of the waits.
        wait: usize,
        until: Timestamp,
    },
    /// Given up.
    Dead { reason: &'a str },
}

impl Topology {
    pub(super) fn new(options: &RabbitOptions) -> Result<Self, Error> {
        let is_usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let namespace = options.namespace.clone();
        if namespace.is_empty()
            || namespace.len() > LONGEST_NAMESPACE
            || !namespace.chars().all(is_usual)
        {
            return Err(Error::BadUrl {
                reason: format!("{namespace:?} cannot begin the names of queues"),
            });
        }
        Ok(Self {
            namespace,
            waits: options.waits.clone(),
        })
    }

    /// Where a job waits that is not to be offered before `until`: the longest wait that is not too
    /// long, or the shortest.
    pub(super) fn delayed(&self, until: Timestamp, now: Timestamp) -> Place<'static> {
        let left = until.since(now);
        let fitting = self.waits.iter().rposition(|wait| *wait <= left);
        Place::Delayed {
            wait: fitting.unwrap_or(0),
            until,
        }
    }

    /// Every place a job may be at.
    pub(super) fn places(&self) -> impl Iterator<Item = Place<'static>> {
        let until = Timestamp::from_millis(0);
        let delayed = (0..self.waits.len()).map(move |wait| Place::Delayed { wait, until });
        [Place::Ready, Place::Alone, Place::Dead { reason: "" }]
            .into_iter()
            .chain(delayed)
    }

    /// The name of a place of a queue in RabbitMQ.
    pub(super) fn name(&self, queue: Queue, place: &Place<'_>) -> ShortString {
        let queue = format!("{}.{}", self.namespace, queue.as_str());
        let name = match place {
            Place::Ready => queue,
            Place::Alone => format!("{queue}.alone"),
            Place::Delayed { wait, .. } => {
                let wait = self.waits.get(*wait).copied().unwrap_or_default();
                format!("{queue}.wait-{}ms", wait.as_millis())
            }
            Place::Dead { .. } => format!("{queue}.dead"),
        };
        name.into()
    }

    /// The exchange of hints.
    pub(super) fn hints(&self) -> ShortString {
        format!("{}.hints.v2", self.namespace).into()
    }

    /// The exchange that others publish to, and the queue that has what they publish.
    pub(super) fn entrance(&self) -> (ShortString, Queue) {
        (format!("{}.publish", self.namespace).into(), Queue::Publish)
    }

    /// Whether an answer may go to this queue: one of whoever asked, made by RabbitMQ for him alone, or named
    /// for this. Any other may be somebody's who expects no words of ours, and could be one of our own.
    pub(super) fn takes_replies(&self, queue: &str) -> bool {
        let of_ours = format!("{}-reply.", self.namespace);
        ["amq.rabbitmq.reply-to.", "amq.gen-", of_ours.as_str()]
            .iter()
            .any(|beginning| queue.starts_with(beginning))
    }

    /// Makes the places of a queue that are not there yet, and the way in from outside, where it has one.
    async fn declare_queue(&self, channel: &Channel, queue: Queue) -> lapin::Result<()> {
        for place in self.places() {
            let name = self.name(queue, &place);
            let arguments = self.arguments(queue, &place);
            let options = QueueDeclareOptions::durable();
            channel.queue_declare(name, options, arguments).await?;
        }
        let (exchange, has_entrance) = self.entrance();
        if queue == has_entrance {
            self.declare_entrance(channel, exchange, queue).await?;
        }
        Ok(())
    }

    /// Whatever its routing key, what is published there arrives: a mistake in it loses nothing.
    async fn declare_entrance(
        &self,
        channel: &Channel,
        exchange: ShortString,
        queue: Queue,
    ) -> lapin::Result<()> {
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let none = FieldTable::default;
        channel
            .exchange_declare(exchange.clone(), ExchangeKind::Fanout, options, none())
            .await?;
        let name = self.name(queue, &Place::Ready);
        channel
            .queue_bind(
                name,
                exchange,
                "".into(),
                QueueBindOptions::default(),
                none(),
            )
            .await
    }

    fn arguments(&self, queue: Queue, place: &Place<'_>) -> FieldTable {
        let mut arguments = FieldTable::default();
        let text = |value: &str| AMQPValue::LongString(value.into());
        arguments.insert("x-queue-type".into(), text("quorum"));
        let then = match place {
            // Whatever RabbitMQ itself gives up (4.x does, after 20 deliveries) is a dead letter.
            Place::Ready | Place::Alone => Place::Dead { reason: "" },
            Place::Delayed { .. } => Place::Ready,
            Place::Dead { .. } => return arguments,
        };
        let then = self.name(queue, &then);
        arguments.insert("x-dead-letter-exchange".into(), text(""));
        arguments.insert("x-dead-letter-routing-key".into(), text(then.as_str()));
        // Without these two a job could be lost between the queues.
        arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
        arguments.insert("x-overflow".into(), text("reject-publish"));
        if let Place::Delayed { wait, .. } = place {
            let wait = self.waits.get(*wait).copied().unwrap_or_default();
            let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(millis));
        }
        arguments
    }
}

/// A queue that is not as we make it: its name, and what RabbitMQ says.
pub(super) type Refusal = (Queue, Error);

/// Makes what is not there yet; the queues that are there with other arguments, which are left alone.
pub(super) async fn declare(
    connection: &Connection,
    topology: &Topology,
) -> lapin::Result<Vec<Refusal>> {
    let mut refusals = Vec::new();
    for queue in Queue::ALL {
        // RabbitMQ answers a refusal by closing the channel.
        let channel = connection.create_channel().await?;
        match topology.declare_queue(&channel, queue).await {
            Ok(()) => {}
            Err(error) if error.is_amqp_soft_error() => {
                let refused = Error::OtherArguments {
                    queue: topology.name(queue, &Place::Ready).to_string(),
                    reason: error.to_string(),
                };
                refusals.push((queue, refused));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(refusals)
}

/// Makes the exchange of hints.
pub(super) async fn declare_hints(channel: &Channel, topology: &Topology) -> lapin::Result<()> {
    channel
        .exchange_declare(
            topology.hints(),
            ExchangeKind::Direct,
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        )
        .await
}

/// How many messages of a queue wait.
pub(super) async fn count(channel: &Channel, name: ShortString) -> lapin::Result<u64> {
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::durable()
    };
    let found = channel
        .queue_declare(name, passive, FieldTable::default())
        .await?;
    Ok(found.message_count().into())
}

/// A channel whose publishes are confirmed.
pub(super) async fn confirming(connection: &Connection) -> lapin::Result<Channel> {
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    Ok(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology() -> Topology {
        Topology::new(&RabbitOptions::new("amqp://rabbit", "tidings")).unwrap()
    }

    #[test]
    fn a_delay_takes_the_longest_wait_that_is_not_too_long() {
        let topology = topology();
        let now = Timestamp::from_millis(1_000_000);
        for (seconds, expected) in [(0, 0), (1, 0), (9, 0), (10, 1), (59, 1), (60, 2), (900, 2)] {
            let until = now.plus(Duration::from_secs(seconds));
            let Place::Delayed { wait, .. } = topology.delayed(until, now) else {
                panic!("not a delay");
            };
            assert_eq!(wait, expected, "{seconds} s");
        }
    }

    #[test]
    fn names_begin_with_the_namespace_and_carry_the_version() {
        let topology = topology();
        let names: Vec<String> = topology
            .places()
            .map(|place| topology.name(Queue::Callbacks, &place).to_string())
            .collect();
        assert_eq!(
            names,
            [
                "tidings.callbacks.v1",
                "tidings.callbacks.v1.alone",
                "tidings.callbacks.v1.dead",
                "tidings.callbacks.v1.wait-1000ms",
                "tidings.callbacks.v1.wait-10000ms",
                "tidings.callbacks.v1.wait-60000ms",
            ]
        );
    }

    #[test]
    fn answers_go_to_queues_of_whoever_asks_and_to_none_of_ours() {
        let topology = topology();
        for (queue, is_taken) in [
            ("amq.rabbitmq.reply-to.g2gCYQ", true),
            ("amq.gen-Jzt", true),
            ("tidings-reply.lab", true),
            ("tidings.callbacks.v1", false),
            ("tidings.publish.v1.dead", false),
            ("lab", false),
            ("", false),
        ] {
            assert_eq!(topology.takes_replies(queue), is_taken, "{queue}");
        }
    }

    #[test]
    fn a_namespace_that_is_no_name_is_refused() {
        for namespace in ["", "a b", "ü", &"x".repeat(65)] {
            let options = RabbitOptions::new("amqp://rabbit", namespace);
            assert!(Topology::new(&options).is_err(), "{namespace}");
        }
    }
}
