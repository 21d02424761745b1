//! The sheet: what one process has counted and not yet handed in.

use super::{By, MOST_NETWORKS, NO_NETWORK, Name, OTHER_NETWORK, Slot};
use crate::clock::Timestamp;
use crate::histogram::Bucket;
use crate::id::AccountId;
use crate::message::Outcome;
use crate::state::State;
use crate::text;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// How many networks are told apart of one provider in one day.
const MOST_NETWORKS_OF_PROVIDER: usize = 256;
/// A longer name of a network is cut, in bytes.
const MAX_NETWORK_BYTES: usize = 32;
/// How many counts wait at the most while they cannot be handed in; further ones are dropped.
const MOST_WAITING: usize = 200_000;
const DAY: Duration = Duration::from_hours(24);

/// What is counted: of which account, in which slot, under which name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The slot.
    pub slot: Slot,
    /// The account.
    pub account_id: AccountId,
    /// The name, as it is kept.
    pub name: String,
}

/// How long reports took: of which day, provider and network, in which bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Learnt {
    /// The day, by its number since 1970.
    pub day: i32,
    /// The provider.
    pub provider: String,
    /// The network, or what stands for none and for all others.
    pub network: String,
    /// The bucket, by its name.
    pub bucket: String,
}

/// The first end of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Its account.
    pub account_id: AccountId,
    /// That account's provider.
    pub provider: String,
    /// The network, where one is known.
    pub network: Option<String>,
    /// How it ended.
    pub state: State,
    /// Who ended it.
    pub by: By,
    /// How long the callback that ended it took, since the message was registered.
    pub delay: Option<Duration>,
    /// When that was received.
    pub received_at: Timestamp,
}

/// Counts that are handed in together, in the order in which everybody writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// What was counted of accounts.
    pub counts: BTreeMap<Key, u64>,
    /// How long reports took.
    pub learnt: BTreeMap<Learnt, u64>,
}

/// What was counted since the last batch.
#[derive(Debug, Default)]
pub struct Sheet {
    batch: Batch,
    of_accounts: Networks<AccountId>,
    of_providers: Networks<String>,
}

impl Sheet {
    /// Counts one more, at the moment it belongs to.
    pub fn count(&mut self, account: AccountId, at: Timestamp, name: &Name) {
        let key = Key {
            slot: Slot::of(at),
            account_id: account,
            name: name.to_string(),
        };
        if self.batch.counts.len() < MOST_WAITING || self.batch.counts.contains_key(&key) {
            *self.batch.counts.entry(key).or_default() += 1;
        }
    }

    /// Counts a callback that was applied, so long after it was received, with its reports.
    pub fn processed(
        &mut self,
        account: AccountId,
        received_at: Timestamp,
        took: Duration,
        reports: &[Outcome],
    ) {
        self.count(account, received_at, &Name::Processed);
        self.count(account, received_at, &Name::Processing(Bucket::of(took)));
        for outcome in reports {
            self.count(account, received_at, &Name::Report(*outcome));
        }
    }

    /// Counts the first end of a message.
    pub fn ended(&mut self, end: &End) {
        let (account, at) = (end.account_id, end.received_at);
        let network = network_name(end.network.as_deref());
        let slot = Slot::of(at).0;
        let known = self
            .of_accounts
            .name(&account, slot, &network, MOST_NETWORKS);
        self.count(account, at, &Name::Ended(end.by));
        self.count(account, at, &Name::EndedOn(known.clone()));
        if end.state == State::Delivered {
            self.count(account, at, &Name::DeliveredOn(known));
        }
        if let Some(delay) = end.delay {
            self.count(account, at, &Name::Delay(Bucket::of(delay)));
            self.learn(&end.provider, &network, at, delay);
        }
    }

    fn learn(&mut self, provider: &str, network: &str, at: Timestamp, delay: Duration) {
        let (day, provider) = (day(at), provider.to_owned());
        let most = MOST_NETWORKS_OF_PROVIDER;
        let network = self.of_providers.name(&provider, day, network, most);
        let key = Learnt {
            day,
            provider,
            network,
            bucket: Bucket::of(delay).to_string(),
        };
        *self.batch.learnt.entry(key).or_default() += 1;
    }

    /// Everything since the last time.
    pub fn take(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }

    /// Takes back what could not be handed in.
    pub fn put_back(&mut self, batch: Batch) {
        for (key, count) in batch.counts {
            *self.batch.counts.entry(key).or_default() += count;
        }
        for (key, count) in batch.learnt {
            *self.batch.learnt.entry(key).or_default() += count;
        }
    }
}

impl Batch {
    /// Takes at most so many of each out, the first in order.
    #[must_use]
    pub fn split(&mut self, most: usize) -> Self {
        Self {
            counts: first(&mut self.counts, most),
            learnt: first(&mut self.learnt, most),
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.learnt.is_empty()
    }
}

fn first<K: Ord + Clone>(counts: &mut BTreeMap<K, u64>, most: usize) -> BTreeMap<K, u64> {
    let Some(end) = counts.keys().nth(most).cloned() else {
        return std::mem::take(counts);
    };
    let rest = counts.split_off(&end);
    std::mem::replace(counts, rest)
}

/// The number of a moment's day since 1970.
pub fn day(at: Timestamp) -> i32 {
    let length = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
    i32::try_from(at.as_millis().div_euclid(length)).unwrap_or(0)
}

/// What a report calls a network, in the form in which it is counted.
fn network_name(network: Option<&str>) -> String {
    let name = network.map(str::trim).filter(|name| !name.is_empty());
    let name = text::cut(name.unwrap_or(NO_NETWORK), MAX_NETWORK_BYTES);
    text::clean(name.to_owned())
}

/// Which networks were met of whom, in the newest of their times: a provider that names a network for each
/// message must not have a row for each.
#[derive(Debug)]
struct Networks<K> {
    newest: i32,
    met: HashMap<K, (i32, BTreeSet<String>)>,
}

impl<K> Default for Networks<K> {
    fn default() -> Self {
        Self {
            newest: i32::MIN,
            met: HashMap::new(),
        }
    }
}

impl<K: std::hash::Hash + Eq + Clone> Networks<K> {
    /// The name a network is counted by.
    fn name(&mut self, of: &K, time: i32, network: &str, most: usize) -> String {
        if time > self.newest {
            // Whoever was not heard of lately is met anew.
            self.met.retain(|_, known| known.0 + 1 >= time);
            self.newest = time;
        }
        let known = self.met.entry(of.clone()).or_default();
        if known.0 < time {
            *known = (time, BTreeSet::new());
        }
        let met = &mut known.1;
        if met.contains(network) || (met.len() < most && met.insert(network.to_owned())) {
            network.to_owned()
        } else {
            OTHER_NETWORK.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(network: &str, at: i64) -> End {
        End {
            account_id: AccountId(uuid::Uuid::from_u128(1)),
            provider: "stub".to_owned(),
            network: Some(network.to_owned()),
            state: State::Delivered,
            by: By::Callback,
            delay: Some(Duration::from_secs(3)),
            received_at: Timestamp::from_millis(at),
        }
    }

    fn count_of(batch: &Batch, name: &str) -> u64 {
        let named = batch.counts.iter().filter(|(key, _)| key.name == name);
        named.map(|(_, count)| *count).sum()
    }

    #[test]
    fn an_end_is_counted_by_who_ended_it_by_network_and_by_how_long_it_took() {
        let mut sheet = Sheet::default();
        sheet.ended(&end("63902", 0));
        sheet.ended(&End {
            state: State::Failed,
            by: By::Poll,
            delay: None,
            network: None,
            ..end("", 0)
        });
        let batch = sheet.take();
        for (name, count) in [
            ("ended_callback", 1),
            ("ended_poll", 1),
            ("ended:63902", 1),
            ("delivered:63902", 1),
            ("ended:unknown", 1),
            ("delivered:unknown", 0),
            ("delay_le_3072", 1),
        ] {
            assert_eq!(count_of(&batch, name), count, "{name}");
        }
        assert_eq!(batch.learnt.len(), 1);
        assert!(sheet.take().is_empty());
    }

    #[test]
    fn more_networks_than_an_account_has_are_one_however_often_it_is_handed_in() {
        let mut sheet = Sheet::default();
        let mut whole = Sheet::default();
        for number in 0..1_000 {
            sheet.ended(&end(&format!("n{number}"), 0));
            whole.put_back(sheet.take());
        }
        let batch = whole.take();
        let names = batch
            .counts
            .keys()
            .filter(|key| key.name.starts_with("ended:"));
        assert_eq!(names.count(), MOST_NETWORKS + 1);
        assert_eq!(count_of(&batch, "ended:other"), 1_000 - 32);
        assert_eq!(batch.learnt.len(), MOST_NETWORKS_OF_PROVIDER + 1);
        // Five minutes later others have their turn.
        sheet.ended(&end("n999", 300_000));
        assert_eq!(count_of(&sheet.take(), "ended:n999"), 1);
    }

    #[test]
    fn while_nothing_can_be_handed_in_counts_of_new_things_are_dropped_and_others_go_on() {
        let mut sheet = Sheet::default();
        let account = AccountId(uuid::Uuid::from_u128(1));
        let at = |slot: usize| Slot(i32::try_from(slot).unwrap()).start();
        for slot in 0..=MOST_WAITING {
            sheet.count(account, at(slot), &Name::Received);
        }
        sheet.count(account, at(0), &Name::Received);
        let batch = sheet.take();
        assert_eq!(batch.counts.len(), MOST_WAITING);
        assert_eq!(batch.counts.values().next(), Some(&2));
    }
}
