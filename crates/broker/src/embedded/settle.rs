//! Recording what became of claimed jobs.

use super::tally::{QueueTally, Tally};
use crate::consume::{Outcome, Settlement};
use crate::error::Error;
use domain::Timestamp;
use rusqlite::{Connection, params};
use std::fmt::Write as _;
use tokio::sync::oneshot;

#[derive(Debug)]
pub(super) struct Request {
    pub(super) slot: usize,
    pub(super) claim: i64,
    pub(super) settlements: Vec<Settlement>,
    /// The jobs of the claim that stay in hand.
    pub(super) remaining: Vec<i64>,
    pub(super) reply: oneshot::Sender<Result<(), Error>>,
}

/// A claim given back, with all jobs that are still in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Return {
    pub(super) slot: usize,
    pub(super) claim: i64,
    /// Whether their handling was begun.
    pub(super) is_attempted: bool,
}

pub(super) fn record(
    connection: &Connection,
    tally: &mut Tally,
    request: &Request,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let queue = &mut tally.queues[request.slot];
    acknowledge(connection, queue, &request.settlements)?;
    for Settlement {
        id,
        attempt,
        outcome,
    } in &request.settlements
    {
        match outcome {
            Outcome::Done => {}
            Outcome::Later { after } | Outcome::Deferred { after } => {
                let until = now.plus(*after).as_millis();
                connection
                    .prepare_cached(
                        "UPDATE jobs SET attempts = ?2, is_alone = 0, available_at = ?3
                         WHERE id = ?1",
                    )?
                    .execute(params![id.number(), attempt, until])?;
                queue.delayed(until);
            }
            Outcome::Dead { reason } => {
                bury(connection, id.number(), *attempt, reason, now)?;
                queue.died_in_hand();
            }
        }
    }
    shrink_claim(connection, request.claim, &request.remaining)
}

pub(super) fn answer(requests: Vec<Request>, answer: &Result<(), Error>) {
    for request in requests {
        // Whoever asked may have gone.
        let _ = request.reply.send(answer.clone());
    }
}

/// Offers the jobs of a claim again: alone, if one of them may have broken its consumer.
pub(super) fn give_back(
    connection: &Connection,
    tally: &mut Tally,
    returned: Return,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let statement = if returned.is_attempted {
        "UPDATE jobs SET available_at = min(first_seen_at, ?2), attempts = attempts + 1, is_alone = 1
         WHERE id IN (SELECT value FROM claims, json_each(claims.job_ids) WHERE claims.id = ?1)"
    } else {
        "UPDATE jobs SET available_at = min(first_seen_at, ?2)
         WHERE id IN (SELECT value FROM claims, json_each(claims.job_ids) WHERE claims.id = ?1)"
    };
    let jobs = connection
        .prepare_cached(statement)?
        .execute(params![returned.claim, now.as_millis()])?;
    tally.queues[returned.slot].returned(i64::try_from(jobs).unwrap_or(i64::MAX));
    shrink_claim(connection, returned.claim, &[])
}

/// Makes a job a dead letter.
pub(super) fn bury(
    connection: &Connection,
    id: i64,
    attempts: u32,
    reason: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO dead_letters
               (id, queue_id, attempts, first_seen_at, died_at, reason, payload)
             SELECT id, queue_id, ?2, first_seen_at, ?3, ?4, payload FROM jobs WHERE id = ?1",
        )?
        .execute(params![id, attempts, now.as_millis(), reason])?;
    connection
        .prepare_cached("DELETE FROM jobs WHERE id = ?1")?
        .execute([id])
        .map(drop)
}

/// Ids as a JSON array: one parameter for any number of them.
pub(super) fn json(ids: impl Iterator<Item = i64>) -> String {
    let mut text = String::from("[");
    for id in ids {
        let comma = if text.len() > 1 { "," } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{id}");
    }
    text.push(']');
    text
}

fn acknowledge(
    connection: &Connection,
    queue: &mut QueueTally,
    settlements: &[Settlement],
) -> rusqlite::Result<()> {
    let done = || {
        settlements
            .iter()
            .filter(|one| matches!(one.outcome, Outcome::Done))
    };
    connection
        .prepare_cached("DELETE FROM jobs WHERE id IN (SELECT value FROM json_each(?1))")?
        .execute([json(done().map(|one| one.id.number()))])?;
    queue.done(i64::try_from(done().count()).unwrap_or(i64::MAX));
    Ok(())
}

fn shrink_claim(connection: &Connection, claim: i64, remaining: &[i64]) -> rusqlite::Result<()> {
    if remaining.is_empty() {
        connection
            .prepare_cached("DELETE FROM claims WHERE id = ?1")?
            .execute([claim])?;
    } else {
        connection
            .prepare_cached("UPDATE claims SET job_ids = ?2 WHERE id = ?1")?
            .execute(params![claim, json(remaining.iter().copied())])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_json() {
        assert_eq!(json([].into_iter()), "[]");
        assert_eq!(json([1, -2, 30].into_iter()), "[1,-2,30]");
    }
}
