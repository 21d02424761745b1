//! Tasks with a name and an end.

use crate::Shutdown;
use futures_util::FutureExt;
use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LAST_BACKOFF: Duration = Duration::from_secs(10);
/// What a task has left once the process stops.
const STOP_WITHIN: Duration = Duration::from_secs(1);
/// What an aborted task has to drop what it holds.
const ABORT_WITHIN: Duration = Duration::from_millis(500);

type Name = Cow<'static, str>;

/// The tasks of one part of the process. Clones share them.
#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    shutdown: Shutdown,
    live: Mutex<Live>,
    all_ended: Notify,
}

/// A task that failed, and goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its name.
    pub task: String,
    /// Why, the last time.
    pub reason: String,
    /// How often.
    pub count: u64,
}

#[derive(Default)]
struct Live {
    next: u64,
    tasks: BTreeMap<u64, Task>,
    /// Of each task that failed since somebody asked.
    failures: BTreeMap<Name, Failure>,
}

struct Task {
    name: Name,
    /// Absent for the moment between its entry here and its start.
    abort: Option<AbortHandle>,
}

impl Tasks {
    /// No tasks yet; supervised ones end when `shutdown` drains.
    pub fn new(shutdown: Shutdown) -> Self {
        Self(Arc::new(Inner {
            shutdown,
            live: Mutex::default(),
            all_ended: Notify::new(),
        }))
    }

    /// Runs `future` once. If it panics, the log says so with its name, and the process goes on.
    pub fn spawn<F>(&self, name: impl Into<Name>, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let entry = self.enter(name.clone());
        let id = entry.id;
        let inner = Arc::clone(&self.0);
        let task = async move {
            let _entry = entry;
            if let Err(panic) = AssertUnwindSafe(future).catch_unwind().await {
                let panic = message(&*panic);
                tracing::error!(task = %name, panic, "a task panicked");
                inner.note(&name, &format!("panic: {panic}"));
            }
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place where tasks begin"
        )]
        let abort = tokio::spawn(task).abort_handle();
        if let Some(task) = self.0.live().tasks.get_mut(&id) {
            task.abort = Some(abort);
        }
    }

    /// Keeps a future running until the process drains.
    ///
    /// When it returns an error or panics, or returns before it was asked to, the log says so (once for
    /// as long as the reason is the same), and `factory` makes the next after 100 ms, doubled each time up to 10 s; a run of more than 10 s starts again
    /// at 100 ms. While the process drains, nothing is started again.
    pub fn supervise<M, F>(&self, name: impl Into<Name>, mut factory: M)
    where
        M: FnMut() -> F + Send + 'static,
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let name = name.into();
        let shutdown = self.0.shutdown.clone();
        let inner = Arc::clone(&self.0);
        self.spawn(name.clone(), async move {
            let mut backoff = FIRST_BACKOFF;
            let mut told = None;
            loop {
                let started = Instant::now();
                let reason = match run(&mut factory).await {
                    Ok(()) if shutdown.is_draining() => return,
                    Ok(()) => "it returned before it was asked to".to_owned(),
                    Err(reason) => reason,
                };
                if shutdown.is_draining() {
                    tracing::error!(task = %name, reason, "a task failed while draining");
                    return;
                }
                if started.elapsed() > LAST_BACKOFF {
                    backoff = FIRST_BACKOFF;
                    told = None;
                }
                inner.note(&name, &reason);
                let retry_in_ms = backoff.as_millis();
                if told.as_ref() == Some(&reason) {
                    tracing::debug!(task = %name, reason, retry_in_ms, "a task failed again");
                } else {
                    tracing::error!(task = %name, reason, retry_in_ms, "a task failed and starts again");
                    told = Some(reason);
                }
                tokio::select! {
                    () = tokio::time::sleep(backoff) => {}
                    () = shutdown.draining() => return,
                }
                backoff = (backoff * 2).min(LAST_BACKOFF);
            }
        });
    }

    /// What failed since this was asked last: one for each task, so that there are never many.
    pub fn take_failures(&self) -> Vec<Failure> {
        let failures = std::mem::take(&mut self.0.live().failures);
        failures.into_values().collect()
    }

    /// Waits until all tasks have ended, at most for `deadline`, and once the process stops at most 1 s more.
    /// Aborts the rest and returns their names.
    pub async fn join(&self, deadline: Duration) -> Vec<String> {
        let gave_up = async {
            self.0.shutdown.stopped().await;
            tokio::time::sleep(STOP_WITHIN).await;
        };
        tokio::select! {
            () = self.0.all_ended() => return Vec::new(),
            () = tokio::time::sleep(deadline) => {}
            () = gave_up => {}
        }
        let late = self.0.abort_all();
        let _ = tokio::time::timeout(ABORT_WITHIN, self.0.all_ended()).await;
        late
    }

    fn enter(&self, name: Name) -> Entry {
        let mut live = self.0.live();
        let id = live.next;
        live.next += 1;
        live.tasks.insert(id, Task { name, abort: None });
        Entry {
            id,
            inner: Arc::clone(&self.0),
        }
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.live().tasks.values().map(|task| &task.name))
            .finish()
    }
}

impl Inner {
    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, task: &Name, reason: &str) {
        let mut live = self.live();
        let failure = live
            .failures
            .entry(task.clone())
            .or_insert_with(|| Failure {
                task: task.to_string(),
                reason: String::new(),
                count: 0,
            });
        failure.count += 1;
        reason.clone_into(&mut failure.reason);
    }

    async fn all_ended(&self) {
        loop {
            let mut ended = std::pin::pin!(self.all_ended.notified());
            ended.as_mut().enable();
            if self.live().tasks.is_empty() {
                return;
            }
            ended.await;
        }
    }

    fn abort_all(&self) -> Vec<String> {
        // Collected first: an aborted task may be dropped at once, and then it takes this lock.
        let late: Vec<_> = self
            .live()
            .tasks
            .values()
            .map(|task| (task.name.to_string(), task.abort.clone()))
            .collect();
        for abort in late.iter().filter_map(|(_, abort)| abort.as_ref()) {
            abort.abort();
        }
        late.into_iter().map(|(name, _)| name).collect()
    }
}

/// A task's place in the list, left when the task ends in whatever way.
struct Entry {
    id: u64,
    inner: Arc<Inner>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut live = self.inner.live();
        live.tasks.remove(&self.id);
        if live.tasks.is_empty() {
            self.inner.all_ended.notify_waiters();
        }
    }
}

/// One run of a supervised task; the error is what to tell.
async fn run<M, F>(factory: &mut M) -> Result<(), String>
where
    M: FnMut() -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    let ended = match catch_unwind(AssertUnwindSafe(factory)) {
        Ok(future) => AssertUnwindSafe(future).catch_unwind().await,
        Err(panic) => Err(panic),
    };
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(panic) => Err(format!("panic: {}", message(&*panic))),
    }
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "no message"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_task_that_panics_ends_alone() {
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn("clumsy", async { panic!("dropped a plate") });
        let done = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&done);
        tasks.spawn("careful", async move {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        assert!(tasks.join(SOON).await.is_empty());
        assert_eq!(done.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_supervised_task_starts_again_after_an_error_a_panic_and_an_early_return() {
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        let runs = Arc::new(AtomicUsize::new(0));
        let (counted, ending) = (Arc::clone(&runs), shutdown.clone());
        tasks.supervise("consumer", move || {
            let (run, shutdown) = (counted.fetch_add(1, Ordering::SeqCst), ending.clone());
            assert!(run != 3, "the factory panics too");
            async move {
                match run {
                    0 => anyhow::bail!("the broker is away"),
                    1 => panic!("a poison message"),
                    2 => Ok(()),
                    _ => {
                        shutdown.drain();
                        Ok(())
                    }
                }
            }
        });
        assert!(tasks.join(SOON).await.is_empty());
        assert_eq!(runs.load(Ordering::SeqCst), 5);
        let [failure] = &tasks.take_failures()[..] else {
            panic!("one task failed")
        };
        assert_eq!((failure.task.as_str(), failure.count), ("consumer", 4));
        assert!(tasks.take_failures().is_empty());
    }

    #[tokio::test]
    async fn a_supervised_task_does_not_start_again_while_draining() {
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        tasks.supervise("consumer", move || {
            counted.fetch_add(1, Ordering::SeqCst);
            async { anyhow::bail!("always") }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        shutdown.drain();
        assert!(tasks.join(SOON).await.is_empty());
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn tasks_that_miss_the_deadline_are_named_and_aborted() {
        struct Dropped(Arc<AtomicUsize>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let tasks = Tasks::new(Shutdown::new());
        let dropped = Arc::new(AtomicUsize::new(0));
        let held = Dropped(Arc::clone(&dropped));
        tasks.spawn("stubborn", async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        tasks.spawn("quick", async {});
        assert_eq!(tasks.join(Duration::from_millis(50)).await, ["stubborn"]);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert!(tasks.join(SOON).await.is_empty());
    }

    #[tokio::test]
    async fn to_stop_ends_the_wait_early() {
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        tasks.spawn("stubborn", std::future::pending());
        shutdown.stop();
        let started = Instant::now();
        assert_eq!(tasks.join(Duration::from_mins(1)).await, ["stubborn"]);
        assert!(started.elapsed() < SOON);
    }
}
