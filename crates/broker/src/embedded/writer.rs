//! The thread that writes.

use super::accept::{self, Accept};
use super::file::QueueFile;
use super::health::Health;
use super::ledger::{Durability, Ledger};
use super::mailbox::{Mailbox, Post, Work};
use super::{Claim, Ticket, checkpoint, claim, depth, settle};
use crate::error::Error;
use domain::{Clock, Timestamp};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the file is tried while it takes no commits.
const PROBE: Duration = Duration::from_secs(1);

/// How late a jump of the clock may be noticed.
const CLOCK_WATCH: Duration = Duration::from_millis(250);

/// Starts the thread. It ends when the mailbox is closed and empty; `alive` is dropped after that.
pub(super) fn start(
    file: QueueFile,
    clock: Clock,
    mailbox: Arc<Mailbox>,
    health: Arc<Health>,
    alive: impl Send + 'static,
) -> Result<(), Error> {
    let path = file.path.clone();
    let ledger = Ledger::new(file.connection, file.tally, file.path, Arc::clone(&health));
    let writer = Writer {
        ledger,
        clock,
        mailbox,
        health,
        parked: Vec::new(),
        returns: Vec::new(),
    };
    std::thread::Builder::new()
        .name("queue-writer".to_owned())
        .spawn(move || {
            writer.run();
            drop(alive);
        })
        .map(drop)
        .map_err(|error| Error::Unopenable {
            path,
            reason: error.to_string(),
        })
}

struct Writer {
    ledger: Ledger,
    clock: Clock,
    mailbox: Arc<Mailbox>,
    health: Arc<Health>,
    /// Consumers that wait until there is a job.
    parked: Vec<claim::Request>,
    /// Tickets given back that are not recorded yet.
    returns: Vec<settle::Return>,
}

impl Writer {
    fn run(mut self) {
        let mut patience = None;
        let mut probed: Option<Instant> = None;
        loop {
            let Post {
                accepts,
                works,
                is_last,
            } = self.mailbox.take(patience);
            self.accept(accepts);
            let now = self.clock.now();
            self.work(works, is_last, now);
            if is_last {
                break;
            }
            if !self.health.is_good() && probed.is_none_or(|at| at.elapsed() >= PROBE) {
                probed = Some(Instant::now());
                self.ledger.probe();
            }
            patience = self.patience(now);
        }
        checkpoint::finish(&self.ledger.connection);
    }

    fn accept(&mut self, accepts: Vec<Accept>) {
        if accepts.is_empty() {
            return;
        }
        let now = self.clock.now();
        let accepted = self
            .ledger
            .transact(Durability::Power, |connection, tally| {
                accepts
                    .iter()
                    .try_for_each(|one| accept::record(connection, tally, &one.demand, now))
            });
        accept::answer(accepts, &accepted);
    }

    fn work(&mut self, works: Vec<Work>, is_last: bool, now: Timestamp) {
        let mut settles = Vec::new();
        let mut depths = Vec::new();
        for work in works {
            match work {
                Work::Claim(request) => self.parked.push(request),
                Work::Settle(request) => settles.push(request),
                Work::Return(request) => self.returns.push(request),
                Work::Depth(request) => depths.push(request),
                Work::Checkpoint => {
                    checkpoint::move_log(&self.ledger.connection);
                }
            }
        }
        self.parked
            .retain(|request| !is_last && !request.reply.is_closed());
        self.settle_and_claim(settles, now);
        for request in depths {
            let depth = depth::measure(&mut self.ledger, request.slot, now);
            // Whoever asked may have gone.
            let _ = request.reply.send(depth);
        }
    }

    fn settle_and_claim(&mut self, settles: Vec<settle::Request>, now: Timestamp) {
        let returns = std::mem::take(&mut self.returns);
        let claims = std::mem::take(&mut self.parked);
        if settles.is_empty() && returns.is_empty() && claims.is_empty() {
            return;
        }
        // A ticket is returned after its last settlement, never before it.
        let done = self
            .ledger
            .transact(Durability::Process, |connection, tally| {
                settles
                    .iter()
                    .try_for_each(|one| settle::record(connection, tally, one, now))?;
                returns
                    .iter()
                    .try_for_each(|one| settle::give_back(connection, tally, *one, now))?;
                claims
                    .iter()
                    .map(|one| claim::record(connection, tally, one, now))
                    .collect()
            });
        match done {
            Ok(claimed) => {
                settle::answer(settles, &Ok(()));
                self.hand_out(claims, claimed);
            }
            Err(error) => {
                self.returns = returns;
                for claim in claims {
                    let _ = claim.reply.send(Err(error.clone()));
                }
                settle::answer(settles, &Err(error));
            }
        }
    }

    fn hand_out(&mut self, requests: Vec<claim::Request>, claimed: Vec<Option<claim::Claimed>>) {
        for (request, claimed) in requests.into_iter().zip(claimed) {
            let Some(claim::Claimed { number, jobs }) = claimed else {
                self.parked.push(request);
                continue;
            };
            let ids = jobs.iter().map(|job| job.id).collect();
            let ticket = Ticket::new(Arc::clone(&self.mailbox), request.slot, number, ids);
            let claim = Claim { jobs, ticket };
            // If nobody waits any more, the ticket is dropped here, and so returned.
            let _ = request.reply.send(Ok(claim));
        }
    }

    /// How long to wait if nothing comes.
    fn patience(&mut self, now: Timestamp) -> Option<Duration> {
        let until_due = if self.parked.is_empty() {
            None
        } else {
            let due = self.ledger.tally.next_due(now.as_millis());
            due.map(|due| Timestamp::from_millis(due).since(now).min(CLOCK_WATCH))
        };
        if self.health.is_good() {
            until_due
        } else {
            Some(until_due.unwrap_or(PROBE).min(PROBE))
        }
    }
}

/// However the thread ends, nobody waits for it in vain.
impl Drop for Writer {
    fn drop(&mut self) {
        self.mailbox.burn();
    }
}
