//! Which connection sends which request, and when.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// A request to be sent now.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    pub number: u64,
    /// When it should have been sent.
    pub due: Instant,
}

/// Hands out turns to connections, whichever is free.
pub struct Turns {
    next: AtomicU64,
    end: u64,
    began: Instant,
    pace: Pace,
}

enum Pace {
    /// At once, until then.
    Until(Instant),
    /// One for each place in the timetable that has come.
    Timetable {
        due: Arc<Semaphore>,
        interval: Duration,
    },
}

impl Turns {
    /// As many of the numbers as are taken within the time.
    pub fn closed(numbers: Range<u64>, until: Duration) -> Self {
        let began = Instant::now();
        Self {
            next: AtomicU64::new(numbers.start),
            end: numbers.end,
            began,
            pace: Pace::Until(began + until),
        }
    }

    /// The numbers from 0 on a timetable, and the timetable, to be run in a thread of its own.
    pub fn open(
        count: u64,
        per_second: u32,
        takers: usize,
    ) -> (Self, impl FnOnce() + Send + 'static) {
        let began = Instant::now();
        let interval = Duration::from_secs(1) / per_second.max(1);
        let due = Arc::new(Semaphore::new(0));
        let turns = Self {
            next: AtomicU64::new(0),
            end: count,
            began,
            pace: Pace::Timetable {
                due: due.clone(),
                interval,
            },
        };
        let timetable = move || {
            for number in 0..count {
                let due_at = at(began, interval, number);
                std::thread::sleep(due_at.saturating_duration_since(Instant::now()));
                due.add_permits(1);
            }
            // Whoever still waits learns that there is nothing more.
            due.add_permits(takers);
        };
        (turns, timetable)
    }

    /// When the first turn is due.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// The next turn, once it is due.
    pub async fn next(&self) -> Option<Turn> {
        if let Pace::Timetable { due, .. } = &self.pace {
            due.acquire().await.ok()?.forget();
        }
        let now = Instant::now();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = match &self.pace {
            Pace::Until(deadline) if now >= *deadline => return None,
            Pace::Until(_) => now,
            Pace::Timetable { interval, .. } => at(self.began, *interval, number),
        };
        (number < self.end).then_some(Turn { number, due })
    }
}

fn at(began: Instant, interval: Duration, number: u64) -> Instant {
    began + interval * u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_is_due_by_the_timetable_even_when_nobody_was_free() {
        let (turns, timetable) = Turns::open(3, 1_000, 1);
        std::thread::spawn(timetable).join().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        for number in 0..3 {
            let turn = turns.next().await.unwrap();
            assert_eq!(turn.number, number);
            let expected = turns.began() + Duration::from_millis(number);
            assert_eq!(turn.due, expected);
        }
        assert!(turns.next().await.is_none());
    }

    #[tokio::test]
    async fn a_closed_load_ends_with_its_time_or_its_numbers() {
        let turns = Turns::closed(5..6, Duration::from_mins(1));
        assert_eq!(turns.next().await.unwrap().number, 5);
        assert!(turns.next().await.is_none());
        let over = Turns::closed(0..9, Duration::ZERO);
        assert!(over.next().await.is_none());
    }
}
