//! A connection that is kept: made again for ever, each time with everything declared anew.

use super::address::Address;
use super::topology::{self, Refusal, Topology};
use crate::error::Error;
use futures_util::StreamExt as _;
use lapin::{Channel, Connection, Event};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use wire::Queue;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// How often a connection is looked at, whatever it says of itself.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often a queue that was refused is tried again.
const REFUSED_AGAIN: Duration = Duration::from_secs(10);
/// How long a caller waits while the connection is being made for the first time, or anew.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a connection is for. RabbitMQ may block one that publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Publish,
    Consume,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Publish => "tidings publishes",
            Self::Consume => "tidings consumes",
        }
    }
}

/// Keeps a connection until it is dropped or closed.
pub(super) struct Link {
    address: Arc<Address>,
    follower: Follower,
    again: Arc<Notify>,
    keeper: AbortHandle,
}

/// Uses the connection of a link, and does not keep it.
#[derive(Clone)]
pub(super) struct Follower(watch::Receiver<State>);

#[derive(Clone)]
enum State {
    /// Nothing is known yet: a caller may wait a moment.
    Connecting,
    Down(Error),
    Up(Line),
}

/// A connection as long as it lasts.
#[derive(Clone)]
pub(super) struct Line {
    address: Arc<Address>,
    pub(super) connection: Arc<Connection>,
    /// Its publishes are confirmed.
    pub(super) confirming: Channel,
    refusals: Arc<Vec<Refusal>>,
}

impl Link {
    pub(super) fn start(
        purpose: Purpose,
        address: &Arc<Address>,
        topology: &Arc<Topology>,
    ) -> Self {
        let (tell, state) = watch::channel(State::Connecting);
        let again = Arc::new(Notify::new());
        let keeper = Keeper {
            purpose,
            address: Arc::clone(address),
            topology: Arc::clone(topology),
            again: Arc::clone(&again),
            tell,
        };
        #[expect(clippy::disallowed_methods, reason = "it ends with its link")]
        let keeper = tokio::spawn(keeper.keep()).abort_handle();
        Self {
            address: Arc::clone(address),
            follower: Follower(state),
            again,
            keeper,
        }
    }

    pub(super) fn follower(&self) -> Follower {
        self.follower.clone()
    }

    /// See [`Follower::line`].
    pub(super) async fn line(&self) -> Result<Line, Error> {
        self.follower.line().await
    }

    /// Whether it can be used at this moment, with all its queues.
    pub(super) fn health(&self) -> Result<(), Error> {
        self.judge(|line| {
            line.refusals
                .first()
                .map_or(Ok(()), |(_, error)| Err(error.clone()))
        })
    }

    /// Whether something can be published to this queue at this moment.
    pub(super) fn can_publish(&self, queue: Queue) -> Result<(), Error> {
        self.judge(|line| line.refuse_other_arguments(queue))
    }

    /// Whether it is up, not blocked, and as wanted besides.
    fn judge(&self, line: impl FnOnce(&Line) -> Result<(), Error>) -> Result<(), Error> {
        match &*self.follower.0.borrow() {
            State::Connecting => Err(Error::Away {
                at: self.address.at.clone(),
                reason: "it is being connected to".to_owned(),
            }),
            State::Down(error) => Err(error.clone()),
            State::Up(up) => up.refuse_blocked().and_then(|()| line(up)),
        }
    }

    /// Something that was declared is not there any more: it is declared again.
    pub(super) fn declare_again(&self) {
        self.again.notify_one();
    }

    /// Says goodbye.
    pub(super) async fn close(&self) {
        self.keeper.abort();
        let line = match &*self.follower.0.borrow() {
            State::Up(line) => Some(line.clone()),
            State::Connecting | State::Down(_) => None,
        };
        if let Some(line) = line {
            // It may be gone already, which is what is wanted.
            let _ = line.connection.close(200, "done".into()).await;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Follower {
    /// The connection. While it is being made, waits a moment; while RabbitMQ is away, says so at once.
    pub(super) async fn line(&self) -> Result<Line, Error> {
        let mut state = self.0.clone();
        let known = state.wait_for(|state| !matches!(state, State::Connecting));
        match timeout(PATIENCE, known).await {
            Err(_) => Err(Error::Busy { waited: PATIENCE }),
            Ok(Err(_)) => Err(Error::Closed),
            Ok(Ok(state)) => match &*state {
                State::Up(line) => Ok(line.clone()),
                State::Down(error) => Err(error.clone()),
                State::Connecting => Err(Error::Busy { waited: PATIENCE }),
            },
        }
    }
}

impl Line {
    /// A channel of one's own.
    pub(super) async fn channel(&self) -> Result<Channel, Error> {
        self.connection
            .create_channel()
            .await
            .map_err(|error| self.away(&error))
    }

    pub(super) fn away(&self, error: &lapin::Error) -> Error {
        self.address.away(error)
    }

    pub(super) fn refuse_blocked(&self) -> Result<(), Error> {
        if self.connection.status().blocked() {
            return Err(Error::Blocked {
                at: self.address.at.clone(),
            });
        }
        Ok(())
    }

    /// A queue that is not as we make it is not used; the others are.
    pub(super) fn refuse_other_arguments(&self, queue: Queue) -> Result<(), Error> {
        let refused = self.refusals.iter().find(|(refused, _)| *refused == queue);
        refused.map_or(Ok(()), |(_, error)| Err(error.clone()))
    }

    fn is_alive(&self) -> bool {
        self.connection.status().connected() && self.confirming.status().connected()
    }
}

struct Keeper {
    purpose: Purpose,
    address: Arc<Address>,
    topology: Arc<Topology>,
    again: Arc<Notify>,
    tell: watch::Sender<State>,
}

impl Keeper {
    async fn keep(self) {
        let mut pause = FIRST_PAUSE;
        let mut is_told = false;
        loop {
            match self.connect().await {
                Ok(line) => {
                    tracing::info!(at = self.address.at, purpose = ?self.purpose, "connected to RabbitMQ");
                    pause = FIRST_PAUSE;
                    is_told = false;
                    let reason = self.watch(line).await;
                    tracing::error!(
                        at = self.address.at,
                        purpose = ?self.purpose,
                        reason,
                        "the connection to RabbitMQ is lost; it is made again"
                    );
                    self.tell.send_replace(State::Connecting);
                }
                Err(error) => {
                    // Once, not every few seconds for as long as it lasts.
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::error!(%error, purpose = ?self.purpose, "RabbitMQ cannot be used");
                    }
                    self.tell.send_replace(State::Down(error));
                    sleep(pause).await;
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
    }

    async fn connect(&self) -> Result<Line, Error> {
        let connection = self.address.connect(self.purpose.name()).await?;
        let away = |error: lapin::Error| self.address.away(&error);
        let refusals = topology::declare(&connection, &self.topology)
            .await
            .map_err(away)?;
        let confirming = topology::confirming(&connection).await.map_err(away)?;
        Ok(Line {
            address: Arc::clone(&self.address),
            connection: Arc::new(connection),
            confirming,
            refusals: told(refusals),
        })
    }

    /// Tells that the connection is there, for as long as it is; why it is not any more.
    async fn watch(&self, mut line: Line) -> String {
        let mut events = pin!(line.connection.events_listener());
        self.tell.send_replace(State::Up(line.clone()));
        let mut declared = Instant::now();
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::Error(error)) => return error.to_string(),
                    Some(Event::ConnectionBlocked(reason)) => {
                        tracing::warn!(at = self.address.at, reason, "RabbitMQ blocks publishing");
                    }
                    Some(Event::ConnectionUnblocked) => {
                        tracing::info!(at = self.address.at, "RabbitMQ takes publishes again");
                    }
                    Some(_) => {}
                    None => return "it ended".to_owned(),
                },
                () = self.again.notified() => {
                    declared = Instant::now();
                    line.refusals = self.declare(&line).await;
                    self.tell.send_replace(State::Up(line.clone()));
                }
                () = sleep(LOOK_EVERY) => {
                    if !line.is_alive() {
                        return "it was closed".to_owned();
                    }
                    if !line.refusals.is_empty() && declared.elapsed() > REFUSED_AGAIN {
                        self.again.notify_one();
                    }
                }
            }
        }
    }

    async fn declare(&self, line: &Line) -> Arc<Vec<Refusal>> {
        match topology::declare(&line.connection, &self.topology).await {
            Ok(refusals) => told(refusals),
            Err(error) => {
                tracing::warn!(%error, "the queues could not be declared again");
                Arc::clone(&line.refusals)
            }
        }
    }
}

fn told(refusals: Vec<Refusal>) -> Arc<Vec<Refusal>> {
    for (queue, error) in &refusals {
        tracing::error!(queue = queue.as_str(), %error, "a queue is not used");
    }
    Arc::new(refusals)
}
