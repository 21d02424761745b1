//! A disk that is full.

use crate::scene::{self, eventually, files, take_all};
use bytes::Bytes;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tidings_journal::Error;

/// A small disk, there as long as this is.
struct Disk {
    keeper: Child,
    path: PathBuf,
}

impl Disk {
    /// Of 4 MiB, in a namespace of its own, which is seen through `/proc`.
    fn new(at: &Path) -> Self {
        let mount = format!(
            r#"mount -t tmpfs -o size=4m tmpfs "{}" && echo there && exec cat"#,
            at.display()
        );
        let mut keeper = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = keeper.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert_eq!(line, "there\n", "the disk could not be mounted");
        let path = format!("/proc/{}/root{}", keeper.id(), at.display());
        Self {
            keeper,
            path: path.into(),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// Leaves no byte free.
fn fill(ballast: &Path) {
    let mut file = File::create(ballast).unwrap();
    for size in [64 * 1024, 4 * 1024, 1] {
        let block = vec![0; size];
        while file.write_all(&block).is_ok() {}
    }
}

fn record(number: u8) -> Bytes {
    Bytes::from(vec![number; 50_000])
}

#[tokio::test]
async fn a_full_disk_refuses_records_keeps_the_others_and_heals() {
    let root = scene::folder();
    let disk = Disk::new(root.path());
    let folder = disk.path.join("journal");
    let journal = scene::try_open(&folder, 1 << 40).unwrap();
    let mut accepted = 0;
    let error = loop {
        match journal.append(record(accepted)).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert!(accepted > 50, "{accepted}");
    assert!(journal.health().unwrap_err().contains("is full"));

    // What was answered is there, also after a restart, and the rest is cut off.
    let whole = 24 + u64::from(accepted) * 50_024;
    assert_eq!(journal.size().bytes, whole);
    assert_eq!(
        fs::metadata(scene::only_segment(&folder)).unwrap().len(),
        whole
    );
    journal.close().await;
    let journal = scene::try_open(&folder, 1 << 40).unwrap();
    let taken = take_all(&journal).await;
    assert_eq!(taken.len(), usize::from(accepted));
    assert!((0..accepted).all(|number| taken[usize::from(number)].payload == record(number)));

    // Not even a file fits. Once records are done, it goes on.
    let ballast = disk.path.join("ballast");
    fill(&ballast);
    journal.append(record(0)).await.unwrap_err();
    scene::done(&journal, &taken);
    eventually("healthy", || journal.health().is_ok()).await;
    journal.append(record(0)).await.unwrap();
}

#[tokio::test]
async fn an_idle_journal_finds_by_itself_that_its_disk_has_room_again() {
    let root = scene::folder();
    let disk = Disk::new(root.path());
    let folder = disk.path.join("journal");
    let journal = scene::try_open(&folder, 1 << 40).unwrap();
    let ballast = disk.path.join("ballast");
    fill(&ballast);
    let error = journal.append(record(0)).await.unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert!(
        files(&folder, ".journal").is_empty(),
        "nothing is left of it"
    );
    fs::remove_file(ballast).unwrap();
    eventually("healthy", || journal.health().is_ok()).await;
    assert!(files(&folder, ".tmp").is_empty());
    journal.append(record(0)).await.unwrap();
    assert_eq!(journal.size().records, 1);
}
