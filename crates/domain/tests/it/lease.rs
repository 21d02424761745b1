//! Dispatchers that die, freeze and lose answers, on machines whose clocks are set, around a store whose
//! clock is set too.

use crate::{Dice, HISTORIES, millis};
use std::collections::BTreeMap;
use std::time::Duration;
use tidings_domain::shard::{LEASE, Lease, RENEW_EVERY, is_running, plan};
use tidings_domain::tenure::Tenure;
use tidings_domain::{Shard, Timestamp};

const STEPS: usize = 30;
const NODES: usize = 3;
/// Within which every shard has an owner, once nothing fails any more. A lease was renewed at the
/// latest as its holder died.
const SETTLED: Duration = Duration::from_secs(10);

/// What the store says of a shard.
#[derive(Clone)]
struct Row {
    lease: Lease,
    fence: u64,
}

struct Store {
    clock_ms: i64,
    rows: Vec<Row>,
    dispatchers: BTreeMap<String, Timestamp>,
    /// When its clock was last set.
    set_at: Option<Duration>,
}

struct Node {
    name: String,
    clock_ms: i64,
    tenure: Tenure,
    held: BTreeMap<Shard, u64>,
    frozen_until: Duration,
    is_dead: bool,
}

struct World {
    elapsed: Duration,
    store: Store,
    nodes: Vec<Node>,
}

#[test]
fn no_two_dispatchers_ever_send_for_one_shard_and_all_shards_are_owned_again_within_ten_seconds() {
    for history in 0..HISTORIES {
        let dice = Dice::of(history);
        let mut world = World::new();
        for _ in 0..STEPS {
            world.fail_somehow(&dice);
            world.pass(dice.millis(2_500), Some(&dice));
            world.check_senders(history);
        }
        world.end_freezing();
        for _ in 0..SETTLED.as_millis() / 100 {
            world.pass(Duration::from_millis(100), None);
            world.check_senders(history);
        }
        world.check_owners(history);
    }
}

impl World {
    fn new() -> Self {
        let rows = Shard::all().map(|shard| Row {
            lease: Lease {
                shard,
                owner: None,
                until: Timestamp::from_millis(0),
            },
            fence: 0,
        });
        let node = |number| Node {
            name: format!("node-{number}"),
            clock_ms: 1_000_000_000,
            tenure: Tenure::default(),
            held: BTreeMap::new(),
            frozen_until: Duration::ZERO,
            is_dead: false,
        };
        Self {
            elapsed: Duration::ZERO,
            store: Store {
                clock_ms: 1_000_000_000,
                rows: rows.collect(),
                dispatchers: BTreeMap::new(),
                set_at: None,
            },
            nodes: (0..NODES).map(node).collect(),
        }
    }

    fn fail_somehow(&mut self, dice: &Dice) {
        let elapsed = self.elapsed;
        let chosen = usize::try_from(dice.below(NODES as u64)).unwrap();
        let live = self.nodes.iter().filter(|node| !node.is_dead).count();
        let node = &mut self.nodes[chosen];
        match dice.below(8) {
            0 => node.clock_ms += dice.jump(),
            1 => node.frozen_until = elapsed + dice.millis(40_000),
            // Another process takes its place, and knows nothing.
            2 => {
                node.tenure = Tenure::default();
                node.held.clear();
                node.name.push('+');
            }
            3 if live > 1 => node.is_dead = true,
            4 if dice.is_one_in(4) => {
                self.store.clock_ms += dice.jump();
                self.store.set_at = Some(elapsed);
            }
            _ => {}
        }
    }

    fn end_freezing(&mut self) {
        for node in &mut self.nodes {
            node.frozen_until = Duration::ZERO;
        }
    }

    /// Time goes on; whoever is awake renews when it is due. An answer may get lost.
    fn pass(&mut self, time: Duration, faults: Option<&Dice>) {
        self.elapsed += time;
        self.store.clock_ms += millis(time);
        for node in &mut self.nodes {
            node.clock_ms += millis(time);
            let is_awake = !node.is_dead && node.frozen_until <= self.elapsed;
            if is_awake && (node.tenure.is_due(self.elapsed) || !node.holds(self.elapsed)) {
                let is_lost = faults.is_some_and(|dice| dice.is_one_in(5));
                self.store.renew(node, self.elapsed, is_lost);
            }
        }
    }

    /// A frozen dispatcher sends nothing; one that thaws looks at its tenure first.
    fn check_senders(&self, history: u64) {
        let just_set = |set: Duration| self.elapsed < set + LEASE;
        if self.store.set_at.is_some_and(just_set) {
            // Whoever had a lease by the old clock sends until its own time is over; its records are void.
            return;
        }
        let mut sending: BTreeMap<Shard, &str> = BTreeMap::new();
        for node in self.nodes.iter().filter(|node| !node.is_dead) {
            if node.holds(self.elapsed) {
                for shard in node.held.keys() {
                    let other = sending.insert(*shard, &node.name);
                    assert_eq!(other, None, "history {history}: {shard} by {}", node.name);
                }
            }
        }
    }

    fn check_owners(&self, history: u64) {
        let live: Vec<&Node> = self.nodes.iter().filter(|node| !node.is_dead).collect();
        let share = self.store.rows.len().div_ceil(live.len());
        for row in &self.store.rows {
            let owners = live.iter().filter(|node| {
                node.holds(self.elapsed) && node.held.get(&row.lease.shard) == Some(&row.fence)
            });
            assert_eq!(owners.count(), 1, "history {history}: {}", row.lease.shard);
        }
        assert!(
            live.iter().all(|node| node.held.len() <= share),
            "history {history}"
        );
    }
}

impl Node {
    fn holds(&self, elapsed: Duration) -> bool {
        self.tenure
            .holds(elapsed, Timestamp::from_millis(self.clock_ms))
    }
}

impl Store {
    /// As the store's `lease_shards`.
    fn renew(&mut self, node: &mut Node, elapsed: Duration, is_answer_lost: bool) {
        node.tenure.ask(elapsed);
        let own_until = Timestamp::from_millis(node.clock_ms).plus(LEASE);
        let now = Timestamp::from_millis(self.clock_ms);
        self.dispatchers.insert(node.name.clone(), now.plus(LEASE));
        self.dispatchers.retain(|_, until| is_running(*until, now));
        let leases: Vec<Lease> = self.rows.iter().map(|row| row.lease.clone()).collect();
        let used: Vec<Shard> = node.held.keys().copied().collect();
        let live = self.dispatchers.len();
        let plan = plan(&node.name, &used, &leases, live, now);
        for row in &mut self.rows {
            let lease = &mut row.lease;
            if plan.give.contains(&lease.shard) {
                lease.owner = None;
                lease.until = Timestamp::from_millis(0);
            } else if plan.keep.contains(&lease.shard) {
                lease.until = now.plus(LEASE);
            } else if plan.take.contains(&lease.shard) {
                lease.owner = Some(node.name.clone());
                lease.until = now.plus(LEASE);
                row.fence += 1;
            }
        }
        if is_answer_lost {
            return;
        }
        let others = leases.iter().filter(|lease| {
            lease
                .owner
                .as_deref()
                .is_some_and(|owner| owner != node.name)
                && is_running(lease.until, now)
        });
        let first = others.map(|lease| lease.until.since(now)).min();
        let again_in = if plan.leave.is_empty() {
            first.filter(|wait| *wait < RENEW_EVERY)
        } else {
            Some(Duration::ZERO)
        };
        node.tenure.grant(own_until, again_in);
        node.held = self
            .rows
            .iter()
            .filter(|row| {
                let shard = row.lease.shard;
                plan.keep.contains(&shard) || plan.take.contains(&shard)
            })
            .map(|row| (row.lease.shard, row.fence))
            .collect();
    }
}
