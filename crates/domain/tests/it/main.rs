//! The rules over long histories, driven by a seed.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod lease;
mod limit;
mod retry;
mod state;

use std::time::Duration;
use tidings_domain::Random;

/// How many histories each rule goes through.
const HISTORIES: u64 = 10_000;
/// How far a clock is set, forward or back.
const JUMP_MS: i64 = 2 * 60 * 60 * 1_000;

/// Chances of one history.
struct Dice(Random);

impl Dice {
    fn of(history: u64) -> Self {
        Self(Random::seeded(history))
    }

    /// Below `limit`.
    fn below(&self, limit: u64) -> u64 {
        u64::from_le_bytes(self.0.bytes()) % limit
    }

    /// A place among so many.
    fn index(&self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap()
    }

    fn number(&self, limit: u32) -> u32 {
        u32::try_from(self.below(limit.into())).unwrap()
    }

    fn is_one_in(&self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn millis(&self, most: u64) -> Duration {
        Duration::from_millis(self.below(most))
    }

    /// A clock is set, anywhere within two hours.
    fn jump(&self) -> i64 {
        i64::try_from(self.below(2 * JUMP_MS.unsigned_abs())).unwrap_or(0) - JUMP_MS
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
