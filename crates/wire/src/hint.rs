//! Hints: broker messages that only say where to look. A lost one costs at most a second.

use domain::Shard;
use serde::{Deserialize, Serialize};

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

/// Hints, merged: what crosses the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HintSet {
    /// Shards that have work: bit `n` is shard `n`.
    #[serde(default)]
    pub shards: u64,
    /// Whether a subscription changed.
    #[serde(default)]
    pub subscriptions: bool,
    /// Whether a provider account changed.
    #[serde(default)]
    pub accounts: bool,
}

impl HintSet {
    /// Whether there is no hint.
    pub const fn is_empty(self) -> bool {
        self.shards == 0 && !self.subscriptions && !self.accounts
    }

    /// Whether this shard has work.
    pub const fn has_shard(self, shard: Shard) -> bool {
        self.shards & bit(shard) != 0
    }

    /// The shards that have work.
    pub fn shards(self) -> impl Iterator<Item = Shard> {
        Shard::all().filter(move |shard| self.has_shard(*shard))
    }

    /// Adds a hint.
    pub const fn add(&mut self, hint: Hint) {
        match hint {
            Hint::Shard(shard) => self.shards |= bit(shard),
            Hint::Subscriptions => self.subscriptions = true,
            Hint::Accounts => self.accounts = true,
        }
    }

    /// As bytes for the broker.
    pub fn to_bytes(self) -> Vec<u8> {
        // Numbers and booleans can always be written.
        serde_json::to_vec(&self).unwrap_or_default()
    }

    /// From the bytes of another process; none where they are no hints that we know.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

const fn bit(shard: Shard) -> u64 {
    1 << shard.number()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_arrive_as_they_were_sent_and_what_is_missing_is_no_hint() {
        let mut sent = HintSet::default();
        sent.add(Hint::Shard(Shard::new(63).unwrap()));
        sent.add(Hint::Accounts);
        assert_eq!(HintSet::from_bytes(&sent.to_bytes()), Some(sent));
        assert_eq!(HintSet::from_bytes(b"{}"), Some(HintSet::default()));
        assert_eq!(HintSet::from_bytes(b"nonsense"), None);
    }
}
