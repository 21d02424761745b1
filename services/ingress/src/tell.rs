//! Sends on what the watch counted, once a second, for the tracker to record.

use crate::Door;
use actix_web::web;
use domain::security::SecurityEvent;
use std::time::Duration;
use wire::{Envelope, Job, Queue, SecurityJob};

/// A death loses at most so much of the counting.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How many lines a second say which callbacks were refused.
const MOST_LINES: usize = 20;

/// Sends on what is counted, until the process drains, and what is left then.
pub(crate) fn start(door: &web::Data<Door>) {
    let door = door.clone();
    let tasks = door.context.tasks.clone();
    tasks.supervise("ingress.watch", move || {
        let door = door.clone();
        async move {
            let shutdown = &door.context.shutdown;
            let mut unsent = None;
            loop {
                tokio::select! {
                    () = tokio::time::sleep(TELL_EVERY) => {}
                    () = shutdown.draining() => {
                        tell(&door, &mut unsent).await;
                        tell(&door, &mut unsent).await;
                        return Ok(());
                    }
                }
                tell(&door, &mut unsent).await;
            }
        }
    });
}

/// Sends what could not be sent before, or what was counted since. While the broker is away the counting
/// goes on in memory, which is bounded.
async fn tell(door: &Door, unsent: &mut Option<Vec<u8>>) {
    if unsent.is_none() {
        let job = door.watch.take(door.context.clock.now());
        if job == SecurityJob::default() {
            return;
        }
        if door.security.log_events {
            log(&job.events);
        }
        let envelope = Envelope {
            job: Job::Security(job),
            traceparent: None,
        };
        match envelope.to_bytes() {
            Ok(bytes) => *unsent = Some(bytes),
            Err(error) => tracing::error!(%error, "security events cannot be written down"),
        }
    }
    let Some(bytes) = unsent.clone() else {
        return;
    };
    let broker = &door.context.broker;
    let sent = match broker.can_publish(Queue::Security) {
        Ok(()) => broker.publish(Queue::Security, bytes).await,
        Err(error) => Err(error),
    };
    match sent {
        Ok(()) => *unsent = None,
        Err(error) if error.is_transient() => {}
        Err(error) => {
            tracing::error!(%error, "security events cannot be sent on");
            *unsent = None;
        }
    }
}

fn log(events: &[SecurityEvent]) {
    for event in events.iter().take(MOST_LINES) {
        let source = event.source_ip.map(|source| source.to_string());
        tracing::warn!(
            reason = event.reason.as_str(),
            account = event.provider_account,
            source,
            count = event.count,
            "callbacks were refused, or odd, this minute"
        );
    }
    if events.len() > MOST_LINES {
        let more = events.len() - MOST_LINES;
        tracing::warn!(
            more,
            "more callbacks were refused, from other sources or for other reasons"
        );
    }
}
