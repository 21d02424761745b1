//! The thread that writes.

use crate::current::{Current, SyncFile};
use crate::error::Error;
use crate::folder::Folder;
use crate::frame::{self, Head, Marker};
use crate::hand::Placed;
use crate::index::{Entry, Segment, Standing};
use crate::mailbox::{Append, Post};
use crate::record::RecordId;
use crate::segment::HEADER_BYTES;
use crate::shared::Shared;
use crate::{probe, retire};
use domain::{Clock, Random};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A new segment is begun when the current one has so many bytes: small enough that a few records
/// that are not done keep little of the disk, large enough that a new one is rare.
pub(crate) const SEGMENT_BYTES: u64 = 8 * 1_048_576;

/// How often is tried what failed.
const PROBE: Duration = Duration::from_secs(1);

/// What the writer keeps in memory for the next group.
const BUFFER_BYTES: usize = 1_048_576;

pub(crate) struct Writer {
    shared: Arc<Shared>,
    clock: Clock,
    random: Random,
    sync: SyncFile,
    current: Option<Current>,
    next_number: u64,
    buffer: Vec<u8>,
    /// What failed to be written at last, in bytes.
    wanted: u64,
    /// A file that is of no use any more cannot be removed.
    is_stuck: bool,
    probed: Instant,
    /// Dropped in this order: who is told of the end may open the journal again.
    _lock: File,
    _alive: watch::Sender<()>,
}

/// Starts the thread. It ends when the mailbox is closed and empty; `alive` is dropped after that.
pub(crate) fn start(
    folder: Folder,
    shared: Arc<Shared>,
    clock: Clock,
    random: Random,
    sync: SyncFile,
    alive: watch::Sender<()>,
) -> io::Result<()> {
    // There may be segments without any record.
    shared.mailbox.nudge();
    let writer = Writer {
        shared,
        clock,
        random,
        sync,
        current: None,
        next_number: folder.next_number,
        buffer: Vec::new(),
        wanted: 0,
        is_stuck: false,
        probed: Instant::now(),
        _lock: folder.lock,
        _alive: alive,
    };
    std::thread::Builder::new()
        .name("journal-writer".to_owned())
        .spawn(move || writer.run())
        .map(drop)
}

impl Writer {
    fn run(mut self) {
        let mut patience = None;
        loop {
            let Post { appends, is_last } = self.shared.mailbox.take(patience);
            self.make_room(&appends);
            self.append(appends);
            if is_last {
                break;
            }
            self.probe();
            let is_well = self.shared.trouble.is_none() && !self.is_stuck;
            patience = (!is_well).then_some(PROBE);
        }
        self.seal_drained();
        self.retire();
    }

    /// A drained journal takes no room; but while records come, the segment they go to may stay.
    fn make_room(&mut self, appends: &[Append]) {
        let size: u64 = appends.iter().map(Append::size).sum();
        if appends.is_empty() || HEADER_BYTES + size > self.room() {
            self.seal_drained();
        }
        self.retire();
    }

    fn append(&mut self, appends: Vec<Append>) {
        let appends = self.refuse_excess(appends);
        if appends.is_empty() {
            return;
        }
        match self.commit(&appends) {
            Ok(ids) => {
                self.shared.trouble.succeeded();
                self.answer(appends, ids);
            }
            Err(error) => {
                let error = Error::unwritable(&self.shared.folder, &error);
                self.wanted = appends.iter().map(Append::size).sum();
                self.shared.trouble.failed(&error);
                for append in appends {
                    // Whoever waited may have gone.
                    let _ = append.reply.send(Err(error.clone()));
                }
                self.seal_drained();
                self.retire();
            }
        }
    }

    /// Those that fit, and that somebody waits for.
    fn refuse_excess(&mut self, appends: Vec<Append>) -> Vec<Append> {
        let header = if self.needs_segment() {
            HEADER_BYTES
        } else {
            0
        };
        let mut room = self.room().saturating_sub(header);
        let mut fitting = Vec::with_capacity(appends.len());
        for append in appends {
            if append.reply.is_closed() {
                continue;
            }
            if append.size() <= room {
                room -= append.size();
                fitting.push(append);
                continue;
            }
            let error = Error::Full {
                folder: self.shared.folder.clone(),
                max_bytes: self.shared.max_bytes,
            };
            self.wanted = append.size();
            self.shared.trouble.failed(&error);
            let _ = append.reply.send(Err(error));
        }
        fitting
    }

    /// What the journal may still take, in bytes.
    fn room(&self) -> u64 {
        let bytes = self.shared.index().bytes();
        self.shared.max_bytes.saturating_sub(bytes)
    }

    fn needs_segment(&self) -> bool {
        self.current
            .as_ref()
            .is_none_or(|current| current.synced_bytes >= SEGMENT_BYTES)
    }

    fn commit(&mut self, appends: &[Append]) -> io::Result<Vec<RecordId>> {
        if self.needs_segment() {
            self.begin_segment()?;
        }
        let Some(current) = &mut self.current else {
            return Err(io::Error::other("there is no segment to write to"));
        };
        self.buffer.clear();
        let written_at = self.clock.now();
        let mut entries = Vec::with_capacity(appends.len());
        for append in appends {
            let offset = current.synced_bytes + self.buffer.len() as u64;
            let entry = Entry {
                offset: u32::try_from(offset).map_err(io::Error::other)?,
                head: Head {
                    length: u32::try_from(append.payload.len()).map_err(io::Error::other)?,
                    written_at,
                },
                standing: if append.is_held {
                    Standing::Held
                } else {
                    Standing::Waiting
                },
            };
            frame::write(
                &mut self.buffer,
                current.marker,
                entry.head,
                &append.payload,
            );
            entries.push(entry);
        }
        let written = current.write(&self.buffer, &mut self.sync);
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES);
        let (number, bytes, is_usable) = (current.number, current.bytes(), current.is_usable);
        if !is_usable {
            self.seal();
        }
        let mut ids = Vec::with_capacity(entries.len());
        if let Some(segment) = self.shared.index().segment(number) {
            segment.bytes = bytes;
            written?;
            for entry in entries {
                let place = u32::try_from(segment.count()).map_err(io::Error::other)?;
                ids.push(RecordId {
                    segment: number,
                    place,
                });
                segment.push(entry);
            }
        }
        Ok(ids)
    }

    fn answer(&self, appends: Vec<Append>, ids: Vec<RecordId>) {
        for (append, id) in appends.into_iter().zip(ids) {
            let held_in = append.is_held.then(|| Arc::clone(&self.shared));
            // If nobody waits any more, this is dropped here, and the record offered.
            let _ = append.reply.send(Ok(Placed::new(id, held_in)));
        }
        self.shared.offered.notify_waiters();
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        self.seal();
        let number = self.next_number;
        self.next_number += 1;
        let marker = Marker(self.random.bytes());
        let current = Current::begin(&self.shared.folder, number, marker)?;
        let segment = Segment::new(&current.path, marker, HEADER_BYTES);
        self.shared.index().insert(number, segment);
        self.current = Some(current);
        Ok(())
    }

    fn seal_drained(&mut self) {
        let number = self.current.as_ref().map(|current| current.number);
        if number.is_some_and(|number| self.shared.index().is_drained(number)) {
            self.seal();
        }
    }

    fn seal(&mut self) {
        if let Some(current) = self.current.take()
            && let Some(segment) = self.shared.index().segment(current.number)
        {
            segment.is_sealed = true;
        }
    }

    fn retire(&mut self) {
        let retired = retire::retire(&self.shared);
        if let Err(error) = &retired
            && !self.is_stuck
        {
            tracing::error!(%error, "a file of the journal that is done cannot be removed");
        }
        self.is_stuck = retired.is_err();
    }

    /// Finds out whether what failed would succeed now, when nobody else tries.
    fn probe(&mut self) {
        if self.shared.trouble.is_none() || self.probed.elapsed() < PROBE {
            return;
        }
        self.probed = Instant::now();
        if HEADER_BYTES + self.wanted > self.room() {
            return;
        }
        match probe::write(&self.shared.folder, self.wanted, &mut self.sync) {
            Ok(()) => self.shared.trouble.succeeded(),
            Err(error) => {
                let error = Error::unwritable(&self.shared.folder, &error);
                self.shared.trouble.failed(&error);
            }
        }
    }
}

/// However the thread ends, nobody waits for it in vain.
impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.mailbox.burn();
        self.shared.offered.notify_waiters();
    }
}
