//! Listing dead letters, over a connection of its own: people do it rarely, and it may take long.

use super::file;
use crate::dead_letter::DeadLetter;
use crate::error::Error;
use crate::handler::JobId;
use domain::Timestamp;
use rusqlite::{Connection, OpenFlags, Row, params};
use std::path::Path;
use std::time::Duration;
use wire::Queue;

/// A list takes no more bytes than this (or a single dead letter).
const MAX_LIST_BYTES: usize = 8 * 1_048_576;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    NewestFirst,
    OldestFirst,
}

pub(super) fn list(
    path: &Path,
    queue: Queue,
    limit: usize,
    order: Order,
) -> Result<Vec<DeadLetter>, Error> {
    query(path, queue, limit, order).map_err(|error| file::error(path, &error))
}

fn query(
    path: &Path,
    queue: Queue,
    limit: usize,
    order: Order,
) -> rusqlite::Result<Vec<DeadLetter>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(1))?;
    let mut statement = connection.prepare(match order {
        Order::NewestFirst => {
            "SELECT id, attempts, first_seen_at, died_at, reason, payload FROM dead_letters
             WHERE queue_id = (SELECT id FROM queues WHERE name = ?1)
             ORDER BY died_at DESC, id DESC LIMIT ?2"
        }
        Order::OldestFirst => {
            "SELECT id, attempts, first_seen_at, died_at, reason, payload FROM dead_letters
             WHERE queue_id = (SELECT id FROM queues WHERE name = ?1)
             ORDER BY died_at, id LIMIT ?2"
        }
    })?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![queue.as_str(), limit])?;
    let mut list = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let letter = read(queue, row)?;
        bytes += letter.payload.len();
        if bytes > MAX_LIST_BYTES && !list.is_empty() {
            break;
        }
        list.push(letter);
    }
    Ok(list)
}

fn read(queue: Queue, row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        id: JobId::new(row.get(0)?),
        queue,
        attempts: row.get(1)?,
        first_seen_at: Timestamp::from_millis(row.get(2)?),
        died_at: Timestamp::from_millis(row.get(3)?),
        reason: row.get(4)?,
        payload: row.get(5)?,
    })
}
