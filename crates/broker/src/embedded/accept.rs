//! What is on the disk before its caller is told: published jobs, and dead letters that are safe
//! elsewhere.

use super::tally::Tally;
use super::{checksum, settle};
use crate::error::Error;
use crate::handler::JobId;
use domain::Timestamp;
use rusqlite::{Connection, params};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

pub(super) struct Accept {
    pub(super) demand: Demand,
    pub(super) reply: oneshot::Sender<Result<(), Error>>,
    /// Free again when the answer is given.
    pub(super) _place: OwnedSemaphorePermit,
}

pub(super) enum Demand {
    Publish {
        slot: usize,
        payload: Vec<u8>,
        is_alone: bool,
    },
    /// Dead letters, out of the file.
    Forget(Vec<JobId>),
}

impl Accept {
    /// Roughly what it writes, in bytes.
    pub(super) const fn size(&self) -> usize {
        match &self.demand {
            Demand::Publish { payload, .. } => payload.len(),
            Demand::Forget(_) => 1,
        }
    }
}

pub(super) fn record(
    connection: &Connection,
    tally: &mut Tally,
    demand: &Demand,
    now: Timestamp,
) -> rusqlite::Result<()> {
    match demand {
        Demand::Publish {
            slot,
            payload,
            is_alone,
        } => publish(connection, tally, *slot, payload, *is_alone, now),
        Demand::Forget(ids) => forget(connection, tally, ids),
    }
}

pub(super) fn answer(accepts: Vec<Accept>, accepted: &Result<(), Error>) {
    for accept in accepts {
        // Whoever asked may have gone; the job stays.
        let _ = accept.reply.send(accepted.clone());
    }
}

fn publish(
    connection: &Connection,
    tally: &mut Tally,
    slot: usize,
    payload: &[u8],
    is_alone: bool,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let id = tally.next_id();
    let queue = &mut tally.queues[slot];
    connection
        .prepare_cached(
            "INSERT INTO jobs (id, queue_id, attempts, is_alone, first_seen_at, payload, checksum)
             VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            id,
            queue.row,
            is_alone,
            now.as_millis(),
            payload,
            checksum::of(payload)
        ])?;
    queue.published();
    Ok(())
}

fn forget(connection: &Connection, tally: &mut Tally, ids: &[JobId]) -> rusqlite::Result<()> {
    let ids = settle::json(ids.iter().map(|id| id.number()));
    for queue in &mut tally.queues {
        let forgotten = connection
            .prepare_cached(
                "DELETE FROM dead_letters
                 WHERE queue_id = ?1 AND id IN (SELECT value FROM json_each(?2))",
            )?
            .execute(params![queue.row, ids])?;
        queue.forgotten(i64::try_from(forgotten).unwrap_or(i64::MAX));
    }
    Ok(())
}
