mod ask;
mod settlement;
mod source;

pub(crate) use settlement::{Outcome, Settlement};
pub(crate) use source::Source;

use crate::broker::Backend;
use crate::error::Error;
use crate::handler::{Disposition, Handler, Received};
use ask::{Answer, ask};
use futures_util::FutureExt as _;
use std::pin::pin;
use std::time::Duration;
use wire::Queue;

/// How a queue is consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consume {
    /// How many jobs a handler gets at once, at most. At least 1.
    pub batch: usize,
    /// How long a batch belongs to its handler. One that takes longer is dropped, as if it had
    /// panicked: a handler that hangs holds no queue for ever. Far longer than any handling takes.
    pub lease: Duration,
    /// How often a job is attempted before it becomes a dead letter. At least 1.
    pub max_attempts: u32,
}

/// How long is waited before a failed claim or settlement is tried again.
const TROUBLE: Duration = Duration::from_secs(1);

pub(crate) async fn run<H: Handler>(
    backend: &Backend,
    queue: Queue,
    options: Consume,
    handler: &H,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let mut consumer = Consumer {
        queue,
        options,
        source: backend.source(queue, options),
        handler,
        stop: Stop {
            future: pin!(shutdown),
            is_over: false,
        },
    };
    let mut is_in_trouble = false;
    loop {
        let claimed = tokio::select! {
            biased;
            () = consumer.stop.reached() => {
                consumer.source.close().await;
                return Ok(());
            }
            claimed = consumer.source.claim() => claimed,
        };
        match claimed {
            Ok(jobs) => {
                is_in_trouble = false;
                consumer.work(jobs).await;
            }
            Err(error) if error.is_transient() => {
                if !std::mem::replace(&mut is_in_trouble, true) {
                    tracing::error!(queue = queue.as_str(), %error, "no jobs can be claimed");
                }
                consumer.stop.within(TROUBLE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

struct Consumer<'a, H, F> {
    queue: Queue,
    options: Consume,
    source: Source,
    handler: &'a H,
    stop: Stop<F>,
}

impl<H: Handler, F: Future<Output = ()> + Unpin> Consumer<'_, H, F> {
    async fn work(&mut self, jobs: Vec<Received>) {
        self.source.begin();
        failpoint::reach!(BrokerAfterClaim);
        match ask(self.handler, &jobs, self.options.lease).await {
            Answer::Given(dispositions) => self.settle(&jobs, dispositions).await,
            Answer::Missing(reason) if jobs.len() == 1 => {
                let disposition = ask::retry(&reason, jobs[0].attempt);
                self.settle(&jobs, vec![disposition]).await;
            }
            Answer::Missing(reason) => {
                tracing::warn!(
                    queue = self.queue.as_str(),
                    jobs = jobs.len(),
                    reason,
                    "a batch was not answered for: its jobs are handled again, one at a time"
                );
                self.work_one_by_one(&jobs).await;
            }
        }
    }

    /// So that the job that broke the batch harms no other. This is still the same attempt.
    async fn work_one_by_one(&mut self, jobs: &[Received]) {
        for job in jobs {
            if self.stop.is_reached() {
                return self.source.release().await;
            }
            let job = std::slice::from_ref(job);
            let disposition = match ask(self.handler, job, self.options.lease).await {
                Answer::Given(mut dispositions) => dispositions.pop(),
                Answer::Missing(reason) => Some(ask::retry(&reason, job[0].attempt)),
            };
            self.settle(job, disposition.into_iter().collect()).await;
        }
    }

    /// Settles jobs of the batch in hand, for each of which there is a disposition.
    async fn settle(&mut self, jobs: &[Received], dispositions: Vec<Disposition>) {
        self.log(jobs, &dispositions);
        let settlements: Vec<_> = jobs
            .iter()
            .zip(dispositions)
            .map(|(job, disposition)| Settlement::new(job, disposition))
            .collect();
        let mut is_in_trouble = false;
        failpoint::reach!(BrokerBeforeAck);
        while let Err(error) = self.source.settle(&settlements).await {
            let is_over = error == Error::Lost || !error.is_transient();
            if is_over || self.stop.is_reached() {
                tracing::error!(
                    queue = self.queue.as_str(),
                    jobs = settlements.len(),
                    %error,
                    "what became of these jobs is not recorded: they will be offered again"
                );
                return;
            }
            if !std::mem::replace(&mut is_in_trouble, true) {
                tracing::error!(queue = self.queue.as_str(), %error, "jobs cannot be settled yet");
            }
            self.stop.within(TROUBLE).await;
        }
        failpoint::reach!(BrokerAfterAck);
    }

    /// One line for a batch, not one for a job: an outage retries thousands.
    fn log(&self, jobs: &[Received], dispositions: &[Disposition]) {
        let queue = self.queue.as_str();
        let failed = || {
            jobs.iter()
                .zip(dispositions)
                .filter(|(_, d)| **d != Disposition::Ack)
        };
        let dead = || failed().filter(|(job, disposition)| Settlement::is_dead(job, disposition));
        if let Some((job, Disposition::DeadLetter { reason } | Disposition::Retry { reason, .. })) =
            dead().next()
        {
            let jobs = dead().count();
            tracing::error!(queue, jobs, first.id = %job.id, reason, "jobs became dead letters");
        } else if let Some((
            job,
            Disposition::Retry { reason, .. } | Disposition::Defer { reason, .. },
        )) = failed().next()
        {
            let jobs = failed().count();
            tracing::warn!(queue, jobs, first.id = %job.id, reason, "jobs will be retried");
        }
    }
}

/// The end of consuming, which may be asked about again after it came.
struct Stop<F> {
    future: F,
    is_over: bool,
}

impl<F: Future<Output = ()> + Unpin> Stop<F> {
    async fn reached(&mut self) {
        if !self.is_over {
            (&mut self.future).await;
            self.is_over = true;
        }
    }

    fn is_reached(&mut self) -> bool {
        self.reached().now_or_never().is_some()
    }

    /// Waits so long, or until the end.
    async fn within(&mut self, wait: Duration) {
        let _ = tokio::time::timeout(wait, self.reached()).await;
    }
}
