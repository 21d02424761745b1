//! Records somebody is about to get. Should they go before they have them, the records are offered.

use crate::index::{Pick, Standing};
use crate::record::RecordId;
use crate::shared::Shared;
use std::sync::Arc;

/// A record that is on the disk, on its way to who appended it.
pub(crate) struct Placed {
    id: RecordId,
    held_in: Option<Arc<Shared>>,
}

impl Placed {
    pub(crate) const fn new(id: RecordId, held_in: Option<Arc<Shared>>) -> Self {
        Self { id, held_in }
    }

    pub(crate) fn accept(mut self) -> RecordId {
        self.held_in = None;
        self.id
    }
}

/// Nobody is left who could release it.
impl Drop for Placed {
    fn drop(&mut self) {
        if let Some(shared) = self.held_in.take() {
            shared.offer(self.id, Standing::Held);
        }
    }
}

/// Records that were taken, while they are read.
pub(crate) struct Hand {
    pub(crate) shared: Arc<Shared>,
    pub(crate) picks: Vec<Pick>,
}

impl Hand {
    pub(crate) fn accept(mut self) {
        self.picks.clear();
    }
}

/// Nobody has seen them.
impl Drop for Hand {
    fn drop(&mut self) {
        for pick in &self.picks {
            self.shared.offer(pick.id, Standing::Taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Journal;
    use bytes::Bytes;
    use domain::{Clock, Random};
    use std::fs::File;
    use std::path::Path;
    use std::sync::mpsc;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_secs(10);

    /// A journal that says that it syncs, and does so when it is told.
    fn open(
        folder: &Path,
    ) -> (
        Journal,
        tokio::sync::mpsc::UnboundedReceiver<()>,
        mpsc::Sender<()>,
    ) {
        let (at_sync, begun) = tokio::sync::mpsc::unbounded_channel();
        let (go, told) = mpsc::channel();
        let sync = move |file: &File| {
            at_sync.send(()).unwrap();
            told.recv().unwrap();
            file.sync_data()
        };
        let (clock, random) = (Clock::system(), Random::seeded(1));
        let journal = Journal::start(folder, 1 << 30, clock, random, Box::new(sync)).unwrap();
        (journal, begun, go)
    }

    #[tokio::test]
    async fn a_held_record_that_nobody_waits_for_any_more_is_offered() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, mut begun, go) = open(folder.path());
        let append = journal.append_held(Bytes::from_static(b"a"));
        tokio::select! {
            _ = append => panic!("it was answered before it was synced"),
            _ = begun.recv() => {}
        }
        go.send(()).unwrap();
        let taken = timeout(SOON, journal.take(1, 1)).await.unwrap().unwrap();
        assert_eq!(taken[0].payload, b"a");
    }

    #[tokio::test]
    async fn a_held_record_whose_answer_nobody_looked_at_is_offered() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, mut begun, go) = open(folder.path());
        let mut append = Box::pin(journal.append_held(Bytes::from_static(b"a")));
        let mut context = Context::from_waker(Waker::noop());
        assert!(append.as_mut().poll(&mut context).is_pending());
        begun.recv().await.unwrap();
        go.send(()).unwrap();
        // Once the next is being synced, the first is answered.
        let next = Box::pin(journal.append_held(Bytes::from_static(b"b")));
        tokio::select! {
            _ = next => panic!("it was answered before it was synced"),
            _ = begun.recv() => {}
        }
        drop(append);
        let taken = timeout(SOON, journal.take(1, 1)).await.unwrap().unwrap();
        assert_eq!(taken[0].payload, b"a");
        go.send(()).unwrap();
    }

    #[tokio::test]
    async fn records_whose_taker_goes_away_are_offered_again() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _begun, go) = open(folder.path());
        go.send(()).unwrap();
        let id = journal
            .append(Bytes::from(vec![1; 1_000_000]))
            .await
            .unwrap();
        let mut take = Box::pin(journal.take(1, 1));
        let mut context = Context::from_waker(Waker::noop());
        match take.as_mut().poll(&mut context) {
            Poll::Pending => drop(take),
            // It was read at once.
            Poll::Ready(taken) => journal.give_back(taken.unwrap()[0].id),
        }
        let taken = timeout(SOON, journal.take(1, 1)).await.unwrap().unwrap();
        assert_eq!(taken[0].id, id);
    }
}
