//! SIGTERM and SIGINT.

use crate::{Error, Shutdown};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask this process to end. While this lives, they do not kill it.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Signals`] when the operating system refuses.
    pub fn listen() -> Result<Self, Error> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(Error::Signals)?,
            interrupt: signal(SignalKind::interrupt()).map_err(Error::Signals)?,
        })
    }

    /// The name of the next signal.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Drains at the first signal and stops at the second, or at the first if something else began to drain.
    /// Ends when the process stops.
    pub async fn drive(mut self, shutdown: Shutdown) {
        loop {
            let name = tokio::select! {
                name = self.next() => name,
                () = shutdown.stopped() => return,
            };
            if shutdown.is_draining() {
                tracing::warn!(signal = name, "stopping at once");
                shutdown.stop();
            } else {
                tracing::info!(signal = name, "draining; a second signal stops at once");
                shutdown.drain();
            }
        }
    }
}
