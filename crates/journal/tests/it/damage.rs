//! Torn tails and changed bytes.

use crate::scene::{self, eventually, expected, files, fill, open, payload, payloads, take_all};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const HEADER: usize = 24;
const FRAME: usize = 24;

/// The file of a journal with so many records.
async fn written(count: usize) -> (TempDir, String, Vec<u8>) {
    let folder = scene::folder();
    let journal = open(folder.path());
    fill(&journal, count).await;
    journal.close().await;
    let path = scene::only_segment(folder.path());
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let bytes = fs::read(path).unwrap();
    (folder, name, bytes)
}

fn folder_with(name: &str, bytes: &[u8]) -> TempDir {
    let folder = scene::folder();
    fs::write(folder.path().join(name), bytes).unwrap();
    folder
}

#[tokio::test]
async fn a_tail_torn_anywhere_costs_the_unanswered_record_and_no_other() {
    let (_folder, name, bytes) = written(3).await;
    let record = FRAME + payload(0).len();
    assert_eq!(bytes.len(), HEADER + 3 * record);
    for length in 0..bytes.len() {
        let folder = folder_with(&name, &bytes[..length]);
        let journal = open(folder.path());
        let whole = length.saturating_sub(HEADER) / record;
        journal.append(payload(9)).await.unwrap();
        let survivors = expected((0..whole).chain([9]));
        assert_eq!(payloads(&journal).await, survivors, "cut at {length}");
        journal.close().await;
        let again = open(folder.path());
        scene::done(&again, &scene::take_all(&again).await);
        again.close().await;
        assert!(
            files(folder.path(), "")
                .iter()
                .all(|path| path.ends_with("journal.lock"))
        );
    }
}

#[tokio::test]
async fn zeros_at_the_end_are_a_torn_tail() {
    let (_folder, name, mut bytes) = written(2).await;
    bytes.extend([0; 5_000]);
    let folder = folder_with(&name, &bytes);
    let journal = open(folder.path());
    let taken = take_all(&journal).await;
    assert_eq!(taken.len(), 2);
    scene::done(&journal, &taken);
    journal.close().await;
    assert!(files(folder.path(), ".damaged").is_empty());
}

#[tokio::test]
async fn a_changed_byte_anywhere_costs_its_record_and_no_other() {
    let (_folder, name, bytes) = written(3).await;
    let record = FRAME + payload(0).len();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        let folder = folder_with(&name, &changed);
        let journal = open(folder.path());
        let hit = at.checked_sub(HEADER).map(|at| at / record);
        let survivors = expected((0..3).filter(|number| Some(*number) != hit));
        let taken = take_all(&journal).await;
        let payloads: Vec<_> = taken.iter().map(|record| record.payload.clone()).collect();
        assert_eq!(payloads, survivors, "changed at {at}");
        scene::done(&journal, &taken);
        journal.close().await;
        assert!(files(folder.path(), ".journal").is_empty());
        // The length of the last one is all that tells a torn tail from damage.
        let last = HEADER + 2 * record;
        if !(last + 8..last + 12).contains(&at) {
            assert_kept(folder.path(), &changed);
        }
    }
}

fn assert_kept(folder: &Path, bytes: &[u8]) {
    let kept = files(folder, ".damaged");
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(fs::read(&kept[0]).unwrap(), bytes);
}

#[tokio::test]
async fn the_bytes_of_a_damaged_file_that_was_set_aside_do_not_count() {
    let (_folder, name, mut bytes) = written(3).await;
    bytes[HEADER + FRAME] ^= 1;
    let folder = folder_with(&name, &bytes);
    let journal = open(folder.path());
    let taken = take_all(&journal).await;
    scene::done(&journal, &taken);
    eventually("nothing counted", || journal.size().bytes == 0).await;
    journal.close().await;
    assert_eq!(open(folder.path()).size().records, 0);
}

#[tokio::test]
async fn a_record_that_is_damaged_when_it_is_read_is_skipped_and_its_file_kept() {
    let folder = scene::folder();
    let journal = open(folder.path());
    fill(&journal, 3).await;
    let path = scene::only_segment(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    let second = HEADER + FRAME + payload(0).len();
    bytes[second + FRAME] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let taken = take_all(&journal).await;
    let payloads: Vec<_> = taken.iter().map(|record| record.payload.clone()).collect();
    assert_eq!(payloads, expected([0, 2]));
    assert_eq!(journal.size().records, 2);
    scene::done(&journal, &taken);
    journal.close().await;
    assert_kept(folder.path(), &bytes);
}

#[tokio::test]
async fn records_whose_file_somebody_removed_are_skipped() {
    let folder = scene::folder();
    let journal = open(folder.path());
    fill(&journal, 3).await;
    fs::remove_file(scene::only_segment(folder.path())).unwrap();
    assert!(take_all(&journal).await.is_empty());
    eventually("nothing counted", || journal.size().bytes == 0).await;
    let (taken, appended) = tokio::join!(journal.take(9, 9), journal.append(payload(3)));
    assert_eq!(taken.unwrap()[0].id, appended.unwrap());
}

#[tokio::test]
async fn what_a_payload_contains_is_never_taken_for_a_record() {
    let (_folder, _, whole) = written(2).await;
    let folder = scene::folder();
    let journal = open(folder.path());
    journal.append(whole.into()).await.unwrap();
    journal.append(payload(7)).await.unwrap();
    journal.close().await;
    let path = scene::only_segment(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[HEADER] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(payloads(&open(folder.path())).await, expected([7]));
}

#[tokio::test]
async fn segments_that_were_put_there_by_hand_are_read() {
    let (_folder, _, bytes) = written(3).await;
    let folder = folder_with("00000004.journal", &bytes);
    assert_eq!(payloads(&open(folder.path())).await, expected(0..3));
    let (_folder, name, others) = written(2).await;
    let name = name.replace("00000001", "00000004");
    fs::write(folder.path().join(name), others).unwrap();
    let journal = open(folder.path());
    assert_eq!(journal.size().records, 5);
    scene::done(&journal, &take_all(&journal).await);
    journal.close().await;
    assert!(files(folder.path(), ".journal").is_empty());
}

fn run(future: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_in_the_file_no_wrong_payload_comes_out(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        insert in prop::collection::vec(any::<u8>(), 0..60),
        place in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
    ) {
        run(async {
            let (_folder, name, mut bytes) = written(6).await;
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let at = place.index(bytes.len());
            bytes.splice(at..at, insert);
            bytes.truncate(cut.index(bytes.len()) + 1);
                let folder = folder_with(&name, &bytes);
            let journal = open(folder.path());
            let known = expected(0..6);
            for payload in payloads(&journal).await {
                assert!(known.contains(&payload), "{payload:?}");
            }
            journal.append(payload(0)).await.unwrap();
        });
    }
}
