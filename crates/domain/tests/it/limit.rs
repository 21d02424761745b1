//! A limited caller, on a machine whose clock is set.

use crate::{Dice, HISTORIES, millis};
use std::time::Duration;
use tidings_domain::Timestamp;
use tidings_domain::limit::{Admission, Rate};

const STEPS: usize = 200;

#[test]
fn a_limit_is_never_exceeded_and_never_lasts_longer_than_its_time_whatever_the_clock_does() {
    for history in 0..HISTORIES {
        let dice = Dice::of(history);
        let limit = u32::try_from(dice.below(20) + 1).unwrap();
        let per = Duration::from_millis(dice.below(60_000) + 1_000);
        let rate = Rate::new(limit, per);
        let (mut clock_ms, mut remembered) = (1_000_000_000, None);
        // Since the clock was last set: how long, and how many were admitted.
        let (mut steady, mut admitted) = (Duration::ZERO, 0);
        for _ in 0..STEPS {
            if dice.is_one_in(50) {
                clock_ms += dice.jump();
                (steady, admitted) = (Duration::ZERO, 0);
            }
            let pause = dice.millis(2_000);
            clock_ms += millis(pause);
            steady += pause;
            let now = Timestamp::from_millis(clock_ms);
            match rate.admit(remembered, now) {
                Admission::Allowed(next) => {
                    remembered = Some(next);
                    admitted += 1;
                }
                Admission::Refused(wait) => {
                    assert!(wait <= per, "history {history}: {wait:?} of {per:?}");
                    // Whoever waits as long as it is told is let in.
                    let then = rate.admit(remembered, now.plus(wait));
                    assert!(matches!(then, Admission::Allowed(_)), "history {history}");
                }
            }
            let earned = steady.as_secs_f64() / per.as_secs_f64() * f64::from(limit);
            assert!(
                f64::from(admitted) <= f64::from(limit) + earned + 1.0,
                "history {history}: {admitted} in {steady:?} at {limit} per {per:?}"
            );
        }
    }
}
