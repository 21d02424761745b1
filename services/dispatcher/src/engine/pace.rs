//! Breakers, limits and hosts, as the engine minds them.

use super::step::{Kind, Step};
use super::{Engine, MAX_IN_FLIGHT};
use crate::lane::Lane;
use domain::Shard;
use domain::id::SubscriptionId;
use domain::sends::{Grant, Log, Sends};
use domain::subscription::RateLimit;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::shard::Fenced;
use store::subscription::Subscription;

/// Beyond half of all requests that may be under way, each so many that are left are worth one request
/// of a lane: those that hang leave room for those that do not.
const SHARES: usize = MAX_IN_FLIGHT / 2 / 16;

impl Engine {
    /// How many requests a lane may have under way now.
    pub(super) fn most_of(&self, id: SubscriptionId, settings: &Subscription) -> usize {
        let own = usize::from(settings.settings.max_in_flight);
        let most = self.pace.room(id, own);
        if self.in_flight <= MAX_IN_FLIGHT / 2 {
            return most;
        }
        let left = MAX_IN_FLIGHT.saturating_sub(self.in_flight);
        most.min((left / SHARES).max(1))
    }

    /// Whether a subscription is left alone now: its breaker is open, or it cannot be sent to.
    pub(super) fn is_left_alone(&self, id: SubscriptionId, settings: &Arc<Subscription>) -> bool {
        let now = self.context.clock.now();
        self.pace.is_shut(id, &self.rules.breaker, now) || self.pace.is_unusable(id, settings, now)
    }

    /// Whether it has what a probe needs, and nothing more is to be read.
    pub(super) fn has_its_probe(&self, id: SubscriptionId) -> bool {
        let has_any = |lane: &Lane| lane.has_waiting() || lane.in_flight > 0;
        self.pace.is_probed(id) && self.lanes.get(&id).is_some_and(has_any)
    }

    /// How many to read into a lane that has room for so many: one, where one is to show whether it
    /// works again.
    pub(super) fn reading_limit(&self, id: SubscriptionId, room: usize) -> usize {
        if self.pace.is_probed(id) {
            room.min(1)
        } else {
            room
        }
    }

    /// How many more are taken into memory for those whose breakers are not closed.
    pub(super) fn room_of_broken(&self) -> HashMap<SubscriptionId, usize> {
        let now = self.context.clock.now();
        let room = |id: SubscriptionId| {
            let is_shut = self.pace.is_shut(id, &self.rules.breaker, now);
            usize::from(!is_shut && !self.has_its_probe(id))
        };
        self.pace.broken().map(|id| (id, room(id))).collect()
    }

    /// Whether an attempt of a limited subscription may begin. If not, it is found out or asked for,
    /// or waits until the window has room.
    pub(super) fn is_granted(
        &mut self,
        id: SubscriptionId,
        limit: RateLimit,
        timeout: Duration,
    ) -> bool {
        let now = self.context.clock.now();
        let Some(lease) = self.holding.get(&Shard::of_subscription(id)).copied() else {
            return false;
        };
        let Some(sends) = self.pace.sends.get_mut(&id) else {
            self.find_sends(id, lease);
            return false;
        };
        if sends.begin(limit, now) {
            return true;
        }
        if self.busy.contains(&Kind::Sends(id)) {
            return false;
        }
        // As many as there are, and no more than can be under way in that time.
        let wanted = self.lanes.get(&id).map_or(0, Lane::wanted);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        if let Some(grant) = sends.grant(limit, wanted, timeout, now) {
            self.keep_sends(id, lease, grant);
        }
        false
    }

    fn find_sends(&mut self, id: SubscriptionId, lease: Fenced) {
        let store = self.context.store.clone();
        self.begin(Kind::Sends(id), async move {
            let found = store.find_sends(lease, id).await?;
            Ok(Step::SendsFound { id, found, lease })
        });
    }

    fn keep_sends(&mut self, id: SubscriptionId, lease: Fenced, grant: Grant) {
        let store = self.context.store.clone();
        self.begin(Kind::Sends(id), async move {
            let holds = store.keep_sends(lease, id, grant.log.clone()).await?;
            failpoint::reach!(DispatcherAfterGrant if holds);
            let grant = holds.then_some(grant);
            Ok(Step::SendsKept { id, grant, lease })
        });
    }

    pub(super) fn on_sends_found(&mut self, id: SubscriptionId, found: Option<Log>, lease: Fenced) {
        if let Some(log) = found
            && self.holding.get(&lease.shard) == Some(&lease)
        {
            self.pace.sends.insert(id, Sends::after(log));
        }
        self.enter_round(id);
    }

    pub(super) fn on_sends_kept(
        &mut self,
        id: SubscriptionId,
        grant: Option<Grant>,
        lease: Fenced,
    ) {
        if let Some(grant) = grant
            && self.holding.get(&lease.shard) == Some(&lease)
            && let Some(sends) = self.pace.sends.get_mut(&id)
        {
            sends.receive(grant);
        }
        self.enter_round(id);
    }

    /// Has breakers kept that changed.
    pub(super) fn keep_breakers(&mut self) {
        let is_free = |id: &SubscriptionId| !self.busy.contains(&Kind::Breaker(*id));
        let changed: Vec<SubscriptionId> =
            self.pace.unsaved.iter().copied().filter(is_free).collect();
        for id in changed {
            self.pace.unsaved.remove(&id);
            let lease = self.holding.get(&Shard::of_subscription(id)).copied();
            let (Some(lease), Some(standing)) = (lease, self.pace.standing(id)) else {
                continue;
            };
            let store = self.context.store.clone();
            self.begin(Kind::Breaker(id), async move {
                store.keep_breaker(lease, standing).await?;
                Ok(Step::BreakerKept(id))
            });
        }
    }

    /// Whoever has waited longest for a host, and still would begin an attempt, may.
    pub(super) fn wake_next_at(&mut self, host: &Arc<str>) {
        while let Some(id) = self.pace.next_at(host) {
            self.enter_round(id);
            if self.lanes.get(&id).is_some_and(|lane| lane.is_in_round) {
                return;
            }
        }
    }

    /// Lanes that wait for a window or a host to have room look again.
    pub(super) fn wake_waiting(&mut self) {
        for (host, room) in self.pace.waited_for(self.rules.max_per_host) {
            for _ in 0..room {
                self.wake_next_at(&host);
            }
        }
        let ids: Vec<SubscriptionId> = self.pace.sends.keys().copied().collect();
        for id in ids {
            self.enter_round(id);
        }
    }
}
