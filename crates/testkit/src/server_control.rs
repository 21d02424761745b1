//! The servers that tests run on, and their crashes.

use crate::process::run_within;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest that a server may take to end or to start.
const PATIENCE: Duration = Duration::from_secs(90);

/// Crashes a server that tests run on, and starts it again on its port and data. `cargo xtask test` names
/// the program that does it in `TIDINGS_TEST_AMQP_CONTROL` and `TIDINGS_TEST_POSTGRES_CONTROL`.
///
/// The server belongs to every test that runs meanwhile. It stays down when this is dropped.
#[derive(Debug, Clone)]
pub struct ServerControl {
    program: PathBuf,
}

impl ServerControl {
    /// Through this program.
    pub fn new(program: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
        }
    }

    /// Crashes it. Returns when it is gone.
    ///
    /// # Panics
    ///
    /// When that does not succeed, as with all of these.
    pub async fn stop(&self) {
        self.perform("stop").await;
    }

    /// Starts it. Returns when it answers.
    pub async fn start(&self) {
        self.perform("start").await;
    }

    /// Crashes it and starts it.
    pub async fn restart(&self) {
        self.perform("restart").await;
    }

    /// Makes a RabbitMQ short of memory: it takes no publishes until [`unblock`](Self::unblock).
    pub async fn block(&self) {
        self.perform("block").await;
    }

    /// Gives a RabbitMQ its memory back.
    pub async fn unblock(&self) {
        self.perform("unblock").await;
    }

    async fn perform(&self, what: &str) {
        let output = run_within(PATIENCE, &self.program, &[what], &[]).await;
        assert!(
            output.status.success(),
            "cannot {what} with {}: {}",
            self.program.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
