//! Whether this process can do its work.

use crate::Shutdown;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Text = Cow<'static, str>;

/// Named checks. Ready when every one is ok and the process does not drain. Clones share them.
#[derive(Clone, Debug)]
pub struct Readiness {
    shutdown: Shutdown,
    checks: Arc<Mutex<BTreeMap<Text, CheckState>>>,
}

/// What one check says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckState {
    /// Whether it holds.
    pub ok: bool,
    /// In words, without secrets: anybody who reaches the admin port reads it.
    pub detail: Text,
}

/// All checks at one moment; the body of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Whether all hold.
    pub ready: bool,
    /// Each check by its name; `shutdown` is among them while the process drains.
    pub checks: BTreeMap<Text, CheckState>,
}

/// One check, in the hands of whoever knows.
#[derive(Clone, Debug)]
pub struct Check {
    name: Text,
    readiness: Readiness,
}

impl Readiness {
    /// No checks: ready until `shutdown` drains.
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            checks: Arc::default(),
        }
    }

    /// Adds a check, failing until it is told otherwise. A name that is there already is the same check.
    pub fn register(&self, name: impl Into<Text>) -> Check {
        let name = name.into();
        self.checks().entry(name.clone()).or_insert(CheckState {
            ok: false,
            detail: "starting".into(),
        });
        Check {
            name,
            readiness: self.clone(),
        }
    }

    /// Whether everything holds.
    pub fn is_ready(&self) -> bool {
        !self.shutdown.is_draining() && self.checks().values().all(|check| check.ok)
    }

    /// Everything, to be told.
    pub fn snapshot(&self) -> Snapshot {
        let mut checks = self.checks().clone();
        if self.shutdown.is_draining() {
            let detail = "draining".into();
            checks.insert("shutdown".into(), CheckState { ok: false, detail });
        }
        Snapshot {
            ready: checks.values().all(|check| check.ok),
            checks,
        }
    }

    fn checks(&self) -> MutexGuard<'_, BTreeMap<Text, CheckState>> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Check {
    /// It holds.
    pub fn ok(&self, detail: impl Into<Text>) {
        self.set(CheckState {
            ok: true,
            detail: detail.into(),
        });
    }

    /// It does not hold.
    pub fn failing(&self, detail: impl Into<Text>) {
        self.set(CheckState {
            ok: false,
            detail: detail.into(),
        });
    }

    /// The log hears of a change, not of every look.
    fn set(&self, state: CheckState) {
        let was_ok = self
            .readiness
            .checks()
            .get(&self.name)
            .is_some_and(|before| before.ok);
        let (check, detail) = (&*self.name, &*state.detail);
        match (was_ok, state.ok) {
            (true, false) => tracing::warn!(check, detail, "not ready"),
            (false, true) => tracing::info!(check, detail, "ready"),
            _ => {}
        }
        self.readiness.checks().insert(self.name.clone(), state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_is_ready_when_every_check_is_ok() {
        let readiness = Readiness::new(Shutdown::new());
        assert!(readiness.is_ready());
        let store = readiness.register("store");
        let broker = readiness.clone().register("broker");
        assert!(!readiness.is_ready());
        store.ok("sqlite");
        assert!(!readiness.is_ready());
        broker.ok("embedded");
        assert!(readiness.is_ready());
        broker.failing("disk full");
        assert_eq!(
            serde_json::to_value(readiness.snapshot()).unwrap(),
            json!({"ready": false, "checks": {
                "broker": {"ok": false, "detail": "disk full"},
                "store": {"ok": true, "detail": "sqlite"},
            }})
        );
    }

    #[test]
    fn draining_makes_it_not_ready() {
        let shutdown = Shutdown::new();
        let readiness = Readiness::new(shutdown.clone());
        readiness.register("store").ok("sqlite");
        shutdown.drain();
        assert!(!readiness.is_ready());
        let snapshot = readiness.snapshot();
        assert!(!snapshot.ready && snapshot.checks["store"].ok);
        assert_eq!(snapshot.checks["shutdown"].detail, "draining");
    }

    #[test]
    fn a_name_registered_twice_is_one_check() {
        let readiness = Readiness::new(Shutdown::new());
        readiness.register("store").ok("sqlite");
        readiness.register("store");
        assert!(readiness.is_ready());
    }
}
