//! The jobs of a queue for one consumer: what arrives is sorted, offered, and settled.

use super::Rabbit;
use super::intake::{Arrival, Intake};
use super::job::Job;
use super::publish::Sent;
use super::tally::{Entry, InHand};
use super::topology::Place;
use crate::consume::{Consume, Outcome, Settlement};
use crate::error::Error;
use crate::handler::{JobId, Received};
use domain::Timestamp;
use std::borrow::Borrow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use wire::Queue;

/// A batch takes no more bytes than this (or a single job).
const MAX_BATCH_BYTES: usize = 8 * 1_048_576;
/// How often held jobs are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a job is held at the most before it goes back: RabbitMQ ends a consumer that has a delivery
/// for half an hour.
const MOST_HELD: Duration = Duration::from_mins(10);
/// How long a polite end may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// The jobs of a queue for one consumer.
pub(crate) struct Source {
    rabbit: Arc<Rabbit>,
    queue: Queue,
    options: Consume,
    intake: Option<Intake>,
    /// With the handler.
    in_hand: Vec<Arrival>,
    /// Deferred, until then.
    held: Vec<(Timestamp, Arrival)>,
    /// Not to be offered here: where each goes on, and as what.
    leaving: Vec<(Arrival, Leave)>,
    was_alone: bool,
    tally: Entry,
}

/// How a job leaves this consumer.
enum Leave {
    /// As it is.
    Back,
    /// Offered alone, so many attempts counted.
    Alone(u32),
    /// Not before its time, so many attempts counted.
    Delayed(u32, Timestamp),
    Dead(u32, String),
}

impl Source {
    pub(crate) fn new(rabbit: Arc<Rabbit>, queue: Queue, options: Consume) -> Self {
        Self {
            tally: rabbit.tally.enter(queue),
            rabbit,
            queue,
            options: Consume {
                batch: options.batch.clamp(1, 10_000),
                max_attempts: options.max_attempts.max(1),
                ..options
            },
            intake: None,
            in_hand: Vec::new(),
            held: Vec::new(),
            leaving: Vec::new(),
            was_alone: false,
        }
    }

    pub(crate) async fn claim(&mut self) -> Result<Vec<Received>, Error> {
        self.rabbit.refuse_when_closed()?;
        // Jobs that could not be settled are RabbitMQ's again when the channel ends.
        if !self.in_hand.is_empty() {
            self.lose();
        }
        loop {
            let jobs = self.take().await.inspect_err(|_| self.lose())?;
            if !jobs.is_empty() {
                return Ok(jobs);
            }
        }
    }

    pub(crate) async fn settle(&mut self, settlements: &[Settlement]) -> Result<(), Error> {
        if !self.intake.as_ref().is_some_and(Intake::is_alive) {
            self.lose();
            return Err(Error::Lost);
        }
        let now = self.rabbit.clock.now();
        let moves = settlements.iter().filter_map(|one| {
            let arrival = self
                .in_hand
                .iter()
                .find(|arrival| arrival.job.id == one.id)?;
            Some((arrival, leave_of(one, now)?))
        });
        self.publish_all(moves).await?;
        failpoint::reach!(
            BrokerBeforeForget if settlements.iter().any(|one| leave_of(one, now).is_some())
        );
        let mut settled = Vec::with_capacity(settlements.len());
        for one in settlements {
            let Some(position) = self.in_hand.iter().position(|a| a.job.id == one.id) else {
                continue;
            };
            let arrival = self.in_hand.swap_remove(position);
            match one.outcome {
                Outcome::Deferred { after } => self.held.push((now.plus(after), arrival)),
                Outcome::Done | Outcome::Later { .. } | Outcome::Dead { .. } => {
                    settled.push(arrival);
                }
            }
        }
        self.acknowledge(&settled).await
    }

    /// Gives back what the handler did not get to.
    pub(crate) async fn release(&mut self) {
        let back = self.in_hand.drain(..).map(|arrival| (arrival, Leave::Back));
        self.leaving.extend(back);
        if let Err(error) = self.send_off().await {
            tracing::warn!(%error, "jobs could not be given back: they come again as attempted ones");
            self.lose();
        }
    }

    /// Ends politely: everything goes back as it came.
    pub(crate) async fn close(&mut self) {
        if timeout(FAREWELL, self.go()).await.is_err() {
            tracing::warn!(
                queue = self.queue.as_str(),
                "RabbitMQ does not take jobs back in time: they come again as attempted ones"
            );
        }
        self.lose();
    }

    async fn go(&mut self) {
        let Some(intake) = &mut self.intake else {
            return;
        };
        if let Err(error) = intake.stop().await {
            tracing::debug!(%error, "a consumer could not be cancelled");
        }
        let arrived = intake
            .arrived
            .drain(..)
            .chain(intake.arrived_alone.drain(..));
        self.leaving
            .extend(arrived.map(|arrival| (arrival, Leave::Back)));
        let held = self
            .held
            .drain(..)
            .map(|(_, arrival)| (arrival, Leave::Back));
        self.leaving.extend(held);
        self.release().await;
        if let Some(intake) = self.intake.take() {
            intake.close().await;
        }
    }

    /// Jobs for the handler; none when all that arrived goes on elsewhere.
    async fn take(&mut self) -> Result<Vec<Received>, Error> {
        self.open().await?;
        self.wait().await?;
        let now = self.rabbit.clock.now();
        self.sort(now);
        self.send_off().await?;
        self.count();
        Ok(self
            .in_hand
            .iter()
            .map(|arrival| arrival.job.received(self.options.max_attempts))
            .collect())
    }

    async fn open(&mut self) -> Result<(), Error> {
        if self.intake.is_some() {
            return Ok(());
        }
        // The queues are there once somebody has declared them, and every link does.
        let line = self.rabbit.consuming.line().await?;
        line.refuse_other_arguments(self.queue)?;
        let opened = Intake::open(
            &line,
            &self.rabbit.topology,
            self.queue,
            u16::try_from(self.options.batch * 2).unwrap_or(u16::MAX),
            self.rabbit.clock.clone(),
            self.rabbit.random.clone(),
        );
        self.intake = Some(opened.await.map_err(|error| {
            self.rabbit.consuming.declare_again();
            line.away(&error)
        })?);
        Ok(())
    }

    /// Waits until there is something to sort.
    async fn wait(&mut self) -> Result<(), Error> {
        loop {
            let Some(intake) = &mut self.intake else {
                return Err(Error::Lost);
            };
            intake.look().map_err(|_| Error::Lost)?;
            let now = self.rabbit.clock.now();
            let is_due = |(due, arrival): &(Timestamp, Arrival)| {
                *due <= now || arrival.at.elapsed() > MOST_HELD
            };
            let has_arrived = !intake.arrived.is_empty() || !intake.arrived_alone.is_empty();
            if has_arrived || !self.leaving.is_empty() || self.held.iter().any(is_due) {
                return Ok(());
            }
            self.rabbit.refuse_when_closed()?;
            tokio::select! {
                arrived = intake.wait() => arrived.map_err(|_| Error::Lost)?,
                () = sleep(LOOK_EVERY), if !self.held.is_empty() => {}
                () = self.rabbit.closed() => {}
            }
        }
    }

    /// Decides what is offered now, and what goes on elsewhere.
    fn sort(&mut self, now: Timestamp) {
        self.sort_held(now);
        let Some(intake) = &mut self.intake else {
            return;
        };
        // A job alone and a batch take turns, so that neither waits for the other for long.
        let is_turn = !self.was_alone || intake.arrived.is_empty();
        self.was_alone = false;
        while self.in_hand.is_empty()
            && is_turn
            && let Some(arrival) = intake.arrived_alone.pop_front()
        {
            let Some(leave) = self.options.fate(&arrival, now) else {
                self.was_alone = true;
                self.in_hand.push(arrival);
                return;
            };
            self.leaving.push((arrival, leave));
        }
        let mut bytes: usize = self.in_hand.iter().map(|a| a.job.payload.len()).sum();
        let mut ids: HashSet<JobId> = self.in_hand.iter().map(|a| a.job.id).collect();
        while self.in_hand.len() < self.options.batch
            && let Some(arrival) = intake.arrived.front()
        {
            let fate = self.options.fate(arrival, now);
            bytes += arrival.job.payload.len();
            let fits = self.in_hand.is_empty() || bytes <= MAX_BATCH_BYTES;
            // A job that was doubled by a crash comes in another batch.
            if fate.is_none() && (!fits || !ids.insert(arrival.job.id)) {
                return;
            }
            let Some(arrival) = intake.arrived.pop_front() else {
                return;
            };
            match fate {
                Some(leave) => self.leaving.push((arrival, leave)),
                None => self.in_hand.push(arrival),
            }
        }
    }

    /// Held jobs are offered again when their time has come; RabbitMQ gets back what it waits for long.
    fn sort_held(&mut self, now: Timestamp) {
        for (due, arrival) in std::mem::take(&mut self.held) {
            if arrival.at.elapsed() > MOST_HELD {
                self.leaving.push((arrival, Leave::Back));
            } else if due <= now && self.in_hand.len() < self.options.batch {
                self.in_hand.push(arrival);
            } else {
                self.held.push((due, arrival));
            }
        }
    }

    /// Publishes what goes on elsewhere, and then lets go of it.
    async fn send_off(&mut self) -> Result<(), Error> {
        self.publish_all(self.leaving.iter().map(|(arrival, leave)| (arrival, leave)))
            .await?;
        failpoint::reach!(BrokerAfterIsolation if !self.leaving.is_empty());
        let gone: Vec<Arrival> = self.leaving.drain(..).map(|(arrival, _)| arrival).collect();
        self.acknowledge(&gone).await
    }

    /// Returns when RabbitMQ has all of them safe at their new places, in this order.
    async fn publish_all<'a, L: Borrow<Leave>>(
        &self,
        moves: impl Iterator<Item = (&'a Arrival, L)>,
    ) -> Result<(), Error> {
        let mut sent = Vec::new();
        for (arrival, leave) in moves {
            sent.push(self.send(arrival, leave.borrow()).await?);
        }
        self.rabbit.confirmed(sent).await
    }

    async fn send(&self, arrival: &Arrival, leave: &Leave) -> Result<Sent, Error> {
        let now = self.rabbit.clock.now();
        let job = &arrival.job;
        let (attempts, place) = match leave {
            Leave::Back if arrival.is_alone => (job.attempts, Place::Alone),
            Leave::Back => (job.attempts, Place::Ready),
            Leave::Alone(attempts) => (*attempts, Place::Alone),
            Leave::Delayed(attempts, until) => {
                (*attempts, self.rabbit.topology.delayed(*until, now))
            }
            Leave::Dead(attempts, reason) => (*attempts, Place::Dead { reason }),
        };
        let job = Job {
            attempts,
            ..job.clone()
        };
        self.rabbit.send(self.queue, place, &job).await
    }

    async fn acknowledge(&mut self, arrivals: &[Arrival]) -> Result<(), Error> {
        let Some(intake) = &mut self.intake else {
            return Err(Error::Lost);
        };
        let acknowledged = intake.acknowledge(arrivals).await;
        self.count();
        acknowledged.map_err(|_| {
            self.lose();
            Error::Lost
        })
    }

    /// Lets everything go as it is: RabbitMQ delivers it again.
    fn lose(&mut self) {
        self.intake = None;
        self.in_hand.clear();
        self.held.clear();
        self.leaving.clear();
        self.count();
    }

    fn count(&self) {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let arrived = self.intake.iter().flat_map(|intake| {
            let alone = intake.arrived_alone.iter();
            alone.chain(&intake.arrived)
        });
        let oldest = arrived.clone().chain(&self.in_hand);
        self.tally.set(InHand {
            ready: number(arrived.count()),
            leased: number(self.in_hand.len()),
            held: number(self.held.len()),
            oldest: oldest.map(|arrival| arrival.job.first_seen_at).min(),
        });
    }
}

impl Consume {
    /// Where a job that arrived goes instead of being offered.
    fn fate(&self, arrival: &Arrival, now: Timestamp) -> Option<Leave> {
        let job = &arrival.job;
        let attempts = job.attempts + u32::from(arrival.is_redelivered);
        if attempts >= self.max_attempts {
            let reason = format!(
                "attempt {attempts} of {} got no answer: the process died, or the handler was cut off",
                self.max_attempts
            );
            tracing::error!(job.id = %job.id, reason, "a job became a dead letter");
            return Some(Leave::Dead(attempts, reason));
        }
        if arrival.is_redelivered {
            return Some(Leave::Alone(attempts));
        }
        job.not_before
            .filter(|time| *time > now)
            .map(|time| Leave::Delayed(attempts, time))
    }
}

/// Where a job goes on that is settled otherwise than by being done or held.
fn leave_of(settlement: &Settlement, now: Timestamp) -> Option<Leave> {
    match &settlement.outcome {
        Outcome::Done | Outcome::Deferred { .. } => None,
        Outcome::Later { after } => Some(Leave::Delayed(settlement.attempt, now.plus(*after))),
        Outcome::Dead { reason } => Some(Leave::Dead(settlement.attempt, reason.clone())),
    }
}
