//! One attempt: sign, send, classify, decide what follows.

use crate::Context;
use crate::outgoing::Job;
use crate::payload;
use crate::verdict::{self, Verdict};
use domain::Timestamp;
use domain::attempt::Detail;
use domain::id::AttemptId;
use egress::Attempted;
use endpoint::{Endpoint, Marks, Outgoing};
use store::delivery::Attempt;
use telemetry::Stage;
use telemetry::trace::Kind;

/// Makes one attempt of a delivery; none where it must not be made any more.
pub(crate) async fn attempt(context: &Context, endpoint: &Endpoint, job: &Job) -> Option<Attempt> {
    let body = payload::of(context, endpoint, job).await?;
    let started_at = context.clock.now();
    if job.to.attempts == 0 {
        stage(context, Stage::FirstAttempt, job, started_at);
    }
    let mut span = context
        .tracer
        .start("attempt delivery", Kind::Client, job.event.trace.as_ref());
    span.set("webhook.id", job.event.id.to_string().as_str());
    let told = Outgoing {
        event_id: job.event.id,
        event_type: &job.event.event_type,
        body,
        marks: Marks {
            is_replay: job.to.replay_id.is_some(),
            is_test: false,
        },
    };
    let trace = span.context().to_string();
    let request = endpoint::request(endpoint, told, started_at, context.version, &trace);
    let detail = endpoint::of_request(&request, &trace);
    failpoint::reach!(DispatcherBeforeSend);
    let sent = context.client.send(request, endpoint.timeout).await;
    failpoint::reach!(DispatcherAfterSend);
    let attempt = conclude(context, endpoint, job, started_at, detail, sent);
    match attempt.error {
        None => stage(context, Stage::Delivered, job, context.clock.now()),
        Some(error) => span.fail(error),
    }
    context.metrics.attempt(attempt.error.unwrap_or("2xx"));
    Some(attempt)
}

fn conclude(
    context: &Context,
    endpoint: &Endpoint,
    job: &Job,
    started_at: Timestamp,
    mut detail: Detail,
    sent: Attempted,
) -> Attempt {
    let of_budget = (job.to.attempts + 1).saturating_sub(job.to.budget_from);
    let (number, ended_at) = (job.to.attempts + 1, context.clock.now());
    endpoint::add_outcome(&mut detail, &sent);
    let jitter = context.random.fraction();
    let Verdict {
        error,
        then,
        cause,
        disables,
    } = verdict::judge(endpoint, of_budget, ended_at, jitter, &sent.result);
    let response = sent.result.ok();
    Attempt {
        id: AttemptId::new(started_at, &context.random),
        delivery_id: job.to.delivery_id,
        event_id: job.event.id,
        event_type: job.event.event_type.clone(),
        subscription_id: endpoint.subscription_id,
        settings_of: endpoint.settings_of,
        disable_after: context.disable_after,
        lease: job.lease,
        number,
        budget_from: job.to.budget_from,
        started_at,
        duration_ms: i64::try_from(sent.duration.as_millis()).unwrap_or(i64::MAX),
        status_code: response.as_ref().map(|response| response.status),
        error,
        response_body: response.as_ref().map(endpoint::kept_body),
        detail,
        then,
        cause,
        disables,
    }
}

/// How long ago a replayed event was caused says nothing of how long anything takes.
fn stage(context: &Context, stage: Stage, job: &Job, now: Timestamp) {
    if job.to.replay_id.is_some() {
        return;
    }
    context
        .metrics
        .stage(stage, now.since(job.event.caused_at).as_secs_f64());
}
