//! What this process tells of itself, to the platform tenant: `system.error` when a task of its own failed, and
//! `system.health_check` when it stopped being ready, or is again.
//!
//! It is told at most once a minute, of each task and of readiness, so that telling cannot feed itself, and
//! kept in memory while the store takes nothing. A polite end is no news, and neither is the start.

use super::parts::Parts;
use crate::VERSION;
use crate::role::Role;
use domain::account::Environment;
use domain::event::{Event, Resource};
use domain::id::{EventId, TenantId};
use domain::json::Raw;
use domain::{Random, Shard, Timestamp};
use runtime::{Failure, Snapshot};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use store::event::Publication;
use wire::Hint;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often one thing is told at the most.
const EVERY: Duration = Duration::from_mins(1);
/// The longest reason told, in bytes.
const MAX_REASON_BYTES: usize = 512;

/// Tells, until the process drains.
pub(super) fn start(parts: &Parts, roles: &[Role]) {
    let process = Process {
        id: hex::encode(parts.random.bytes::<8>()),
        roles: roles.iter().map(|role| role.as_str()).collect(),
        version: VERSION,
    };
    let parts = parts.clone();
    parts.tasks.clone().spawn("news", async move {
        let mut news = News::default();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = parts.shutdown.draining() => return,
            }
            let now = parts.clock.now();
            news.hear(now, parts.tasks.take_failures(), parts.readiness.snapshot());
            if parts.admission.is_open() {
                tell(&parts, &process, &mut news, now).await;
            }
        }
    });
}

async fn tell(parts: &Parts, process: &Process, news: &mut News, now: Timestamp) {
    let items = news.due(now);
    if items.is_empty() {
        return;
    }
    let events = items.iter().map(|item| Publication {
        event: process.event(item, now, &parts.random),
        claim: None,
        counts: false,
    });
    let told = parts
        .store
        .publish_batch(events.collect(), None, |_| String::new())
        .await;
    match told {
        Ok(_) => {
            for _ in &items {
                parts.metrics.event("tidings");
            }
            news.told(now, &items);
            let shard = Shard::of_tenant(TenantId::PLATFORM);
            parts.broker.hint(Hint::Events(shard));
        }
        // The log has said what happened; that it cannot be told yet is the same trouble.
        Err(error) => {
            tracing::debug!(%error, "news of this process wait until the store takes them");
        }
    }
}

/// Who tells.
#[derive(Serialize)]
struct Process {
    /// Another one after each start.
    id: String,
    roles: Vec<&'static str>,
    version: &'static str,
}

impl Process {
    fn event(&self, item: &Item, now: Timestamp, random: &Random) -> Event {
        let (event_type, data) = match item {
            Item::Error(error) => (
                "system.error",
                Raw::of(&About {
                    process: self,
                    what: error,
                }),
            ),
            Item::Health(health) => {
                let data = Raw::of(&About {
                    process: self,
                    what: health,
                });
                ("system.health_check", data)
            }
        };
        Event {
            id: EventId::new(now, random),
            tenant_id: TenantId::PLATFORM,
            event_type: event_type.to_owned(),
            version: 1,
            environment: Environment::default(),
            created_at: now,
            source: "tidings".to_owned(),
            resource: Some(Resource {
                kind: "process".to_owned(),
                id: self.id.clone(),
                data: None,
            }),
            context: None,
            metadata: None,
            data,
            transition: None,
            traceparent: None,
            caused_at: now,
        }
    }
}

#[derive(Serialize)]
struct About<'a, T> {
    process: &'a Process,
    #[serde(flatten)]
    what: &'a T,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    Error(Failed),
    Health(Health),
}

/// A task that failed, and was started again.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Failed {
    task: String,
    /// Of the last time.
    reason: String,
    /// How often since it was told last.
    count: u64,
    first_at: Timestamp,
    last_at: Timestamp,
}

/// Whether the process is ready.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Health {
    ready: bool,
    /// Since when it was not.
    unready_since: Timestamp,
    /// The checks that did not hold when it stopped being ready, and what they said.
    failing: BTreeMap<String, String>,
}

/// What is to be told, and when what was.
#[derive(Default)]
struct News {
    failed: BTreeMap<String, Failed>,
    told_at: BTreeMap<String, Timestamp>,
    was_ready: bool,
    /// The last time that it was not ready, as long as not all of it is told.
    lapse: Option<Health>,
    /// What was last told of it.
    told_ready: bool,
    told_health_at: Option<Timestamp>,
}

impl News {
    /// Until it was ready for the first time, what fails is the start: servers are still being connected to.
    fn hear(&mut self, now: Timestamp, failures: Vec<Failure>, snapshot: Snapshot) {
        self.was_ready |= snapshot.ready;
        if !self.was_ready {
            return;
        }
        for failure in failures {
            let reason = domain::text::cut(&failure.reason, MAX_REASON_BYTES).to_owned();
            let failed = self.failed.entry(failure.task.clone());
            let failed = failed.or_insert_with(|| Failed {
                task: failure.task,
                reason: String::new(),
                count: 0,
                first_at: now,
                last_at: now,
            });
            failed.count += failure.count;
            failed.reason = reason;
            failed.last_at = now;
        }
        if !snapshot.ready && self.lapse.is_none() {
            let failing = snapshot.checks.into_iter().filter(|(_, check)| !check.ok);
            self.lapse = Some(Health {
                ready: false,
                unready_since: now,
                failing: failing
                    .map(|(name, check)| (name.into_owned(), check.detail.into_owned()))
                    .collect(),
            });
            self.told_ready = true;
        }
        if let Some(lapse) = &mut self.lapse {
            lapse.ready = snapshot.ready;
        }
    }

    /// What may be told now.
    fn due(&self, now: Timestamp) -> Vec<Item> {
        let is_due = |told: Option<&Timestamp>| told.is_none_or(|told| now.since(*told) >= EVERY);
        let failed = self.failed.values();
        let failed = failed.filter(|failed| is_due(self.told_at.get(&failed.task)));
        let mut items: Vec<Item> = failed.cloned().map(Item::Error).collect();
        // One that was over before it could be told is told by its end.
        let lapse = self.lapse.iter().filter(|lapse| {
            let is_told = !self.told_ready && !lapse.ready;
            !is_told && is_due(self.told_health_at.as_ref())
        });
        items.extend(lapse.cloned().map(Item::Health));
        items
    }

    fn told(&mut self, now: Timestamp, items: &[Item]) {
        for item in items {
            match item {
                Item::Error(failed) => {
                    self.failed.remove(&failed.task);
                    self.told_at.insert(failed.task.clone(), now);
                }
                Item::Health(health) => {
                    self.told_health_at = Some(now);
                    self.told_ready = health.ready;
                    if health.ready {
                        self.lapse = None;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::{Readiness, Shutdown};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1_000)
    }

    fn snapshot(ready: bool) -> Snapshot {
        let readiness = Readiness::new(Shutdown::new());
        let check = readiness.register("store");
        if ready {
            check.ok("takes writes");
        } else {
            check.failing("away");
        }
        readiness.snapshot()
    }

    fn failure(task: &str) -> Failure {
        Failure {
            task: task.to_owned(),
            reason: "broken".to_owned(),
            count: 1,
        }
    }

    fn tell(news: &mut News, now: Timestamp) -> Vec<Item> {
        let items = news.due(now);
        news.told(now, &items);
        items
    }

    #[test]
    fn a_task_is_told_of_at_most_once_a_minute_with_how_often_it_failed() {
        let mut news = News::default();
        let mut told = Vec::new();
        for second in 0..130 {
            let failures = vec![failure("a")];
            news.hear(at(second), failures, snapshot(true));
            told.extend(tell(&mut news, at(second)));
        }
        let counts: Vec<u64> = told
            .iter()
            .map(|item| match item {
                Item::Error(failed) => failed.count,
                Item::Health(_) => panic!("it is ready"),
            })
            .collect();
        assert_eq!(counts, [1, 60, 60]);
        news.hear(at(131), vec![failure("b")], snapshot(true));
        assert_eq!(tell(&mut news, at(131)).len(), 1, "another is told at once");
    }

    #[test]
    fn what_cannot_be_told_is_told_later_and_the_start_never() {
        let mut news = News::default();
        news.hear(at(0), vec![failure("a")], snapshot(false));
        assert!(news.due(at(0)).is_empty());
        news.hear(at(0), vec![failure("a")], snapshot(true));
        assert_eq!(news.due(at(0)).len(), 1);
        assert_eq!(news.due(at(1)), news.due(at(0)), "nobody took it");
    }

    #[test]
    fn that_it_is_not_ready_is_told_once_and_that_it_is_again() {
        let mut news = News::default();
        let readiness = [false, true, false, false, true, true, false];
        let mut told = Vec::new();
        for (minute, ready) in (0..).zip(readiness) {
            news.hear(at(minute * 60), Vec::new(), snapshot(ready));
            for item in tell(&mut news, at(minute * 60)) {
                let Item::Health(health) = item else {
                    panic!("nothing failed")
                };
                assert_eq!(health.failing["store"], "away");
                told.push((minute, health.ready));
            }
        }
        assert_eq!(
            told,
            [(2, false), (4, true), (6, false)],
            "and its start is no news"
        );
    }

    #[test]
    fn a_lapse_that_was_over_before_it_could_be_told_is_told_by_its_end() {
        let mut news = News::default();
        for (second, ready) in [(0, true), (1, false), (2, true)] {
            news.hear(at(second), Vec::new(), snapshot(ready));
        }
        let [Item::Health(health)] = &tell(&mut news, at(3))[..] else {
            panic!("it is told once")
        };
        assert!(health.ready);
        assert_eq!(health.unready_since, at(1));
        // Many within a minute are one.
        for second in 4..60 {
            news.hear(at(second), Vec::new(), snapshot(second % 2 == 0));
            assert!(tell(&mut news, at(second)).is_empty());
        }
    }
}
