//! What is known of the records on the disk, without their payloads: 24 bytes for each.

use crate::frame::{Head, Marker};
use crate::record::RecordId;
use domain::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// How much is in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// What its segments take on the disk, in bytes.
    pub bytes: u64,
    /// Records that are not done.
    pub records: u64,
    /// When the oldest of them was written.
    pub oldest: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not to be offered yet.
    Held,
    Waiting,
    Taken,
    /// Safe elsewhere, or lost.
    Done,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) offset: u32,
    pub(crate) head: Head,
    pub(crate) standing: Standing,
}

/// Where a record that was taken is.
pub(crate) struct Pick {
    pub(crate) id: RecordId,
    pub(crate) path: Arc<Path>,
    pub(crate) marker: Marker,
    pub(crate) offset: u32,
    pub(crate) head: Head,
}

/// A file of which nothing is needed any more.
pub(crate) struct Retired {
    pub(crate) number: u64,
    pub(crate) path: Arc<Path>,
    pub(crate) is_damaged: bool,
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: Arc<Path>,
    pub(crate) marker: Marker,
    pub(crate) bytes: u64,
    pub(crate) is_damaged: bool,
    /// Nothing is written to it any more.
    pub(crate) is_sealed: bool,
    entries: Vec<Entry>,
    /// How many are not done, and how many of these wait.
    live: usize,
    waiting: usize,
    /// Before these, none is live, and none waits.
    first_live: usize,
    first_waiting: usize,
}

impl Segment {
    pub(crate) fn new(path: &Path, marker: Marker, bytes: u64) -> Self {
        Self {
            path: path.into(),
            marker,
            bytes,
            is_damaged: false,
            is_sealed: false,
            entries: Vec::new(),
            live: 0,
            waiting: 0,
            first_live: 0,
            first_waiting: 0,
        }
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.live += usize::from(entry.standing != Standing::Done);
        self.waiting += usize::from(entry.standing == Standing::Waiting);
        self.entries.push(entry);
    }

    pub(crate) const fn count(&self) -> usize {
        self.entries.len()
    }

    fn place(&mut self, place: usize, to: Standing) {
        let Some(entry) = self.entries.get_mut(place) else {
            return;
        };
        let from = std::mem::replace(&mut entry.standing, to);
        self.waiting -= usize::from(from == Standing::Waiting);
        self.live -= usize::from(from != Standing::Done && to == Standing::Done);
        if to == Standing::Waiting {
            self.waiting += 1;
            self.first_waiting = self.first_waiting.min(place);
        }
    }

    /// The first that is not done.
    fn oldest(&mut self) -> Option<Timestamp> {
        if self.live == 0 {
            return None;
        }
        let live = |entry: &Entry| entry.standing != Standing::Done;
        let skipped = self.entries[self.first_live..].iter().position(live);
        self.first_live += skipped?;
        Some(self.entries[self.first_live].head.written_at)
    }

    fn next_waiting(&mut self) -> Option<usize> {
        if self.waiting == 0 {
            self.first_waiting = self.entries.len();
            return None;
        }
        let waits = |entry: &Entry| entry.standing == Standing::Waiting;
        let skipped = self.entries[self.first_waiting..].iter().position(waits);
        self.first_waiting += skipped?;
        Some(self.first_waiting)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Index(BTreeMap<u64, Segment>);

impl Index {
    pub(crate) fn insert(&mut self, number: u64, segment: Segment) {
        self.0.insert(number, segment);
    }

    pub(crate) fn remove(&mut self, number: u64) {
        self.0.remove(&number);
    }

    pub(crate) fn segment(&mut self, number: u64) -> Option<&mut Segment> {
        self.0.get_mut(&number)
    }

    /// Changes a record that stands so. Says whether it was the last live one of its segment.
    pub(crate) fn change(&mut self, id: RecordId, from: &[Standing], to: Standing) -> bool {
        let place = id.place as usize;
        let Some(segment) = self.0.get_mut(&id.segment) else {
            return false;
        };
        let stands = segment.entries.get(place).map(|entry| entry.standing);
        if !stands.is_some_and(|stands| from.contains(&stands)) {
            return false;
        }
        segment.place(place, to);
        segment.live == 0
    }

    pub(crate) fn is_taken(&self, id: RecordId) -> bool {
        let segment = self.0.get(&id.segment);
        let entry = segment.and_then(|segment| segment.entries.get(id.place as usize));
        entry.is_some_and(|entry| entry.standing == Standing::Taken)
    }

    /// Takes the oldest that wait: at least one, if any does.
    pub(crate) fn take(&mut self, max_records: usize, max_bytes: usize) -> Vec<Pick> {
        let mut picks = Vec::new();
        let mut bytes = 0_usize;
        for (number, segment) in &mut self.0 {
            while let Some(place) = segment.next_waiting() {
                let entry = segment.entries[place];
                bytes = bytes.saturating_add(entry.head.length as usize);
                let is_over = picks.len() >= max_records || bytes > max_bytes;
                if is_over && !picks.is_empty() {
                    return picks;
                }
                let Ok(at) = u32::try_from(place) else {
                    return picks;
                };
                segment.place(place, Standing::Taken);
                picks.push(Pick {
                    id: RecordId {
                        segment: *number,
                        place: at,
                    },
                    path: Arc::clone(&segment.path),
                    marker: segment.marker,
                    offset: entry.offset,
                    head: entry.head,
                });
            }
        }
        picks
    }

    /// Segments that are not written to any more, and whose records are done.
    pub(crate) fn retired(&self) -> Vec<Retired> {
        self.0
            .iter()
            .filter(|(_, segment)| segment.is_sealed && segment.live == 0)
            .map(|(number, segment)| Retired {
                number: *number,
                path: Arc::clone(&segment.path),
                is_damaged: segment.is_damaged,
            })
            .collect()
    }

    pub(crate) fn is_drained(&self, number: u64) -> bool {
        self.0.get(&number).is_none_or(|segment| segment.live == 0)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.values().map(|segment| segment.bytes).sum()
    }

    pub(crate) fn size(&mut self) -> Size {
        Size {
            bytes: self.bytes(),
            records: self.0.values().map(|segment| segment.live as u64).sum(),
            oldest: self.0.values_mut().find_map(Segment::oldest),
        }
    }

    pub(crate) fn live_files(&self) -> impl Iterator<Item = &Path> {
        let live = self.0.values().filter(|segment| segment.live > 0);
        live.map(|segment| &*segment.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(lengths: &[u32]) -> Index {
        let mut segment = Segment::new(Path::new("a"), Marker([0; 8]), 0);
        for (offset, length) in (0..).zip(lengths) {
            let head = Head {
                length: *length,
                written_at: Timestamp::from_millis(offset.into()),
            };
            segment.push(Entry {
                offset,
                head,
                standing: Standing::Waiting,
            });
        }
        let mut index = Index::default();
        index.insert(1, segment);
        index
    }

    fn offsets(picks: &[Pick]) -> Vec<u32> {
        picks.iter().map(|pick| pick.offset).collect()
    }

    #[test]
    fn an_entry_is_24_bytes() {
        assert_eq!(size_of::<Entry>(), 24);
    }

    #[test]
    fn as_many_are_taken_as_were_asked_for_and_at_least_one() {
        let mut index = index(&[10, 10, 10, 50, 1]);
        assert_eq!(offsets(&index.take(2, 100)), [0, 1]);
        assert_eq!(offsets(&index.take(9, 20)), [2]);
        assert_eq!(offsets(&index.take(9, 20)), [3]);
        assert_eq!(offsets(&index.take(0, 0)), [4]);
        assert!(index.take(9, 9).is_empty());
    }

    #[test]
    fn what_is_given_back_is_the_oldest_again() {
        let mut index = index(&[1, 1, 1]);
        let picks = index.take(2, 100);
        index.change(picks[0].id, &[Standing::Taken], Standing::Waiting);
        index.change(picks[0].id, &[Standing::Taken], Standing::Waiting);
        assert_eq!(offsets(&index.take(9, 100)), [0, 2]);
        assert!(!index.change(picks[1].id, &[Standing::Taken], Standing::Done));
        assert!(!index.change(picks[1].id, &[Standing::Taken], Standing::Done));
        assert_eq!(index.size().records, 2);
        assert_eq!(index.size().oldest, Some(Timestamp::from_millis(0)));
    }
}
