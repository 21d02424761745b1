//! What comes after everything else: replays, and what is retried or cancelled together with others.

use super::Engine;
use super::step::{Kind, Leases, Step};
use crate::lane::Turn;
use domain::Shard;
use domain::id::{DeliveryId, SubscriptionId};
use std::collections::HashMap;
use store::recovery::Page;
use wire::Hint;

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
                self.note(Turn::Late, shard, subscription, tenant);
            }
        }
        for shard in page.elsewhere {
            self.context.broker.hint(Hint::Deliveries(shard));
        }
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
            if let Some(lane) = self.lanes.get_mut(subscription) {
                let Some(freed) = lane.let_go(*id) else {
                    continue;
                };
                self.shares.let_go(lane.tenant_id, freed);
            }
            self.late.let_go.entry(shard).or_default().push(*id);
            self.forget_when_empty(*subscription);
        }
    }
}
