//! The engine: one task that holds the lanes and decides what happens next. It waits for nothing
//! itself: whatever takes time is a step under way, and comes back as what it found.

mod late;
mod lease;
mod pace;
mod read;
mod round;
mod step;

use crate::lane::{Lane, Turn};
use crate::outgoing::{Job, Outgoing};
use crate::pace::{Attempted, Pace};
use crate::record::{self, Recorder};
use crate::round::Round;
use crate::share::Shares;
use crate::{Context, Rules};
use broker::HintReceiver;
use domain::Shard;
use domain::id::{SubscriptionId, TenantId};
use domain::tenure::Tenure;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use late::Late;
use read::Reading;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use step::Step;
use store::delivery::Owed;
use store::directory::Directory;
use store::shard::Fenced;
use tokio::sync::mpsc;
use wire::Topic;

/// How often the engine looks for what nothing told it of: due retries, lost hints.
const TICK: Duration = Duration::from_millis(100);
/// How often every shard is looked at, hint or not.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long attempts under way are waited for at the end. An attempt may take longer, but a process
/// that is told to end has 25 s: shards that it cannot give up in time are waited for by the others.
const PATIENCE: Duration = Duration::from_secs(15);

/// Starts the engine, until the process drains.
pub(crate) fn start(rules: &Arc<Rules>, context: &Context) {
    let check = context.readiness.register("dispatcher");
    let (rules, context) = (rules.clone(), context.clone());
    context.tasks.clone().supervise("dispatcher", move || {
        let engine = Engine::new(rules.clone(), context.clone(), check.clone());
        async move {
            engine.run().await;
            Ok(())
        }
    });
}

type Running = Pin<Box<dyn Future<Output = Step> + Send>>;

struct Engine {
    rules: Arc<Rules>,
    context: Context,
    check: runtime::Check,
    /// Who this dispatcher is among the others.
    owner: String,
    directory: Directory,
    lanes: HashMap<SubscriptionId, Lane>,
    /// Lanes that may start an attempt, each in turn.
    round: Round,
    /// Lanes that have fewer requests under way than they may by themselves.
    cut: Vec<SubscriptionId>,
    reading: Reading,
    shares: Shares,
    holding: HashMap<Shard, Fenced>,
    tenure: Tenure,
    /// Whether every shard is to be taken anew.
    starts_over: bool,
    /// What the tenure counts from.
    begun: Instant,
    /// Shards that may have events nobody has stamped.
    unstamped: BTreeSet<Shard>,
    /// Who had the last turn in the fan-out, where it left somebody out.
    last_turn: Option<(Shard, TenantId)>,
    /// Whether deliveries may be due that are not in memory.
    look_for_due: bool,
    late: Late,
    pace: Pace,
    /// Whether subscriptions changed since the directory was brought up to date.
    is_stale: bool,
    /// Tenants of waiting deliveries that the directory has to load.
    not_loaded: HashSet<TenantId>,
    under_way: FuturesUnordered<Running>,
    busy: HashSet<step::Kind>,
    /// What the store failed the last time.
    in_trouble: HashSet<step::Kind>,
    hints: HintReceiver,
    recorder: Recorder,
    lost: mpsc::UnboundedReceiver<Vec<Shard>>,
    ended: (
        mpsc::UnboundedSender<Attempted>,
        mpsc::UnboundedReceiver<Attempted>,
    ),
    last_look: Instant,
}

impl Engine {
    fn new(rules: Arc<Rules>, context: Context, check: runtime::Check) -> Self {
        let (tell_lost, lost) = mpsc::unbounded_channel();
        Self {
            rules,
            owner: hex(context.random.bytes::<8>()),
            directory: Directory::default(),
            lanes: HashMap::new(),
            round: Round::default(),
            cut: Vec::new(),
            reading: Reading::default(),
            shares: Shares::default(),
            holding: HashMap::new(),
            tenure: Tenure::default(),
            starts_over: false,
            begun: Instant::now(),
            unstamped: BTreeSet::new(),
            last_turn: None,
            look_for_due: false,
            late: Late::default(),
            pace: Pace::default(),
            is_stale: true,
            not_loaded: HashSet::new(),
            under_way: FuturesUnordered::new(),
            busy: HashSet::new(),
            in_trouble: HashSet::new(),
            hints: context.broker.hints(Topic::Work),
            recorder: record::start(&context, tell_lost),
            lost,
            ended: mpsc::unbounded_channel(),
            last_look: Instant::now(),
            context,
            check,
        }
    }

    async fn run(mut self) {
        let shutdown = self.context.shutdown.clone();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !shutdown.is_draining() {
            self.advance();
            tokio::select! {
                biased;
                () = shutdown.draining() => break,
                hints = self.hints.recv() => self.on_hints(&hints),
                Some(ended) = self.ended.1.recv() => {
                    self.on_ended(&ended);
                    while let Ok(ended) = self.ended.1.try_recv() {
                        self.on_ended(&ended);
                    }
                }
                Some(step) = self.under_way.next(), if !self.under_way.is_empty() => {
                    self.on_step(step);
                }
                Some(shards) = self.lost.recv() => self.drop_shards(&shards),
                _ = tick.tick() => self.on_tick(),
            }
        }
        self.drain().await;
    }

    /// Starts whatever can be started now.
    fn advance(&mut self) {
        self.renew_when_due();
        self.refresh_when_stale();
        self.fan_out_when_owed();
        self.claim_when_due();
        self.read_backlogs();
        self.recover_when_asked();
        self.keep_breakers();
        self.start_attempts();
    }

    fn on_hints(&mut self, hints: &broker::HintSet) {
        self.is_stale |= hints.subscriptions;
        let held = |shard: &Shard| self.holding.contains_key(shard);
        self.unstamped.extend(hints.events().filter(held));
        self.look_for_due |= hints.deliveries().any(|shard| held(&shard));
    }

    fn on_tick(&mut self) {
        self.look_for_due = true;
        self.late.look |= self.late.goes_on;
        self.wake_waiting();
        self.wake_cut();
        self.ask_all_to_read();
        self.make_room();
        if self.last_look.elapsed() >= LOOK_EVERY {
            self.last_look = Instant::now();
            self.is_stale = true;
            self.unstamped.extend(self.holding.keys());
            self.late.look = true;
            let now = self.context.clock.now();
            self.pace.tidy(&self.rules.breaker, now);
        }
    }

    /// Puts what is owed into its lanes. What was taken under a lease that is not held any more was
    /// freed for the next owner, also where that is us again.
    fn take_in(&mut self, owed: Vec<Owed>, under: &step::Leases, turn: Turn) {
        for owed in owed {
            let event = Outgoing::of(&owed);
            for to in owed.to {
                let id = to.subscription_id;
                let shard = Shard::of_subscription(id);
                let Some(lease) = self.holding.get(&shard).copied() else {
                    continue;
                };
                if under.get(&shard) != Some(&lease) || self.is_let_go(shard, to.delivery_id) {
                    continue;
                }
                let tenant = event.tenant_id;
                self.shares.keep(tenant, event.body.len());
                let lane = self
                    .lanes
                    .entry(id)
                    .or_insert_with(|| Lane::new(shard, tenant));
                let event = event.clone();
                lane.push(turn, Job { to, lease, event });
                self.enter_round(id);
            }
        }
    }

    /// Something waits in the store for a subscription.
    fn note(&mut self, turn: Turn, shard: Shard, id: SubscriptionId, tenant: TenantId) {
        let lane = self
            .lanes
            .entry(id)
            .or_insert_with(|| Lane::new(shard, tenant));
        lane.note(turn);
        self.ask_to_read(id);
    }

    /// Lets attempts under way end and be recorded, then gives the shards up.
    async fn drain(mut self) {
        self.check.failing("draining");
        let ended = tokio::time::timeout(PATIENCE, async {
            while self.shares.in_flight() > 0 {
                let Some(ended) = self.ended.1.recv().await else {
                    break;
                };
                self.on_ended(&ended);
            }
        });
        if ended.await.is_err() {
            tracing::warn!(
                attempts = self.shares.in_flight(),
                "attempts were still under way at the end"
            );
        }
        let (store, owner) = (self.context.store.clone(), self.owner.clone());
        // Dropping the engine drops its recorder: what ended is recorded before the process ends.
        drop(self);
        failpoint::reach!(DispatcherBeforeRelease);
        if let Err(error) = store.release_shards(owner).await {
            tracing::warn!(%error, "the shards could not be given up; others take them when their leases end");
        }
    }
}

fn hex(bytes: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(bytes))
}
