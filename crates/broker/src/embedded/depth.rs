//! How many jobs a queue holds: the tally, and two look-ups in an index.

use super::ledger::Ledger;
use crate::depth::Depth;
use crate::error::Error;
use domain::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

#[derive(Debug)]
pub(super) struct Request {
    pub(super) slot: usize,
    pub(super) reply: oneshot::Sender<Result<Depth, Error>>,
}

pub(super) fn measure(ledger: &mut Ledger, slot: usize, now: Timestamp) -> Result<Depth, Error> {
    let queue = &mut ledger.tally.queues[slot];
    let delayed = queue.count_delayed(now.as_millis());
    let (counts, row, cursor) = (queue.counts(), queue.row, queue.cursor());
    let oldest = oldest(&ledger.connection, row, cursor, now);
    Ok(Depth {
        ready: unsigned(counts.jobs - counts.leased - delayed),
        leased: unsigned(counts.leased),
        delayed: unsigned(delayed),
        dead: unsigned(counts.dead),
        oldest_ready_at: oldest.map_err(|error| ledger.error(&error))?,
    })
}

fn oldest(
    connection: &Connection,
    row: i64,
    cursor: i64,
    now: Timestamp,
) -> rusqlite::Result<Option<Timestamp>> {
    let fresh: Option<i64> = connection
        .prepare_cached(
            "SELECT first_seen_at FROM jobs
             WHERE id > ?1 AND queue_id = ?2 AND available_at IS NULL ORDER BY id LIMIT 1",
        )?
        .query_row(params![cursor, row], |row| row.get(0))
        .optional()?;
    let offered_before: Option<i64> = connection
        .prepare_cached(
            "SELECT available_at FROM jobs
             WHERE queue_id = ?1 AND available_at <= ?2 ORDER BY available_at LIMIT 1",
        )?
        .query_row(params![row, now.as_millis()], |row| row.get(0))
        .optional()?;
    Ok(fresh
        .into_iter()
        .chain(offered_before)
        .min()
        .map(Timestamp::from_millis))
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
