//! A writer thread on PostgreSQL: its connection may end at any moment, and others write too.

use super::group;
use super::job::Job;
use super::queue::Queue;
use crate::connection::Connection;
use crate::dialect;
use crate::error::Error;
use crate::postgres::Gate;
use crate::sql_types::Uid;
use domain::Random;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a commit whose connection ended is asked after. The server itself ends a transaction
/// whose client is gone within 10 s.
const ASK_FOR: Duration = Duration::from_secs(12);
/// How long until it is asked again.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How a writer's statements are planned. They find rows by key, so one plan serves all their
/// parameters, and making one each time would cost more than following it. It is made for ten
/// elements of an array whose length it does not know, and for tables that nobody has analysed:
/// without the last two it looks at each row of one array for each of the other, or reads a whole
/// table that was empty once.
const PLANS: &str = "set plan_cache_mode = force_generic_plan; \
                     set enable_nestloop = off; set enable_seqscan = off";

/// How long a thread that gets no connection leaves the work to those that have one.
const LEAVE_FOR: Duration = Duration::from_millis(250);

/// A thread's way to the database.
pub(super) struct Remote {
    gate: Arc<Gate>,
    random: Random,
    idle: Option<Counted>,
    /// How many threads have a connection.
    connected: Arc<AtomicUsize>,
}

/// A connection, counted while it is there.
struct Counted {
    connection: Connection,
    /// The run of the server it belongs to.
    run: Uid,
    connected: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.connected.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Remote {
    pub(super) const fn new(gate: Arc<Gate>, random: Random, connected: Arc<AtomicUsize>) -> Self {
        Self {
            gate,
            random,
            idle: None,
            connected,
        }
    }

    /// Commits this work and what else waits. Work that met somebody else's is then run again, each
    /// in a transaction of its own.
    pub(super) fn commit(&mut self, first: Box<dyn Job>, queue: &Queue) {
        let (mut held, id) = match self.begin(dialect::GROUPED) {
            Ok(begun) => begun,
            Err(error) => return self.refuse(first, queue, error),
        };
        let mut group = group::run(&mut held.connection, first, queue);
        let ended = match group.outage.take() {
            Some(outage) => Err(Error::Undone(outage.to_string())),
            None => self.end(held, &id),
        };
        let aside = std::mem::take(&mut group.aside);
        group.tell(ended);
        for job in aside {
            self.run_alone(job);
        }
    }

    /// Begins a transaction, on a new connection where the old one has ended; its id.
    fn begin(&mut self, how: &str) -> Result<(Counted, String), Error> {
        if let Some(mut held) = self.take_idle()
            && let Ok(id) = dialect::begin(&mut held.connection, how)
        {
            return Ok((held, id));
        }
        let mut held = self.connect()?;
        let id = dialect::begin(&mut held.connection, how)?;
        Ok((held, id))
    }

    fn take_idle(&mut self) -> Option<Counted> {
        let held = self.idle.take().filter(|held| held.connection.is_fit())?;
        held.connection.use_now();
        Some(held)
    }

    fn connect(&self) -> Result<Counted, Error> {
        let mut connection = self.gate.connect()?;
        connection.use_now();
        connection.execute(PLANS)?;
        let run = dialect::server_run(&mut connection)?;
        self.connected.fetch_add(1, Ordering::SeqCst);
        Ok(Counted {
            connection,
            run,
            connected: self.connected.clone(),
        })
    }

    /// Tells a caller that the database is away, so that it may do something else meanwhile. Where it
    /// only has no connection left and another thread has one, that thread does the work.
    fn refuse(&self, first: Box<dyn Job>, queue: &Queue, error: Error) {
        let is_served = self.connected.load(Ordering::SeqCst) > 0;
        if is_served && matches!(error, Error::Busy(_)) {
            queue.put_back(first);
            sleep(LEAVE_FOR);
        } else {
            first.tell(Err(error));
        }
    }

    /// Commits, and finds out what became of it where the connection ends meanwhile.
    fn end(&mut self, mut held: Counted, id: &str) -> Result<(), Error> {
        let connection = &mut held.connection;
        let Err(error) = connection.execute(dialect::COMMIT) else {
            self.keep(held);
            return Ok(());
        };
        if !error.is_outage() && connection.execute("rollback").is_ok() {
            self.keep(held);
            return Err(Error::Undone(error.to_string()));
        }
        let run = held.run;
        drop(held);
        self.ask_after(id, run, &error)
    }

    fn ask_after(&mut self, id: &str, run: Uid, error: &Error) -> Result<(), Error> {
        let started = Instant::now();
        while started.elapsed() < ASK_FOR {
            match self.outcome_of(id, run) {
                Ok(dialect::Outcome::Committed) => return Ok(()),
                Ok(dialect::Outcome::Aborted) => return Err(Error::Undone(error.to_string())),
                Ok(dialect::Outcome::Forgotten) => break,
                Ok(dialect::Outcome::InProgress) | Err(_) => sleep(ASK_EVERY),
            }
        }
        Err(Error::Uncertain(error.to_string()))
    }

    /// What became of a transaction of a run of the server. In another run its id may be that of
    /// another one, so nobody can tell.
    fn outcome_of(&mut self, id: &str, run: Uid) -> Result<dialect::Outcome, Error> {
        let mut held = self.take_idle().map_or_else(|| self.connect(), Ok)?;
        let outcome = if held.run == run {
            dialect::outcome_of(&mut held.connection, id)?
        } else {
            dialect::Outcome::Forgotten
        };
        self.keep(held);
        Ok(outcome)
    }

    /// Runs work in a transaction of its own until it is through, or was tried often enough.
    fn run_alone(&mut self, mut job: Box<dyn Job>) {
        let mut tried = 0;
        let ended = loop {
            self.pause(tried);
            tried += 1;
            match self.try_alone(job.as_mut()) {
                Err(error) if tried < error.tries() => {}
                ended => break ended,
            }
        };
        job.tell(ended);
    }

    fn try_alone(&mut self, job: &mut dyn Job) -> Result<(), Error> {
        let (mut held, id) = self.begin(dialect::ALONE)?;
        let done = group::caught(&mut held.connection, job);
        let Err(error) = done else {
            return self.end(held, &id);
        };
        if held.connection.execute("rollback").is_err() {
            return Err(Error::Lost(error.to_string()));
        }
        self.keep(held);
        Err(error)
    }

    /// Waits a little, longer each time, and never as long as the others.
    fn pause(&self, tried: u32) {
        let [chance] = self.random.bytes();
        sleep(Duration::from_millis(
            u64::from(tried) * 10 + u64::from(chance % 10),
        ));
    }

    fn keep(&mut self, held: Counted) {
        held.connection.rest();
        self.idle = Some(held);
    }
}
