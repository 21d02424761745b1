//! The end of a process, in two steps.

use std::sync::Arc;
use tokio::sync::watch;

/// How far a process has come towards its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// It works.
    Running,
    /// It takes no new work and finishes what it has begun.
    Draining,
    /// It gives up what is unfinished; another process, or the next start, takes it over.
    Stopped,
}

/// Tells everybody how far the end has come. Clones tell the same; there is no way back.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<Step>>);

impl Shutdown {
    /// A process that runs.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Step::Running)))
    }

    /// Begins step one: no new work.
    pub fn drain(&self) {
        self.advance(Step::Draining);
    }

    /// Begins step two: give up. Implies step one.
    pub fn stop(&self) {
        self.advance(Step::Stopped);
    }

    /// How far it is.
    pub fn step(&self) -> Step {
        *self.0.borrow()
    }

    /// Whether step one has begun.
    pub fn is_draining(&self) -> bool {
        self.step() >= Step::Draining
    }

    /// Whether step two has begun.
    pub fn is_stopped(&self) -> bool {
        self.step() >= Step::Stopped
    }

    /// Resolves when step one begins, at once if it has.
    pub async fn draining(&self) {
        self.reached(Step::Draining).await;
    }

    /// Resolves when step two begins, at once if it has.
    pub async fn stopped(&self) {
        self.reached(Step::Stopped).await;
    }

    /// Resolves when `step` or a later one begins.
    pub async fn reached(&self, step: Step) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.0.subscribe().wait_for(|now| *now >= step).await;
    }

    fn advance(&self, step: Step) {
        self.0.send_if_modified(|now| {
            let is_forward = *now < step;
            if is_forward {
                *now = step;
            }
            is_forward
        });
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_clones_hear_of_each_step_and_there_is_no_way_back() {
        let shutdown = Shutdown::new();
        let clone = shutdown.clone();
        assert!(!clone.is_draining());
        tokio::join!(clone.draining(), async { shutdown.drain() });
        assert!(clone.is_draining() && !clone.is_stopped());
        shutdown.stop();
        clone.stopped().await;
        shutdown.drain();
        assert_eq!(clone.step(), Step::Stopped);
    }

    #[tokio::test]
    async fn to_stop_is_also_to_drain() {
        let shutdown = Shutdown::new();
        shutdown.stop();
        shutdown.draining().await;
        assert!(shutdown.is_draining());
    }
}
