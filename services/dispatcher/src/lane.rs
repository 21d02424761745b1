//! A lane: what is owed to one subscription and is in memory.

use crate::endpoint::Endpoint;
use crate::outgoing::Job;
use domain::Shard;
use domain::id::{DeliveryId, TenantId};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use store::subscription::Subscription;

/// How many requests to one subscription are under way at once.
pub(crate) const MAX_IN_FLIGHT: usize = 16;
/// How many deliveries of one subscription wait in memory; the rest waits in the store.
pub(crate) const MAX_WAITING: usize = 256;
/// How many of those wait in memory whose turn comes when no others wait.
pub(crate) const MAX_LATER: usize = 64;
/// How many requests of theirs are under way at once: the rest is for what comes meanwhile.
const MAX_LATER_IN_FLIGHT: usize = MAX_IN_FLIGHT / 2;

/// One subscription's deliveries in memory.
pub(crate) struct Lane {
    pub shard: Shard,
    pub tenant_id: TenantId,
    pub waiting: VecDeque<Job>,
    /// Replays, and what was retried together with others: their turn is when nothing else waits.
    pub later: VecDeque<Job>,
    pub in_flight: usize,
    /// What is under way, and whether its turn was a late one.
    under_way: HashMap<DeliveryId, bool>,
    /// Whether more of this subscription waits in the store, or came to wait there since the reading
    /// under way began.
    has_backlog: bool,
    /// Likewise, of those whose turn is late.
    has_later: bool,
    /// Whether its backlog is being read.
    is_loading: bool,
    /// Whether those are being read whose turn is late.
    is_loading_later: bool,
    /// Whether the engine has it in its round.
    pub is_in_round: bool,
    endpoint: Option<(Arc<Subscription>, Arc<Endpoint>)>,
}

impl Lane {
    pub(crate) fn new(shard: Shard, tenant_id: TenantId) -> Self {
        Self {
            shard,
            tenant_id,
            waiting: VecDeque::new(),
            later: VecDeque::new(),
            in_flight: 0,
            under_way: HashMap::new(),
            has_backlog: false,
            has_later: false,
            is_loading: false,
            is_loading_later: false,
            is_in_round: false,
            endpoint: None,
        }
    }

    /// How many more it takes. While more waits in the store, new ones go behind it.
    pub(crate) fn room(&self) -> usize {
        if self.has_backlog || self.is_loading {
            0
        } else {
            MAX_WAITING.saturating_sub(self.waiting.len())
        }
    }

    /// Whether it is time to read its backlog.
    pub(crate) fn wants_backlog(&self) -> bool {
        self.has_backlog && !self.is_loading && self.waiting.len() < MAX_WAITING / 2
    }

    pub(crate) const fn is_loading(&self) -> bool {
        self.is_loading
    }

    /// More waits in the store.
    pub(crate) const fn note_backlog(&mut self) {
        self.has_backlog = true;
    }

    /// Nothing waits in the store for it any more.
    pub(crate) const fn forget_backlog(&mut self) {
        self.has_backlog = false;
        self.has_later = false;
    }

    /// Its backlog is read from here on, and what is noted meanwhile is of after the reading.
    pub(crate) const fn begin_loading(&mut self) {
        self.is_loading = true;
        self.has_backlog = false;
    }

    /// The reading ended and left more, or not. What was noted since it began stays noted: the
    /// store may have taken that in after the reading, and told it before.
    pub(crate) const fn end_loading(&mut self, more: bool) {
        self.is_loading = false;
        self.has_backlog |= more;
    }

    /// Whether it is time to read those whose turn is late: nothing else waits, here or in the store.
    pub(crate) fn wants_later(&self) -> bool {
        let is_idle = self.waiting.is_empty() && !self.has_backlog && !self.is_loading;
        self.has_later && is_idle && !self.is_loading_later && self.later.len() < MAX_LATER / 2
    }

    pub(crate) const fn is_loading_later(&self) -> bool {
        self.is_loading_later
    }

    /// Something waits in the store whose turn is late.
    pub(crate) const fn note_later(&mut self) {
        self.has_later = true;
    }

    /// As [`Self::begin_loading`].
    pub(crate) const fn begin_loading_later(&mut self) {
        self.is_loading_later = true;
        self.has_later = false;
    }

    /// As [`Self::end_loading`].
    pub(crate) const fn end_loading_later(&mut self, more: bool) {
        self.is_loading_later = false;
        self.has_later |= more;
    }

    pub(crate) fn can_start(&self) -> bool {
        let has_turn = !self.waiting.is_empty() || self.can_start_later();
        has_turn && self.in_flight < MAX_IN_FLIGHT
    }

    fn can_start_later(&self) -> bool {
        let late = || self.under_way.values().filter(|is_late| **is_late).count();
        !self.later.is_empty() && late() < MAX_LATER_IN_FLIGHT
    }

    /// Takes the next one, which is under way from here on.
    pub(crate) fn start_next(&mut self) -> Option<Job> {
        let (job, is_late) = match self.waiting.pop_front() {
            Some(job) => (job, false),
            None if self.can_start_later() => (self.later.pop_front()?, true),
            None => return None,
        };
        self.in_flight += 1;
        self.under_way.insert(job.to.delivery_id, is_late);
        Some(job)
    }

    /// An attempt has ended.
    pub(crate) fn end(&mut self, id: DeliveryId) {
        self.under_way.remove(&id);
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Lets go of a delivery that waits, if it does; how many bytes that frees. None where it is under way.
    pub(crate) fn let_go(&mut self, id: DeliveryId) -> Option<usize> {
        if self.under_way.contains_key(&id) {
            return None;
        }
        let mut freed = 0;
        for waiting in [&mut self.waiting, &mut self.later] {
            waiting.retain(|job| {
                let stays = job.to.delivery_id != id;
                if !stays {
                    freed += job.event.body.len();
                }
                stays
            });
        }
        Some(freed)
    }

    /// Whether nothing is left to remember of it.
    pub(crate) fn is_empty(&self) -> bool {
        let waits = !self.waiting.is_empty() || !self.later.is_empty();
        let reads = self.is_loading || self.is_loading_later;
        !waits && !reads && self.in_flight == 0 && !self.has_backlog && !self.has_later
    }

    /// The endpoint of these settings, made anew only when they changed.
    pub(crate) fn endpoint<E>(
        &mut self,
        settings: &Arc<Subscription>,
        make: impl FnOnce() -> Result<Arc<Endpoint>, E>,
    ) -> Result<Arc<Endpoint>, E> {
        if let Some((known, endpoint)) = &self.endpoint
            && Arc::ptr_eq(known, settings)
        {
            return Ok(endpoint.clone());
        }
        let endpoint = make()?;
        self.endpoint = Some((settings.clone(), endpoint.clone()));
        Ok(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::Lane;
    use domain::id::{SubscriptionId, TenantId};
    use domain::{Clock, Random, Shard};

    fn lane() -> Lane {
        let (now, random) = (Clock::system().now(), Random::seeded(3));
        let shard = Shard::of_subscription(SubscriptionId::new(now, &random));
        Lane::new(shard, TenantId::new(now, &random))
    }

    #[test]
    fn what_comes_to_wait_while_a_backlog_is_read_is_read_next() {
        let mut lane = lane();
        lane.note_backlog();
        lane.begin_loading();
        lane.note_backlog();
        lane.end_loading(false);
        assert!(lane.wants_backlog());
    }

    #[test]
    fn a_backlog_that_was_read_to_its_end_is_not_read_again() {
        let mut lane = lane();
        lane.note_backlog();
        lane.begin_loading();
        assert!(!lane.wants_backlog());
        assert_eq!(lane.room(), 0, "what comes meanwhile goes behind it");
        lane.end_loading(false);
        assert!(!lane.wants_backlog());
        assert!(lane.is_empty());
    }
}
