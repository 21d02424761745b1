//! The embedded queue: the suite, and what only a file can do.

use crate::conformance::Backend;
use crate::handlers::{
    OPTIONS, QUEUE, Scripted, consume_until, counts, depth, is_empty, publish, retry,
};
use domain::Clock;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tidings_broker::{Broker, Error};

crate::conformance!(Embedded);

struct Embedded {
    folder: TempDir,
    path: PathBuf,
    clock: Clock,
}

impl Backend for Embedded {
    async fn new() -> Option<Self> {
        Some(Self::in_a_folder())
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    async fn open(&self) -> Broker {
        self.open_now()
    }

    fn attempts_of_returned(&self) -> RangeInclusive<u32> {
        1..=1
    }

    /// Takes what is committed at this moment into another file, behind the broker's back.
    async fn crash(&mut self, broker: Broker) -> Broker {
        let generation = std::fs::read_dir(self.folder.path()).unwrap().count();
        let copy = self.folder.path().join(format!("queue-{generation}.db"));
        let witness = rusqlite::Connection::open(&self.path).unwrap();
        witness
            .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
            .unwrap();
        drop(broker);
        self.path = copy;
        self.open_now()
    }
}

impl Embedded {
    fn in_a_folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        Self {
            folder,
            path,
            clock: Clock::movable(),
        }
    }

    fn open_now(&self) -> Broker {
        Broker::open_embedded(&self.path, self.clock.clone()).unwrap()
    }
}

#[tokio::test]
async fn the_age_of_the_oldest_job_and_the_end_of_a_delay_are_exact() {
    let backend = Embedded::in_a_folder();
    let broker = backend.open_now();
    let before = backend.clock.now();
    publish(&broker, ["a", "b"]).await;
    let oldest = depth(&broker).await.oldest_ready_at.unwrap();
    assert!(oldest >= before && oldest <= backend.clock.now());
    let handler = Scripted::new(|_| retry(Duration::from_mins(1), "not yet"));
    consume_until(&broker, OPTIONS, &handler, |depth| depth.delayed == 2).await;
    assert_eq!(counts(&broker).await, (0, 0, 2, 0));
    assert_eq!(depth(&broker).await.oldest_ready_at, None);
    backend.clock.advance(Duration::from_mins(2));
    assert_eq!(counts(&broker).await, (2, 0, 0, 0));
    assert!(depth(&broker).await.oldest_ready_at.unwrap() > oldest);
    broker.close().await;
    assert_eq!(counts(&backend.open_now()).await, (2, 0, 0, 0));
}

#[tokio::test]
async fn a_file_that_is_open_is_refused_until_it_is_closed() {
    let backend = Embedded::in_a_folder();
    let broker = backend.open_now();
    let error = Broker::open_embedded(&backend.path, Clock::system()).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert!(error.to_string().contains("queue.db.lock"), "{error}");
    // Dropped without being closed: its threads end, and then the file is free.
    drop(broker);
    backend.open_now().close().await;
}

#[tokio::test]
async fn a_closed_file_has_no_log_and_is_nobody_elses_business() {
    let backend = Embedded::in_a_folder();
    let broker = backend.open_now();
    publish(&broker, 0..100).await;
    broker.close().await;
    let log = backend.folder.path().join("queue.db-wal");
    assert_eq!(log.metadata().map_or(0, |file| file.len()), 0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = backend.path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_damaged_file_is_refused_by_name() {
    let backend = Embedded::in_a_folder();
    let broker = backend.open_now();
    publish(&broker, (0..200).map(|n| format!("{n:0500}"))).await;
    broker.close().await;
    overwrite(&backend.path, 10 * 4_096, &[0xA5; 4_096]);
    assert_damaged(&backend.path);

    overwrite(&backend.path, 0, b"this is no database at all");
    assert_damaged(&backend.path);
}

/// The file is sound; what somebody put into it is not what comes out.
#[tokio::test]
async fn a_job_whose_bytes_the_disk_changed_is_put_aside_and_the_others_are_done() {
    let backend = Embedded::in_a_folder();
    let broker = backend.open_now();
    publish(&broker, ["before", "the +260970000001 one", "after"]).await;
    broker.close().await;
    let file = std::fs::read(&backend.path).unwrap();
    let place = file.windows(13).position(|found| found == b"+260970000001");
    overwrite(&backend.path, place.unwrap() as u64 + 12, b"2");

    let broker = backend.open_now();
    let handler = Scripted::new(|_| tidings_broker::Disposition::Ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["before#1", "after#1"]);
    let letters = broker.dead_letters(QUEUE, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].payload, b"the +260970000002 one");
    assert!(letters[0].reason.contains("other bytes"), "{letters:?}");
    assert_eq!(counts(&broker).await, (0, 0, 0, 1));
}

/// A write that a power cut broke off was acknowledged to nobody.
#[tokio::test]
async fn a_torn_end_of_the_log_costs_nothing_that_was_accepted() {
    let mut backend = Embedded::in_a_folder();
    let broker = backend.open_now();
    publish(&broker, 0..50).await;
    // As the files are at this moment, with half a frame behind the last commit.
    let copy = backend.folder.path().join("torn.db");
    let log_of = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    std::fs::copy(&backend.path, &copy).unwrap();
    let mut log = std::fs::read(log_of(&backend.path)).unwrap();
    log.extend_from_slice(&[0x5A; 2_000]);
    std::fs::write(log_of(&copy), log).unwrap();
    drop(broker);
    backend.path = copy;
    let broker = backend.open_now();
    let handler = Scripted::new(|_| tidings_broker::Disposition::Ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen().len(), 50);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let backend = Embedded::in_a_folder();
    backend.open_now().close().await;
    let file = rusqlite::Connection::open(&backend.path).unwrap();
    file.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(file);
    let error = Broker::open_embedded(&backend.path, Clock::system()).unwrap_err();
    assert!(matches!(error, Error::TooNew { found: 99, .. }), "{error}");
}

#[test]
fn a_missing_folder_is_a_clear_error() {
    let path = Path::new("/nonexistent/folder/queue.db");
    let error = Broker::open_embedded(path, Clock::system()).unwrap_err();
    assert!(
        error.to_string().contains("/nonexistent/folder/queue.db"),
        "{error}"
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_job_that_kills_its_process_dies_alone_and_the_others_are_done() {
    let backend = Embedded::in_a_folder();
    let broker = backend.open_now();
    publish(&broker, ["a", "b", "poison", "c", "d"]).await;
    broker.close().await;
    let mut deaths = 0;
    while !run_child(backend.folder.path()) {
        deaths += 1;
        assert!(deaths < 10, "the queue never gets past the poison");
    }
    assert_eq!(deaths, OPTIONS.max_attempts);
    let broker = backend.open_now();
    assert_eq!(counts(&broker).await, (0, 0, 0, 1));
    assert_eq!(
        broker.dead_letters(QUEUE, 2).await.unwrap()[0].payload,
        b"poison"
    );
}

/// True if it lived to see the queue empty. Cargo builds examples beside the tests.
fn run_child(folder: &Path) -> bool {
    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().and_then(Path::parent).unwrap();
    Command::new(built.join("examples/dies_of_poison"))
        .current_dir(folder)
        .output()
        .unwrap()
        .status
        .success()
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

fn assert_damaged(path: &Path) {
    let error = Broker::open_embedded(path, Clock::system()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
}
