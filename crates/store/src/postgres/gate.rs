//! The gate: every connection to PostgreSQL comes through it.

use super::Postgres;
use crate::connection::Connection;
use crate::error::Error;
use crate::migration;
use domain::Random;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a connection lives at the most. A fifth of it is left to chance, so that they do not all
/// end at once.
const LIFETIME: Duration = Duration::from_mins(5);
/// How long a failure is remembered, at first and at the most.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Connects, and looks once whether the schema fits. While the database is away one caller at a time
/// tries; the others are told at once why the last one failed.
pub(crate) struct Gate {
    postgres: Postgres,
    random: Random,
    fits: AtomicBool,
    trouble: Mutex<Option<Trouble>>,
}

/// Why the last attempt failed.
struct Trouble {
    error: Error,
    pause: Duration,
    until: Instant,
    is_tried: bool,
}

impl Gate {
    pub(crate) fn new(postgres: Postgres, random: Random) -> Self {
        Self {
            postgres,
            random,
            fits: AtomicBool::new(false),
            trouble: Mutex::new(None),
        }
    }

    /// A new connection. On a blocking thread.
    pub(crate) fn connect(&self) -> Result<Connection, Error> {
        self.admit()?;
        let connected = self.attempt();
        self.note(connected.as_ref().err());
        connected
    }

    fn admit(&self) -> Result<(), Error> {
        let mut trouble = self.lock();
        let Some(known) = trouble.as_mut() else {
            return Ok(());
        };
        if known.is_tried || Instant::now() < known.until {
            return Err(known.error.again());
        }
        known.is_tried = true;
        Ok(())
    }

    fn attempt(&self) -> Result<Connection, Error> {
        let spread = LIFETIME.as_secs() / 5;
        let less = u64::from(u16::from_le_bytes(self.random.bytes())) % spread;
        let mut connection = self
            .postgres
            .connect(LIFETIME.saturating_sub(Duration::from_secs(less)))?;
        if !self.fits.load(Ordering::SeqCst) {
            migration::check(&mut connection)?;
            self.fits.store(true, Ordering::SeqCst);
        }
        Ok(connection)
    }

    fn note(&self, failed: Option<&Error>) {
        let mut trouble = self.lock();
        let before = trouble.take();
        match failed {
            None if before.is_some() => tracing::info!("the database can be used again"),
            Some(error) if before.is_none() => {
                tracing::warn!(%error, "the database cannot be used");
            }
            _ => {}
        }
        *trouble = failed.map(|error| {
            let pause = before.map_or(PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
            Trouble {
                error: error.again(),
                pause,
                until: Instant::now() + pause,
                is_tried: false,
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
