//! Appending, taking, and what becomes of records.

use crate::scene::{self, ROOM, SOON, eventually, expected, files, fill, open, payload, take_all};
use bytes::Bytes;
use domain::{Clock, Random};
use std::collections::BTreeSet;
use std::time::Duration;
use tidings_journal::{Error, Journal, MAX_PAYLOAD_BYTES};
use tokio::task::JoinSet;
use tokio::time::timeout;

const BRIEFLY: Duration = Duration::from_millis(50);

#[tokio::test]
async fn records_are_taken_oldest_first_and_by_one_only() {
    let folder = scene::folder();
    let journal = open(folder.path());
    fill(&journal, 5).await;
    let first = journal.take(2, usize::MAX).await.unwrap();
    let second = journal.take(2, usize::MAX).await.unwrap();
    let third = journal.clone().take(2, 1).await.unwrap();
    let taken: Vec<_> = [first, second, third].concat();
    let payloads: Vec<_> = taken.iter().map(|record| record.payload.clone()).collect();
    assert_eq!(payloads, expected(0..5));
    assert!(timeout(BRIEFLY, journal.take(1, 1)).await.is_err());
    assert_eq!(journal.size().records, 5);
}

#[tokio::test]
async fn what_is_given_back_is_offered_again_and_what_is_done_is_not() {
    let folder = scene::folder();
    let journal = open(folder.path());
    fill(&journal, 3).await;
    let taken = journal.take(9, usize::MAX).await.unwrap();
    journal.done(taken[1].id);
    journal.done(taken[1].id);
    for record in &taken {
        journal.give_back(record.id);
    }
    journal.done(taken[2].id);
    let again = journal.take(9, usize::MAX).await.unwrap();
    assert_eq!(again, taken[..1]);
}

#[tokio::test]
async fn a_held_record_is_offered_when_it_is_released_and_not_before() {
    let folder = scene::folder();
    let journal = open(folder.path());
    let id = journal.append_held(payload(0)).await.unwrap();
    journal.give_back(id);
    assert!(timeout(BRIEFLY, journal.take(9, 9)).await.is_err());
    assert_eq!(journal.size().records, 1);
    let (taken, ()) = tokio::join!(journal.take(9, 9), async { journal.release(id) });
    assert_eq!(taken.unwrap()[0].id, id);
    // It is taken: releasing it again offers it to nobody.
    journal.release(id);
    assert!(timeout(BRIEFLY, journal.take(9, 9)).await.is_err());
}

#[tokio::test]
async fn a_late_confirm_cancels_a_held_record() {
    let folder = scene::folder();
    let journal = open(folder.path());
    let id = journal.append_held(payload(0)).await.unwrap();
    journal.done(id);
    journal.release(id);
    assert!(timeout(BRIEFLY, journal.take(9, 9)).await.is_err());
    assert_eq!(journal.size().records, 0);
}

#[tokio::test]
async fn a_drained_journal_leaves_no_segments_and_goes_on() {
    let folder = scene::folder();
    let journal = open(folder.path());
    for round in 0..3 {
        fill(&journal, 10).await;
        assert_eq!(journal.files(), files(folder.path(), ".journal"));
        let taken = take_all(&journal).await;
        assert_eq!(taken.len(), 10, "round {round}");
        scene::done(&journal, &taken);
        eventually("no file", || files(folder.path(), ".journal").is_empty()).await;
        eventually("nothing counted", || {
            journal.size() == tidings_journal::Size::default()
        })
        .await;
        assert!(journal.files().is_empty());
        // Of a segment that is gone.
        journal.done(taken[0].id);
        journal.give_back(taken[0].id);
    }
}

#[tokio::test]
async fn large_records_fill_several_segments_which_go_one_by_one() {
    let folder = scene::folder();
    let journal = open(folder.path());
    let large = |byte: u8| Bytes::from(vec![byte; 5 * 1_048_576]);
    for byte in 0..6 {
        journal.append(large(byte)).await.unwrap();
    }
    assert_eq!(files(folder.path(), ".journal").len(), 3);
    assert!(journal.size().bytes > 30 * 1_048_576);
    let taken = journal.take(9, 11 * 1_048_576).await.unwrap();
    assert_eq!(taken.len(), 2);
    assert!(taken[1].payload == large(1));
    scene::done(&journal, &taken);
    eventually("the first is gone", || {
        files(folder.path(), ".journal").len() == 2
    })
    .await;
    let one = journal.take(9, 1).await.unwrap();
    assert!(one.len() == 1 && one[0].payload == large(2));
}

#[tokio::test]
async fn a_full_journal_says_so_and_takes_records_again_once_others_are_done() {
    let folder = scene::folder();
    let journal = scene::try_open(folder.path(), 10_000).unwrap();
    let mut count = 0;
    let full = loop {
        match journal.append(Bytes::from(vec![1; 900])).await {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, Error::Full { .. }), "{full}");
    assert!(full.is_transient());
    assert_eq!(count, 10);
    assert!(journal.size().bytes <= 10_000);
    assert!(journal.health().unwrap_err().contains("is full"));
    let taken = take_all(&journal).await;
    scene::done(&journal, &taken);
    journal.append(Bytes::from(vec![2; 900])).await.unwrap();
    assert_eq!(journal.health(), Ok(()));
}

#[tokio::test]
async fn a_full_journal_is_healthy_again_by_itself_once_there_is_room() {
    let folder = scene::folder();
    let journal = scene::try_open(folder.path(), 1_000).unwrap();
    journal.append(Bytes::from(vec![1; 900])).await.unwrap();
    journal.append(Bytes::from(vec![1; 900])).await.unwrap_err();
    let taken = take_all(&journal).await;
    journal.done(taken[0].id);
    eventually("healthy", || journal.health().is_ok()).await;
    assert!(files(folder.path(), ".tmp").is_empty());
}

#[tokio::test]
async fn a_record_over_the_limit_is_refused_and_the_largest_taken() {
    let folder = scene::folder();
    let journal = open(folder.path());
    let over = Bytes::from(vec![0; MAX_PAYLOAD_BYTES + 1]);
    let error = journal.append(over.clone()).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    journal.append(over.slice(1..)).await.unwrap();
    journal.append(Bytes::new()).await.unwrap();
    let copy = scene::as_killed(folder.path());
    for journal in [journal, open(copy.path())] {
        let lengths: Vec<_> = take_all(&journal)
            .await
            .iter()
            .map(|one| one.payload.len())
            .collect();
        assert_eq!(lengths, [MAX_PAYLOAD_BYTES, 0]);
    }
}

#[tokio::test]
async fn the_oldest_is_the_oldest_that_is_not_done() {
    let folder = scene::folder();
    let clock = Clock::movable();
    let journal = Journal::open(folder.path(), ROOM, clock.clone(), Random::seeded(1)).unwrap();
    assert_eq!(journal.size().oldest, None);
    let mut ids = Vec::new();
    let begun = clock.now();
    for number in 0..3 {
        ids.push(journal.append(payload(number)).await.unwrap());
        clock.advance(Duration::from_hours(1));
    }
    let age = |hours| {
        let oldest = journal.size().oldest.unwrap();
        let from = begun.plus(Duration::from_hours(hours));
        assert!(oldest >= from && oldest < from.plus(SOON), "{oldest}");
    };
    age(0);
    journal.done(ids[1]);
    age(0);
    journal.done(ids[0]);
    age(2);
    let taken = take_all(&journal).await;
    assert_eq!(Some(taken[0].written_at), journal.size().oldest);
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_from_many_sides_are_all_there() {
    let folder = scene::folder();
    let journal = open(folder.path());
    let mut appends = JoinSet::new();
    for number in 0..3_000 {
        let journal = journal.clone();
        appends.spawn(async move { journal.append(payload(number)).await });
    }
    let mut ids = BTreeSet::new();
    for id in appends.join_all().await {
        assert!(ids.insert(id.unwrap()), "an id came twice");
    }
    let copy = scene::as_killed(folder.path());
    for journal in [journal, open(copy.path())] {
        let taken: BTreeSet<_> = scene::payloads(&journal).await.into_iter().collect();
        assert_eq!(taken, expected(0..3_000).into_iter().collect());
    }
}
