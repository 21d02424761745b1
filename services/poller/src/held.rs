//! The leases that this poller has. Whether one holds is told by a clock that only goes forward.

use domain::id::AccountId;
use domain::poll::LEASE;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Default)]
pub(crate) struct Held {
    /// When each was last asked for: the store began to count no earlier.
    asked_at: Mutex<HashMap<AccountId, Instant>>,
}

impl Held {
    pub(crate) fn take(&self, account: AccountId, asked_at: Instant) {
        self.lock().insert(account, asked_at);
    }

    pub(crate) fn leave(&self, account: AccountId) {
        self.lock().remove(&account);
    }

    pub(crate) fn accounts(&self) -> Vec<AccountId> {
        self.lock().keys().copied().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// These were renewed, of those that were to be.
    pub(crate) fn renew(&self, wanted: &[AccountId], renewed: &[AccountId], asked_at: Instant) {
        let renewed: BTreeSet<AccountId> = renewed.iter().copied().collect();
        let mut held = self.lock();
        for account in wanted {
            // One that was left meanwhile stays left; one that was lost is used no more.
            let Some(known) = held.get_mut(account) else {
                continue;
            };
            if renewed.contains(account) {
                *known = asked_at;
            } else {
                tracing::warn!(account.id = %account, "the lease on an account has passed to another poller");
                *known = known.checked_sub(LEASE).unwrap_or(*known);
            }
        }
    }

    /// Whether the lease on an account holds for so long from now on.
    pub(crate) fn holds_for(&self, account: AccountId, time: Duration) -> bool {
        let asked_at = self.lock().get(&account).copied();
        asked_at.is_some_and(|asked| asked.elapsed().saturating_add(time) < LEASE)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Instant>> {
        self.asked_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Random, Timestamp};

    #[test]
    fn a_lease_that_was_not_renewed_is_used_no_more() {
        let (random, now) = (Random::seeded(3), Timestamp::from_millis(1_000));
        let [kept, lost] = [0, 1].map(|_| AccountId::new(now, &random));
        let (held, asked_at) = (Held::default(), Instant::now());
        held.take(kept, asked_at);
        held.take(lost, asked_at);
        assert!(held.holds_for(kept, LEASE / 2) && held.holds_for(lost, LEASE / 2));
        assert!(!held.holds_for(kept, LEASE));
        held.renew(&held.accounts(), &[kept], Instant::now());
        assert!(held.holds_for(kept, LEASE / 2));
        assert!(!held.holds_for(lost, Duration::ZERO));
        held.leave(kept);
        held.renew(&[kept], &[kept], Instant::now());
        assert!(!held.holds_for(kept, Duration::ZERO));
        assert_eq!(held.len(), 1);
    }
}
