//! Shards: the 64 parts of the work.

use crate::clock::Timestamp;
use crate::id::{SubscriptionId, TenantId};
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Duration;

/// How many shards there are. Changing it moves every tenant and subscription: never.
pub const COUNT: u8 = 64;

/// One of 64 parts of the work, leased to one dispatcher at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard(u8);

impl Shard {
    /// The shard with this number, if there is one.
    pub const fn new(number: u8) -> Option<Self> {
        if number < COUNT {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The shard of a tenant's events: its owner stamps them and fans them out.
    pub fn of_tenant(tenant: TenantId) -> Self {
        Self::of(tenant.as_bytes())
    }

    /// The shard of a subscription's deliveries: its owner attempts them.
    pub fn of_subscription(subscription: SubscriptionId) -> Self {
        Self::of(subscription.as_bytes())
    }

    /// Every shard.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COUNT).map(Self)
    }

    /// Its number, below [`COUNT`].
    pub const fn number(self) -> u8 {
        self.0
    }

    fn of(id: &[u8; 16]) -> Self {
        Self(Sha256::digest(id)[0] % COUNT)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How long a lease holds without being renewed.
pub const LEASE: Duration = Duration::from_secs(8);
/// How often a dispatcher renews its leases.
pub const RENEW_EVERY: Duration = Duration::from_secs(2);

/// Who has a shard, as the store says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which shard.
    pub shard: Shard,
    /// Who had it last.
    pub owner: Option<String>,
    /// Until when, unless it is renewed.
    pub until: Timestamp,
}

/// What a dispatcher does with the shards at a renewal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Its own, to renew.
    pub keep: Vec<Shard>,
    /// Free ones, to take: their fence moves, so that whatever the former owner still writes is void.
    pub take: Vec<Shard>,
    /// Its own beyond its share: it stops using them now, and gives them up at the next renewal.
    pub leave: Vec<Shard>,
    /// Its own that it does not use, to give up.
    pub give: Vec<Shard>,
}

/// Whether what was promised for [`LEASE`] until this moment still holds. A moment that is further
/// away was written before the clock was set back: nobody may rely on it.
pub fn is_running(until: Timestamp, now: Timestamp) -> bool {
    until > now && until <= now.plus(LEASE)
}

/// Decides a renewal: every live dispatcher gets an equal share. A lease that ran out is lost, also
/// to the one who had it: it may take the shard anew.
///
/// `used` are the shards that `me` knows to be its own. It is not told of a plan whose answer gets
/// lost, so nothing that it may still use is ever given up: it is left, told, and given up once it is
/// known not to be used.
pub fn plan(
    me: &str,
    used: &[Shard],
    leases: &[Lease],
    live_dispatchers: usize,
    now: Timestamp,
) -> Plan {
    let share = usize::from(COUNT).div_ceil(live_dispatchers.max(1));
    let mut plan = Plan::default();
    let mut free = Vec::new();
    for lease in leases {
        let is_held = lease.owner.is_some() && is_running(lease.until, now);
        let is_mine = lease.owner.as_deref() == Some(me);
        let is_used = used.contains(&lease.shard);
        match (is_held, is_mine, is_used) {
            (true, true, true) if plan.keep.len() < share => plan.keep.push(lease.shard),
            (true, true, true) => plan.leave.push(lease.shard),
            (true, true, false) => plan.give.push(lease.shard),
            (true, false, _) => {}
            (false, ..) => free.push(lease.shard),
        }
    }
    let missing = share - plan.keep.len();
    let own = plan.give.len().min(missing);
    plan.take = plan.give.drain(..own).chain(free).take(missing).collect();
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Random, Timestamp};

    #[test]
    fn ids_spread_over_all_shards() {
        let random = Random::seeded(1);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..2_000 {
            seen.insert(Shard::of_tenant(TenantId::new(
                Timestamp::from_millis(0),
                &random,
            )));
        }
        assert_eq!(seen.len(), usize::from(COUNT));
    }

    fn leases(owners: &[(u8, Option<&str>, i64)]) -> Vec<Lease> {
        let mut all: Vec<_> = Shard::all()
            .map(|shard| Lease {
                shard,
                owner: None,
                until: Timestamp::from_millis(0),
            })
            .collect();
        for (shard, owner, until) in owners {
            let lease = &mut all[usize::from(*shard)];
            lease.owner = owner.map(str::to_owned);
            lease.until = Timestamp::from_millis(*until);
        }
        all
    }

    const NOW: Timestamp = Timestamp::from_millis(100);

    #[test]
    fn the_only_dispatcher_takes_everything() {
        let plan = plan("a", &[], &leases(&[]), 1, NOW);
        assert_eq!(
            (plan.keep.len(), plan.take.len(), plan.give.len()),
            (0, 64, 0)
        );
    }

    fn shards(numbers: std::ops::Range<u8>) -> Vec<Shard> {
        numbers.map(Shard).collect()
    }

    #[test]
    fn a_second_dispatcher_gets_half_once_the_first_uses_it_no_more() {
        let all: Vec<_> = (0..64).map(|shard| (shard, Some("a"), 200)).collect();
        let first = plan("a", &shards(0..64), &leases(&all), 2, NOW);
        assert_eq!(first.keep, shards(0..32));
        assert_eq!((first.leave, first.give), (shards(32..64), Vec::new()));
        // Its answer got lost: it may still use all of them, and gives up none.
        let again = plan("a", &shards(0..64), &leases(&all), 2, NOW);
        assert_eq!((again.leave, again.give), (shards(32..64), Vec::new()));
        let known = plan("a", &shards(0..32), &leases(&all), 2, NOW);
        assert_eq!((known.leave, known.give), (Vec::new(), shards(32..64)));
        let half: Vec<_> = (0..32).map(|shard| (shard, Some("a"), 200)).collect();
        let second = plan("b", &[], &leases(&half), 2, NOW);
        assert_eq!(second.take, shards(32..64));
        assert!(second.keep.is_empty() && second.give.is_empty());
    }

    #[test]
    fn shards_it_does_not_know_to_be_its_own_are_taken_anew() {
        let some: Vec<_> = (0..64).map(|shard| (shard, Some("a"), 200)).collect();
        let plan = plan("a", &[], &leases(&some), 1, NOW);
        assert_eq!(plan.take, shards(0..64));
        assert!(plan.keep.is_empty() && plan.give.is_empty());
    }

    #[test]
    fn a_lease_from_before_the_clock_was_set_back_binds_nobody() {
        let far = 100 + 2 * 60 * 60 * 1_000;
        let all: Vec<_> = (0..64).map(|shard| (shard, Some("b"), far)).collect();
        let plan = plan("a", &[], &leases(&all), 1, NOW);
        assert_eq!(plan.take.len(), 64);
    }

    #[test]
    fn a_lease_that_ran_out_is_taken_anew_even_by_the_one_who_had_it() {
        let plan = plan(
            "a",
            &[Shard(3), Shard(4)],
            &leases(&[(3, Some("a"), 100), (4, Some("a"), 101)]),
            1,
            NOW,
        );
        assert_eq!(plan.keep, [Shard(4)]);
        assert!(plan.take.contains(&Shard(3)));
    }

    #[test]
    fn a_shard_never_moves() {
        assert_eq!(Shard::of_tenant(TenantId::PLATFORM).number(), 60);
    }
}
