//! Opening, closing and dying.

use crate::scene::{self, as_killed, eventually, expected, files, fill, open, payload, payloads};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tidings_journal::Error;
use tokio::time::timeout;

#[tokio::test]
async fn records_come_back_after_the_process_was_killed() {
    let folder = scene::folder();
    let journal = open(folder.path());
    fill(&journal, 20).await;
    let held = journal.append_held(payload(20)).await.unwrap();
    let copy = as_killed(folder.path());
    let survivor = open(copy.path());
    assert_eq!(payloads(&survivor).await, expected(0..21));
    journal.done(held);
    assert_eq!(journal.size().records, 20);
}

#[tokio::test]
async fn records_come_back_in_order_after_several_restarts() {
    let folder = scene::folder();
    for start in 0..4 {
        let journal = open(folder.path());
        assert_eq!(journal.size().records, start);
        journal
            .append(payload(usize::try_from(start).unwrap()))
            .await
            .unwrap();
        journal.close().await;
    }
    assert_eq!(payloads(&open(folder.path())).await, expected(0..4));
}

#[tokio::test]
async fn what_is_done_of_a_drained_segment_does_not_come_back() {
    let folder = scene::folder();
    let journal = open(folder.path());
    fill(&journal, 3).await;
    scene::done(&journal, &scene::take_all(&journal).await);
    journal.close().await;
    assert!(files(folder.path(), ".journal").is_empty());
    assert_eq!(open(folder.path()).size().records, 0);
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_of_the_lock() {
    let folder = scene::folder();
    let journal = open(folder.path());
    let Err(error) = scene::try_open(folder.path(), scene::ROOM) else {
        panic!("the journal was opened twice");
    };
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert!(error.to_string().contains("journal.lock"), "{error}");
    // The thread ends with the last clone.
    drop(journal.clone());
    journal.append(payload(0)).await.unwrap();
    drop(journal);
    assert_eq!(payloads(&open(folder.path())).await, expected(0..1));
}

#[tokio::test]
async fn a_closed_journal_has_written_what_waited_and_takes_nothing_more() {
    let folder = scene::folder();
    let journal = open(folder.path());
    let (appended, ()) = tokio::join!(journal.append(payload(0)), journal.close());
    appended.unwrap();
    journal.close().await;
    assert_eq!(journal.append(payload(1)).await, Err(Error::Closed));
    assert_eq!(journal.take(1, 1).await, Err(Error::Closed));
    assert!(journal.health().unwrap_err().contains("closed"));
    assert_eq!(journal.files(), files(folder.path(), ".journal"));
    // The lock is free as soon as close returns.
    assert_eq!(payloads(&open(folder.path())).await, expected(0..1));
}

#[tokio::test]
async fn who_waits_for_records_is_told_that_the_journal_closes() {
    let folder = scene::folder();
    let journal = open(folder.path());
    let (taken, ()) = tokio::join!(journal.take(1, 1), journal.close());
    assert_eq!(taken, Err(Error::Closed));
}

#[tokio::test]
async fn who_waits_for_records_gets_them_as_they_come() {
    let folder = scene::folder();
    let journal = open(folder.path());
    let (taken, appended) = tokio::join!(
        timeout(Duration::from_secs(5), journal.take(1, 1)),
        journal.append(payload(0))
    );
    assert_eq!(taken.unwrap().unwrap()[0].id, appended.unwrap());
}

#[tokio::test]
async fn a_file_of_a_newer_format_is_refused_and_nothing_touched() {
    let folder = scene::folder();
    let journal = open(folder.path());
    fill(&journal, 2).await;
    journal.close().await;
    let path = scene::only_segment(folder.path());
    let mut newer = fs::read(&path).unwrap();
    newer[8] = 2;
    let checksum = crc32(&newer[..20]);
    newer[20..24].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&path, &newer).unwrap();
    let Err(error) = scene::try_open(folder.path(), scene::ROOM) else {
        panic!("a newer format was opened");
    };
    assert!(
        matches!(
            error,
            Error::TooNew {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), newer);
}

#[tokio::test]
async fn files_of_others_are_left_alone() {
    let folder = scene::folder();
    let others = [
        ("notes.txt", "read me"),
        ("00000007.journal", "not one of ours"),
        ("00000009-0011223344556677.journal.damaged", "kept"),
    ];
    for (name, content) in others {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let journal = open(folder.path());
    let id = journal.append(payload(0)).await.unwrap();
    let ours = journal.files();
    assert!(ours[0].to_str().unwrap().contains("/00000010-"), "{ours:?}");
    journal.done(id);
    eventually("drained", || !ours[0].exists()).await;
    journal.close().await;
    for (name, content) in others {
        assert_eq!(
            fs::read_to_string(folder.path().join(name)).unwrap(),
            content
        );
    }
}

#[tokio::test]
async fn the_folder_is_made_and_only_its_owner_may_look() {
    let folder = scene::folder();
    let path = folder.path().join("some").join("journal");
    let journal = open(&path);
    fill(&journal, 1).await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for file in fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

/// CRC-32 as in gzip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let shift = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc))
    })
}
