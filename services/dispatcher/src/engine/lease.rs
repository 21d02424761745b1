//! The engine's leases.

use super::Engine;
use super::step::{Kind, Step};
use domain::Shard;
use domain::shard::{LEASE, RENEW_EVERY};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use store::shard::Holding;

/// Added to the time at which a lease runs out, so that it has run out when it is looked at.
const A_MOMENT: Duration = Duration::from_millis(20);

impl Engine {
    pub(super) fn renew_when_due(&mut self) {
        let is_due = self
            .last_renewal
            .is_none_or(|last| last.elapsed() >= self.renew_after);
        if (!is_due && self.holds_leases()) || self.busy.contains(&Kind::Lease) {
            return;
        }
        self.last_renewal = Some(Instant::now());
        let (store, owner) = (self.context.store.clone(), self.owner.clone());
        self.begin(Kind::Lease, async move {
            store.lease_shards(owner).await.map(Step::Leased)
        });
    }

    /// Whether the leases hold at this moment: without them nothing is sent. A clock that is set back
    /// makes none longer.
    pub(super) fn holds_leases(&self) -> bool {
        let is_fresh = |renewed: Instant| renewed.elapsed() < LEASE;
        self.held_since.is_some_and(is_fresh)
            && self
                .held_until
                .is_some_and(|until| self.context.clock.now() < until)
    }

    pub(super) fn on_leased(&mut self, holding: Holding) {
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
        self.held_until = holding.until;
        // The store began to count no earlier than it was asked.
        self.held_since = self.last_renewal;
        // Whoever has missed several renewals is gone: its shards are taken as soon as they are free.
        let next_free = holding.next_free_in.map(|wait| wait + A_MOMENT);
        self.renew_after = next_free.unwrap_or(RENEW_EVERY).min(RENEW_EVERY);
        self.unstamped.extend(
            holding
                .adopted
                .iter()
                .filter(|shard| now_held.contains(shard)),
        );
        self.look_for_due |= !holding.adopted.is_empty();
        for (shard, subscription, tenant) in holding.backlogs {
            self.note_backlog(shard, subscription, tenant);
        }
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
        }
        let waiting_bytes = &mut self.waiting_bytes;
        self.lanes.retain(|_, lane| {
            if !shards.contains(&lane.shard) {
                return true;
            }
            *waiting_bytes -= lane
                .waiting
                .drain(..)
                .map(|job| job.event.body.len())
                .sum::<usize>();
            lane.has_backlog = false;
            // Attempts under way still end here; their records carry the lost lease and are void.
            lane.in_flight > 0
        });
    }
}
