use crate::current::SyncFile;
use crate::error::Error;
use crate::folder;
use crate::hand::Hand;
use crate::index::{Size, Standing};
use crate::mailbox::Append;
use crate::record::{MAX_PAYLOAD_BYTES, Record, RecordId};
use crate::shared::Shared;
use crate::{read, writer};
use bytes::Bytes;
use domain::{Clock, Random};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinError;
use tokio::time::timeout;

/// How many appends may wait.
const PLACES: usize = 4_096;

/// How long an append waits for a place.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long closing may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Keeps records on the local disk until they are safe elsewhere. All clones are the same journal;
/// it ends with the last of them.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    /// Changes when the writer has ended.
    ended: watch::Receiver<()>,
}

impl Journal {
    /// Opens the journal in this folder, which is made if it is missing, for this process alone. The
    /// records that are there wait to be forwarded. Its files take at most `max_bytes`; the names
    /// and markers of new ones are of `random`. Blocks, while all that is there is read, and up to
    /// 2 s for another process that has the folder to end.
    ///
    /// Fails with [`Error::InUse`] when it does not end, with [`Error::TooNew`] on a file of a newer
    /// format, and with [`Error::Unopenable`]. Then no file was changed.
    pub fn open(
        folder: &Path,
        max_bytes: u64,
        clock: Clock,
        random: Random,
    ) -> Result<Self, Error> {
        Self::start(folder, max_bytes, clock, random, Box::new(File::sync_data))
    }

    pub(crate) fn start(
        path: &Path,
        max_bytes: u64,
        clock: Clock,
        random: Random,
        sync: SyncFile,
    ) -> Result<Self, Error> {
        let mut folder = folder::open(path)?;
        let index = std::mem::take(&mut folder.index);
        let shared = Arc::new(Shared::new(path.to_owned(), max_bytes, index));
        let (alive, ended) = watch::channel(());
        writer::start(folder, Arc::clone(&shared), clock, random, sync, alive)
            .map_err(|error| Error::unopenable(path, &error))?;
        Ok(Self(Arc::new(Inner {
            shared,
            places: Arc::new(Semaphore::new(PLACES)),
            ended,
        })))
    }

    /// Appends a record. Returns when it is on the disk; appends that wait at the same time share
    /// one sync. When the future is dropped, the record may or may not be there.
    ///
    /// Fails with [`Error::TooLarge`] over [`MAX_PAYLOAD_BYTES`], with [`Error::Full`] when the
    /// journal has as many bytes as it may, with [`Error::DiskFull`] and [`Error::Unusable`] when
    /// the disk does not take it, with [`Error::Busy`] after waiting 1 s for a place among the 4,096
    /// that may wait, and with [`Error::Closed`].
    pub async fn append(&self, payload: Bytes) -> Result<RecordId, Error> {
        self.put(payload, false).await
    }

    /// The same as [`append`](Self::append), but the record is not offered before it is released:
    /// its first publish may still be confirmed. After a restart it is offered; and so it is when
    /// the future is dropped.
    pub async fn append_held(&self, payload: Bytes) -> Result<RecordId, Error> {
        self.put(payload, true).await
    }

    async fn put(&self, payload: Bytes, is_held: bool) -> Result<RecordId, Error> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(Error::TooLarge {
                size: payload.len(),
                max: MAX_PAYLOAD_BYTES,
            });
        }
        let place = self.place().await?;
        let (reply, answer) = oneshot::channel();
        self.0.shared.mailbox.put(Append {
            payload,
            is_held,
            reply,
            _place: place,
        })?;
        let placed = answer.await.map_err(|_| Error::Closed)??;
        Ok(placed.accept())
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        let places = &self.0.places;
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Ok(place);
        }
        timeout(PATIENCE, Arc::clone(places).acquire_owned())
            .await
            .map_err(|_| Error::Busy { waited: PATIENCE })?
            .map_err(|_| Error::Closed)
    }

    /// Offers a record that was appended held. One that is not held is left as it is.
    pub fn release(&self, id: RecordId) {
        self.0.shared.offer(id, Standing::Held);
    }

    /// The record is safe elsewhere: this process offers it no more, whether it was held, waited or
    /// was taken. One that is done already, or unknown, is left as it is.
    pub fn done(&self, id: RecordId) {
        self.0.shared.done(id);
    }

    /// Offers a record again that was taken and could not be forwarded. One that is not taken is
    /// left as it is.
    pub fn give_back(&self, id: RecordId) {
        self.0.shared.offer(id, Standing::Taken);
    }

    /// Waits until there are records to forward, and takes the oldest: at least one, at most
    /// `max_records`, and no more than `max_bytes` of payload if it is not a single one. They are
    /// offered to nobody else until they are given back. A record that the disk changed is left
    /// out, and said in the log. When the future is dropped, the records are offered again.
    ///
    /// Fails with [`Error::Unusable`] when a file cannot be opened for now, and with
    /// [`Error::Closed`].
    pub async fn take(&self, max_records: usize, max_bytes: usize) -> Result<Vec<Record>, Error> {
        loop {
            let hand = self.pick(max_records, max_bytes).await?;
            let reading = tokio::task::spawn_blocking(move || (read::read(&hand), hand));
            let (records, hand) = reading.await.map_err(|ended| self.unread(&ended))?;
            let records = records?;
            hand.accept();
            if !records.is_empty() {
                return Ok(records);
            }
        }
    }

    /// A runtime that ends cancels what has not begun; whatever else ends a reader is a flaw of it.
    fn unread(&self, ended: &JoinError) -> Error {
        if ended.is_cancelled() {
            return Error::Closed;
        }
        Error::Unusable {
            path: self.0.shared.folder.clone(),
            reason: format!("its reader failed: {ended}"),
        }
    }

    async fn pick(&self, max_records: usize, max_bytes: usize) -> Result<Hand, Error> {
        let shared = &self.0.shared;
        loop {
            // From here on no offer is missed.
            let offered = shared.offered.notified();
            if shared.mailbox.is_closed() {
                return Err(Error::Closed);
            }
            let picks = shared.index().take(max_records, max_bytes);
            if !picks.is_empty() {
                return Ok(Hand {
                    shared: Arc::clone(shared),
                    picks,
                });
            }
            offered.await;
        }
    }

    /// How much is in the journal. Reads no file.
    pub fn size(&self) -> Size {
        self.0.shared.index().size()
    }

    /// The files with records that are not done, the oldest first.
    pub fn files(&self) -> Vec<PathBuf> {
        let index = self.0.shared.index();
        index.live_files().map(Path::to_owned).collect()
    }

    /// Whether appends work, as far as the last one showed, and if not, why. What failed is tried
    /// again by itself, once a second.
    pub fn health(&self) -> Result<(), String> {
        if self.0.shared.mailbox.is_closed() {
            return Err(Error::Closed.to_string());
        }
        self.0.shared.trouble.report()
    }

    /// Writes what waits, answers it, and ends the writer; within 2 s, or without waiting for it.
    pub async fn close(&self) {
        self.0.end();
        let mut ended = self.0.ended.clone();
        if timeout(FAREWELL, ended.changed()).await.is_err() {
            tracing::warn!("the journal is still being written: closing goes on without it");
        }
    }
}

impl Inner {
    fn end(&self) {
        self.shared.mailbox.close();
        self.shared.offered.notify_waiters();
        self.places.close();
    }
}

/// The thread ends by itself, and has the lock until then.
impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A journal that counts its syncs; the one of this number fails.
    fn open(folder: &Path, failing: usize) -> (Journal, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let sync = move |file: &File| {
            if counter.fetch_add(1, Ordering::SeqCst) + 1 == failing {
                return Err(io::Error::other("the disk is broken"));
            }
            file.sync_data()
        };
        let (clock, random) = (Clock::system(), Random::seeded(1));
        let journal = Journal::start(folder, 1 << 30, clock, random, Box::new(sync)).unwrap();
        (journal, count)
    }

    async fn offered(journal: &Journal) -> Vec<Vec<u8>> {
        let taken = journal.take(usize::MAX, usize::MAX).await.unwrap();
        taken.into_iter().map(|record| record.payload).collect()
    }

    #[tokio::test]
    async fn appends_that_wait_at_the_same_time_share_a_sync() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, syncs) = open(folder.path(), 0);
        let mut waiting = tokio::task::JoinSet::new();
        for length in 0..1_000 {
            let journal = journal.clone();
            waiting.spawn(async move { journal.append(vec![1; length].into()).await });
        }
        assert!(waiting.join_all().await.iter().all(Result::is_ok));
        let syncs = syncs.load(Ordering::SeqCst);
        assert!((1..100).contains(&syncs), "{syncs} syncs");
    }

    #[tokio::test]
    async fn nothing_is_written_after_a_sync_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = open(folder.path(), 2);
        journal.append(Bytes::from_static(b"a")).await.unwrap();
        let error = journal.append(Bytes::from_static(b"b")).await.unwrap_err();
        assert!(matches!(error, Error::Unusable { .. }), "{error}");
        assert!(error.is_transient());
        assert!(journal.health().unwrap_err().contains("the disk is broken"));
        journal.append(Bytes::from_static(b"c")).await.unwrap();
        assert_eq!(journal.health(), Ok(()));
        assert_eq!(journal.files().len(), 2);
        assert_eq!(offered(&journal).await, [b"a", b"c"]);
        journal.close().await;
        let (journal, _) = open(folder.path(), 0);
        assert_eq!(offered(&journal).await, [b"a", b"c"]);
    }

    #[tokio::test]
    async fn a_segment_whose_first_sync_failed_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = open(folder.path(), 1);
        let appended = journal.append(Bytes::from_static(b"a")).await;
        appended.unwrap_err();
        journal.close().await;
        let names = std::fs::read_dir(folder.path()).unwrap();
        let names: Vec<_> = names.map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names, ["journal.lock"]);
    }
}
