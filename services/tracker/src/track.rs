//! The story of a batch: record the callbacks and apply them, hint who has work, acknowledge.

use crate::Context;
use crate::source::Sources;
use crate::tally;
use broker::{Consume, Disposition, Handler, Received};
use domain::callback::Status;
use domain::message::Outcome;
use domain::report::Source;
use domain::tally::Name;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::callback::{Accepted, Applied};
use store::tally::Book;
use telemetry::trace::Kind;
use telemetry::{Span, Stage, TraceContext};
use wire::{CallbackJob, Envelope, Hint, Job, Queue};

/// How many jobs are taken at once.
const BATCH: usize = 256;
/// How long jobs wait for a store that is away before they are offered again.
const AFTER_OUTAGE: Duration = Duration::from_secs(1);
/// How long a batch may take before its jobs are offered again.
const LEASE: Duration = Duration::from_mins(1);

/// Starts consuming, until the process drains.
pub(crate) fn start(max_attempts: u32, tells_new_sources: bool, book: &Book, context: &Context) {
    let sources = tells_new_sources.then(Arc::<Sources>::default);
    let check = context.readiness.register("tracker");
    let (context, book) = (context.clone(), book.clone());
    context.tasks.clone().supervise("tracker", move || {
        let (context, check) = (context.clone(), check.clone());
        let book = book.clone();
        let sources = sources.clone();
        async move {
            check.ok("consuming");
            let options = Consume {
                batch: BATCH,
                lease: LEASE,
                max_attempts,
            };
            let handler = Tracker {
                context: context.clone(),
                book: book.clone(),
                sources,
            };
            let shutdown = context.shutdown.clone();
            let ended = context
                .broker
                .consume(Queue::Callbacks, options, handler, async move {
                    shutdown.draining().await;
                })
                .await;
            // What the last batch counted has nobody else to hand it in.
            tally::hand_in(&book, &context).await;
            ended.inspect_err(|error| check.failing(error.to_string()))?;
            Ok(())
        }
    });
}

struct Tracker {
    context: Context,
    /// What is counted.
    book: Book,
    /// Where new sources are to be told.
    sources: Option<Arc<Sources>>,
}

impl Handler for Tracker {
    async fn handle(&self, jobs: &[Received]) -> Vec<Disposition> {
        let mut settled = Settled::new();
        let (mut batch, mut spans) = (Batch::default(), Vec::new());
        for (place, job) in jobs.iter().enumerate() {
            match read(job) {
                Ok(mut accepted) => {
                    spans.push(self.span(&mut accepted));
                    batch.push(place, accepted);
                }
                Err(reason) => {
                    settled.insert(place, self.bury(reason));
                }
            }
        }
        self.settle(batch, jobs, &mut settled).await;
        settled.into_values().collect()
    }
}

/// What becomes of jobs, by their places among all that came.
type Settled = BTreeMap<usize, Disposition>;

/// Jobs that could be read, in the order in which they came, and their places among all that came.
#[derive(Default)]
struct Batch {
    places: Vec<usize>,
    jobs: Vec<Accepted>,
}

impl Batch {
    fn push(&mut self, place: usize, job: Accepted) {
        self.places.push(place);
        self.jobs.push(job);
    }

    /// The first half, and the second.
    fn halves(mut self) -> [Self; 2] {
        let middle = self.jobs.len() / 2;
        let second = Self {
            places: self.places.split_off(middle),
            jobs: self.jobs.split_off(middle),
        };
        [self, second]
    }
}

impl Tracker {
    /// Applies jobs together. Where one among them is bad, the halves are tried, and their halves: it is
    /// found in a few tries, and the others are done in their order, before the next batch.
    async fn settle(&self, batch: Batch, received: &[Received], settled: &mut Settled) {
        let mut waiting = vec![batch];
        while let Some(Batch { places, jobs }) = waiting.pop() {
            let jobs = Arc::new(jobs);
            let Err(error) = self.apply(jobs.clone()).await else {
                settled.extend(places.into_iter().map(|place| (place, Disposition::Ack)));
                continue;
            };
            if error.is_outage() {
                settled.extend(places.into_iter().map(|place| (place, later(&error))));
                continue;
            }
            if let ([place], [job]) = (&places[..], &jobs[..]) {
                if let Some(received) = received.get(*place) {
                    let failed = self.fail(received, job, &error).await;
                    settled.insert(*place, failed);
                }
                continue;
            }
            let jobs = Arc::unwrap_or_clone(jobs);
            let [first, second] = Batch { places, jobs }.halves();
            waiting.extend([second, first]);
        }
    }

    /// Records and applies callbacks in one commit. Where that has failed, or somebody may have died of it,
    /// they are recorded by themselves: what was accepted is seen, whatever becomes of it.
    async fn apply(&self, batch: Arc<Vec<Accepted>>) -> Result<(), store::Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let are_new = batch.iter().all(|accepted| accepted.attempt <= 1);
        if !are_new {
            self.record(&batch).await?;
            failpoint::reach!(TrackerBetweenCommits);
        }
        let applied = match self.context.store.apply_callbacks(batch.clone()).await {
            Err(error) if are_new && !error.is_outage() => {
                self.record(&batch).await?;
                return Err(error);
            }
            applied => applied?,
        };
        self.book
            .note(|sheet| tally::recorded(sheet, &batch, &applied.new));
        failpoint::reach!(TrackerBeforeHint if !applied.effects.shards.is_empty());
        self.tell(&applied);
        let now = self.context.clock.now();
        self.book.note(|sheet| tally::applied(sheet, &applied, now));
        if let Some(sources) = &self.sources {
            sources.see(&self.context, &batch).await;
        }
        Ok(())
    }

    async fn record(&self, batch: &Arc<Vec<Accepted>>) -> Result<(), store::Error> {
        let new = self.context.store.record_callbacks(batch.clone()).await?;
        self.book.note(|sheet| tally::recorded(sheet, batch, &new));
        Ok(())
    }

    /// Notes that a job could not be done; what becomes of it.
    async fn fail(&self, job: &Received, accepted: &Accepted, error: &store::Error) -> Disposition {
        let (account, received_at) = (accepted.account_id, accepted.received_at);
        let (receipt, is_call) = (accepted.receipt_id, accepted.source == Source::Callback);
        let reason = error.to_string();
        tracing::error!(
            error = reason,
            attempt.number = job.attempt,
            "a callback could not be applied"
        );
        let is_over = job.is_last_attempt;
        let (status, name) = if is_over {
            (Status::DeadLettered, Name::DeadLettered)
        } else {
            (Status::Failed, Name::Failed)
        };
        let store = &self.context.store;
        match store.fail_callback(receipt, status, reason.clone()).await {
            Ok(true) if is_call => {
                self.book
                    .note(|sheet| sheet.count(account, received_at, &name));
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "the failure of a callback could not be noted");
            }
        }
        if is_over {
            failpoint::reach!(TrackerBeforeDeadLetter);
            return self.bury(reason);
        }
        failpoint::reach!(TrackerBeforeRetry);
        Disposition::Retry {
            after: backoff(job.attempt),
            reason,
        }
    }

    fn bury(&self, reason: String) -> Disposition {
        self.context.metrics.report("dead");
        tracing::error!(reason, "a callback became a dead letter");
        Disposition::DeadLetter { reason }
    }

    fn tell(&self, applied: &Applied) {
        let metrics = &self.context.metrics;
        for outcome in &applied.reports {
            metrics.report(Outcome::as_str(*outcome));
        }
        let now = self.context.clock.now();
        for change in &applied.effects.changes {
            metrics.state_change(&change.provider, change.to.as_str());
            metrics.stage(Stage::State, now.since(change.received_at).as_secs_f64());
        }
        for _ in 0..applied.effects.raised {
            metrics.event("tidings");
        }
        for shard in &applied.effects.shards {
            self.context.broker.hint(Hint::Events(*shard));
        }
    }

    /// The step of the trace that the resulting events go on from.
    fn span(&self, accepted: &mut Accepted) -> Span {
        let parent = accepted
            .traceparent
            .as_deref()
            .and_then(TraceContext::parse);
        let mut span = self
            .context
            .tracer
            .start("track callback", Kind::Consumer, parent.as_ref());
        span.set(
            "statements",
            i64::try_from(accepted.statements.len()).unwrap_or(i64::MAX),
        );
        accepted.traceparent = Some(span.context().to_string());
        span
    }
}

fn read(job: &Received) -> Result<Accepted, String> {
    let envelope = Envelope::from_bytes(&job.payload).map_err(|error| error.to_string())?;
    let Job::Callback(callback) = envelope.job else {
        return Err("not a job of this queue".to_owned());
    };
    Ok(accepted(callback, envelope.traceparent, job.attempt))
}

fn accepted(callback: CallbackJob, traceparent: Option<String>, attempt: u32) -> Accepted {
    Accepted {
        receipt_id: callback.receipt_id,
        callback_id: callback.callback_id,
        tenant_id: callback.tenant_id,
        account_id: callback.account_id,
        provider_account: callback.provider_account.into(),
        kind: callback.kind,
        source: callback.source,
        received_at: callback.received_at,
        source_ip: callback.source_ip.to_string(),
        signature_checked: callback.signature_checked,
        answer: callback.answer,
        headers: callback.headers,
        body: callback.body,
        statements: callback.statements,
        traceparent,
        attempt,
    }
}

/// The store is away: nobody's fault, and no attempt.
fn later(error: &store::Error) -> Disposition {
    Disposition::Defer {
        after: AFTER_OUTAGE,
        reason: error.to_string(),
    }
}

/// 1, 4, 16 … seconds, at most a quarter of an hour.
fn backoff(attempt: u32) -> Duration {
    let seconds = 4u64.saturating_pow(attempt.saturating_sub(1)).min(900);
    Duration::from_secs(seconds)
}
