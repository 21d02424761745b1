//! Keeping a job safe: with the broker, or in the journal while the broker takes none.
//!
//! A job is in the journal or on its way to the broker, never offered from both: one that the broker has
//! not confirmed in time is written to the journal and *held* there until that publish has ended one way or
//! the other. The broker's late confirm cancels it; its failure has it forwarded.

use crate::Context;
use crate::breaker::Breaker;
use broker::Broker;
use bytes::Bytes;
use domain::Clock;
use futures_util::future::join_all;
use journal::{Journal, Record};
use runtime::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};
use telemetry::Metrics;
use tokio::sync::watch;
use tokio::time::timeout;
use wire::Queue;

/// How long a job waits for a place among the publishes under way before it goes to the journal.
const PLACE_WITHIN: Duration = Duration::from_millis(200);
/// How long the broker may take to confirm before the job goes to the journal. Providers wait longer.
const CONFIRM_WITHIN: Duration = Duration::from_secs(1);
const TOO_SLOW: broker::Error = broker::Error::Busy {
    waited: CONFIRM_WITHIN,
};
/// How much is forwarded at once.
const MOST_RECORDS: usize = 256;
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// How long the forwarder leaves a broker alone that takes nothing.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How often the journal's numbers are told.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// How long an ingress that is asked to stop goes on forwarding, of the 22 s that it has.
const DRAIN_WITHIN: Duration = Duration::from_secs(18);

/// Keeps jobs safe.
#[derive(Clone)]
pub(crate) struct Keeper {
    broker: Broker,
    journal: Option<Journal>,
    breaker: Arc<Breaker>,
    clock: Clock,
    metrics: Metrics,
    /// Whether the forwarder may end.
    is_over: watch::Sender<bool>,
}

/// Why a job is not safe.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unkept {
    #[error(transparent)]
    Broker(#[from] broker::Error),
    #[error("the broker takes no jobs now ({broker}), and the journal cannot keep them: {journal}")]
    Journal {
        broker: String,
        journal: journal::Error,
    },
}

impl Unkept {
    fn both(broker: &broker::Error, journal: journal::Error) -> Self {
        Self::Journal {
            broker: broker.to_string(),
            journal,
        }
    }
}

impl Keeper {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            broker: context.broker.clone(),
            journal: context.journal.clone(),
            breaker: Arc::default(),
            clock: context.clock.clone(),
            metrics: context.metrics.clone(),
            is_over: watch::channel(false).0,
        }
    }

    /// Returns once the job is safe: with the broker, or on this disk.
    pub(crate) async fn keep(&self, payload: Vec<u8>) -> Result<(), Unkept> {
        let Some(journal) = &self.journal else {
            return Ok(self.broker.publish(Queue::Callbacks, payload).await?);
        };
        let payload = Bytes::from(payload);
        if let Err(reason) = self.broker.can_publish(Queue::Callbacks) {
            return self.write(journal, payload, &reason).await;
        }
        if !self.breaker.lets_pass(self.clock.now()) {
            return self.write(journal, payload, &TOO_SLOW).await;
        }
        let mut publishing = Box::pin(self.publish(payload.to_vec()));
        match timeout(CONFIRM_WITHIN, &mut publishing).await {
            Ok(Ok(())) => {
                self.breaker.close();
                Ok(())
            }
            Ok(Err(error)) if error.is_transient() => {
                self.breaker.open(self.clock.now());
                self.write(journal, payload, &error).await
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => {
                self.breaker.open(self.clock.now());
                let held = journal.append_held(payload).await;
                let id = held.map_err(|error| Unkept::both(&TOO_SLOW, error))?;
                self.metrics.journal("kept");
                self.await_late_confirm(journal.clone(), id, publishing);
                Ok(())
            }
        }
    }

    fn publish(
        &self,
        payload: Vec<u8>,
    ) -> impl Future<Output = Result<(), broker::Error>> + Send + 'static {
        let broker = self.broker.clone();
        async move {
            broker
                .publish_within(Queue::Callbacks, payload, PLACE_WITHIN)
                .await
        }
    }

    async fn write(
        &self,
        journal: &Journal,
        payload: Bytes,
        reason: &broker::Error,
    ) -> Result<(), Unkept> {
        failpoint::reach!(IngressBeforeJournal);
        let written = journal.append(payload).await;
        written.map_err(|error| Unkept::both(reason, error))?;
        failpoint::reach!(IngressAfterJournal);
        self.metrics.journal("kept");
        Ok(())
    }

    /// The publish under way ends by itself: a confirm cancels the record, a failure has it forwarded.
    #[expect(
        clippy::disallowed_methods,
        reason = "it ends within the broker's own time for a confirm"
    )]
    fn await_late_confirm(
        &self,
        journal: Journal,
        id: journal::RecordId,
        publishing: impl Future<Output = Result<(), broker::Error>> + Send + 'static,
    ) {
        let metrics = self.metrics.clone();
        tokio::spawn(async move {
            if publishing.await.is_ok() {
                journal.done(id);
                metrics.journal("confirmed_late");
            } else {
                journal.release(id);
            }
        });
    }

    /// Sends on what the journal holds, whenever the broker takes it.
    pub(crate) fn forward(&self, context: &Context) {
        let Some(journal) = self.journal.clone() else {
            return;
        };
        let keeper = self.clone();
        let (tasks, shutdown) = (context.tasks.clone(), context.shutdown.clone());
        tasks.supervise("ingress.journal", move || {
            let (keeper, journal) = (keeper.clone(), journal.clone());
            let shutdown = shutdown.clone();
            async move {
                let mut is_over = keeper.is_over.subscribe();
                tokio::select! {
                    () = keeper.forward_all(&journal) => {}
                    _ = is_over.wait_for(|over| *over) => {}
                    () = shutdown.stopped() => {}
                }
                Ok(())
            }
        });
        self.tell(context);
    }

    /// Until the journal is closed.
    async fn forward_all(&self, journal: &Journal) {
        loop {
            if self.broker.can_publish(Queue::Callbacks).is_err() {
                tokio::time::sleep(AGAIN_AFTER).await;
                continue;
            }
            match journal.take(MOST_RECORDS, MOST_BYTES).await {
                Ok(records) => self.forward_some(journal, records).await,
                Err(journal::Error::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "the journal cannot be read");
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        }
    }

    async fn forward_some(&self, journal: &Journal, records: Vec<Record>) {
        let held = Taken {
            journal,
            ids: records.iter().map(|record| record.id).collect(),
        };
        failpoint::reach!(IngressBeforeForward);
        let sent = records.into_iter().map(|record| async move {
            let published = self.broker.publish(Queue::Callbacks, record.payload).await;
            (record.id, published)
        });
        let sent = join_all(sent).await;
        failpoint::reach!(IngressAfterForward if sent.iter().any(|(_, sent)| sent.is_ok()));
        let mut failure = None;
        for (id, published) in sent {
            match published {
                Ok(()) => {
                    journal.done(id);
                    self.metrics.journal("forwarded");
                }
                Err(error) => failure = Some(error),
            }
        }
        drop(held);
        match failure {
            None => self.breaker.close(),
            Some(error) => {
                tracing::warn!(%error, "the journal's callbacks wait: the broker does not take them");
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }

    /// Tells how much the journal holds.
    fn tell(&self, context: &Context) {
        let Some(journal) = self.journal.clone() else {
            return;
        };
        let check = context.readiness.register("ingress.journal");
        let (keeper, shutdown) = (self.clone(), context.shutdown.clone());
        context.tasks.spawn("ingress.journal.tell", async move {
            loop {
                let size = journal.size();
                let age = size
                    .oldest
                    .map_or(0.0, |oldest| keeper.clock.now().since(oldest).as_secs_f64());
                keeper.metrics.set_journal(size.bytes, age);
                match (
                    journal.health(),
                    keeper.broker.can_publish(Queue::Callbacks),
                ) {
                    (Ok(()), _) => check.ok(format!("{} callbacks wait in it", size.records)),
                    (Err(reason), Ok(())) => check.ok(format!("not needed now: {reason}")),
                    (Err(reason), Err(_)) => check.failing(reason),
                }
                tokio::select! {
                    () = tokio::time::sleep(TELL_EVERY) => {}
                    () = shutdown.stopped() => return,
                    () = keeper.over() => return,
                }
            }
        });
    }

    async fn over(&self) {
        // The sender is here, so this cannot fail.
        let _ = self.is_over.subscribe().wait_for(|over| *over).await;
    }

    /// Once nobody brings callbacks any more: waits until the journal is empty, or says what stays in it.
    pub(crate) async fn drain(&self, shutdown: &Shutdown, since: Instant) {
        if let Some(journal) = &self.journal {
            let is_empty = || journal.size().records == 0;
            while !is_empty() && since.elapsed() < DRAIN_WITHIN && !shutdown.is_stopped() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let size = journal.size();
            if size.records > 0 {
                tracing::warn!(
                    records = size.records,
                    files = ?journal.files(),
                    "callbacks stay in the journal: they are forwarded by the next start with this data_dir"
                );
            }
            self.is_over.send_replace(true);
            journal.close().await;
        }
    }
}

/// Records in hand: what is not done when it is dropped is offered again.
struct Taken<'a> {
    journal: &'a Journal,
    ids: Vec<journal::RecordId>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for id in &self.ids {
            self.journal.give_back(*id);
        }
    }
}
