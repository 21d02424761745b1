//! What follows from an attempt, for its delivery and for its subscription.

use domain::Timestamp;
use domain::delivery::{Cause, State, Wish, may_ask_for_time, status_error};
use domain::retry::parse_retry_after;
use domain::subscription::DisabledReason;
use egress::{Failure, Response};
use endpoint::Endpoint;
use http::header::RETRY_AFTER;
use std::time::Duration;
use store::delivery::Then;

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The stable name of the error; none for success.
    pub error: Option<&'static str>,
    pub then: Then,
    /// Why the delivery failed, where it did.
    pub cause: Option<Cause>,
    /// Why its subscription is to be disabled, where its endpoint said so.
    pub disables: Option<DisabledReason>,
}

/// The status that says that an endpoint is gone for good (RFC 9110 §15.5.11).
const GONE: u16 = 410;

/// Judges the attempt with this number among those of its budget.
pub(crate) fn judge(
    endpoint: &Endpoint,
    number: u32,
    ended_at: Timestamp,
    jitter: f64,
    result: &Result<Response, Failure>,
) -> Verdict {
    let error = match result {
        Ok(response) => status_error(response.status),
        Err(failure) => Some(failure.class.as_str()),
    };
    let response = result.as_ref().ok();
    let wish = response.and_then(wish);
    let is_gone = response.is_some_and(|response| response.status == GONE);
    let disables = if is_gone {
        Some(DisabledReason::Gone)
    } else {
        (wish == Some(Wish::Disable)).then_some(DisabledReason::Asked)
    };
    let given_up = if is_gone {
        Some(Cause::Gone)
    } else {
        wish.map(|_| Cause::Aborted)
    };
    let asked = response.and_then(|response| asked_for(response, ended_at));
    let next = || endpoint.schedule.next(number, ended_at, jitter, asked);
    let (then, cause) = match (error, given_up) {
        (None, _) => (Then::End(State::Delivered), None),
        (Some(_), Some(cause)) => (Then::End(State::Failed), Some(cause)),
        (Some(_), None) => match next() {
            Some(at) => (Then::RetryAt(at), None),
            None => (Then::End(State::Failed), Some(Cause::Exhausted)),
        },
    };
    Verdict {
        error,
        then,
        cause,
        disables,
    }
}

fn wish(response: &Response) -> Option<Wish> {
    Wish::parse(response.headers.get(Wish::HEADER)?.to_str().ok()?)
}

fn asked_for(response: &Response, now: Timestamp) -> Option<Duration> {
    if !may_ask_for_time(response.status) {
        return None;
    }
    parse_retry_after(response.headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}
