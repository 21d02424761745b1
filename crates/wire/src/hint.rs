//! Hints: broker messages that only say where to look. A lost one costs at most a second.

use domain::Shard;
use serde::{Deserialize, Serialize};

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hint {
    /// Events of this shard's tenants were written: somebody has to fan them out.
    Events(Shard),
    /// Deliveries were made for this shard by who does not have it.
    Deliveries(Shard),
    /// A subscription changed.
    Subscriptions,
    /// A provider account changed.
    Accounts,
    /// Somebody wants a message asked about.
    Polls,
    /// Events of this shard's tenants got their place in the order: the feeds have more.
    Stamped(Shard),
}

/// What hints are about. Who hears them hears about one of these only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Events, deliveries and subscriptions: what a dispatcher works on.
    Work,
    /// Provider accounts.
    Accounts,
    /// Messages that somebody wants asked about: what a poller works on.
    Polls,
    /// Events that are stamped: what readers of the feeds wait for.
    Feed,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Work, Self::Accounts, Self::Polls, Self::Feed];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Accounts => "accounts",
            Self::Polls => "polls",
            Self::Feed => "feed",
        }
    }
}

/// Hints, merged: what crosses the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HintSet {
    /// Shards with new events: bit `n` is shard `n`.
    #[serde(default)]
    pub events: u64,
    /// Shards with new deliveries, likewise.
    #[serde(default)]
    pub deliveries: u64,
    /// Whether a subscription changed.
    #[serde(default)]
    pub subscriptions: bool,
    /// Whether a provider account changed.
    #[serde(default)]
    pub accounts: bool,
    /// Whether somebody wants a message asked about.
    #[serde(default)]
    pub polls: bool,
    /// Shards with newly stamped events, as in `events`.
    #[serde(default)]
    pub stamped: u64,
}

impl HintSet {
    const NONE: Self = Self {
        events: 0,
        deliveries: 0,
        subscriptions: false,
        accounts: false,
        polls: false,
        stamped: 0,
    };

    /// Whether there is no hint.
    pub const fn is_empty(self) -> bool {
        self.events == 0
            && self.deliveries == 0
            && !self.subscriptions
            && !self.accounts
            && !self.polls
            && self.stamped == 0
    }

    /// Those about a topic.
    #[must_use]
    pub const fn about(self, topic: Topic) -> Self {
        match topic {
            Topic::Work => Self {
                accounts: false,
                polls: false,
                stamped: 0,
                ..self
            },
            Topic::Accounts => Self {
                accounts: self.accounts,
                ..Self::NONE
            },
            Topic::Polls => Self {
                polls: self.polls,
                ..Self::NONE
            },
            Topic::Feed => Self {
                stamped: self.stamped,
                ..Self::NONE
            },
        }
    }

    /// The shards with new events.
    pub fn events(self) -> impl Iterator<Item = Shard> {
        of(self.events)
    }

    /// The shards with new deliveries.
    pub fn deliveries(self) -> impl Iterator<Item = Shard> {
        of(self.deliveries)
    }

    /// The shards with newly stamped events.
    pub fn stamped(self) -> impl Iterator<Item = Shard> {
        of(self.stamped)
    }

    /// Adds a hint.
    pub const fn add(&mut self, hint: Hint) {
        match hint {
            Hint::Events(shard) => self.events |= bit(shard),
            Hint::Deliveries(shard) => self.deliveries |= bit(shard),
            Hint::Subscriptions => self.subscriptions = true,
            Hint::Accounts => self.accounts = true,
            Hint::Polls => self.polls = true,
            Hint::Stamped(shard) => self.stamped |= bit(shard),
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

fn of(bits: u64) -> impl Iterator<Item = Shard> {
    Shard::all().filter(move |shard| bits & bit(*shard) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hint_is_about_one_topic() {
        let mut all = HintSet::default();
        all.add(Hint::Events(Shard::new(0).unwrap()));
        all.add(Hint::Deliveries(Shard::new(1).unwrap()));
        all.add(Hint::Subscriptions);
        all.add(Hint::Accounts);
        all.add(Hint::Polls);
        all.add(Hint::Stamped(Shard::new(2).unwrap()));
        assert_eq!(all.about(Topic::Work).stamped, 0);
        let feed = all.about(Topic::Feed);
        assert_eq!((feed.stamped, feed.events, feed.polls), (4, 0, false));
        let (work, accounts) = (all.about(Topic::Work), all.about(Topic::Accounts));
        assert!(!work.accounts && !work.polls && work.subscriptions);
        assert!(all.about(Topic::Polls).polls && !all.about(Topic::Polls).accounts);
        assert_eq!((work.events, work.deliveries), (1, 2));
        let mut expected = HintSet::default();
        expected.add(Hint::Accounts);
        assert_eq!(accounts, expected);
    }

    #[test]
    fn hints_arrive_as_they_were_sent_and_what_is_missing_is_no_hint() {
        let mut sent = HintSet::default();
        sent.add(Hint::Events(Shard::new(63).unwrap()));
        sent.add(Hint::Deliveries(Shard::new(1).unwrap()));
        sent.add(Hint::Accounts);
        assert_eq!(HintSet::from_bytes(&sent.to_bytes()), Some(sent));
        assert_eq!(HintSet::from_bytes(b"{}"), Some(HintSet::default()));
        assert_eq!(HintSet::from_bytes(b"nonsense"), None);
    }
}
