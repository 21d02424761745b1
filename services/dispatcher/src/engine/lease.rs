//! The engine's leases.

use super::Engine;
use super::step::{Kind, Step};
use crate::lane::Turn;
use domain::Shard;
use std::collections::HashSet;
use store::shard::Holding;

impl Engine {
    pub(super) fn renew_when_due(&mut self) {
        let is_due = self.tenure.is_due(self.begun.elapsed()) || self.starts_over;
        if (!is_due && self.holds_leases()) || self.busy.contains(&Kind::Lease) {
            return;
        }
        self.tenure.ask(self.begun.elapsed());
        let (store, owner) = (self.context.store.clone(), self.owner.clone());
        let anew = self.starts_over;
        // What is ours and not used is taken anew.
        let held = self.holding.keys().filter(|_| !anew);
        let used = held.copied().collect();
        self.begin(Kind::Lease, async move {
            let holding = store.lease_shards(owner, used).await?;
            failpoint::reach!(DispatcherAfterAdopt if !holding.adopted.is_empty());
            failpoint::reach!(
                DispatcherAfterLeave if holding.again_in.is_some_and(|wait| wait.is_zero())
            );
            Ok(Step::Leased { holding, anew })
        });
    }

    /// Whether the leases hold at this moment: without them nothing is sent.
    pub(super) fn holds_leases(&self) -> bool {
        let now = self.context.clock.now();
        self.tenure.holds(self.begun.elapsed(), now)
    }

    /// Whether what failed may have been committed all the same: then the store may hold for ours
    /// what we do not have, and only who takes a shard anew finds that.
    pub(super) fn start_over_when_unsure(&mut self, kind: Kind, error: &store::Error) {
        let takes = match kind {
            Kind::FanOut | Kind::Claim | Kind::Read(..) | Kind::Recovery => true,
            // Shards that a lease took and did not tell are not used, and taken anew.
            Kind::Lease | Kind::Refresh | Kind::SetAside(_) | Kind::Sends(_) | Kind::Breaker(_) => {
                false
            }
        };
        if takes && matches!(error, store::Error::Uncertain(_)) {
            tracing::warn!(
                ?kind,
                "it is not known what became of a commit; all shards are taken anew"
            );
            self.starts_over = true;
        }
    }

    pub(super) fn on_leased(&mut self, holding: Holding, anew: bool) {
        self.starts_over &= !anew;
        let now_held: HashSet<Shard> = holding.shards.iter().map(|lease| lease.shard).collect();
        let gone = self
            .holding
            .keys()
            .filter(|shard| !now_held.contains(shard));
        let void: Vec<Shard> = gone.chain(&holding.adopted).copied().collect();
        self.drop_shards(&void);
        self.holding = holding
            .shards
            .into_iter()
            .map(|lease| (lease.shard, lease))
            .collect();
        if let Some(until) = holding.until {
            self.tenure.grant(until, holding.again_in);
        }
        self.unstamped.extend(
            holding
                .adopted
                .iter()
                .filter(|shard| now_held.contains(shard)),
        );
        self.look_for_due |= !holding.adopted.is_empty();
        for (shard, subscription, tenant) in holding.backlogs {
            self.note(Turn::Next, shard, subscription, tenant);
        }
        self.pace.restore(&holding.broken);
        for (shard, subscription, tenant) in holding.later {
            self.note(Turn::Late, shard, subscription, tenant);
        }
        self.late.look |= !holding.adopted.is_empty();
        self.context
            .metrics
            .set_shards_owned(u64::try_from(self.holding.len()).unwrap_or(0));
        self.check.ok(format!("{} shards", self.holding.len()));
    }

    /// Forgets what was known of shards that belong to somebody else now, or are held anew.
    pub(super) fn drop_shards(&mut self, shards: &[Shard]) {
        if shards.is_empty() {
            return;
        }
        for shard in shards {
            self.holding.remove(shard);
            self.unstamped.remove(shard);
            self.late.let_go.remove(shard);
        }
        self.pace.drop_shards(shards);
        let kept = &mut self.shares;
        self.lanes.retain(|_, lane| {
            if !shards.contains(&lane.shard) {
                return true;
            }
            let waiting = lane.waiting.drain(..).chain(lane.later.drain(..));
            let bytes = waiting.map(|job| job.event.body.len()).sum();
            kept.let_go(lane.tenant_id, bytes);
            lane.forget_backlog();
            // Attempts under way still end here; their records carry the lost lease and are void.
            lane.in_flight > 0
        });
    }
}
