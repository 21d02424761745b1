//! A lane: what is owed to one subscription and is in memory.

use crate::endpoint::Endpoint;
use crate::outgoing::Job;
use domain::Shard;
use domain::id::TenantId;
use std::collections::VecDeque;
use std::sync::Arc;
use store::subscription::Subscription;

/// How many requests to one subscription are under way at once.
pub(crate) const MAX_IN_FLIGHT: usize = 16;
/// How many deliveries of one subscription wait in memory; the rest waits in the store.
pub(crate) const MAX_WAITING: usize = 256;

/// One subscription's deliveries in memory.
pub(crate) struct Lane {
    pub shard: Shard,
    pub tenant_id: TenantId,
    pub waiting: VecDeque<Job>,
    pub in_flight: usize,
    /// Whether more of this subscription waits in the store.
    pub has_backlog: bool,
    /// Whether its backlog is being read.
    pub is_loading: bool,
    /// Whether the engine has it in its round.
    pub is_in_round: bool,
    endpoint: Option<(Arc<Subscription>, Arc<Endpoint>)>,
}

impl Lane {
    pub(crate) const fn new(shard: Shard, tenant_id: TenantId) -> Self {
        Self {
            shard,
            tenant_id,
            waiting: VecDeque::new(),
            in_flight: 0,
            has_backlog: false,
            is_loading: false,
            is_in_round: false,
            endpoint: None,
        }
    }

    /// How many more it takes. While more waits in the store, new ones go behind it.
    pub(crate) fn room(&self) -> usize {
        if self.has_backlog {
            0
        } else {
            MAX_WAITING.saturating_sub(self.waiting.len())
        }
    }

    /// Whether it is time to read its backlog.
    pub(crate) fn wants_backlog(&self) -> bool {
        self.has_backlog && !self.is_loading && self.waiting.len() < MAX_WAITING / 2
    }

    pub(crate) fn can_start(&self) -> bool {
        !self.waiting.is_empty() && self.in_flight < MAX_IN_FLIGHT
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
