//! Claiming jobs for a consumer.
//!
//! A claim is one row that names its jobs, whatever their number: so that the attempt is counted
//! before the handler sees them, and a start after a crash knows which they were. In this process a
//! claimed job is not found again because the cursor has passed it, or its `available_at` is
//! [`IN_HAND`].

use super::Claim;
use super::tally::Tally;
use super::{checksum, settle};
use crate::error::Error;
use crate::handler::{JobId, Received};
use domain::Timestamp;
use rusqlite::{CachedStatement, Connection, Params, params};
use tokio::sync::oneshot;

/// A batch takes no more bytes than this (or a single job).
const MAX_BATCH_BYTES: usize = 8 * 1_048_576;

/// The `available_at` of a job that was offered before and is claimed again.
const IN_HAND: i64 = i64::MAX;

pub(super) struct Request {
    pub(super) slot: usize,
    pub(super) batch: usize,
    pub(super) max_attempts: u32,
    pub(super) reply: oneshot::Sender<Result<Claim, Error>>,
}

#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) number: i64,
    pub(super) jobs: Vec<Received>,
}

/// Claims what may be offered now; `None` when there is nothing.
pub(super) fn record(
    connection: &Connection,
    tally: &mut Tally,
    request: &Request,
    now: Timestamp,
) -> rusqlite::Result<Option<Claimed>> {
    let batch = loop {
        let mut batch = offered_before(connection, tally, request, now)?;
        if !batch.is_full {
            add_fresh(connection, tally, request, &mut batch)?;
        }
        if batch.jobs.is_empty() {
            return Ok(None);
        }
        bury_damaged(connection, tally, request, &mut batch, now)?;
        if !batch.jobs.is_empty() {
            break batch;
        }
    };
    let number = tally.next_claim();
    connection
        .prepare_cached("INSERT INTO claims (id, job_ids) VALUES (?1, ?2)")?
        .execute(params![number, settle::json(batch.ids())])?;
    tally.queues[request.slot].claimed(count(batch.jobs.len()));
    let jobs = batch
        .jobs
        .into_iter()
        .map(|job| job.into_received(request.max_attempts))
        .collect();
    Ok(Some(Claimed { number, jobs }))
}

#[derive(Default)]
struct Batch {
    jobs: Vec<Candidate>,
    bytes: usize,
    is_full: bool,
}

struct Candidate {
    id: i64,
    attempts: u32,
    is_alone: bool,
    first_seen_at: i64,
    payload: Vec<u8>,
    checksum: Option<i64>,
}

impl Batch {
    /// Adds jobs in their order, until the batch is full.
    fn fill(
        &mut self,
        mut statement: CachedStatement<'_>,
        params: impl Params,
    ) -> rusqlite::Result<()> {
        let mut rows = statement.query(params)?;
        while !self.is_full
            && let Some(row) = rows.next()?
        {
            self.add(Candidate {
                id: row.get(0)?,
                attempts: row.get(1)?,
                is_alone: row.get(2)?,
                first_seen_at: row.get(3)?,
                payload: row.get(4)?,
                checksum: row.get(5)?,
            });
        }
        Ok(())
    }

    fn add(&mut self, job: Candidate) {
        let bytes = self.bytes + job.payload.len();
        let fits = self.jobs.is_empty() || (bytes <= MAX_BATCH_BYTES && !job.is_alone);
        self.is_full = !fits || job.is_alone;
        if fits {
            self.bytes = bytes;
            self.jobs.push(job);
        }
    }

    fn ids(&self) -> impl Iterator<Item = i64> {
        self.jobs.iter().map(|job| job.id)
    }
}

impl Candidate {
    fn is_intact(&self) -> bool {
        self.checksum
            .is_none_or(|published| published == checksum::of(&self.payload))
    }

    fn into_received(self, max_attempts: u32) -> Received {
        let attempt = self.attempts.saturating_add(1);
        Received {
            id: JobId::new(self.id),
            payload: self.payload,
            attempt,
            is_last_attempt: attempt >= max_attempts,
            first_seen_at: Timestamp::from_millis(self.first_seen_at),
        }
    }
}

/// Retried and returned jobs whose time has come. All are older than any fresh one.
fn offered_before(
    connection: &Connection,
    tally: &mut Tally,
    request: &Request,
    now: Timestamp,
) -> rusqlite::Result<Batch> {
    loop {
        let mut batch = Batch::default();
        let statement = connection.prepare_cached(
            "SELECT id, attempts, is_alone, first_seen_at, payload, checksum FROM jobs
             WHERE queue_id = ?1 AND available_at <= ?2 ORDER BY available_at, id LIMIT ?3",
        )?;
        let row = tally.queues[request.slot].row;
        batch.fill(
            statement,
            params![row, now.as_millis(), count(request.batch)],
        )?;
        batch.is_full |= batch.jobs.len() >= request.batch;
        if bury_spent(connection, tally, request, &batch, now)? == 0 {
            connection
                .prepare_cached(
                    "UPDATE jobs SET available_at = ?2
                     WHERE id IN (SELECT value FROM json_each(?1))",
                )?
                .execute(params![settle::json(batch.ids()), IN_HAND])?;
            return Ok(batch);
        }
    }
}

/// Jobs that were never claimed: all that come after the cursor.
fn add_fresh(
    connection: &Connection,
    tally: &mut Tally,
    request: &Request,
    batch: &mut Batch,
) -> rusqlite::Result<()> {
    let statement = connection.prepare_cached(
        "SELECT id, attempts, is_alone, first_seen_at, payload, checksum FROM jobs
         WHERE id > ?1 AND queue_id = ?2 AND available_at IS NULL ORDER BY id LIMIT ?3",
    )?;
    let last_id = tally.last_id();
    let queue = &mut tally.queues[request.slot];
    let offered_before = batch.jobs.len();
    let room = count(request.batch - offered_before);
    batch.fill(statement, params![queue.cursor(), queue.row, room])?;
    if batch.is_full || batch.jobs.len() >= request.batch {
        if let Some(last) = batch.jobs[offered_before..].last() {
            queue.move_cursor(last.id);
        }
    } else {
        queue.move_cursor(last_id);
    }
    Ok(())
}

/// A job that used up its attempts without an answer killed its process each time, or was cut off.
/// It is not offered again. Returns how many there were.
fn bury_spent(
    connection: &Connection,
    tally: &mut Tally,
    request: &Request,
    batch: &Batch,
    now: Timestamp,
) -> rusqlite::Result<usize> {
    let spent: Vec<_> = batch
        .jobs
        .iter()
        .filter(|job| job.attempts >= request.max_attempts)
        .collect();
    for job in &spent {
        let reason = format!(
            "attempt {} of {} got no answer: the process died, or the handler was cut off",
            job.attempts, request.max_attempts
        );
        settle::bury(connection, job.id, job.attempts, &reason, now)?;
        tally.queues[request.slot].died_unclaimed();
        tracing::error!(job.id, reason, "a job became a dead letter");
    }
    Ok(spent.len())
}

/// A job that is not what was published is not offered: nobody knows what it would do. It is kept as it is,
/// and the others go on.
fn bury_damaged(
    connection: &Connection,
    tally: &mut Tally,
    request: &Request,
    batch: &mut Batch,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (intact, damaged): (Vec<_>, Vec<_>) = std::mem::take(&mut batch.jobs)
        .into_iter()
        .partition(Candidate::is_intact);
    batch.jobs = intact;
    for job in damaged {
        let reason = "the queue file holds other bytes than were published: the disk changed them";
        settle::bury(connection, job.id, job.attempts, reason, now)?;
        tally.queues[request.slot].died_unclaimed();
        tracing::error!(job.id, reason, "a job became a dead letter");
    }
    Ok(())
}

fn count(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
