//! What comes after everything else: replays, and what is retried or cancelled together with others.

use super::step::{Kind, Leases, Step};
use super::{Engine, Turn};
use crate::lane::{Lane, MAX_LATER};
use domain::Shard;
use domain::id::{DeliveryId, SubscriptionId, TenantId};
use std::collections::HashMap;
use store::delivery::Claimed;
use store::recovery::Page;
use store::shard::Fenced;
use wire::Hint;

/// How many lanes read at once what waits for a late turn.
const LOADING: usize = 4;
/// Beyond so many requests under way over all subscriptions, nothing is read that can wait.
const MAX_IN_FLIGHT: usize = super::MAX_IN_FLIGHT / 2;

/// What the engine knows of it.
#[derive(Debug, Default)]
pub(super) struct Late {
    /// Whether sweeps and replays may have something to do.
    pub look: bool,
    /// Whether they had, when they were last looked at: a page is made with each tick then.
    pub goes_on: bool,
    /// What was cancelled and is in no lane any more, until the store was told so.
    pub let_go: HashMap<Shard, Vec<DeliveryId>>,
}

impl Engine {
    /// Makes a page of what was asked for many at once. At most one with each tick, so that those who
    /// wait for the store for anything else hardly notice.
    pub(super) fn recover_when_asked(&mut self) {
        let is_busy = self.busy.contains(&Kind::Recovery);
        if !self.late.look || self.holding.is_empty() || is_busy {
            return;
        }
        self.late.look = false;
        let (store, directory) = (self.context.store.clone(), self.directory.clone());
        let mine = self.holding.values().copied().collect();
        let since = self.context.clock.now().minus(self.rules.replayable);
        self.begin(Kind::Recovery, async move {
            let page = store.recover(mine, since, &directory).await?;
            failpoint::reach!(DispatcherAfterRecovery if !page.later.is_empty());
            Ok(Step::Recovered(page))
        });
    }

    pub(super) fn on_recovered(&mut self, page: Page) {
        self.late.goes_on = page.more;
        for (subscription, tenant) in page.later {
            let shard = Shard::of_subscription(subscription);
            if self.holding.contains_key(&shard) {
                self.note_later(shard, subscription, tenant);
            }
        }
        for shard in page.elsewhere {
            self.context.broker.hint(Hint::Deliveries(shard));
        }
    }

    pub(super) fn note_later(
        &mut self,
        shard: Shard,
        subscription: SubscriptionId,
        tenant: TenantId,
    ) {
        let lane = self
            .lanes
            .entry(subscription)
            .or_insert_with(|| Lane::new(shard, tenant));
        lane.note_later();
    }

    /// Reads what waits for a late turn, for lanes that have nothing else to do.
    pub(super) fn load_later(&mut self) {
        let is_full = self.waiting_bytes > super::MAX_WAITING_BYTES / 2;
        if is_full || self.in_flight > MAX_IN_FLIGHT {
            return;
        }
        let reading = |lane: &&Lane| lane.is_loading_later();
        let loading = self.lanes.values().filter(reading).count();
        let wanting: Vec<(SubscriptionId, Fenced)> = self
            .lanes
            .iter()
            .filter(|(id, lane)| lane.wants_later() && !self.is_held(**id, lane.tenant_id))
            .filter(|(id, _)| !self.busy.contains(&Kind::Later(**id)))
            .filter(|(id, _)| !self.busy.contains(&Kind::SetAside(**id)))
            .filter_map(|(id, lane)| Some((*id, *self.holding.get(&lane.shard)?)))
            .take(LOADING.saturating_sub(loading))
            .collect();
        for (id, lease) in wanting {
            let Some(lane) = self.lanes.get_mut(&id) else {
                continue;
            };
            lane.begin_loading_later();
            let room = MAX_LATER - lane.later.len();
            let limit = self.reading_limit(id, room);
            let (store, directory) = (self.context.store.clone(), self.directory.clone());
            self.begin(Kind::Later(id), async move {
                let claimed = store.claim_later(lease, id, limit, &directory).await?;
                failpoint::reach!(DispatcherAfterLater if !claimed.owed.is_empty());
                Ok(Step::Later {
                    id,
                    claimed,
                    under: HashMap::from([(lease.shard, lease)]),
                })
            });
        }
    }

    pub(super) fn on_later(&mut self, id: SubscriptionId, claimed: Claimed, under: &Leases) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.end_loading_later(claimed.more);
        }
        self.take_in(claimed.owed, under, Turn::Late);
        self.forget_when_empty(id);
    }

    /// Whether it was cancelled while it was on its way into a lane.
    pub(super) fn is_let_go(&self, shard: Shard, id: DeliveryId) -> bool {
        let of_shard = self.late.let_go.get(&shard);
        of_shard.is_some_and(|ids| ids.contains(&id))
    }

    /// Takes what was cancelled out of the lanes. What is under way ends as it ends; what is in no lane
    /// is told to the store with the next claim, so that it may be taken into memory again.
    pub(super) fn recall(
        &mut self,
        recalled: &[(DeliveryId, SubscriptionId)],
        under: &Leases,
        told: &HashMap<Shard, Vec<DeliveryId>>,
    ) {
        for (shard, ids) in told {
            if under.get(shard) == self.holding.get(shard)
                && let Some(waiting) = self.late.let_go.get_mut(shard)
            {
                waiting.retain(|id| !ids.contains(id));
            }
        }
        self.late.let_go.retain(|_, ids| !ids.is_empty());
        for (id, subscription) in recalled {
            let shard = Shard::of_subscription(*subscription);
            let is_held = self.holding.get(&shard);
            if is_held.is_none() || under.get(&shard) != is_held {
                continue;
            }
            let freed = match self.lanes.get_mut(subscription) {
                Some(lane) => lane.let_go(*id),
                None => Some(0),
            };
            if let Some(freed) = freed {
                self.waiting_bytes -= freed;
                self.late.let_go.entry(shard).or_default().push(*id);
                self.forget_when_empty(*subscription);
            }
        }
    }
}
