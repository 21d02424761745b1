//! When keys were used: kept in memory, and written for all of them together.

use domain::Timestamp;
use domain::id::KeyId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a key's last use is not written again.
const WRITTEN_FOR: Duration = Duration::from_mins(1);
/// How many are written at once.
const PAGE: usize = 500;
/// The most keys remembered.
const MOST_REMEMBERED: usize = 20_000;

/// The uses of keys that are not written yet.
#[derive(Default)]
pub(super) struct Usage(Mutex<Uses>);

#[derive(Default)]
struct Uses {
    last: HashMap<KeyId, Timestamp>,
    written: HashMap<KeyId, Timestamp>,
}

impl Usage {
    /// Notes a use.
    pub(super) fn note(&self, key: KeyId, now: Timestamp) {
        let mut uses = self.lock();
        if uses.last.len() < MOST_REMEMBERED || uses.last.contains_key(&key) {
            uses.last.insert(key, now);
        }
    }

    /// What is to be written now: each key at most once a minute.
    pub(super) fn take(&self, now: Timestamp) -> Vec<(KeyId, Timestamp)> {
        let mut uses = self.lock();
        uses.written
            .retain(|_, at| now.since(*at) < WRITTEN_FOR && *at <= now);
        let Uses { last, written } = &mut *uses;
        let due = last.iter().filter(|(key, _)| !written.contains_key(key));
        let due: Vec<_> = due.map(|(key, at)| (*key, *at)).take(PAGE).collect();
        for (key, _) in &due {
            last.remove(key);
            written.insert(*key, now);
        }
        due
    }

    fn lock(&self) -> MutexGuard<'_, Uses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_often_a_key_is_used_its_use_is_written_once_a_minute() {
        let usage = Usage::default();
        let at = |seconds: i64| Timestamp::from_millis(1_000_000_000 + 1_000 * seconds);
        let key = KeyId::new(at(0), &domain::Random::seeded(7));
        (0..5).for_each(|second| usage.note(key, at(second)));
        assert_eq!(usage.take(at(5)), [(key, at(4))]);
        usage.note(key, at(6));
        assert_eq!(usage.take(at(10)), []);
        usage.note(key, at(50));
        assert_eq!(usage.take(at(65)), [(key, at(50))]);
        assert_eq!(usage.take(at(200)), [], "it was not used since");
    }
}
