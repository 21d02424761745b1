//! How many requests a tenant may have us make to endpoints at once and in a while: tests and checks are a
//! way to make us send. Each process counts by itself.

use domain::Timestamp;
use domain::id::TenantId;
use domain::limit::{Admission, Rate};
use runtime::http::{Code, Problem};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many of one tenant in a minute, all of them at once if it has to be.
const RATE: Rate = Rate::new(30, Duration::from_mins(1));
/// How many of one tenant are under way at once.
const MOST_OF_TENANT: usize = 4;
/// How many are under way at once over all tenants: each may take half a minute.
const MOST: usize = 64;
/// When somebody else may have ended.
const RETRY_SECONDS: u64 = 2;

/// What tenants have under way, and have had.
#[derive(Clone, Default)]
pub(crate) struct Allowance(Arc<Mutex<Used>>);

#[derive(Default)]
struct Used {
    under_way: usize,
    by_tenant: HashMap<TenantId, Share>,
}

#[derive(Default)]
struct Share {
    under_way: usize,
    /// What the rate says to remember.
    remembered: Option<Timestamp>,
}

/// The right to make one request, for as long as it lives.
pub(crate) struct Turn {
    allowance: Allowance,
    tenant: TenantId,
}

impl Allowance {
    /// Takes a turn, or says why there is none now.
    pub(crate) fn enter(&self, tenant: TenantId, now: Timestamp) -> Result<Turn, Problem> {
        let mut used = self.lock();
        if used.under_way >= MOST {
            let detail = "too many tests and checks are under way: try again in a moment";
            return Err(Problem::new(Code::Unavailable, detail).retry_after(RETRY_SECONDS));
        }
        used.by_tenant.retain(|_, share| !share.is_idle(now));
        let share = used.by_tenant.entry(tenant).or_default();
        if share.under_way >= MOST_OF_TENANT {
            let detail = format!("at most {MOST_OF_TENANT} tests and checks at a time");
            return Err(Problem::new(Code::RateLimited, detail).retry_after(RETRY_SECONDS));
        }
        match RATE.admit(share.remembered, now) {
            Admission::Refused(wait) => {
                let detail = "at most 30 tests and checks in a minute";
                let seconds = wait.as_millis().div_ceil(1_000);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX).max(1);
                return Err(Problem::new(Code::RateLimited, detail).retry_after(seconds));
            }
            Admission::Allowed(next) => share.remembered = Some(next),
        }
        share.under_way += 1;
        used.under_way += 1;
        Ok(Turn {
            allowance: self.clone(),
            tenant,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    fn is_idle(&self, now: Timestamp) -> bool {
        let is_forgotten = |at| Rate::is_idle(at, now);
        self.under_way == 0 && self.remembered.is_none_or(is_forgotten)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut used = self.allowance.lock();
        used.under_way = used.under_way.saturating_sub(1);
        if let Some(share) = used.by_tenant.get_mut(&self.tenant) {
            share.under_way = share.under_way.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Random;

    fn tenant(random: &Random) -> TenantId {
        TenantId::new(Timestamp::from_millis(0), random)
    }

    #[test]
    fn a_tenant_has_four_at_a_time_and_thirty_in_a_minute_and_costs_others_nothing() {
        let (allowance, random) = (Allowance::default(), Random::seeded(1));
        let (one, other) = (tenant(&random), tenant(&random));
        let at = Timestamp::from_millis;
        let mut turns: Vec<Turn> = (0..4)
            .map(|_| allowance.enter(one, at(0)).unwrap())
            .collect();
        let refused = allowance.enter(one, at(0)).err().unwrap();
        assert_eq!(refused.code(), Code::RateLimited);
        allowance.enter(other, at(0)).unwrap();
        turns.clear();
        for _ in 4..30 {
            allowance.enter(one, at(0)).unwrap();
        }
        assert!(allowance.enter(one, at(0)).is_err());
        allowance.enter(other, at(0)).unwrap();
        allowance.enter(one, at(2_000)).unwrap();
        // Who has nothing under way, and may have everything again, is forgotten.
        allowance.enter(other, at(120_000)).unwrap();
        assert_eq!(allowance.lock().by_tenant.len(), 1);
    }

    #[test]
    fn there_is_an_end_over_all_tenants_too() {
        let (allowance, random) = (Allowance::default(), Random::seeded(2));
        let now = Timestamp::from_millis(0);
        let turns: Vec<Turn> = (0..MOST)
            .map(|_| allowance.enter(tenant(&random), now).unwrap())
            .collect();
        let refused = allowance.enter(tenant(&random), now).err().unwrap();
        assert_eq!(refused.code(), Code::Unavailable);
        drop(turns);
        allowance.enter(tenant(&random), now).unwrap();
    }
}
