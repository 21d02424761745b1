//! Deliveries that fail, on a machine whose clock is set.

use crate::{Dice, HISTORIES, millis};
use std::time::Duration;
use tidings_domain::Timestamp;
use tidings_domain::retry::{MAX_RETRY_AFTER, Schedule};

#[test]
fn a_schedule_is_walked_to_its_end_never_too_early_and_never_longer_than_it_may() {
    for history in 0..HISTORIES {
        let dice = Dice::of(history);
        let count = usize::try_from(dice.below(12)).unwrap();
        let waits: Vec<Duration> = (0..count).map(|_| dice.millis(100_000_000)).collect();
        let schedule = Schedule::new(waits.clone());
        let mut clock_ms = 1_000_000_000;
        for (attempt, scheduled) in (1..).zip(&waits) {
            if dice.is_one_in(3) {
                clock_ms += dice.jump();
            }
            clock_ms += millis(dice.millis(60_000));
            let ended_at = Timestamp::from_millis(clock_ms);
            let asked = dice.is_one_in(4).then(|| dice.millis(400_000_000));
            let jitter = dice.0.fraction();
            let next = schedule.next(attempt, ended_at, jitter, asked).unwrap();
            let wait = next.since(ended_at);
            assert!(
                wait + Duration::from_millis(1) >= *scheduled,
                "history {history}"
            );
            let longest = asked.map_or(Duration::ZERO, |asked| asked.min(MAX_RETRY_AFTER));
            let longest = longest.max(scheduled.mul_f64(1.2));
            assert!(
                wait <= longest + Duration::from_millis(1),
                "history {history}"
            );
            clock_ms = next.as_millis();
        }
        let last = u32::try_from(count).unwrap() + 1;
        let end = Timestamp::from_millis(clock_ms);
        assert_eq!(
            schedule.next(last, end, 0.5, None),
            None,
            "history {history}"
        );
    }
}
