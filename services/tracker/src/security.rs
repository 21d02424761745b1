//! What the door noticed, recorded: security events, refused requests, suspicions.

use crate::Context;
use broker::{Consume, Disposition, Handler, Received};
use domain::Shard;
use domain::id::TenantId;
use domain::security::Signal;
use std::time::Duration;
use store::quarantine::Quarantined;
use store::security::Noticed;
use wire::{Envelope, Hint, Job, Queue};

/// Each job is a second of a door.
const BATCH: usize = 16;
/// As callbacks' jobs.
const LEASE: Duration = Duration::from_mins(1);
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Starts consuming, until the process drains.
pub(crate) fn start(max_attempts: u32, context: &Context) {
    let context = context.clone();
    context
        .tasks
        .clone()
        .supervise("tracker.security", move || {
            let context = context.clone();
            async move {
                let options = Consume {
                    batch: BATCH,
                    lease: LEASE,
                    max_attempts,
                };
                let handler = Recorder {
                    context: context.clone(),
                };
                let shutdown = context.shutdown.clone();
                context
                    .broker
                    .consume(Queue::Security, options, handler, async move {
                        shutdown.draining().await;
                    })
                    .await?;
                Ok(())
            }
        });
}

/// Tells that suspicions became events of the platform tenant.
pub(crate) fn tell(context: &Context, raised: &[Signal]) {
    for signal in raised {
        context.metrics.suspicious_activity(signal.as_str());
        context.metrics.event("tidings");
    }
    if !raised.is_empty() {
        let shard = Shard::of_tenant(TenantId::PLATFORM);
        context.broker.hint(Hint::Events(shard));
    }
}

struct Recorder {
    context: Context,
}

impl Handler for Recorder {
    async fn handle(&self, jobs: &[Received]) -> Vec<Disposition> {
        let mut dispositions = Vec::with_capacity(jobs.len());
        for job in jobs {
            dispositions.push(self.record(job).await);
        }
        dispositions
    }
}

impl Recorder {
    async fn record(&self, job: &Received) -> Disposition {
        let noticed = match read(job) {
            Ok(noticed) => noticed,
            Err(reason) => return Disposition::DeadLetter { reason },
        };
        let after = AGAIN_AFTER;
        match self.context.store.record_security(noticed).await {
            Ok(raised) => {
                tell(&self.context, &raised);
                Disposition::Ack
            }
            Err(error) if error.is_outage() => Disposition::Defer {
                after,
                reason: error.to_string(),
            },
            Err(error) => {
                tracing::error!(%error, "security events could not be recorded");
                Disposition::Retry {
                    after,
                    reason: error.to_string(),
                }
            }
        }
    }
}

fn read(job: &Received) -> Result<Noticed, String> {
    let envelope = Envelope::from_bytes(&job.payload).map_err(|error| error.to_string())?;
    let Job::Security(noticed) = envelope.job else {
        return Err("not a job of this queue".to_owned());
    };
    Ok(Noticed {
        events: noticed.events,
        quarantined: noticed.quarantined.into_iter().map(quarantined).collect(),
        suspicions: noticed.suspicions,
    })
}

fn quarantined(refused: wire::Quarantined) -> Quarantined {
    Quarantined {
        id: refused.id,
        tenant_id: refused.tenant_id,
        provider_account: refused.provider_account,
        kind: refused.kind,
        reason: refused.reason,
        received_at: refused.received_at,
        source_ip: refused.source_ip.to_string(),
        size_bytes: refused.size_bytes,
        sealed: refused.sealed,
    }
}
