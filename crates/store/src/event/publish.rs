//! Publishing: events that come while others are being written are written together, in as many
//! statements as one takes.

use super::{NewEventRow, Published};
use crate::Store;
use crate::connection::{Connection, insert_rows};
use crate::error::Error;
use crate::idempotency::{self, Answer, Claim, Claimed};
use crate::schema::events;
use crate::writer::{Job, Permit, Writer};
use domain::event::Event;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The most events that are written together.
const MOST: usize = 256;

impl Store {
    /// Writes an event, once for each idempotency key.
    pub async fn publish_event(
        &self,
        event: Event,
        claim: Option<Claim>,
    ) -> Result<Published, Error> {
        let permit = self.writer.admit().await?;
        let (caller, told) = oneshot::channel();
        self.publishing.add(Publish {
            row: event.into(),
            claim,
            caller,
            _permit: permit,
        })?;
        told.await.unwrap_or(Err(Error::Closed))
    }
}

/// An event that is to be published, with the claim of its idempotency key.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The event.
    pub event: Event,
    /// Its key, where it has one.
    pub claim: Option<Claim>,
}

/// What became of many events that were published as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batch {
    /// What became of each, in their order.
    New(Vec<Published>),
    /// The same batch was published under this key before: that answer again.
    Replayed(Answer),
    /// Something else was published under this key before.
    Mismatch,
}

impl Store {
    /// Writes events in one commit, each once for its idempotency key, and all of them once for that of
    /// the whole. What is answered under the key of the whole is `answer` of what became of each.
    pub async fn publish_batch(
        &self,
        batch: Vec<Publication>,
        claim: Option<Claim>,
        answer: impl Fn(&[Published]) -> String + Send + 'static,
    ) -> Result<Batch, Error> {
        let rows: Vec<(NewEventRow, Option<Claim>)> = batch
            .into_iter()
            .map(|one| (one.event.into(), one.claim))
            .collect();
        self.write(move |connection| {
            if let Some(claim) = &claim {
                match idempotency::claim(connection, &[claim])?.pop() {
                    None | Some(Claimed::New) => {}
                    Some(Claimed::Same(answer)) => return Ok(Batch::Replayed(answer)),
                    Some(Claimed::Other) => return Ok(Batch::Mismatch),
                }
            }
            let all = || rows.iter().map(|(row, claim)| (row, claim.as_ref()));
            let done = write(connection, all())?;
            if let Some(claim) = &claim {
                idempotency::answer(connection, claim, answer(&done))?;
            }
            Ok(Batch::New(done))
        })
        .await
    }
}

/// Where events come together.
#[derive(Clone)]
pub(crate) struct Publishing {
    writer: Writer,
    waiting: Arc<Waiting>,
    /// How many batches the writer has at once, at the most. What comes meanwhile is written together
    /// afterwards: a transaction costs as much as writing many events.
    at_once: usize,
}

#[derive(Default)]
struct Waiting(Mutex<Batches>);

#[derive(Default)]
struct Batches {
    /// Those whose writing has not begun.
    waiting: VecDeque<Vec<Publish>>,
    /// How many jobs the writer has that each take one of them, or have taken one.
    jobs: usize,
    /// How many of these have not taken theirs yet.
    idle_jobs: usize,
}

/// An event, and who waits until it is written.
struct Publish {
    row: NewEventRow,
    claim: Option<Claim>,
    caller: oneshot::Sender<Result<Published, Error>>,
    /// Its place in the writer's queue.
    _permit: Permit,
}

impl Publishing {
    pub(crate) fn new(writer: Writer, at_once: usize) -> Self {
        Self {
            writer,
            waiting: Arc::default(),
            at_once,
        }
    }

    /// Puts it into the batch that waits, or begins one.
    fn add(&self, publish: Publish) -> Result<(), Error> {
        let mut batches = self.waiting.lock();
        match batches.waiting.back_mut() {
            Some(batch) if batch.len() < MOST => batch.push(publish),
            _ => batches.waiting.push_back(vec![publish]),
        }
        self.begin(batches)
    }

    /// Gives the writer a job for a batch that has none, where it may have one more.
    fn begin(&self, mut batches: MutexGuard<'_, Batches>) -> Result<(), Error> {
        if batches.jobs >= self.at_once || batches.idle_jobs >= batches.waiting.len() {
            return Ok(());
        }
        batches.jobs += 1;
        batches.idle_jobs += 1;
        drop(batches);
        self.writer.push(Box::new(Together::of(self)))
    }

    /// A job is over, and another may begin.
    fn end(&self, has_taken: bool) {
        let mut batches = self.waiting.lock();
        batches.jobs -= 1;
        if has_taken {
            // Where the writer is closed, the job that it does not take tells everybody.
            let _ = self.begin(batches);
        } else {
            // Nobody began it: the writer is closed. Whoever waits hears so when his event is let go.
            batches.idle_jobs -= 1;
            batches.waiting.clear();
        }
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Batches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing of a batch. It takes what has come when it begins.
struct Together {
    /// None: of a part of one.
    turn: Option<Turn>,
    taken: Vec<Publish>,
    done: Vec<Published>,
}

/// That it is one of those the writer has.
struct Turn {
    of: Publishing,
    has_taken: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.of.end(self.has_taken);
    }
}

impl Together {
    fn of(publishing: &Publishing) -> Self {
        Self {
            turn: Some(Turn {
                of: publishing.clone(),
                has_taken: false,
            }),
            taken: Vec::new(),
            done: Vec::new(),
        }
    }

    fn alone(one: Publish) -> Self {
        Self {
            turn: None,
            taken: vec![one],
            done: Vec::new(),
        }
    }

    fn take(&mut self) {
        let Some(turn) = self.turn.as_mut().filter(|turn| !turn.has_taken) else {
            return;
        };
        turn.has_taken = true;
        let mut batches = turn.of.waiting.lock();
        batches.idle_jobs -= 1;
        self.taken = batches.waiting.pop_front().unwrap_or_default();
    }
}

impl Job for Together {
    fn run(&mut self, connection: &mut Connection) -> Result<(), Error> {
        self.take();
        let all = || self.taken.iter().map(|one| (&one.row, one.claim.as_ref()));
        self.done = write(connection, all())?;
        Ok(())
    }

    fn split(&mut self) -> Vec<Box<dyn Job>> {
        if self.taken.len() < 2 {
            return Vec::new();
        }
        let single = |one| Box::new(Self::alone(one)) as Box<dyn Job>;
        self.taken.drain(..).map(single).collect()
    }

    fn tell(mut self: Box<Self>, ended: Result<(), Error>) {
        self.take();
        let mut done = self.done.into_iter();
        for publish in self.taken {
            let told = match &ended {
                Ok(()) => done.next().ok_or(Error::Closed),
                Err(error) => Err(error.again()),
            };
            // The caller may have gone away; its event is written all the same.
            let _ = publish.caller.send(told);
        }
    }
}

/// Writes events whose idempotency keys are new; what became of each.
fn write<'a>(
    connection: &mut Connection,
    batch: impl Iterator<Item = (&'a NewEventRow, Option<&'a Claim>)> + Clone,
) -> Result<Vec<Published>, Error> {
    let claims: Vec<&Claim> = batch.clone().filter_map(|(_, claim)| claim).collect();
    let mut claimed = idempotency::claim(connection, &claims)?.into_iter();
    let done: Vec<Published> = batch
        .clone()
        .map(|(_, claim)| match claim.and_then(|_| claimed.next()) {
            None | Some(Claimed::New) => Published::New,
            Some(Claimed::Same(answer)) => Published::Replayed(answer),
            Some(Claimed::Other) => Published::Mismatch,
        })
        .collect();
    let rows: Vec<&NewEventRow> = batch
        .zip(&done)
        .filter_map(|((row, _), done)| (*done == Published::New).then_some(row))
        .collect();
    insert_rows!(connection, events::table, rows.iter().copied());
    Ok(done)
}
