//! The round: lanes start one attempt after another, each in turn, so that none waits for a
//! neighbour.

use super::Engine;
use super::step::{Kind, Step};
use crate::dispatch;
use crate::lane::{Lane, Turn};
use crate::outgoing::Job;
use crate::pace::Attempted;
use crate::round::WEIGHT;
use crate::share::MAX_IN_FLIGHT;
use domain::Shard;
use domain::breaker::{self, Outcome};
use domain::id::{SubscriptionId, TenantId};
use endpoint::{Endpoint, Means};
use std::sync::Arc;
use std::time::Duration;
use store::delivery::Attempt;
use store::directory::Found;
use store::subscription::Subscription;

/// How long to wait before deliveries are set aside again after a failure.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

impl Engine {
    /// Lets a lane take part where it can: in the round, and among those that read.
    pub(super) fn enter_round(&mut self, id: SubscriptionId) {
        if let Some(lane) = self.lanes.get_mut(&id)
            && lane.can_start()
            && !lane.is_in_round
        {
            lane.is_in_round = true;
            self.round.enter(lane.tenant_id, WEIGHT, id);
        }
        self.ask_to_read(id);
    }

    /// Starts attempts while there is room. Not while settings are being read: a change holds from
    /// the next attempt on.
    pub(super) fn start_attempts(&mut self) {
        if self.is_stale || self.busy.contains(&Kind::Refresh) || !self.holds_leases() {
            return;
        }
        while self.shares.in_flight() < MAX_IN_FLIGHT {
            let Some(tenant) = self.round.tenant() else {
                return;
            };
            if self.shares.requests(tenant).is_used_up() {
                self.round.park();
                continue;
            }
            let Some(id) = self.round.next() else {
                return;
            };
            let Some(lane) = self.lanes.get_mut(&id) else {
                continue;
            };
            lane.is_in_round = false;
            // A lane that could not start now is woken by what it waits for.
            if lane.can_start() && self.start_attempt(id) {
                self.enter_round(id);
            }
        }
    }

    /// Whether an attempt was started.
    fn start_attempt(&mut self, id: SubscriptionId) -> bool {
        let Some(tenant) = self.lanes.get(&id).map(|lane| lane.tenant_id) else {
            return false;
        };
        match self.directory.find(tenant, id) {
            Found::Subscription(settings) if settings.is_enabled => {
                return self.send(id, &settings);
            }
            Found::Subscription(_) | Found::Suspended => self.set_aside(id),
            Found::Gone => self.cancel(id),
            // Its lane comes into the round again when the directory has been refreshed.
            Found::NotLoaded => {
                self.not_loaded.insert(tenant);
            }
        }
        false
    }

    fn send(&mut self, id: SubscriptionId, settings: &Arc<Subscription>) -> bool {
        if self.is_left_alone(id, settings) {
            self.set_aside(id);
            return false;
        }
        let (own, most) = (settings.settings.max_in_flight, self.most_of(id, settings));
        let Some(lane) = self.lanes.get_mut(&id) else {
            return false;
        };
        lane.max_in_flight = most;
        let is_started = lane.can_start() && self.open_and_send(id, settings);
        if most < usize::from(own) {
            self.note_when_cut(id, settings);
        }
        is_started
    }

    fn open_and_send(&mut self, id: SubscriptionId, settings: &Arc<Subscription>) -> bool {
        let context = &self.context;
        let Some(lane) = self.lanes.get_mut(&id) else {
            return false;
        };
        let means = Means {
            vault: &context.vault,
            policy: context.client.policy(),
            usual: &context.usual,
        };
        match lane.endpoint(settings, || Endpoint::of(means, settings)) {
            Ok(endpoint) => self.send_to(id, settings, endpoint),
            Err(error) => {
                tracing::error!(subscription.id = %id, %error, "a subscription cannot be sent to; its deliveries wait");
                let now = self.context.clock.now();
                self.pace.set_unusable(id, settings, now);
                self.set_aside(id);
                false
            }
        }
    }

    /// Starts an attempt, where host, limit and breaker let it.
    fn send_to(
        &mut self,
        id: SubscriptionId,
        settings: &Subscription,
        endpoint: Arc<Endpoint>,
    ) -> bool {
        let (host, most) = (endpoint.host.clone(), self.rules.max_per_host);
        let tenant = settings.interest.tenant_id;
        if let Some(host) = &host
            && !self.pace.has_room_at(host, most, tenant, id)
        {
            return false;
        }
        let limit = settings.settings.rate_limit;
        if limit.is_none() {
            self.pace.limited.remove(&id);
        }
        if let Some(limit) = limit
            && !self.is_granted(id, limit, endpoint.timeout)
        {
            return false;
        }
        let now = self.context.clock.now();
        let Some(lane) = self.lanes.get_mut(&id) else {
            return false;
        };
        let Some(ticket) = self.pace.begin(id, &self.rules.breaker, now) else {
            return false;
        };
        let Some(job) = lane.start_next() else {
            return false;
        };
        if let Some(host) = &host {
            self.pace.enter(host);
        }
        self.shares.begin(tenant, job.event.body.len());
        let attempted = Attempted {
            tenant,
            subscription: id,
            delivery: job.to.delivery_id,
            ticket,
            host,
            is_granted: limit.is_some(),
            outcome: Outcome::Unknown,
        };
        self.spawn_attempt(endpoint, job, attempted);
        true
    }

    fn spawn_attempt(&self, endpoint: Arc<Endpoint>, job: Job, attempted: Attempted) {
        let context = self.context.clone();
        let recorder = self.recorder.clone();
        let mut ended = Ended {
            tell: self.ended.0.clone(),
            what: Some(attempted),
        };
        self.context.tasks.spawn("dispatcher.attempt", async move {
            if let Some(attempt) = dispatch::attempt(&context, &endpoint, &job).await {
                ended.say(&attempt);
                // Waits while too many wait to be recorded: the slot stays taken.
                let _ = recorder.send(attempt).await;
            }
            drop(ended);
        });
    }

    pub(super) fn on_ended(&mut self, attempted: &Attempted) {
        self.shares.end(attempted.tenant);
        self.round.wake(attempted.tenant);
        self.reading.wake(attempted.tenant);
        if let Some(host) = &attempted.host {
            self.pace.leave(host);
            self.wake_next_at(host);
        }
        let id = attempted.subscription;
        let (now, rules) = (self.context.clock.now(), self.rules.breaker);
        let is_ours = self.holding.contains_key(&Shard::of_subscription(id));
        let is_open = is_ours && self.pace.end(attempted, &rules, now);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.end(attempted.delivery);
        }
        if is_open && self.lanes.get(&id).is_some_and(Lane::has_waiting) {
            self.set_aside(id);
        }
        self.enter_round(id);
        self.forget_when_empty(id);
    }

    /// What waits for a subscription that is disabled, or left alone, waits in the store.
    pub(super) fn set_aside(&mut self, id: SubscriptionId) {
        if self.busy.contains(&Kind::SetAside(id)) {
            return;
        }
        let (jobs, late) = self.empty(id);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.note(Turn::Next);
            lane.note(Turn::Late);
        }
        let store = self.context.store.clone();
        let ids = |jobs: &[Job]| jobs.iter().map(|job| job.to.delivery_id).collect();
        let (ids, late): (Vec<_>, Vec<_>) = (ids(&jobs), ids(&late));
        self.begin(Kind::SetAside(id), async move {
            failpoint::reach!(DispatcherBeforeSetAside);
            // Until it is done, nobody has these deliveries: it has to be done.
            while let Err(error) = store.set_aside(ids.clone(), late.clone()).await {
                tracing::warn!(subscription.id = %id, %error, "deliveries could not be set aside yet");
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            Ok(Step::SetAside(id))
        });
    }

    /// What waits for a deleted subscription is cancelled.
    fn cancel(&mut self, id: SubscriptionId) {
        if self.busy.contains(&Kind::SetAside(id)) {
            return;
        }
        self.empty(id);
        self.pace.forget(id);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.forget_backlog();
        }
        self.forget_when_empty(id);
        let store = self.context.store.clone();
        self.begin(Kind::SetAside(id), async move {
            loop {
                match store.cancel_deliveries(&[id]).await {
                    Ok(true) => {}
                    Ok(false) => return Ok(Step::SetAside(id)),
                    Err(error) => {
                        tracing::warn!(subscription.id = %id, %error, "deliveries could not be cancelled yet");
                        tokio::time::sleep(AGAIN_AFTER).await;
                    }
                }
            }
        });
    }

    /// What waited, and what waited for its turn behind that.
    fn empty(&mut self, id: SubscriptionId) -> (Vec<Job>, Vec<Job>) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return (Vec::new(), Vec::new());
        };
        let jobs: Vec<Job> = lane.waiting.drain(..).collect();
        let other: Vec<Job> = lane.later.drain(..).collect();
        let all = jobs.iter().chain(&other);
        let bytes = all.map(|job| job.event.body.len()).sum();
        self.shares.let_go(lane.tenant_id, bytes);
        (jobs, other)
    }

    /// Whether a subscription's backlog stays where it is: it is disabled, or left alone, or has what may
    /// be sent now.
    pub(super) fn is_held(&self, id: SubscriptionId, tenant: TenantId) -> bool {
        match self.directory.find(tenant, id) {
            Found::Subscription(settings) => {
                !settings.is_enabled
                    || self.is_left_alone(id, &settings)
                    || self.has_enough(id, &settings)
            }
            Found::Suspended => true,
            Found::Gone | Found::NotLoaded => false,
        }
    }

    /// Settings changed: every lane may go on differently.
    pub(super) fn wake_all(&mut self) {
        let ids: Vec<SubscriptionId> = self.lanes.keys().copied().collect();
        for id in ids {
            self.enter_round(id);
        }
    }

    /// Lanes that waited for their tenant to be loaded go on.
    pub(super) fn retry_parked(&mut self) {
        let is_parked = |lane: &&Lane| lane.can_start() && !lane.is_in_round;
        if self.lanes.values().any(|lane| is_parked(&lane)) {
            self.wake_all();
        }
    }

    pub(super) fn forget_when_empty(&mut self, id: SubscriptionId) {
        if self.lanes.get(&id).is_some_and(Lane::is_empty) {
            self.lanes.remove(&id);
        }
    }
}

/// Tells the engine that an attempt has ended, in whatever way.
struct Ended {
    tell: tokio::sync::mpsc::UnboundedSender<Attempted>,
    what: Option<Attempted>,
}

impl Ended {
    /// How it ended.
    fn say(&mut self, attempt: &Attempt) {
        if let Some(what) = &mut self.what {
            what.outcome = if breaker::is_failure(attempt.error, attempt.status_code) {
                Outcome::Fails
            } else {
                Outcome::Works
            };
        }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(what) = self.what.take() {
            let _ = self.tell.send(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::Outgoing;
    use crate::{Context, Rules};
    use domain::id::{DeliveryId, EventId};
    use domain::subscription::Usual;
    use domain::{Clock, Random, Shard};
    use std::collections::HashMap;
    use store::delivery::Recipient;
    use store::shard::Fenced;

    fn engine(directory: &std::path::Path) -> Engine {
        let (clock, random) = (Clock::system(), Random::seeded(3));
        let shutdown = runtime::Shutdown::new();
        let readiness = runtime::Readiness::new(shutdown.clone());
        let resolver = egress::Resolver::fixed(HashMap::new());
        let options = egress::ClientOptions::default();
        let at = directory.join("s.db");
        let store = store::Store::open_sqlite(&at, clock.clone(), random.clone()).unwrap();
        let context = Context {
            catalog: catalog::Directory::new(store.clone(), clock.clone()),
            store,
            broker: broker::Broker::open_embedded(&directory.join("q.db"), clock.clone()).unwrap(),
            client: egress::Client::new(egress::Policy::default(), resolver, options).unwrap(),
            vault: Arc::new(signing::Vault::new([7; 32])),
            metrics: telemetry::Metrics::new("0").unwrap(),
            tracer: telemetry::Tracer::disabled(),
            tasks: runtime::Tasks::new(shutdown.clone()),
            readiness: readiness.clone(),
            usual: Usual {
                retry: None,
                timeout_seconds: 1,
            },
            disable_after: None,
            api_url: String::new(),
            version: "0",
            clock,
            random,
            shutdown,
        };
        let rules = Rules {
            replayable: Duration::from_hours(1),
            breaker: breaker::Rules {
                min_requests: 10,
                failure_ratio: 0.5,
                window: Duration::from_mins(1),
                open: Duration::from_secs(30),
            },
            max_per_host: 256,
        };
        Engine::new(Arc::new(rules), context, readiness.register("dispatcher"))
    }

    /// A lane with one delivery waiting.
    fn with_a_lane(engine: &mut Engine) -> (TenantId, SubscriptionId) {
        let now = engine.context.clock.now();
        let random = engine.context.random.clone();
        let (tenant, id) = (
            TenantId::new(now, &random),
            SubscriptionId::new(now, &random),
        );
        let lease = Fenced {
            shard: Shard::of_subscription(id),
            fence: 1,
        };
        let event = Arc::new(Outgoing {
            id: EventId::new(now, &random),
            tenant_id: tenant,
            event_type: "job.created".to_owned(),
            version: 1,
            body: bytes::Bytes::from_static(b"{}"),
            trace: None,
            caused_at: now,
        });
        let to = Recipient {
            delivery_id: DeliveryId::new(now, &random),
            subscription_id: id,
            attempts: 0,
            has_body: false,
            budget_from: 0,
            replay_id: None,
        };
        let mut lane = Lane::new(lease.shard, tenant);
        engine.shares.keep(tenant, event.body.len());
        lane.waiting.push_back(Job { to, lease, event });
        engine.lanes.insert(id, lane);
        (tenant, id)
    }

    #[tokio::test]
    async fn a_lane_whose_tenant_is_not_loaded_waits_for_it_and_holds_nobody_up() {
        let directory = tempfile::tempdir().unwrap();
        let mut engine = engine(directory.path());
        let (tenant, id) = with_a_lane(&mut engine);
        make_ready(&mut engine);
        engine.enter_round(id);
        // It returns: a lane that cannot start leaves the round.
        engine.start_attempts();
        assert!(engine.round.is_empty() && engine.shares.in_flight() == 0);
        assert!(engine.not_loaded.contains(&tenant));
    }

    /// Everything is leased and known, but for the subscriptions.
    fn make_ready(engine: &mut Engine) {
        let now = engine.context.clock.now();
        engine.tenure.ask(engine.begun.elapsed());
        engine.tenure.grant(now.plus(Duration::from_secs(8)), None);
        engine.is_stale = false;
        for shard in Shard::all() {
            engine.holding.insert(shard, Fenced { shard, fence: 1 });
        }
    }

    #[tokio::test]
    async fn who_has_its_share_of_the_requests_is_passed_over_and_goes_on_when_one_ends() {
        let directory = tempfile::tempdir().unwrap();
        let mut engine = engine(directory.path());
        let [(greedy, first), (modest, second)] = [(); 2].map(|()| with_a_lane(&mut engine));
        make_ready(&mut engine);
        while !engine.shares.requests(greedy).is_used_up() {
            engine.shares.begin(greedy, 0);
        }
        engine.enter_round(first);
        engine.enter_round(second);
        engine.start_attempts();
        assert_eq!(engine.not_loaded, [modest].into());
        assert!(engine.lanes[&first].is_in_round, "it keeps its place");
        engine.shares.end(greedy);
        engine.wake_cut();
        engine.start_attempts();
        assert_eq!(engine.not_loaded, [modest, greedy].into());
    }

    #[tokio::test]
    async fn who_has_its_share_of_the_memory_reads_nothing_more_and_the_others_do() {
        let directory = tempfile::tempdir().unwrap();
        let mut engine = engine(directory.path());
        let [(greedy, first), (_, second)] = [(); 2].map(|()| with_a_lane(&mut engine));
        make_ready(&mut engine);
        while !engine.shares.memory(greedy).is_used_up() {
            engine.shares.keep(greedy, 1_000_000);
        }
        for (id, tenant) in [(first, greedy), (second, engine.lanes[&second].tenant_id)] {
            engine.note(Turn::Next, Shard::of_subscription(id), id, tenant);
        }
        let is_reading = |engine: &Engine, id| engine.busy.contains(&Kind::Read(Turn::Next, id));
        engine.read_backlogs();
        assert!(!is_reading(&engine, first) && is_reading(&engine, second));
        engine.shares.let_go(greedy, 1_000_000);
        engine.wake_cut();
        engine.read_backlogs();
        assert!(is_reading(&engine, first));
    }

    #[tokio::test]
    async fn backlogs_of_a_tenant_with_many_are_read_in_turn_with_those_of_one_with_a_single_one() {
        let directory = tempfile::tempdir().unwrap();
        let mut engine = engine(directory.path());
        make_ready(&mut engine);
        let now = engine.context.clock.now();
        let random = engine.context.random.clone();
        let [flood, trickle] = [(); 2].map(|()| TenantId::new(now, &random));
        let id = || SubscriptionId::new(now, &random);
        for _ in 0..1_000 {
            let id = id();
            engine.note(Turn::Next, Shard::of_subscription(id), id, flood);
        }
        let last = id();
        engine.note(Turn::Next, Shard::of_subscription(last), last, trickle);
        engine.read_backlogs();
        let reading = engine.busy.iter();
        assert_eq!(
            reading
                .filter(|kind| matches!(kind, Kind::Read(..)))
                .count(),
            8
        );
        assert!(engine.busy.contains(&Kind::Read(Turn::Next, last)));
    }

    #[tokio::test]
    async fn a_subscription_deleted_while_it_is_set_aside_is_cancelled_after_that() {
        let directory = tempfile::tempdir().unwrap();
        let mut engine = engine(directory.path());
        let (_, id) = with_a_lane(&mut engine);
        engine.busy.insert(Kind::SetAside(id));
        engine.cancel(id);
        assert_eq!(engine.lanes[&id].waiting.len(), 1, "nobody would have it");
        engine.on_step(Step::SetAside(id));
        assert!(engine.lanes[&id].is_in_round, "it is looked at again");
        engine.cancel(id);
        assert!(!engine.lanes.contains_key(&id));
        assert!(engine.busy.contains(&Kind::SetAside(id)));
    }

    #[tokio::test]
    async fn a_reading_that_fails_for_a_shard_that_is_lost_leaves_nothing_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        let mut engine = engine(directory.path());
        let (_, id) = with_a_lane(&mut engine);
        engine.empty(id);
        engine.lanes.get_mut(&id).unwrap().begin_reading(Turn::Next);
        let failed = Step::Failed(Kind::Read(Turn::Next, id), store::Error::LeaseLost);
        engine.on_step(failed);
        assert!(!engine.lanes.contains_key(&id));
    }
}
