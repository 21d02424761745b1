//! Hints: broker messages that only say where to look. A lost one costs at most a second.

use domain::Shard;

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hint {
    /// This shard has work.
    Shard(Shard),
    /// A subscription changed.
    Subscriptions,
    /// A provider account changed.
    Accounts,
}
