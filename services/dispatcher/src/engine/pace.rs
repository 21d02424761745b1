//! Breakers, limits and hosts, as the engine minds them.

use super::Engine;
use super::step::{Kind, Step};
use crate::lane::Lane;
use crate::pace::Limited;
use domain::Shard;
use domain::id::{SubscriptionId, TenantId};
use domain::sends::{Grant, Log, Sends};
use domain::subscription::RateLimit;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::directory::Found;
use store::shard::Fenced;
use store::subscription::Subscription;

/// How many requests a lane may have under way when its tenant has half as many as are left to it; fewer,
/// the more it has: those that hang leave room for those that do not.
const EACH_WHEN_SHORT: usize = 16;

/// How many deliveries are read into a lane at once while the memory of its tenant is low.
const READ_WHEN_LOW: usize = 32;

impl Engine {
    /// How many requests a lane may have under way now.
    pub(super) fn most_of(&self, id: SubscriptionId, settings: &Subscription) -> usize {
        let own = usize::from(settings.settings.max_in_flight);
        let most = self.pace.room(id, own);
        let share = self.shares.requests(settings.interest.tenant_id);
        if !share.is_short() {
            return most;
        }
        let each = EACH_WHEN_SHORT / 2 * share.left / share.own.max(1);
        most.min(each.max(1))
    }

    /// A lane that has as much under way as it may now, and could have more by itself, is looked at again.
    pub(super) fn note_when_cut(&mut self, id: SubscriptionId, settings: &Subscription) {
        let own = self
            .pace
            .room(id, usize::from(settings.settings.max_in_flight));
        if let Some(lane) = self.lanes.get_mut(&id)
            && lane.is_full()
            && lane.max_in_flight < own
            && !lane.is_cut
        {
            lane.is_cut = true;
            self.cut.push(id);
        }
    }

    /// Tenants and lanes that had what the others left them look again.
    pub(super) fn wake_cut(&mut self) {
        self.round.wake_all();
        self.reading.wake_all();
        for id in std::mem::take(&mut self.cut) {
            let Some(settings) = self.lanes.get(&id).and_then(Lane::settings) else {
                continue;
            };
            let most = self.most_of(id, &settings);
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.is_cut = false;
                lane.max_in_flight = most;
            }
            self.enter_round(id);
            self.note_when_cut(id, &settings);
        }
    }

    /// Whether a subscription is left alone now: its breaker is open, its limit is used up, or it
    /// cannot be sent to. What waits for that waits in the store, and takes nobody's memory.
    pub(super) fn is_left_alone(&self, id: SubscriptionId, settings: &Arc<Subscription>) -> bool {
        let now = self.context.clock.now();
        let limit = settings.settings.rate_limit;
        self.pace.is_shut(id, &self.rules.breaker, now)
            || limit.is_some_and(|limit| self.pace.is_used_up(id, limit))
            || self.pace.is_unusable(id, settings, now)
    }

    /// How many more it may take into memory than wait there: what a probe needs, or what its limit
    /// lets begin; none where that is not what holds it.
    fn need(&self, id: SubscriptionId) -> Option<usize> {
        let lane = self.lanes.get(&id);
        let waiting = lane.map_or(0, Lane::waiting);
        if self.pace.is_probed(id) {
            let in_flight = lane.map_or(0, |lane| lane.in_flight);
            return Some(1_usize.saturating_sub(waiting + in_flight));
        }
        let granted = self.pace.granted_room(id)?;
        Some(granted.saturating_sub(waiting))
    }

    /// Whether nothing more is to be read into its lane.
    pub(super) fn has_enough(&self, id: SubscriptionId, settings: &Subscription) -> bool {
        let is_full = self.lanes.get(&id).is_some_and(Lane::is_full);
        let is_held = self.pace.is_probed(id) || settings.settings.rate_limit.is_some();
        let memory = self.shares.memory(settings.interest.tenant_id);
        (is_full && memory.is_low()) || (is_held && self.need(id) == Some(0))
    }

    /// How many to read into a lane that has room for so many.
    pub(super) fn reading_limit(&self, id: SubscriptionId, tenant: TenantId, room: usize) -> usize {
        let room = if self.shares.memory(tenant).is_low() {
            room.min(READ_WHEN_LOW)
        } else {
            room
        };
        self.need(id).map_or(room, |need| room.min(need.max(1)))
    }

    /// Puts back into the store what waits in lanes that have as much under way as they may, of tenants
    /// that have used most of their memory: endpoints that hang would keep it from the others.
    pub(super) fn make_room(&mut self) {
        let is_short = |lane: &Lane| self.shares.memory(lane.tenant_id).is_short();
        let waits = |lane: &Lane| lane.is_full() && lane.has_waiting() && is_short(lane);
        let full = self.lanes.iter().filter(|(_, lane)| waits(lane));
        let full: Vec<SubscriptionId> = full.map(|(id, _)| *id).collect();
        for id in full {
            self.set_aside(id);
        }
    }

    /// How many more are taken into memory for those that are slowed.
    pub(super) fn room_of_slowed(&self) -> HashMap<SubscriptionId, usize> {
        let now = self.context.clock.now();
        let room = |id: SubscriptionId| {
            if self.pace.is_shut(id, &self.rules.breaker, now) {
                return 0;
            }
            self.need(id).unwrap_or(usize::MAX)
        };
        self.pace.slowed().map(|id| (id, room(id))).collect()
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
        let Some(limited) = self.pace.limited.get_mut(&id) else {
            self.find_sends(id, lease, limit);
            return false;
        };
        limited.limit = limit;
        let may_begin = limited.sends.begin(limit, now);
        limited.look(now);
        if may_begin {
            return true;
        }
        if self.busy.contains(&Kind::Sends(id)) {
            return false;
        }
        // As many as there are, and no more than can be under way in that time.
        let wanted = self.lanes.get(&id).map_or(0, Lane::wanted);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let limited = self.pace.limited.get_mut(&id);
        let grant = limited.and_then(|known| known.sends.grant(limit, wanted, timeout, now));
        if let Some(grant) = grant {
            self.keep_sends(id, lease, grant);
        }
        false
    }

    fn find_sends(&mut self, id: SubscriptionId, lease: Fenced, limit: RateLimit) {
        let store = self.context.store.clone();
        self.begin(Kind::Sends(id), async move {
            let found = store.find_sends(lease, id).await?;
            let found = found.map(|log| (log, limit));
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

    pub(super) fn on_sends_found(
        &mut self,
        id: SubscriptionId,
        found: Option<(Log, RateLimit)>,
        lease: Fenced,
    ) {
        if let Some((log, limit)) = found
            && self.holding.get(&lease.shard) == Some(&lease)
        {
            let now = self.context.clock.now();
            let limited = Limited::new(Sends::after(log), limit, now);
            self.pace.limited.insert(id, limited);
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
            && let Some(limited) = self.pace.limited.get_mut(&id)
        {
            limited.sends.receive(grant);
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
        let now = self.context.clock.now();
        let (lanes, directory) = (&self.lanes, &self.directory);
        let looked = self.pace.limited.iter_mut().map(|(id, limited)| {
            // Its own limit, or that of its tenant's plan, may be another one by now: nothing is read for
            // as long as the old one is used up.
            let tenant = lanes.get(id).map(|lane| lane.tenant_id);
            if let Some(Found::Subscription(found)) = tenant.map(|it| directory.find(it, *id))
                && let Some(limit) = found.settings.rate_limit
            {
                limited.limit = limit;
            }
            limited.look(now);
            *id
        });
        let ids: Vec<SubscriptionId> = looked.collect();
        for id in ids {
            self.enter_round(id);
        }
    }
}
