//! One attempt: sign, post, classify, decide what follows.

use crate::endpoint::Endpoint;
use crate::outgoing::Job;
use crate::{Context, Rules};
use domain::delivery::{State, may_ask_for_time, status_error};
use domain::id::AttemptId;
use domain::retry::parse_retry_after;
use domain::{Timestamp, text};
use egress::{Attempted, Request, Response};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use signing::webhook;
use std::time::Duration;
use store::delivery::{Attempt, Then};
use telemetry::trace::Kind;
use telemetry::{Span, Stage};

/// Says that the event was told before, perhaps.
const REPLAY_HEADER: &str = "webhook-replay";

/// Makes one attempt of a delivery.
pub(crate) async fn attempt(
    context: &Context,
    rules: &Rules,
    endpoint: &Endpoint,
    job: &Job,
) -> Attempt {
    let started_at = context.clock.now();
    if job.to.attempts == 0 {
        stage(context, Stage::FirstAttempt, job, started_at);
    }
    let mut span = context
        .tracer
        .start("attempt delivery", Kind::Client, job.event.trace.as_ref());
    span.set("webhook.id", job.event.id.to_string().as_str());
    let request = request(context, endpoint, job, started_at, &span);
    failpoint::reach!(DispatcherBeforeSend);
    let sent = context.client.send(request, rules.timeout).await;
    failpoint::reach!(DispatcherAfterSend);
    let ended_at = context.clock.now();
    let attempt = conclude(context, rules, job, endpoint, started_at, ended_at, sent);
    match attempt.error {
        None => stage(context, Stage::Delivered, job, ended_at),
        Some(error) => span.fail(error),
    }
    context.metrics.attempt(attempt.error.unwrap_or("2xx"));
    attempt
}

fn request(
    context: &Context,
    endpoint: &Endpoint,
    job: &Job,
    now: Timestamp,
    span: &Span,
) -> Request {
    let id = job.event.id.to_string();
    let secrets = std::slice::from_ref(&endpoint.secret);
    let signature = webhook::sign(secrets, &id, now.as_seconds(), &job.event.body);
    let mut request = Request::post(endpoint.destination.clone(), job.event.body.clone());
    let headers = &mut request.headers;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set(headers, USER_AGENT, &format!("Tidings/{}", context.version));
    set(headers, HeaderName::from_static(webhook::ID_HEADER), &id);
    set(
        headers,
        HeaderName::from_static(webhook::TIMESTAMP_HEADER),
        &now.as_seconds().to_string(),
    );
    set(
        headers,
        HeaderName::from_static(webhook::SIGNATURE_HEADER),
        &signature,
    );
    set(
        headers,
        HeaderName::from_static("traceparent"),
        &span.context().to_string(),
    );
    if job.to.replay_id.is_some() {
        set(headers, HeaderName::from_static(REPLAY_HEADER), "true");
    }
    request
}

/// Every value set here is plain ASCII of ours.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn conclude(
    context: &Context,
    rules: &Rules,
    job: &Job,
    endpoint: &Endpoint,
    started_at: Timestamp,
    ended_at: Timestamp,
    sent: Attempted,
) -> Attempt {
    let number = job.to.attempts + 1;
    let error = match &sent.result {
        Ok(response) => status_error(response.status),
        Err(failure) => Some(failure.class.as_str()),
    };
    let response = sent.result.ok();
    let asked = response
        .as_ref()
        .and_then(|response| asked_for(response, ended_at));
    let next = rules.schedule.next(
        number.saturating_sub(job.to.budget_from),
        ended_at,
        context.random.fraction(),
        asked,
    );
    let then = match (error, next) {
        (None, _) => Then::End(State::Delivered),
        (Some(_), Some(at)) => Then::RetryAt(at),
        (Some(_), None) => Then::End(State::Failed),
    };
    Attempt {
        id: AttemptId::new(started_at, &context.random),
        delivery_id: job.to.delivery_id,
        subscription_id: endpoint.subscription_id,
        lease: job.lease,
        number,
        budget_from: job.to.budget_from,
        started_at,
        duration_ms: i64::try_from(sent.duration.as_millis()).unwrap_or(i64::MAX),
        status_code: response.as_ref().map(|response| response.status),
        error,
        response_body: response.map(|response| kept_body(&response)),
        then,
    }
}

fn asked_for(response: &Response, now: Timestamp) -> Option<Duration> {
    if !may_ask_for_time(response.status) {
        return None;
    }
    parse_retry_after(response.headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

fn kept_body(response: &Response) -> String {
    text::clean(String::from_utf8_lossy(&response.body).into_owned())
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
