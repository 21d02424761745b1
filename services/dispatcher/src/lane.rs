//! A lane: what is owed to one subscription and is in memory.

use crate::endpoint::Endpoint;
use crate::outgoing::Job;
use domain::Shard;
use domain::id::TenantId;
use domain::subscription::DEFAULT_MAX_IN_FLIGHT;
use std::collections::VecDeque;
use std::sync::Arc;
use store::subscription::Subscription;

/// How many deliveries of one subscription wait in memory; the rest waits in the store.
pub(crate) const MAX_WAITING: usize = 256;

/// One subscription's deliveries in memory.
pub(crate) struct Lane {
    pub shard: Shard,
    pub tenant_id: TenantId,
    pub waiting: VecDeque<Job>,
    pub in_flight: usize,
    /// How many may be, by its settings as they were last seen.
    pub max_in_flight: usize,
    /// Whether more of this subscription waits in the store, or came to wait there since the reading
    /// under way began.
    has_backlog: bool,
    /// Whether its backlog is being read.
    is_loading: bool,
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
            in_flight: 0,
            max_in_flight: usize::from(DEFAULT_MAX_IN_FLIGHT),
            has_backlog: false,
            is_loading: false,
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

    pub(crate) fn can_start(&self) -> bool {
        !self.waiting.is_empty() && self.in_flight < self.max_in_flight
    }

    /// Whether nothing is left to remember of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.in_flight == 0 && !self.has_backlog && !self.is_loading
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
