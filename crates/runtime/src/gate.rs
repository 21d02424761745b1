//! A gate that is opened once.

use tokio::sync::watch;

/// Keeps work back until what it needs has been checked. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// A gate that is closed.
    pub fn closed() -> Self {
        Self(watch::channel(false).0)
    }

    /// Opens it, for good.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is open.
    pub async fn opened(&self) {
        // The sender is here, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(|is_open| *is_open).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn whoever_waits_goes_on_when_it_opens_and_nobody_waits_afterwards() {
        let gate = Gate::closed();
        assert!(gate.opened().now_or_never().is_none());
        assert!(!gate.is_open());
        gate.clone().open();
        gate.opened().await;
        assert!(gate.is_open());
    }
}
