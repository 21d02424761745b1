//! Steps: what the engine has under way with the store, and what it does with what comes back.

use super::Engine;
use crate::lane::{Lane, MAX_WAITING, Turn};
use crate::share::MAX_WAITING_BYTES;
use domain::Shard;
use domain::id::{DeliveryId, SubscriptionId};
use domain::sends::{Grant, Log};
use domain::subscription::RateLimit;
use std::collections::HashMap;
use std::time::Duration;
use store::delivery::{Claimed, Room};
use store::fan_out::{FannedOut, Turns};
use store::shard::{Fenced, Holding};
use telemetry::Stage;
use wire::Hint;

/// How long the engine leaves a store alone that failed it.
const AFTER_FAILURE: Duration = Duration::from_millis(250);

/// Only one of a kind is under way at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Lease,
    FanOut,
    Claim,
    Refresh,
    Read(Turn, SubscriptionId),
    SetAside(SubscriptionId),
    Recovery,
    Sends(SubscriptionId),
    Breaker(SubscriptionId),
}

/// The leases a step was begun under.
pub(super) type Leases = HashMap<Shard, Fenced>;

/// What came back.
pub(super) enum Step {
    Leased {
        holding: Holding,
        /// Whether everything was taken anew.
        anew: bool,
    },
    FannedOut {
        done: FannedOut,
        under: Leases,
    },
    Claimed {
        claimed: Claimed,
        under: Leases,
        /// What the store was told that nobody has in memory.
        let_go: HashMap<Shard, Vec<DeliveryId>>,
    },
    Refreshed(bool),
    /// What waited in the store for a lane.
    Read {
        turn: Turn,
        id: SubscriptionId,
        claimed: Claimed,
        under: Leases,
    },
    SetAside(SubscriptionId),
    Recovered(store::recovery::Page),
    /// What was granted within the last hour to a subscription that is limited.
    SendsFound {
        id: SubscriptionId,
        found: Option<(Log, RateLimit)>,
        lease: Fenced,
    },
    /// More was granted; none where the lease is lost.
    SendsKept {
        id: SubscriptionId,
        grant: Option<Grant>,
        lease: Fenced,
    },
    BreakerKept(SubscriptionId),
    Failed(Kind, store::Error),
}

impl Step {
    const fn kind(&self) -> Kind {
        match self {
            Self::Leased { .. } => Kind::Lease,
            Self::FannedOut { .. } => Kind::FanOut,
            Self::Claimed { .. } => Kind::Claim,
            Self::Refreshed(_) => Kind::Refresh,
            Self::Read { turn, id, .. } => Kind::Read(*turn, *id),
            Self::SetAside(id) => Kind::SetAside(*id),
            Self::Recovered(_) => Kind::Recovery,
            Self::SendsFound { id, .. } | Self::SendsKept { id, .. } => Kind::Sends(*id),
            Self::BreakerKept(id) => Kind::Breaker(*id),
            Self::Failed(kind, _) => *kind,
        }
    }
}

impl Engine {
    /// Puts a step under way, unless one of its kind is.
    pub(super) fn begin(
        &mut self,
        kind: Kind,
        work: impl Future<Output = Result<Step, store::Error>> + Send + 'static,
    ) {
        if self.busy.insert(kind) {
            self.under_way.push(Box::pin(async move {
                match work.await {
                    Ok(step) => step,
                    Err(error) => {
                        tokio::time::sleep(AFTER_FAILURE).await;
                        Step::Failed(kind, error)
                    }
                }
            }));
        }
    }

    pub(super) fn refresh_when_stale(&mut self) {
        if (!self.is_stale && self.not_loaded.is_empty()) || self.busy.contains(&Kind::Refresh) {
            return;
        }
        self.is_stale = false;
        let (store, directory) = (self.context.store.clone(), self.directory.clone());
        let tenants = self.not_loaded.drain().collect();
        self.begin(Kind::Refresh, async move {
            store
                .refresh_directory(&directory, tenants)
                .await
                .map(Step::Refreshed)
        });
    }

    pub(super) fn fan_out_when_owed(&mut self) {
        if self.unstamped.is_empty() || self.busy.contains(&Kind::FanOut) {
            return;
        }
        let turns = Turns {
            shards: std::mem::take(&mut self.unstamped).into_iter().collect(),
            after: self.last_turn.take(),
        };
        let (store, directory) = (self.context.store.clone(), self.directory.clone());
        let (under, room) = (self.holding.clone(), self.room());
        self.begin(Kind::FanOut, async move {
            let mine = under.values().copied().collect();
            let done = store.fan_out(turns, mine, room, &directory).await?;
            failpoint::reach!(DispatcherAfterFanOut if !done.stamped.is_empty());
            Ok(Step::FannedOut { done, under })
        });
    }

    pub(super) fn claim_when_due(&mut self) {
        if !self.look_for_due || self.holding.is_empty() || self.busy.contains(&Kind::Claim) {
            return;
        }
        self.look_for_due = false;
        let (store, directory) = (self.context.store.clone(), self.directory.clone());
        let (under, room) = (self.holding.clone(), self.room());
        let let_go = self.late.let_go.clone();
        self.begin(Kind::Claim, async move {
            let mine = under.values().copied().collect();
            let gone = let_go.values().flatten().copied().collect();
            let claimed = store.claim_due(mine, room, gone, &directory).await?;
            failpoint::reach!(DispatcherAfterClaim if !claimed.owed.is_empty());
            Ok(Step::Claimed {
                claimed,
                under,
                let_go,
            })
        });
    }

    pub(super) fn on_step(&mut self, step: Step) {
        let kind = step.kind();
        self.busy.remove(&kind);
        if !matches!(step, Step::Failed(..)) && self.in_trouble.remove(&kind) {
            tracing::info!(?kind, "the store serves the dispatcher again");
        }
        match step {
            Step::Leased { holding, anew } => self.on_leased(holding, anew),
            Step::FannedOut { done, under } => self.on_fanned_out(done, &under),
            Step::Claimed {
                claimed,
                under,
                let_go,
            } => self.on_claimed(claimed, &under, &let_go),
            Step::Refreshed(true) => self.wake_all(),
            Step::Refreshed(false) => self.retry_not_loaded(),
            Step::Read {
                turn,
                id,
                claimed,
                under,
            } => self.on_read(turn, id, claimed, &under),
            Step::Recovered(page) => self.on_recovered(page),
            // More may have come to wait meanwhile, or the subscription been deleted.
            Step::SetAside(id) => self.enter_round(id),
            Step::SendsFound { id, found, lease } => self.on_sends_found(id, found, lease),
            Step::SendsKept { id, grant, lease } => self.on_sends_kept(id, grant, lease),
            Step::BreakerKept(_) => {}
            Step::Failed(kind, error) => self.on_failed(kind, &error),
        }
    }

    fn on_fanned_out(&mut self, done: FannedOut, under: &Leases) {
        let now = self.context.clock.now();
        for caused_at in &done.stamped {
            self.context
                .metrics
                .stage(Stage::Event, now.since(*caused_at).as_secs_f64());
        }
        if done.full_at.is_some() {
            let is_ours = |shard: &&Shard| self.holding.contains_key(*shard);
            self.unstamped.extend(done.left.iter().filter(is_ours));
            self.last_turn = done.full_at;
        }
        for shard in &done.fed {
            self.context.broker.hint(Hint::Stamped(*shard));
        }
        for shard in &done.elsewhere {
            self.context.broker.hint(Hint::Deliveries(*shard));
        }
        for (subscription, tenant) in done.backlogs {
            let shard = Shard::of_subscription(subscription);
            self.note(Turn::Next, shard, subscription, tenant);
        }
        self.take_in(done.owed, under, Turn::Next);
    }

    fn on_claimed(
        &mut self,
        claimed: Claimed,
        under: &Leases,
        let_go: &HashMap<Shard, Vec<DeliveryId>>,
    ) {
        self.look_for_due |= claimed.more;
        self.recall(&claimed.recalled, under, let_go);
        for (subscription, tenant) in claimed.later {
            let shard = Shard::of_subscription(subscription);
            self.note(Turn::Late, shard, subscription, tenant);
        }
        for (subscription, tenant) in claimed.backlogs {
            let shard = Shard::of_subscription(subscription);
            self.note(Turn::Next, shard, subscription, tenant);
        }
        self.take_in(claimed.owed, under, Turn::Next);
    }

    fn on_failed(&mut self, kind: Kind, error: &store::Error) {
        // Once, not four times a second for as long as it lasts.
        if self.in_trouble.insert(kind) {
            tracing::warn!(?kind, %error, "the store failed the dispatcher; it tries again");
        }
        self.start_over_when_unsure(kind, error);
        match kind {
            Kind::FanOut => self.unstamped.extend(self.holding.keys()),
            Kind::Claim => self.look_for_due = true,
            Kind::Refresh => self.is_stale = true,
            Kind::Read(turn, id) => self.on_reading_failed(turn, id),
            Kind::Lease => self
                .check
                .failing(format!("the leases cannot be renewed: {error}")),
            Kind::Recovery => self.late.look = true,
            Kind::Breaker(id) => {
                self.pace.unsaved.insert(id);
            }
            // A lane that is limited asks again with the next tick.
            Kind::Sends(id) => self.enter_round(id),
            Kind::SetAside(_) => {}
        }
    }

    /// How much may be taken into memory.
    fn room(&self) -> Room {
        let left = |lane: &Lane| {
            let is_out = lane.is_full() && self.shares.memory(lane.tenant_id).is_low();
            if is_out { 0 } else { lane.room() }
        };
        let lanes = self.lanes.iter();
        let mut left: HashMap<SubscriptionId, usize> =
            lanes.map(|(id, lane)| (*id, left(lane))).collect();
        for (id, room) in self.room_of_slowed() {
            let of_lane = left.entry(id).or_insert(MAX_WAITING);
            *of_lane = room.min(*of_lane);
        }
        let is_full = self.shares.waiting_bytes() > MAX_WAITING_BYTES;
        Room {
            each: if is_full { 0 } else { MAX_WAITING },
            left,
            without: self.shares.without_memory().collect(),
        }
    }
}
