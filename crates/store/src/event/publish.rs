//! Publishing: events that come while others are being written are written together, in as many
//! statements as one takes.

use super::{NewEventRow, Published};
use crate::Store;
use crate::connection::{Connection, insert_rows};
use crate::error::Error;
use crate::idempotency::{self, Claim, Claimed};
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

/// Where events come together.
#[derive(Clone)]
pub(crate) struct Publishing {
    writer: Writer,
    waiting: Arc<Waiting>,
}

/// Batches whose writing has not begun: one for each job of them that the writer has.
#[derive(Default)]
struct Waiting(Mutex<VecDeque<Vec<Publish>>>);

/// An event, and who waits until it is written.
struct Publish {
    row: NewEventRow,
    claim: Option<Claim>,
    caller: oneshot::Sender<Result<Published, Error>>,
    /// Its place in the writer's queue.
    _permit: Permit,
}

impl Publishing {
    pub(crate) fn new(writer: Writer) -> Self {
        Self {
            writer,
            waiting: Arc::default(),
        }
    }

    /// Puts it into the batch that waits, or begins one.
    fn add(&self, publish: Publish) -> Result<(), Error> {
        let mut batches = self.waiting.lock();
        if let Some(batch) = batches.back_mut()
            && batch.len() < MOST
        {
            batch.push(publish);
            return Ok(());
        }
        self.writer
            .push(Box::new(Batch::of(self.waiting.clone(), Vec::new())))?;
        batches.push_back(vec![publish]);
        Ok(())
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Vec<Publish>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing of a batch. It takes what has come when it begins.
struct Batch {
    waiting: Arc<Waiting>,
    taken: Vec<Publish>,
    done: Vec<Published>,
}

impl Batch {
    const fn of(waiting: Arc<Waiting>, taken: Vec<Publish>) -> Self {
        Self {
            waiting,
            taken,
            done: Vec::new(),
        }
    }

    fn take(&mut self) {
        if self.taken.is_empty() {
            self.taken = self.waiting.lock().pop_front().unwrap_or_default();
        }
    }
}

impl Job for Batch {
    fn run(&mut self, connection: &mut Connection) -> Result<(), Error> {
        self.take();
        self.done = write(connection, &self.taken)?;
        Ok(())
    }

    fn split(&mut self) -> Vec<Box<dyn Job>> {
        if self.taken.len() < 2 {
            return Vec::new();
        }
        let single = |one| Box::new(Self::of(self.waiting.clone(), vec![one])) as Box<dyn Job>;
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
fn write(connection: &mut Connection, batch: &[Publish]) -> Result<Vec<Published>, Error> {
    let claims: Vec<&Claim> = batch.iter().filter_map(|one| one.claim.as_ref()).collect();
    let mut claimed = idempotency::claim(connection, &claims)?.into_iter();
    let done: Vec<Published> = batch
        .iter()
        .map(
            |one| match one.claim.as_ref().and_then(|_| claimed.next()) {
                None | Some(Claimed::New) => Published::New,
                Some(Claimed::Same(answer)) => Published::Replayed(answer),
                Some(Claimed::Other) => Published::Mismatch,
            },
        )
        .collect();
    let new = batch.iter().zip(&done);
    let rows = new.filter_map(|(one, done)| (*done == Published::New).then_some(&one.row));
    insert_rows!(connection, events::table, rows);
    Ok(done)
}
