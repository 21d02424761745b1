//! What is known of keys until a moment each, in bounded space.

use crate::clock::Timestamp;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// How often one that is full is looked through for what is over, at the most. As often as it is asked to take
/// something, whoever fills it would have us walk through all of it for each request.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Keys, what is known of each, and until when.
#[derive(Debug)]
pub struct Remembered<K, V = ()> {
    most: usize,
    entries: HashMap<K, (V, Timestamp)>,
    swept_at: Option<Timestamp>,
}

impl<K: Eq + Hash, V> Remembered<K, V> {
    /// With room for so many keys.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            entries: HashMap::new(),
            swept_at: None,
        }
    }

    /// What is known of a key now.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Timestamp) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (value, until) = self.entries.get(key)?;
        (*until > now).then_some(value)
    }

    /// Until when something is known of a key, be that over or not.
    pub fn until<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Timestamp>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).map(|(_, until)| *until)
    }

    /// Notes what is known of a key until then, instead of what was. Where there is no room, and nothing is
    /// over that leaves some, a new key is not taken.
    pub fn note(&mut self, key: K, value: V, until: Timestamp, now: Timestamp) {
        if self.entries.len() >= self.most && !self.entries.contains_key(&key) {
            self.sweep(now);
            if self.entries.len() >= self.most {
                return;
            }
        }
        self.entries.insert(key, (value, until));
    }

    /// Forgets the keys that do not stay.
    pub fn retain(&mut self, mut stays: impl FnMut(&K) -> bool) {
        self.entries.retain(|key, _| stays(key));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    fn sweep(&mut self, now: Timestamp) {
        // A clock that was set back says nothing of when.
        let is_due = |at: Timestamp| at > now || now.since(at) >= SWEEP_EVERY;
        if self.swept_at.is_none_or(is_due) {
            self.entries.retain(|_, (_, until)| *until > now);
            self.swept_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn later(milliseconds: u64) -> Timestamp {
        NOW.plus(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_key_is_known_until_its_time_is_over() {
        let mut remembered = Remembered::new(2);
        remembered.note("a", 1, later(10), NOW);
        assert_eq!(remembered.get("a", later(9)), Some(&1));
        assert_eq!(remembered.get("a", later(10)), None);
        assert_eq!(remembered.until("a"), Some(later(10)));
        remembered.note("a", 2, later(20), later(10));
        assert_eq!(remembered.get("a", later(10)), Some(&2));
        remembered.retain(|key| *key != "a");
        assert_eq!(remembered.until("a"), None);
    }

    #[test]
    fn what_is_full_takes_a_new_key_once_another_is_over_and_is_looked_through_once_a_second() {
        let mut remembered = Remembered::new(2);
        remembered.note("long", (), later(60_000), NOW);
        remembered.note("short", (), later(500), NOW);
        remembered.note("new", (), later(60_000), NOW);
        assert_eq!(remembered.get("new", NOW), None);
        // One is over, and nobody has looked since.
        remembered.note("new", (), later(60_000), later(600));
        assert_eq!(remembered.get("new", later(600)), None);
        remembered.note("new", (), later(60_000), later(1_000));
        assert!(remembered.get("new", later(1_000)).is_some());
        assert!(remembered.get("long", later(1_000)).is_some());
        // What is known already is noted however full it is.
        remembered.note("long", (), later(90_000), later(1_001));
        assert_eq!(remembered.until("long"), Some(later(90_000)));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_keep_it_full() {
        let mut remembered = Remembered::new(1);
        remembered.note("a", (), later(10_000), later(9_000));
        remembered.note("b", (), later(10_000), later(9_000));
        remembered.note("a", (), NOW, NOW);
        remembered.note("b", (), later(1), NOW);
        assert!(remembered.get("b", NOW).is_some());
    }
}
