//! Hints between processes: given to everybody who is there and wants them, kept for nobody.

use super::link::{Line, Link};
use super::topology::{self, Topology};
use crate::error::Error;
use crate::hints::{HintReceiver, Hints};
use domain::Random;
use futures_util::StreamExt as _;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::sleep;
use wire::{Hint, HintSet, Topic};

/// How long to wait before hints are listened for again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How many hints wait for a process that does not read them. They merge where they are read.
const MOST_WAITING: i64 = 1_000;

/// Sends this process's hints to the others, and theirs to whoever receives hints here.
pub(super) struct Relay {
    outgoing: Hints,
    tasks: Vec<AbortHandle>,
}

impl Relay {
    pub(super) fn start(
        publishing: &Link,
        consuming: &Link,
        topology: &Arc<Topology>,
        local: &Arc<Hints>,
        random: &Random,
    ) -> Self {
        let outgoing = Hints::default();
        // Its own hints come back to it, and are known already.
        let me: ShortString = format!("{:032x}", u128::from_le_bytes(random.bytes())).into();
        let sender = Sender {
            line: publishing.follower(),
            topology: Arc::clone(topology),
            me: me.clone(),
        };
        let mut tasks = Vec::new();
        for topic in Topic::ALL {
            let receiver = Receiver {
                topic,
                line: consuming.follower(),
                topology: Arc::clone(topology),
                local: Arc::clone(local),
                me: me.clone(),
            };
            let sender = sender.clone();
            let hints = outgoing.receiver(topic);
            #[expect(clippy::disallowed_methods, reason = "they end with their relay")]
            tasks.extend([
                tokio::spawn(sender.send(topic, hints)).abort_handle(),
                tokio::spawn(receiver.receive()).abort_handle(),
            ]);
        }
        Self { outgoing, tasks }
    }

    pub(super) fn send(&self, hint: Hint) {
        self.outgoing.give(hint);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

#[derive(Clone)]
struct Sender {
    line: super::link::Follower,
    topology: Arc<Topology>,
    me: ShortString,
}

impl Sender {
    /// Hints that come while one message is being sent go together into the next.
    async fn send(self, topic: Topic, mut hints: HintReceiver) {
        let mut channel: Option<Channel> = None;
        loop {
            let hints = hints.recv().await;
            if channel
                .as_ref()
                .is_none_or(|channel| !channel.status().connected())
            {
                channel = self.open().await.ok();
            }
            // Away: whoever would have been told looks by itself within a second.
            if let Some(channel) = &channel {
                let _ = self.publish(channel, topic, hints).await;
            }
        }
    }

    async fn open(&self) -> Result<Channel, Error> {
        let line = self.line.line().await?;
        let channel = line.channel().await?;
        let declared = topology::declare_hints(&channel, &self.topology).await;
        declared.map_err(|error| line.away(&error))?;
        Ok(channel)
    }

    async fn publish(&self, channel: &Channel, topic: Topic, hints: HintSet) -> lapin::Result<()> {
        let properties = BasicProperties::default().with_app_id(self.me.clone());
        channel
            .basic_publish(
                self.topology.hints(),
                topic.as_str().into(),
                BasicPublishOptions::default(),
                &hints.to_bytes(),
                properties,
            )
            .await
            .map(drop)
    }
}

struct Receiver {
    topic: Topic,
    line: super::link::Follower,
    topology: Arc<Topology>,
    local: Arc<Hints>,
    me: ShortString,
}

impl Receiver {
    async fn receive(self) {
        self.local.wanted(self.topic).await;
        loop {
            // What was lost in between is found by looking, as after a lost hint.
            if let Ok(line) = self.line.line().await
                && let Err(error) = self.listen(&line).await
            {
                tracing::debug!(%error, "hints of other processes are not heard for a moment");
            }
            sleep(AGAIN_AFTER).await;
        }
    }

    async fn listen(&self, line: &Line) -> lapin::Result<()> {
        let channel = line.connection.create_channel().await?;
        let mut consumer = self.subscribe(&channel).await?;
        while let Some(delivery) = consumer.next().await {
            let delivery = delivery?;
            if delivery.properties.app_id().as_ref() == Some(&self.me) {
                continue;
            }
            if let Some(hints) = HintSet::from_bytes(&delivery.data) {
                self.local.give_all(hints);
            }
        }
        Ok(())
    }

    async fn subscribe(&self, channel: &Channel) -> lapin::Result<Consumer> {
        topology::declare_hints(channel, &self.topology).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(MOST_WAITING));
        let own = QueueDeclareOptions::exclusive();
        let queue = channel.queue_declare("".into(), own, arguments).await?;
        let name = queue.name().clone();
        channel
            .queue_bind(
                name.clone(),
                self.topology.hints(),
                self.topic.as_str().into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
        let options = BasicConsumeOptions {
            no_ack: true,
            ..BasicConsumeOptions::default()
        };
        channel
            .basic_consume(name, "hints".into(), options, FieldTable::default())
            .await
    }
}
