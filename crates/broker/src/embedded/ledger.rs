//! Transactions: the connection that writes, and the tally of what it wrote.

use super::file;
use super::health::Health;
use super::tally::Tally;
use crate::error::Error;
use rusqlite::{Connection, params};
use std::path::PathBuf;
use std::sync::Arc;

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// A power cut: it is fsynced.
    Power,
    /// The death of the process: it is in the operating system's hands.
    Process,
}

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) connection: Connection,
    pub(super) tally: Tally,
    path: PathBuf,
    health: Arc<Health>,
    durability: Option<Durability>,
}

impl Ledger {
    pub(super) const fn new(
        connection: Connection,
        tally: Tally,
        path: PathBuf,
        health: Arc<Health>,
    ) -> Self {
        Self {
            connection,
            tally,
            path,
            health,
            durability: None,
        }
    }

    /// Runs all of the body in one transaction, or, with an error, nothing of it.
    pub(super) fn transact<T>(
        &mut self,
        durability: Durability,
        body: impl FnOnce(&Connection, &mut Tally) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        match self.attempt(durability, body) {
            Ok(value) => {
                self.tally.keep();
                if durability == Durability::Power {
                    self.health.succeeded();
                }
                Ok(value)
            }
            Err(error) => {
                self.tally.forget();
                let error = self.error(&error);
                self.health.failed(&error);
                Err(error)
            }
        }
    }

    /// Finds out whether the file takes publishes. What it writes needs pages of its own, as a job
    /// does: a full disk still takes what fits into the pages there are.
    pub(super) fn probe(&mut self) {
        // The outcome is in the health.
        let _ = self.transact(Durability::Power, |connection, _| {
            connection.execute_batch(
                "INSERT INTO jobs (id, queue_id, attempts, is_alone, first_seen_at, payload)
                 VALUES (-1, -1, 0, 0, 0, zeroblob(65536));
                 DELETE FROM jobs WHERE id = -1",
            )
        });
    }

    pub(super) fn error(&self, error: &rusqlite::Error) -> Error {
        file::error(&self.path, error)
    }

    fn attempt<T>(
        &mut self,
        durability: Durability,
        body: impl FnOnce(&Connection, &mut Tally) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.leave_transaction()?;
        self.set_durability(durability)?;
        run(&self.connection, "BEGIN IMMEDIATE")?;
        let outcome = body(&self.connection, &mut self.tally).and_then(|value| {
            record_tally(&self.connection, &self.tally)?;
            run(&self.connection, "COMMIT")?;
            Ok(value)
        });
        if outcome.is_err() {
            // If this fails too, the next transaction begins with it, and tells.
            let _ = self.leave_transaction();
        }
        outcome
    }

    /// Some errors roll back by themselves, others leave that to us.
    fn leave_transaction(&self) -> rusqlite::Result<()> {
        if self.connection.is_autocommit() {
            Ok(())
        } else {
            run(&self.connection, "ROLLBACK")
        }
    }

    fn set_durability(&mut self, durability: Durability) -> rusqlite::Result<()> {
        if self.durability != Some(durability) {
            // Not prepared once: this pragma takes effect while it is being prepared.
            self.connection.execute_batch(match durability {
                Durability::Power => "PRAGMA synchronous = FULL",
                Durability::Process => "PRAGMA synchronous = NORMAL",
            })?;
            self.durability = Some(durability);
        }
        Ok(())
    }
}

fn record_tally(connection: &Connection, tally: &Tally) -> rusqlite::Result<()> {
    for queue in tally
        .queues
        .iter()
        .filter(|queue| queue.has_new_jobs_count())
    {
        connection
            .prepare_cached("UPDATE queues SET jobs = ?2, last_job_id = ?3 WHERE id = ?1")?
            .execute(params![queue.row, queue.counts().jobs, tally.last_id()])?;
    }
    Ok(())
}

fn run(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}
