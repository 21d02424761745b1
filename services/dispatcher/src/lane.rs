//! A lane: what is owed to one subscription and is in memory.

use crate::outgoing::Job;
use domain::Shard;
use domain::id::{DeliveryId, TenantId};
use domain::subscription::DEFAULT_MAX_IN_FLIGHT;
use endpoint::Endpoint;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use store::subscription::Subscription;

/// How many deliveries of one subscription wait in memory; the rest waits in the store. Several times what
/// is read at once, so that there is something to do meanwhile.
pub(crate) const MAX_WAITING: usize = 1_024;
/// How many of those wait in memory whose turn comes when no others wait.
pub(crate) const MAX_LATER: usize = 64;

/// When it is the turn of what is taken into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Turn {
    /// After what waits already.
    Next,
    /// When nothing else waits, also of what is yet to come.
    Late,
}

/// One subscription's deliveries in memory.
pub(crate) struct Lane {
    pub shard: Shard,
    pub tenant_id: TenantId,
    pub waiting: VecDeque<Job>,
    /// Replays, and what was retried together with others: their turn is when nothing else waits.
    pub later: VecDeque<Job>,
    pub in_flight: usize,
    /// How many may be, by its settings as they were last seen.
    pub max_in_flight: usize,
    /// What is under way, and whether its turn was a late one.
    under_way: HashMap<DeliveryId, bool>,
    /// Those of this subscription that wait in the store.
    backlog: InStore,
    /// Likewise, of those whose turn is late.
    backlog_of_later: InStore,
    /// Whether the engine has it in its round.
    pub is_in_round: bool,
    /// Whether it has fewer requests under way than it may by itself, and is looked at again.
    pub is_cut: bool,
    endpoint: Option<(Arc<Subscription>, Arc<Endpoint>)>,
}

/// Those that wait in the store.
#[derive(Debug, Clone, Copy, Default)]
struct InStore {
    /// Whether there are any, or came to be since the reading under way began.
    waits: bool,
    /// Whether they are being read.
    is_read: bool,
    /// Whether they have their place among those that are to be read.
    is_asked_for: bool,
}

impl InStore {
    const fn is_any(self) -> bool {
        self.waits || self.is_read
    }

    const fn can_be_read(self) -> bool {
        self.waits && !self.is_read
    }

    /// They are read from here on, and what is noted meanwhile is of after the reading.
    const fn begin(&mut self) {
        self.is_read = true;
        self.waits = false;
    }

    /// The reading ended and left more, or not. What was noted since it began stays noted: the
    /// store may have taken that in after the reading, and told it before.
    const fn end(&mut self, more: bool) {
        self.is_read = false;
        self.waits |= more;
    }
}

impl Lane {
    pub(crate) fn new(shard: Shard, tenant_id: TenantId) -> Self {
        Self {
            shard,
            tenant_id,
            waiting: VecDeque::new(),
            later: VecDeque::new(),
            in_flight: 0,
            max_in_flight: usize::from(DEFAULT_MAX_IN_FLIGHT),
            under_way: HashMap::new(),
            backlog: InStore::default(),
            backlog_of_later: InStore::default(),
            is_in_round: false,
            is_cut: false,
            endpoint: None,
        }
    }

    /// How many more it takes. While more waits in the store, new ones go behind it.
    pub(crate) fn room(&self) -> usize {
        if self.backlog.is_any() {
            0
        } else {
            MAX_WAITING.saturating_sub(self.waiting.len())
        }
    }

    /// Whether it is time to read what waits in the store: of those whose turn is late, when nothing else
    /// waits, here or there.
    pub(crate) fn wants(&self, turn: Turn) -> bool {
        match turn {
            Turn::Next => self.backlog.can_be_read() && self.waiting.len() < MAX_WAITING / 2,
            Turn::Late => {
                let is_idle = self.waiting.is_empty() && !self.backlog.is_any();
                is_idle && self.backlog_of_later.can_be_read() && self.later.len() < MAX_LATER / 2
            }
        }
    }

    /// Whether it takes its place among those that read: it wants to, and has none there.
    pub(crate) fn asks(&mut self, turn: Turn) -> bool {
        let asks = self.wants(turn) && !self.in_store(turn).is_asked_for;
        self.in_store(turn).is_asked_for |= asks;
        asks
    }

    /// It is its turn to read.
    pub(crate) const fn is_asked(&mut self, turn: Turn) {
        self.in_store(turn).is_asked_for = false;
    }

    /// How many are read at the most.
    pub(crate) fn room_to_read(&self, turn: Turn) -> usize {
        match turn {
            Turn::Next => MAX_WAITING.saturating_sub(self.waiting.len()),
            Turn::Late => MAX_LATER.saturating_sub(self.later.len()),
        }
    }

    /// Something waits in the store.
    pub(crate) const fn note(&mut self, turn: Turn) {
        self.in_store(turn).waits = true;
    }

    /// It is read from here on.
    pub(crate) const fn begin_reading(&mut self, turn: Turn) {
        self.in_store(turn).begin();
    }

    /// The reading ended and left more, or not.
    pub(crate) const fn end_reading(&mut self, turn: Turn, more: bool) {
        self.in_store(turn).end(more);
    }

    const fn in_store(&mut self, turn: Turn) -> &mut InStore {
        match turn {
            Turn::Next => &mut self.backlog,
            Turn::Late => &mut self.backlog_of_later,
        }
    }

    /// Nothing waits in the store for it any more.
    pub(crate) const fn forget_backlog(&mut self) {
        self.backlog.waits = false;
        self.backlog_of_later.waits = false;
    }

    /// Puts one behind the others of its turn.
    pub(crate) fn push(&mut self, turn: Turn, job: Job) {
        match turn {
            Turn::Next => self.waiting.push_back(job),
            Turn::Late => self.later.push_back(job),
        }
    }

    /// How many it would begin soon.
    pub(crate) fn wanted(&self) -> usize {
        self.waiting().min(self.max_in_flight)
    }

    /// Whether as much is under way as may be: what waits here waits for that.
    pub(crate) const fn is_full(&self) -> bool {
        self.in_flight >= self.max_in_flight
    }

    /// How many wait in memory.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len() + self.later.len()
    }

    /// Whether any do.
    pub(crate) fn has_waiting(&self) -> bool {
        self.waiting() > 0
    }

    pub(crate) fn can_start(&self) -> bool {
        let has_turn = !self.waiting.is_empty() || self.can_start_later();
        has_turn && self.in_flight < self.max_in_flight
    }

    fn can_start_later(&self) -> bool {
        let late = || self.under_way.values().filter(|is_late| **is_late).count();
        !self.later.is_empty() && late() < self.max_later_in_flight()
    }

    /// How many requests of theirs are under way at once: the rest is for what comes meanwhile.
    fn max_later_in_flight(&self) -> usize {
        (self.max_in_flight / 2).max(1)
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
        let in_store = self.backlog.is_any() || self.backlog_of_later.is_any();
        !self.has_waiting() && !in_store && self.in_flight == 0
    }

    /// The settings that the last attempt was begun by.
    pub(crate) fn settings(&self) -> Option<Arc<Subscription>> {
        Some(self.endpoint.as_ref()?.0.clone())
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
    use super::{Lane, Turn};
    use crate::outgoing::{Job, Outgoing};
    use domain::id::{DeliveryId, EventId, SubscriptionId, TenantId};
    use domain::{Clock, Random, Shard};
    use std::sync::Arc;
    use store::delivery::Recipient;
    use store::shard::Fenced;

    fn lane() -> Lane {
        let (now, random) = (Clock::system().now(), Random::seeded(3));
        let shard = Shard::of_subscription(SubscriptionId::new(now, &random));
        Lane::new(shard, TenantId::new(now, &random))
    }

    fn job(lane: &Lane, random: &Random) -> Job {
        let now = Clock::system().now();
        let event = Outgoing {
            id: EventId::new(now, random),
            tenant_id: lane.tenant_id,
            event_type: "job.created".to_owned(),
            version: 1,
            body: bytes::Bytes::from_static(b"{}"),
            trace: None,
            caused_at: now,
        };
        Job {
            to: Recipient {
                delivery_id: DeliveryId::new(now, random),
                subscription_id: SubscriptionId::new(now, random),
                attempts: 0,
                has_body: false,
                budget_from: 0,
                replay_id: None,
            },
            lease: Fenced {
                shard: lane.shard,
                fence: 1,
            },
            event: Arc::new(event),
        }
    }

    #[test]
    fn whose_turn_is_late_starts_when_nothing_else_waits_and_leaves_half_of_the_requests() {
        let (mut lane, random) = (lane(), Random::seeded(5));
        for _ in 0..lane.max_in_flight {
            lane.later.push_back(job(&lane, &random));
        }
        let live = job(&lane, &random);
        lane.waiting.push_back(live.clone());
        let first = lane.start_next().unwrap();
        assert_eq!(first.to, live.to);
        let mut begun = Vec::new();
        while lane.can_start() {
            begun.extend(lane.start_next());
        }
        assert_eq!(begun.len(), lane.max_in_flight / 2);
        // What comes now finds room, and the next late one only when one of its kind has ended.
        lane.waiting.push_back(job(&lane, &random));
        assert!(lane.start_next().is_some() && !lane.can_start());
        lane.end(first.to.delivery_id);
        assert!(!lane.can_start());
        lane.end(begun[0].to.delivery_id);
        assert!(lane.can_start());
    }

    #[test]
    fn what_can_wait_is_not_read_while_anything_else_waits() {
        let (mut lane, random) = (lane(), Random::seeded(5));
        lane.note(Turn::Late);
        lane.note(Turn::Next);
        assert!(!lane.wants(Turn::Late));
        lane.begin_reading(Turn::Next);
        assert!(!lane.wants(Turn::Late));
        lane.end_reading(Turn::Next, false);
        lane.waiting.push_back(job(&lane, &random));
        assert!(!lane.wants(Turn::Late));
        lane.start_next();
        assert!(lane.wants(Turn::Late));
    }

    #[test]
    fn what_is_under_way_is_not_let_go_and_what_waits_is() {
        let (mut lane, random) = (lane(), Random::seeded(5));
        let (started, waiting) = (job(&lane, &random), job(&lane, &random));
        lane.waiting.push_back(started.clone());
        lane.later.push_back(waiting.clone());
        lane.start_next();
        assert_eq!(lane.let_go(started.to.delivery_id), None);
        assert_eq!(lane.let_go(waiting.to.delivery_id), Some(2));
        assert_eq!(lane.let_go(waiting.to.delivery_id), Some(0));
        lane.end(started.to.delivery_id);
        assert!(lane.is_empty());
    }

    #[test]
    fn what_comes_to_wait_while_a_backlog_is_read_is_read_next() {
        let mut lane = lane();
        lane.note(Turn::Next);
        lane.begin_reading(Turn::Next);
        lane.note(Turn::Next);
        lane.end_reading(Turn::Next, false);
        assert!(lane.wants(Turn::Next));
    }

    #[test]
    fn a_backlog_that_was_read_to_its_end_is_not_read_again() {
        let mut lane = lane();
        lane.note(Turn::Next);
        lane.begin_reading(Turn::Next);
        assert!(!lane.wants(Turn::Next));
        assert_eq!(lane.room(), 0, "what comes meanwhile goes behind it");
        lane.end_reading(Turn::Next, false);
        assert!(!lane.wants(Turn::Next));
        assert!(lane.is_empty());
    }
}
