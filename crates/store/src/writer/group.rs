//! Many callers' work in one transaction, each in a savepoint.

use super::job::Job;
use super::queue::Queue;
use crate::connection::Connection;
use crate::error::Error;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// The most work in one transaction.
const GROUP: usize = 256;
/// A transaction takes no more work once it is this old.
const GROUP_TIME: Duration = Duration::from_millis(5);

/// What became of the work of a transaction that is not committed yet.
#[derive(Default)]
pub(super) struct Group {
    ran: Vec<(Box<dyn Job>, Result<(), Error>)>,
    /// Work that met somebody else's; it is run again, alone.
    pub(super) aside: Vec<Box<dyn Job>>,
    /// What the work met, if the store as a whole does not work: the engine may have ended the
    /// transaction by itself, so nothing after it can be trusted.
    pub(super) outage: Option<Error>,
}

impl Group {
    /// Tells every caller how it ended; what was set aside is not told yet.
    pub(super) fn tell(self, ended: Result<(), Error>) {
        if let Err(error) = &ended {
            tracing::error!(%error, callers = self.ran.len(), "a transaction failed and was undone");
        }
        for (job, own) in self.ran {
            job.tell(match &ended {
                Ok(()) => own,
                Err(error) => Err(error.again()),
            });
        }
    }

    /// Takes note of how work went; its parts, where it failed as a whole and they are tried by
    /// themselves.
    fn take(
        &mut self,
        mut job: Box<dyn Job>,
        done: Result<(), Error>,
        may_go_alone: bool,
    ) -> Vec<Box<dyn Job>> {
        match done {
            Err(error) if error.is_outage() => {
                self.outage = Some(error);
                self.ran.push((job, Ok(())));
            }
            Err(error) => {
                let parts = job.split();
                if !parts.is_empty() {
                    return parts;
                }
                if may_go_alone && error.may_go_alone() {
                    self.aside.push(job);
                } else {
                    self.ran.push((job, Err(error)));
                }
            }
            Ok(()) => self.ran.push((job, Ok(()))),
        }
        Vec::new()
    }
}

/// Runs work in a transaction that is in its first savepoint: the first, then what waits.
pub(super) fn run(connection: &mut Connection, first: Box<dyn Job>, queue: &Queue) -> Group {
    let may_go_alone = matches!(connection, Connection::Postgres(_));
    let started = Instant::now();
    let mut group = Group::default();
    let mut next = VecDeque::from([first]);
    let mut is_fresh = true;
    let mut taken = 0;
    while let Some(mut job) = next.pop_front() {
        if group.outage.is_some() {
            group.ran.push((job, Ok(())));
            continue;
        }
        let done = in_savepoint(connection, is_fresh, job.as_mut());
        // What failed was rolled back: its savepoint serves the next one.
        is_fresh = done.is_err();
        taken += 1;
        next.extend(group.take(job, done, may_go_alone));
        if group.outage.is_none() && taken < GROUP && started.elapsed() < GROUP_TIME {
            next.extend(queue.take_next());
        }
    }
    group
}

fn in_savepoint(
    connection: &mut Connection,
    is_fresh: bool,
    job: &mut dyn Job,
) -> Result<(), Error> {
    // A transaction whose savepoints fail is lost, whatever the reason.
    let lost = |error: Error| Error::Lost(error.to_string());
    if !is_fresh {
        connection
            .execute("release work; savepoint work")
            .map_err(lost)?;
    }
    let done = caught(connection, job);
    if done.as_ref().is_err_and(|error| !error.is_outage()) {
        connection.execute("rollback to work").map_err(lost)?;
    }
    done
}

/// Runs it; its panic is its failure.
pub(super) fn caught(connection: &mut Connection, job: &mut dyn Job) -> Result<(), Error> {
    catch_unwind(AssertUnwindSafe(|| job.run(connection)))
        .unwrap_or_else(|_| Err(Error::unreadable("what made its own code panic")))
}
