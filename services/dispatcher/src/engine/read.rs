//! Reading: what waits in the store comes into the lanes that have room for it. Tenants take turns, as
//! they do with attempts, and none reads more than its share of the memory.

use super::Engine;
use super::step::{Kind, Leases, Step};
use crate::lane::{Lane, Turn};
use crate::round::{Round, WEIGHT};
use domain::id::{SubscriptionId, TenantId};
use std::collections::HashMap;
use store::delivery::Claimed;

/// How many lanes read at once.
const READERS: usize = 8;
/// Likewise, what waits for a late turn.
const LATE_READERS: usize = 4;

/// Lanes that read, and are about to.
#[derive(Debug, Default)]
pub(super) struct Reading {
    next: Readers,
    late: Readers,
}

#[derive(Debug, Default)]
struct Readers {
    round: Round,
    /// How many read.
    number: usize,
}

impl Reading {
    /// Gives a lane its places among those that read, where it wants any.
    fn ask(&mut self, id: SubscriptionId, lane: &mut Lane) {
        for turn in [Turn::Next, Turn::Late] {
            if lane.asks(turn) {
                self.readers(turn).round.enter(lane.tenant_id, WEIGHT, id);
            }
        }
    }

    /// Tenants that had all they may have are looked at again.
    pub(super) fn wake_all(&mut self) {
        self.next.round.wake_all();
        self.late.round.wake_all();
    }

    /// Likewise, this one.
    pub(super) fn wake(&mut self, tenant: TenantId) {
        self.next.round.wake(tenant);
        self.late.round.wake(tenant);
    }

    const fn readers(&mut self, turn: Turn) -> &mut Readers {
        match turn {
            Turn::Next => &mut self.next,
            Turn::Late => &mut self.late,
        }
    }
}

impl Engine {
    pub(super) fn ask_to_read(&mut self, id: SubscriptionId) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            self.reading.ask(id, lane);
        }
    }

    /// Lanes whose breaker, limit or settings held them up may read now.
    pub(super) fn ask_all_to_read(&mut self) {
        for (id, lane) in &mut self.lanes {
            self.reading.ask(*id, lane);
        }
    }

    /// Begins readings while there is room for them.
    pub(super) fn read_backlogs(&mut self) {
        for (turn, most) in [(Turn::Next, READERS), (Turn::Late, LATE_READERS)] {
            while self.reading.readers(turn).number < most {
                let Some(tenant) = self.reading.readers(turn).round.tenant() else {
                    break;
                };
                if self.has_its_share(tenant, turn) {
                    self.reading.readers(turn).round.park();
                } else if let Some(id) = self.reading.readers(turn).round.next() {
                    self.read(id, turn);
                }
            }
        }
    }

    /// Whether a tenant reads no more now. What can wait does, beyond half of what it may have.
    fn has_its_share(&self, tenant: TenantId, turn: Turn) -> bool {
        let memory = self.shares.memory(tenant);
        match turn {
            Turn::Next => memory.is_used_up(),
            Turn::Late => memory.is_short() || self.shares.requests(tenant).is_short(),
        }
    }

    /// Begins to read, where a lane still wants to and may.
    fn read(&mut self, id: SubscriptionId, turn: Turn) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        lane.is_asked(turn);
        let (tenant, room) = (lane.tenant_id, lane.room_to_read(turn));
        let lease = self.holding.get(&lane.shard).copied();
        // A reading for an earlier lease may still be under way; what is still being set aside would be
        // missed.
        let is_free = lane.wants(turn)
            && !self.busy.contains(&Kind::Read(turn, id))
            && !self.busy.contains(&Kind::SetAside(id));
        let Some(lease) = lease.filter(|_| is_free && !self.is_held(id, tenant)) else {
            return;
        };
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.begin_reading(turn);
        }
        self.reading.readers(turn).number += 1;
        let limit = self.reading_limit(id, tenant, room);
        let (store, directory) = (self.context.store.clone(), self.directory.clone());
        self.begin(Kind::Read(turn, id), async move {
            let claimed = match turn {
                Turn::Next => store.claim_backlog(lease, id, limit, &directory).await?,
                Turn::Late => store.claim_later(lease, id, limit, &directory).await?,
            };
            failpoint::reach!(
                DispatcherAfterBacklog if turn == Turn::Next && !claimed.owed.is_empty()
            );
            failpoint::reach!(DispatcherAfterLater if turn == Turn::Late && !claimed.owed.is_empty());
            let under = HashMap::from([(lease.shard, lease)]);
            Ok(Step::Read {
                turn,
                id,
                claimed,
                under,
            })
        });
    }

    pub(super) fn on_read(
        &mut self,
        turn: Turn,
        id: SubscriptionId,
        claimed: Claimed,
        under: &Leases,
    ) {
        self.end_reading(turn, id, |_| claimed.more);
        self.take_in(claimed.owed, under, turn);
        self.ask_to_read(id);
        self.forget_when_empty(id);
    }

    /// Who has the shard next finds its backlogs by himself.
    pub(super) fn on_reading_failed(&mut self, turn: Turn, id: SubscriptionId) {
        let holding = self.holding.clone();
        self.end_reading(turn, id, |lane| holding.contains_key(&lane.shard));
        self.ask_to_read(id);
        self.forget_when_empty(id);
    }

    fn end_reading(
        &mut self,
        turn: Turn,
        id: SubscriptionId,
        has_more: impl FnOnce(&Lane) -> bool,
    ) {
        let readers = self.reading.readers(turn);
        readers.number = readers.number.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(&id) {
            let more = has_more(lane);
            lane.end_reading(turn, more);
        }
    }
}
