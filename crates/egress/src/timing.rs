use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::stream::Lifeline;

/// How long the parts of an attempt took. A part that did not end has no time, and an attempt on a
/// connection that was there before has none for making it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// Finding the addresses.
    pub dns: Option<Duration>,
    /// Connecting to one of them, over a proxy where there is one.
    pub connect: Option<Duration>,
    /// The TLS handshake; none without TLS.
    pub tls: Option<Duration>,
    /// From there to the head of the answer.
    pub first_byte: Option<Duration>,
}

/// What an attempt hears from the connection made for it, if one is.
#[derive(Clone, Default)]
pub(crate) struct Phases(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    timing: Timing,
    /// The connection that was made, and when it was ready.
    made: Option<(Lifeline, Instant)>,
}

tokio::task_local! {
    /// Those of the attempt that is being made. The pool makes its connections while it is asked for
    /// one, by the one who asks.
    static OF_THIS_ATTEMPT: RefCell<Phases>;
}

impl Phases {
    /// Makes an attempt that hears of its connection.
    pub(crate) async fn during<T>(&self, attempt: impl Future<Output = T>) -> T {
        OF_THIS_ATTEMPT
            .scope(RefCell::new(self.clone()), attempt)
            .await
    }

    /// Those of the attempt that asks; where nobody does, some that nobody hears.
    pub(crate) fn of_this_attempt() -> Self {
        OF_THIS_ATTEMPT
            .try_with(|phases| phases.borrow().clone())
            .unwrap_or_default()
    }

    pub(crate) fn resolved(&self, took: Duration) {
        self.heard().timing.dns = Some(took);
    }

    pub(crate) fn connected(&self, took: Duration) {
        self.heard().timing.connect = Some(took);
    }

    pub(crate) fn secured(&self, took: Duration) {
        self.heard().timing.tls = Some(took);
    }

    pub(crate) fn made(&self, connection: Lifeline) {
        self.heard().made = Some((connection, Instant::now()));
    }

    /// The head of an answer has come over this connection, to an attempt begun at `started`.
    pub(crate) fn answered(&self, over: Option<&Lifeline>, started: Instant) {
        let mut heard = self.heard();
        let made = heard.made.take();
        let ready = made.filter(|(made, _)| over.is_some_and(|over| over.is(made)));
        let began = if let Some((_, ready)) = ready {
            ready
        } else {
            // Another one became free first.
            heard.timing = Timing::default();
            started
        };
        heard.timing.first_byte = Some(began.elapsed());
    }

    pub(crate) fn timing(&self) -> Timing {
        self.heard().timing
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
