//! What the tests have in common.

use bytes::Bytes;
use domain::{Clock, Random};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tidings_journal::{Error, Journal, Record};

pub const ROOM: u64 = 64 * 1_048_576;

/// As long as a test waits for what should come soon.
pub const SOON: Duration = Duration::from_secs(10);

pub fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub fn open(folder: &Path) -> Journal {
    try_open(folder, ROOM).unwrap()
}

pub fn try_open(folder: &Path, max_bytes: u64) -> Result<Journal, Error> {
    Journal::open(folder, max_bytes, Clock::system(), Random::system())
}

pub fn payload(number: usize) -> Bytes {
    Bytes::from(format!("the record number {number}"))
}

pub async fn fill(journal: &Journal, count: usize) {
    for number in 0..count {
        journal.append(payload(number)).await.unwrap();
    }
}

/// The journal as the disk would have it if the process died now.
pub fn as_killed(folder: &Path) -> TempDir {
    let copy = self::folder();
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

pub async fn take_all(journal: &Journal) -> Vec<Record> {
    let mut records = Vec::new();
    let mut left = journal.size().records;
    while left > 0 {
        // Damaged ones are not counted any more once they were met.
        let taking = journal.take(usize::MAX, usize::MAX);
        let Ok(taken) = tokio::time::timeout(Duration::from_millis(300), taking).await else {
            break;
        };
        let taken = taken.unwrap();
        left = left.saturating_sub(taken.len() as u64);
        records.extend(taken);
    }
    records
}

pub fn done(journal: &Journal, records: &[Record]) {
    for record in records {
        journal.done(record.id);
    }
}

pub async fn payloads(journal: &Journal) -> Vec<Vec<u8>> {
    let records = take_all(journal).await;
    records.into_iter().map(|record| record.payload).collect()
}

pub fn expected(numbers: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    numbers
        .into_iter()
        .map(|number| payload(number).to_vec())
        .collect()
}

/// The files whose names end like this, in order.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    files.sort();
    files
}

pub fn only_segment(folder: &Path) -> PathBuf {
    let mut segments = files(folder, ".journal");
    assert_eq!(segments.len(), 1, "{segments:?}");
    segments.remove(0)
}

/// Polls what the writer thread does in its own time.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waits = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(SOON, waits).await.is_ok(),
        "never: {what}"
    );
}
