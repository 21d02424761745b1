//! The round: tenants take turns, and within a tenant its lanes. So a tenant with a thousand lanes
//! has one turn where a tenant with a single one has one.

use domain::id::{SubscriptionId, TenantId};
use std::collections::{HashMap, HashSet, VecDeque};

/// How many queues of lanes that are not in use are kept, so that a tenant that comes and goes costs
/// no memory each time.
const SPARE: usize = 64;

/// How many steps the turn of a tenant has. The plan that there is gives all of them the same.
pub(crate) const WEIGHT: u32 = 1;

/// Lanes that wait for their turn. Every step takes the same time, however many they are.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Tenants of which a lane waits, in the order of their turns.
    turns: VecDeque<TenantId>,
    /// Likewise, of those that have what they may have: their turns come when they are woken.
    parked: HashSet<TenantId>,
    lanes: HashMap<TenantId, Lanes>,
    /// Who has the turn, and how many steps are left of it.
    turn: Option<(TenantId, u32)>,
    spare: Vec<VecDeque<SubscriptionId>>,
}

#[derive(Debug)]
struct Lanes {
    /// In the order of their turns.
    waiting: VecDeque<SubscriptionId>,
    /// How many steps a turn of their tenant has.
    weight: u32,
}

impl Round {
    /// Puts a lane behind the others of its tenant. It must not wait there already.
    pub(crate) fn enter(&mut self, tenant: TenantId, weight: u32, lane: SubscriptionId) {
        if let Some(lanes) = self.lanes.get_mut(&tenant) {
            lanes.waiting.push_back(lane);
            return;
        }
        let mut waiting = self.spare.pop().unwrap_or_default();
        waiting.push_back(lane);
        self.lanes.insert(tenant, Lanes { waiting, weight });
        // Its only lane comes back within its turn.
        if self.turn.is_some_and(|(whose, _)| whose == tenant) {
            self.turns.push_front(tenant);
        } else {
            self.turns.push_back(tenant);
        }
    }

    /// Whose turn it is.
    pub(crate) fn tenant(&self) -> Option<TenantId> {
        self.turns.front().copied()
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Takes the lane whose turn it is.
    pub(crate) fn next(&mut self) -> Option<SubscriptionId> {
        let tenant = self.turns.pop_front()?;
        let lanes = self.lanes.get_mut(&tenant)?;
        let left = match self.turn {
            Some((whose, left)) if whose == tenant => left,
            Some(_) | None => lanes.weight,
        };
        let lane = lanes.waiting.pop_front();
        let is_over = left <= 1;
        self.turn = (!is_over).then_some((tenant, left.saturating_sub(1)));
        if lanes.waiting.is_empty() {
            self.forget(tenant);
        } else if is_over {
            self.turns.push_back(tenant);
        } else {
            self.turns.push_front(tenant);
        }
        lane
    }

    /// Leaves out the tenant whose turn it is, with all of its lanes, until it is woken.
    pub(crate) fn park(&mut self) {
        self.turn = None;
        self.parked.extend(self.turns.pop_front());
    }

    /// A tenant takes turns again, if it was parked.
    pub(crate) fn wake(&mut self, tenant: TenantId) {
        if !self.parked.is_empty() && self.parked.remove(&tenant) {
            self.turns.push_back(tenant);
        }
    }

    /// Likewise, all of them.
    pub(crate) fn wake_all(&mut self) {
        self.turns.extend(self.parked.drain());
    }

    fn forget(&mut self, tenant: TenantId) {
        if let Some(lanes) = self.lanes.remove(&tenant)
            && self.spare.len() < SPARE
        {
            self.spare.push(lanes.waiting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Clock, Random};

    struct Ids(Random);

    impl Ids {
        fn tenant(&self) -> TenantId {
            TenantId::new(Clock::system().now(), &self.0)
        }

        fn lane(&self) -> SubscriptionId {
            SubscriptionId::new(Clock::system().now(), &self.0)
        }
    }

    fn ids() -> Ids {
        Ids(Random::seeded(3))
    }

    /// So many steps of lanes that each have more to do; whose they were.
    fn steps(
        round: &mut Round,
        of: &HashMap<SubscriptionId, (TenantId, u32)>,
        number: usize,
    ) -> Vec<TenantId> {
        let mut step = || {
            let lane = round.next().unwrap();
            let (tenant, weight) = of[&lane];
            round.enter(tenant, weight, lane);
            tenant
        };
        (0..number).map(|_| step()).collect()
    }

    #[test]
    fn a_tenant_with_a_thousand_lanes_has_as_many_turns_as_one_with_a_single_lane() {
        let (ids, mut round) = (ids(), Round::default());
        let (flood, trickle) = (ids.tenant(), ids.tenant());
        let mut of = HashMap::new();
        for number in 0..=1_000 {
            let (tenant, lane) = (if number == 500 { trickle } else { flood }, ids.lane());
            of.insert(lane, (tenant, 1));
            round.enter(tenant, 1, lane);
        }
        for pair in steps(&mut round, &of, 3_000).chunks(2) {
            assert!(pair.contains(&flood) && pair.contains(&trickle));
        }
    }

    #[test]
    fn what_comes_after_a_flood_has_its_turn_after_one_step_of_it() {
        let (ids, mut round) = (ids(), Round::default());
        let (flood, trickle, lane) = (ids.tenant(), ids.tenant(), ids.lane());
        for _ in 0..100_000 {
            round.enter(flood, 1, ids.lane());
        }
        round.next();
        round.enter(trickle, 1, lane);
        let taken = [(); 2].map(|()| round.next());
        assert!(taken.contains(&Some(lane)));
    }

    #[test]
    fn the_lanes_of_a_tenant_take_turns_among_themselves() {
        let (ids, mut round) = (ids(), Round::default());
        let tenant = ids.tenant();
        let lanes = [(); 5].map(|()| ids.lane());
        for lane in lanes {
            round.enter(tenant, 1, lane);
        }
        for _ in 0..3 {
            for lane in lanes {
                assert_eq!(round.next(), Some(lane));
                round.enter(tenant, 1, lane);
            }
        }
    }

    #[test]
    fn a_tenant_of_a_greater_weight_has_more_steps_in_a_turn_also_with_a_single_lane() {
        let (ids, mut round) = (ids(), Round::default());
        let (heavy, light) = (ids.tenant(), ids.tenant());
        for heavy_lanes in [1, 7] {
            let mut of: HashMap<_, _> = [(); 9].map(|()| (ids.lane(), (light, 1))).into();
            of.extend((0..heavy_lanes).map(|_| (ids.lane(), (heavy, 3))));
            for (lane, (tenant, weight)) in &of {
                round.enter(*tenant, *weight, *lane);
            }
            let taken = steps(&mut round, &of, 400);
            let of_heavy = taken.iter().filter(|tenant| **tenant == heavy).count();
            assert!((298..=302).contains(&of_heavy), "{of_heavy}");
            while round.next().is_some() {}
        }
        assert!(round.lanes.is_empty() && round.turns.is_empty());
    }

    #[test]
    fn who_is_parked_is_passed_over_until_it_is_woken() {
        let (ids, mut round) = (ids(), Round::default());
        let (parked, other) = (ids.tenant(), ids.tenant());
        let [first, second, third] = [(); 3].map(|()| ids.lane());
        round.enter(parked, 1, first);
        assert_eq!(round.tenant(), Some(parked));
        round.park();
        round.enter(parked, 1, second);
        assert_eq!(round.next(), None);
        round.enter(other, 1, third);
        assert_eq!(round.next(), Some(third));
        round.wake(other);
        round.wake(parked);
        assert_eq!([round.next(), round.next()], [Some(first), Some(second)]);
        assert_eq!(round.next(), None, "and once");
        round.enter(parked, 1, first);
        round.park();
        round.wake_all();
        assert_eq!(round.next(), Some(first));
    }
}
