//! What the file holds, counted in memory, so that nothing is counted by scanning.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// All counts. Changes belong to a transaction: [`Tally::keep`] them when it is committed,
/// [`Tally::forget`] them when it is not.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// One for each of `Queue::ALL`, in that order.
    pub(super) queues: Vec<QueueTally>,
    /// The last job id given out. An id is never given out twice.
    last_id: i64,
    new_ids: i64,
    last_claim: i64,
}

/// The counts of one queue.
#[derive(Debug, Default)]
pub(super) struct QueueTally {
    /// The queue's row.
    pub(super) row: i64,
    kept: Counts,
    change: Counts,
    /// Every job that was never claimed has a greater id.
    cursor: i64,
    new_cursor: Option<i64>,
    /// The times for which jobs wait.
    delays: BinaryHeap<Reverse<i64>>,
    new_delays: Vec<i64>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// Ready, leased and delayed ones.
    pub(super) jobs: i64,
    pub(super) leased: i64,
    pub(super) dead: i64,
}

impl Tally {
    pub(super) fn new(last_id: i64, queues: Vec<QueueTally>) -> Self {
        Self {
            queues,
            last_id,
            new_ids: 0,
            last_claim: 0,
        }
    }

    pub(super) fn next_id(&mut self) -> i64 {
        self.new_ids += 1;
        self.last_id()
    }

    pub(super) const fn last_id(&self) -> i64 {
        self.last_id + self.new_ids
    }

    /// Claims are forgotten when the file is opened, so these numbers begin anew.
    pub(super) fn next_claim(&mut self) -> i64 {
        self.last_claim += 1;
        self.last_claim
    }

    pub(super) fn keep(&mut self) {
        self.last_id += std::mem::take(&mut self.new_ids);
        self.queues.iter_mut().for_each(QueueTally::keep);
    }

    pub(super) fn forget(&mut self) {
        self.new_ids = 0;
        self.queues.iter_mut().for_each(QueueTally::forget);
    }

    /// The earliest time for which a job waits, after `now`.
    pub(super) fn next_due(&mut self, now: i64) -> Option<i64> {
        self.queues
            .iter_mut()
            .filter_map(|queue| queue.next_due(now))
            .min()
    }
}

impl QueueTally {
    pub(super) fn new(row: i64, kept: Counts, delays: BinaryHeap<Reverse<i64>>) -> Self {
        Self {
            row,
            kept,
            delays,
            ..Self::default()
        }
    }

    pub(super) fn published(&mut self) {
        self.change.jobs += 1;
    }

    pub(super) fn claimed(&mut self, jobs: i64) {
        self.change.leased += jobs;
    }

    pub(super) fn returned(&mut self, jobs: i64) {
        self.change.leased -= jobs;
    }

    pub(super) fn done(&mut self, jobs: i64) {
        self.change.leased -= jobs;
        self.change.jobs -= jobs;
    }

    pub(super) fn delayed(&mut self, until: i64) {
        self.change.leased -= 1;
        self.new_delays.push(until);
    }

    pub(super) fn died_in_hand(&mut self) {
        self.done(1);
        self.change.dead += 1;
    }

    pub(super) fn died_unclaimed(&mut self) {
        self.change.jobs -= 1;
        self.change.dead += 1;
    }

    /// Dead letters that are out of the file.
    pub(super) fn forgotten(&mut self, letters: i64) {
        self.change.dead -= letters;
    }

    pub(super) fn cursor(&self) -> i64 {
        self.new_cursor.unwrap_or(self.cursor)
    }

    pub(super) fn move_cursor(&mut self, to: i64) {
        self.new_cursor = Some(to);
    }

    /// With what this transaction changes.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            jobs: self.kept.jobs + self.change.jobs,
            leased: self.kept.leased + self.change.leased,
            dead: self.kept.dead + self.change.dead,
        }
    }

    pub(super) fn has_new_jobs_count(&self) -> bool {
        self.change.jobs != 0
    }

    pub(super) fn count_delayed(&mut self, now: i64) -> i64 {
        self.next_due(now);
        i64::try_from(self.delays.len()).unwrap_or(i64::MAX)
    }

    fn next_due(&mut self, now: i64) -> Option<i64> {
        while let Some(Reverse(due)) = self.delays.peek() {
            if *due > now {
                return Some(*due);
            }
            self.delays.pop();
        }
        None
    }

    fn keep(&mut self) {
        self.kept = self.counts();
        self.change = Counts::default();
        self.cursor = self.cursor();
        self.new_cursor = None;
        self.delays.extend(self.new_delays.drain(..).map(Reverse));
    }

    fn forget(&mut self) {
        self.change = Counts::default();
        self.new_cursor = None;
        self.new_delays.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_that_fails_changes_no_count() {
        let counts = Counts {
            jobs: 3,
            leased: 1,
            dead: 0,
        };
        let mut tally = Tally::new(7, vec![QueueTally::new(1, counts, BinaryHeap::new())]);
        assert_eq!(tally.next_id(), 8);
        tally.queues[0].published();
        tally.queues[0].move_cursor(8);
        tally.queues[0].delayed(50);
        tally.forget();
        assert_eq!(tally.next_id(), 8);
        assert_eq!(tally.queues[0].counts(), counts);
        assert_eq!(tally.queues[0].cursor(), 0);
        assert_eq!(tally.queues[0].count_delayed(0), 0);
    }

    #[test]
    fn a_delayed_job_is_one_until_its_time() {
        let mut queue = QueueTally::new(
            1,
            Counts {
                jobs: 2,
                leased: 2,
                dead: 0,
            },
            BinaryHeap::new(),
        );
        queue.delayed(50);
        queue.delayed(40);
        queue.keep();
        assert_eq!(queue.next_due(10), Some(40));
        assert_eq!(queue.count_delayed(40), 1);
        assert_eq!(queue.count_delayed(50), 0);
    }
}
