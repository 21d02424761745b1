//! When a provider that fails is left alone, and for how long. The number of failures is kept with the lease, so that
//! the next poller knows it.

use std::time::Duration;
use store::poll::{Rest, RestReason};

/// So many failures one after the other, and the provider is left alone.
const OPENS_AFTER: u32 = 3;
/// How long at first. Then one request tries it, and when that fails it is twice as long.
const FIRST_OPEN: Duration = Duration::from_secs(30);
/// How long at the most.
const LAST_OPEN: Duration = Duration::from_mins(5);
/// How often one is asked that does not accept the credentials.
const REFUSED: Duration = Duration::from_mins(5);
/// How long one is left alone that asks us to slow down and does not say for how long.
const SLOWED: Duration = Duration::from_secs(30);
/// The longest that a provider may have us wait.
const MOST_SLOWED: Duration = Duration::from_hours(1);

/// The rest after so many failures; none yet where they are few.
pub(crate) fn after(failures: u32) -> Option<Rest> {
    let beyond = failures.checked_sub(OPENS_AFTER)?;
    let length = 2u32
        .checked_pow(beyond)
        .and_then(|factor| FIRST_OPEN.checked_mul(factor))
        .map_or(LAST_OPEN, |length| length.min(LAST_OPEN));
    Some(Rest {
        length,
        reason: RestReason::Open,
    })
}

/// The rest after the credentials were refused.
pub(crate) const fn refused() -> Rest {
    Rest {
        length: REFUSED,
        reason: RestReason::Refused,
    }
}

/// The rest that a provider asks for.
pub(crate) fn slowed(wanted: Option<Duration>) -> Rest {
    Rest {
        length: wanted
            .unwrap_or(SLOWED)
            .clamp(Duration::from_secs(1), MOST_SLOWED),
        reason: RestReason::Slowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_three_failures_and_for_at_most_five_minutes() {
        let seconds = |failures| after(failures).map(|rest| rest.length.as_secs());
        assert_eq!([0, 1, 2].map(seconds), [None; 3]);
        assert_eq!(
            [3, 4, 5, 6, 7, 60].map(seconds),
            [
                Some(30),
                Some(60),
                Some(120),
                Some(240),
                Some(300),
                Some(300)
            ]
        );
    }

    #[test]
    fn a_provider_may_have_us_wait_an_hour_at_the_most() {
        let seconds =
            |wanted: Option<u64>| slowed(wanted.map(Duration::from_secs)).length.as_secs();
        assert_eq!(seconds(Some(7)), 7);
        assert_eq!(seconds(Some(0)), 1);
        assert_eq!(seconds(Some(1_000_000)), 3_600);
        assert_eq!(seconds(None), 30);
    }
}
