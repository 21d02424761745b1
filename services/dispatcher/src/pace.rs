//! How fast subscriptions and hosts are sent to: what of it outlives the lanes.

use crate::round::{Round, WEIGHT};
use domain::breaker::{self, Breaker, Outcome, Ticket};
use domain::id::{DeliveryId, SubscriptionId, TenantId};
use domain::sends::Sends;
use domain::subscription::RateLimit;
use domain::{Shard, Timestamp};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use store::subscription::{Broken, Subscription};

/// How long a subscription is left alone that cannot be sent to, for a reason of ours.
const UNUSABLE_FOR: Duration = Duration::from_secs(30);

/// An attempt that was begun, and what is told when it has ended.
#[derive(Debug, Clone)]
pub(crate) struct Attempted {
    pub tenant: TenantId,
    pub subscription: SubscriptionId,
    pub delivery: DeliveryId,
    pub ticket: Ticket,
    /// Where it went, unless it was refused to go anywhere.
    pub host: Option<Arc<str>>,
    /// Whether it was granted by the subscription's limit.
    pub is_granted: bool,
    pub outcome: Outcome,
}

/// What is known of it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    breakers: HashMap<SubscriptionId, Breaker>,
    /// Whose breaker the store has in another state.
    pub unsaved: BTreeSet<SubscriptionId>,
    /// Those that are limited.
    pub limited: HashMap<SubscriptionId, Limited>,
    hosts: HashMap<Arc<str>, Host>,
    /// Those that cannot be sent to by these settings, and until when they are left alone.
    unusable: HashMap<SubscriptionId, (Arc<Subscription>, Timestamp)>,
}

/// A subscription with a limit.
#[derive(Debug)]
pub(crate) struct Limited {
    pub sends: Sends,
    /// As it was last seen.
    pub limit: RateLimit,
    /// How many may begin, as of the last look.
    room: usize,
}

impl Limited {
    pub(crate) fn new(sends: Sends, limit: RateLimit, now: Timestamp) -> Self {
        let mut limited = Self {
            sends,
            limit,
            room: 0,
        };
        limited.look(now);
        limited
    }

    /// Looks how many may begin. It is not looked at each time somebody asks: that is often.
    pub(crate) fn look(&mut self, now: Timestamp) {
        let room = self.sends.room(self.limit, now);
        self.room = usize::try_from(room).unwrap_or(usize::MAX);
    }
}

#[derive(Debug, Default)]
struct Host {
    in_flight: usize,
    /// Lanes that would begin an attempt.
    waiting: Round,
    /// The same.
    known: HashSet<SubscriptionId>,
}

impl Pace {
    /// Whether nothing is to be sent now, nor read to be sent.
    pub(crate) fn is_shut(
        &self,
        id: SubscriptionId,
        rules: &breaker::Rules,
        now: Timestamp,
    ) -> bool {
        let breaker = self.breakers.get(&id);
        breaker.is_some_and(|breaker| breaker.is_shut(rules, now))
    }

    /// How many attempts may be under way at once, of `most`.
    pub(crate) fn room(&self, id: SubscriptionId, most: usize) -> usize {
        let breaker = self.breakers.get(&id);
        breaker.map_or(most, |breaker| breaker.room(most))
    }

    /// Whether one attempt is to show whether it works again.
    pub(crate) fn is_probed(&self, id: SubscriptionId) -> bool {
        let breaker = self.breakers.get(&id);
        breaker.is_some_and(|breaker| breaker.state() != breaker::State::Closed)
    }

    /// How many may begin by the limit, as of the last look; none where there is no limit.
    pub(crate) fn granted_room(&self, id: SubscriptionId) -> Option<usize> {
        self.limited.get(&id).map(|limited| limited.room)
    }

    /// Whether this limit lets none begin.
    pub(crate) fn is_used_up(&self, id: SubscriptionId, limit: RateLimit) -> bool {
        let limited = self.limited.get(&id);
        limited.is_some_and(|limited| limited.limit == limit && limited.room == 0)
    }

    /// Those with limits, and those whose breakers are not closed.
    pub(crate) fn slowed(&self) -> impl Iterator<Item = SubscriptionId> {
        let broken = self
            .breakers
            .iter()
            .filter(|(_, breaker)| breaker.state() != breaker::State::Closed)
            .map(|(id, _)| *id);
        broken.chain(self.limited.keys().copied())
    }

    /// Begins an attempt, if one may begin.
    pub(crate) fn begin(
        &mut self,
        id: SubscriptionId,
        rules: &breaker::Rules,
        now: Timestamp,
    ) -> Option<Ticket> {
        let breaker = self.breakers.entry(id).or_default();
        let before = breaker.state();
        let ticket = breaker.begin(rules, now);
        if breaker.state() != before {
            self.unsaved.insert(id);
        }
        ticket
    }

    /// An attempt of a subscription that is ours has ended; whether its breaker is open since.
    pub(crate) fn end(
        &mut self,
        attempted: &Attempted,
        rules: &breaker::Rules,
        now: Timestamp,
    ) -> bool {
        let id = attempted.subscription;
        if attempted.is_granted
            && let Some(limited) = self.limited.get_mut(&id)
        {
            limited.sends.end(now);
        }
        let breaker = self.breakers.entry(id).or_default();
        let has_changed = breaker.end(rules, attempted.ticket, attempted.outcome, now);
        if has_changed {
            self.unsaved.insert(id);
            tracing::info!(subscription.id = %id, breaker = breaker.state().as_str(), "a breaker changed");
        }
        has_changed && breaker.state() == breaker::State::Open
    }

    /// As the store is to have it.
    pub(crate) fn standing(&self, id: SubscriptionId) -> Option<Broken> {
        self.breakers.get(&id).map(|breaker| Broken {
            subscription_id: id,
            state: breaker.state(),
            since: breaker.since(),
        })
    }

    /// Goes on with the breakers of shards that are ours now.
    pub(crate) fn restore(&mut self, broken: &[Broken]) {
        for broken in broken {
            let breaker = Breaker::restored(broken.state, broken.since);
            self.breakers.insert(broken.subscription_id, breaker);
        }
    }

    /// Whether a host takes one more; if not, the subscription is told when it does.
    pub(crate) fn has_room_at(
        &mut self,
        host: &Arc<str>,
        most: usize,
        tenant: TenantId,
        id: SubscriptionId,
    ) -> bool {
        match self.hosts.get_mut(host) {
            Some(full) if full.in_flight >= most => {
                if full.known.insert(id) {
                    full.waiting.enter(tenant, WEIGHT, id);
                }
                false
            }
            Some(_) | None => true,
        }
    }

    pub(crate) fn enter(&mut self, host: &Arc<str>) {
        self.hosts.entry(host.clone()).or_default().in_flight += 1;
    }

    /// A request to a host has ended.
    pub(crate) fn leave(&mut self, host: &Arc<str>) {
        if let Some(known) = self.hosts.get_mut(host) {
            known.in_flight = known.in_flight.saturating_sub(1);
            if known.in_flight == 0 && known.waiting.is_empty() {
                self.hosts.remove(host);
            }
        }
    }

    /// Whose turn it is at a host, and who waits no more.
    pub(crate) fn next_at(&mut self, host: &Arc<str>) -> Option<SubscriptionId> {
        let known = self.hosts.get_mut(host)?;
        let next = known.waiting.next();
        if let Some(id) = next {
            known.known.remove(&id);
        } else if known.in_flight == 0 {
            self.hosts.remove(host);
        }
        next
    }

    /// The hosts that are waited for and take more than are under way, and how many.
    pub(crate) fn waited_for(&self, most: usize) -> Vec<(Arc<str>, usize)> {
        let waited_for = self
            .hosts
            .iter()
            .filter(|(_, host)| !host.waiting.is_empty());
        waited_for
            .map(|(name, host)| (name.clone(), most.saturating_sub(host.in_flight)))
            .filter(|(_, room)| *room > 0)
            .collect()
    }

    /// A subscription cannot be sent to by these settings: it is left alone for a while.
    pub(crate) fn set_unusable(
        &mut self,
        id: SubscriptionId,
        settings: &Arc<Subscription>,
        now: Timestamp,
    ) {
        let until = now.plus(UNUSABLE_FOR);
        self.unusable.insert(id, (settings.clone(), until));
    }

    /// Whether it is left alone because of these settings.
    pub(crate) fn is_unusable(
        &self,
        id: SubscriptionId,
        settings: &Arc<Subscription>,
        now: Timestamp,
    ) -> bool {
        self.unusable
            .get(&id)
            .is_some_and(|(of, until)| Arc::ptr_eq(of, settings) && now < *until)
    }

    /// Forgets a subscription that was deleted.
    pub(crate) fn forget(&mut self, id: SubscriptionId) {
        self.breakers.remove(&id);
        self.unsaved.remove(&id);
        self.limited.remove(&id);
        self.unusable.remove(&id);
    }

    /// Forgets what need not be remembered.
    pub(crate) fn tidy(&mut self, rules: &breaker::Rules, now: Timestamp) {
        let unsaved = &self.unsaved;
        self.breakers
            .retain(|id, breaker| unsaved.contains(id) || !breaker.is_idle(rules, now));
        self.limited
            .retain(|_, limited| !limited.sends.is_idle(now));
        self.unusable.retain(|_, (_, until)| now < *until);
    }

    /// Forgets what is known of shards that belong to somebody else.
    pub(crate) fn drop_shards(&mut self, shards: &[Shard]) {
        let is_ours = |id: &SubscriptionId| !shards.contains(&Shard::of_subscription(*id));
        self.breakers.retain(|id, _| is_ours(id));
        self.unsaved.retain(is_ours);
        self.limited.retain(|id, _| is_ours(id));
        self.unusable.retain(|id, _| is_ours(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Clock, Random};

    #[test]
    fn who_waits_for_a_host_is_told_when_it_takes_one_more() {
        let (now, random) = (Clock::system().now(), Random::seeded(3));
        let [first, second] = [(); 2].map(|()| SubscriptionId::new(now, &random));
        let tenant = TenantId::new(now, &random);
        let host: Arc<str> = "example.org".into();
        let mut pace = Pace::default();
        assert!(pace.has_room_at(&host, 1, tenant, first));
        pace.enter(&host);
        assert!(!pace.has_room_at(&host, 1, tenant, second));
        assert!(!pace.has_room_at(&host, 1, tenant, second), "and once");
        assert!(pace.has_room_at(&"example.com".into(), 1, tenant, second));
        assert!(pace.waited_for(1).is_empty());
        pace.leave(&host);
        assert_eq!(pace.waited_for(1), [(host.clone(), 1)]);
        assert_eq!(pace.next_at(&host), Some(second));
        assert_eq!(pace.next_at(&host), None);
        assert!(pace.has_room_at(&host, 1, tenant, second));
        assert!(pace.hosts.is_empty(), "nothing is left to remember");
    }
}
