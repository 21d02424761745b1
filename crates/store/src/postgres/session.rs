//! One session with PostgreSQL.

use super::here::Here;
use diesel::ConnectionResult;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use std::ops::AsyncFnOnce;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};

/// How long one use may take. Timeouts of the server end it long before; a server that is frozen
/// ends nothing.
const LONGEST_USE: Duration = Duration::from_mins(1);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// tokio-postgres under diesel's synchronous face, and whether it still is any good. Whoever uses it
/// drives it, on his own thread: nobody else has to wake up for an answer.
pub struct Session {
    raw: AsyncConnectionWrapper<AsyncPgConnection, Here>,
    here: Here,
    life: Arc<Life>,
    retires_at: Instant,
}

/// What a session and the task that drives it share.
struct Life {
    born: Instant,
    /// When its present use began, in milliseconds from its birth; [`IDLE`] or [`OVER`]. A new one is
    /// in use.
    used_since: AtomicU64,
}

const IDLE: u64 = u64::MAX;
const OVER: u64 = u64::MAX - 1;

impl Session {
    pub(super) fn start<S, T>(
        client: tokio_postgres::Client,
        driver: tokio_postgres::Connection<S, T>,
        here: &Here,
        lifetime: Duration,
    ) -> ConnectionResult<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let life = Arc::new(Life {
            born: Instant::now(),
            used_since: AtomicU64::new(0),
        });
        let shared = life.clone();
        here.spawn(async move {
            tokio::select! {
                ended = driver => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a database connection ended");
                    }
                }
                () = shared.hangs() => tracing::warn!("a database connection hangs and is given up"),
            }
            shared.used_since.store(OVER, Ordering::SeqCst);
        });
        let client = here.run(AsyncPgConnection::try_from(client))?;
        Ok(Self {
            raw: here.wrap(client),
            here: here.clone(),
            retires_at: life.born + lifetime,
            life,
        })
    }

    pub(crate) fn raw(&mut self) -> &mut AsyncConnectionWrapper<AsyncPgConnection, Here> {
        &mut self.raw
    }

    /// Runs statements that are sent together: those that are polled together cost one round trip.
    pub(crate) fn together<R>(&mut self, work: impl AsyncFnOnce(&AsyncPgConnection) -> R) -> R {
        self.here.run(work(&self.raw))
    }

    /// Whether another transaction may begin on it.
    pub(crate) fn is_fit(&self) -> bool {
        self.here.catch_up();
        self.life.used_since.load(Ordering::SeqCst) != OVER && Instant::now() < self.retires_at
    }

    /// Says that it is used from now on.
    pub(crate) fn use_now(&self) {
        let now = u64::try_from(self.life.born.elapsed().as_millis()).unwrap_or(0);
        self.life.swap(now);
    }

    /// Says that it is not used any more.
    pub(crate) fn rest(&self) {
        self.life.swap(IDLE);
    }
}

impl Life {
    /// Says how it is used, unless it is over.
    fn swap(&self, to: u64) {
        let _ = self
            .used_since
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| {
                (now != OVER).then_some(to)
            });
    }

    /// Returns when one use takes too long.
    async fn hangs(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let since = self.used_since.load(Ordering::SeqCst);
            if since != IDLE
                && self
                    .born
                    .elapsed()
                    .saturating_sub(Duration::from_millis(since))
                    > LONGEST_USE
            {
                return;
            }
        }
    }
}
