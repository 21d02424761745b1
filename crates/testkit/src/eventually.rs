//! Waiting for what happens in its own time.

use std::fmt::Display;
use std::panic::Location;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// What one look came to: `Some` or `Ok` is what was awaited. An `Err` is what was seen instead, which
/// the panic of [`eventually`] shows.
pub trait Look {
    /// What is awaited.
    type Found;

    /// It, or a sentence about what is there instead.
    fn found(self) -> Result<Self::Found, String>;
}

impl<T> Look for Option<T> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

impl<T, E: Display> Look for Result<T, E> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.map_err(|seen| seen.to_string())
    }
}

/// Looks every 10 ms until what is awaited is there.
///
/// # Panics
///
/// When it is not there `within` the time: with `what`, and with the last thing seen.
#[track_caller]
pub fn eventually<L: Look>(
    what: &str,
    within: Duration,
    look: impl AsyncFnMut() -> L,
) -> impl Future<Output = L::Found> {
    let asked_at = Location::caller();
    eventually_at(asked_at, what, within, look)
}

/// [`eventually`], on behalf of a caller elsewhere.
pub(crate) async fn eventually_at<L: Look>(
    asked_at: &Location<'_>,
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> L,
) -> L::Found {
    let deadline = Instant::now() + within;
    let mut last = "no look came to an end".to_owned();
    while let Ok(seen) = timeout_at(deadline, look()).await {
        match seen.found() {
            Ok(found) => return found,
            Err(seen) => last = seen,
        }
        if Instant::now() + PAUSE > deadline {
            break;
        }
        sleep(PAUSE).await;
    }
    panic!("{asked_at}: waited {within:?} in vain until {what}; last seen: {last}")
}
