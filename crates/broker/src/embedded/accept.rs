//! What is on the disk before its caller is told: published jobs, requeued dead letters.

use super::checksum;
use super::tally::Tally;
use crate::error::Error;
use crate::handler::JobId;
use domain::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

pub(super) struct Accept {
    pub(super) demand: Demand,
    pub(super) reply: oneshot::Sender<Result<(), Error>>,
    /// Free again when the answer is given.
    pub(super) _place: OwnedSemaphorePermit,
}

pub(super) enum Demand {
    Publish { slot: usize, payload: Vec<u8> },
    Requeue(JobId),
}

/// What came of a demand in a transaction that was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepted {
    Recorded,
    NoDeadLetter(JobId),
}

impl Accept {
    /// Roughly what it writes, in bytes.
    pub(super) const fn size(&self) -> usize {
        match &self.demand {
            Demand::Publish { payload, .. } => payload.len(),
            Demand::Requeue(_) => 1,
        }
    }
}

pub(super) fn record(
    connection: &Connection,
    tally: &mut Tally,
    demand: &Demand,
    now: Timestamp,
) -> rusqlite::Result<Accepted> {
    match demand {
        Demand::Publish { slot, payload } => publish(connection, tally, *slot, payload, now),
        Demand::Requeue(id) => requeue(connection, tally, *id, now),
    }
}

pub(super) fn answer(accepts: Vec<Accept>, accepted: Result<Vec<Accepted>, Error>) {
    let answers = match accepted {
        Ok(accepted) => accepted.into_iter().map(Accepted::into_result).collect(),
        Err(error) => vec![Err(error); accepts.len()],
    };
    for (accept, answer) in accepts.into_iter().zip(answers) {
        // Whoever asked may have gone; the job stays.
        let _ = accept.reply.send(answer);
    }
}

impl Accepted {
    const fn into_result(self) -> Result<(), Error> {
        match self {
            Self::Recorded => Ok(()),
            Self::NoDeadLetter(id) => Err(Error::NoDeadLetter { id }),
        }
    }
}

fn publish(
    connection: &Connection,
    tally: &mut Tally,
    slot: usize,
    payload: &[u8],
    now: Timestamp,
) -> rusqlite::Result<Accepted> {
    let id = tally.next_id();
    let queue = &mut tally.queues[slot];
    connection
        .prepare_cached(
            "INSERT INTO jobs (id, queue_id, attempts, is_alone, first_seen_at, payload, checksum)
             VALUES (?1, ?2, 0, 0, ?3, ?4, ?5)",
        )?
        .execute(params![
            id,
            queue.row,
            now.as_millis(),
            payload,
            checksum::of(payload)
        ])?;
    queue.published();
    Ok(Accepted::Recorded)
}

/// What was given up once may kill again: it is offered alone.
fn requeue(
    connection: &Connection,
    tally: &mut Tally,
    id: JobId,
    now: Timestamp,
) -> rusqlite::Result<Accepted> {
    let row: Option<i64> = connection
        .prepare_cached("SELECT queue_id FROM dead_letters WHERE id = ?1")?
        .query_row([id.number()], |row| row.get(0))
        .optional()?;
    let Some(queue) = tally.queues.iter_mut().find(|queue| Some(queue.row) == row) else {
        return Ok(Accepted::NoDeadLetter(id));
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO jobs
               (id, queue_id, attempts, is_alone, first_seen_at, available_at, payload)
             SELECT id, queue_id, 0, 1, first_seen_at, ?2, payload FROM dead_letters WHERE id = ?1",
        )?
        .execute(params![id.number(), now.as_millis()])?;
    connection
        .prepare_cached("DELETE FROM dead_letters WHERE id = ?1")?
        .execute([id.number()])?;
    queue.requeued();
    Ok(Accepted::Recorded)
}
