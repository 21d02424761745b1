//! Asking a handler, which may panic, hang or miscount.

use crate::handler::{Disposition, Handler, Received};
use futures_util::FutureExt as _;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

pub(super) enum Answer {
    /// One disposition for each job.
    Given(Vec<Disposition>),
    /// It panicked or overran its lease; the reason, for people.
    Missing(String),
}

pub(super) async fn ask(handler: &impl Handler, jobs: &[Received], lease: Duration) -> Answer {
    // Also a panic before there is a future is caught. What the handler leaves half done is its own
    // matter: it is asked again about the same jobs, as after a crash.
    let answer = AssertUnwindSafe(async { handler.handle(jobs).await }).catch_unwind();
    match tokio::time::timeout(lease, answer).await {
        Ok(Ok(dispositions)) if dispositions.len() == jobs.len() => Answer::Given(dispositions),
        Ok(Ok(dispositions)) => {
            let reason = format!(
                "the handler gave {} dispositions for {} jobs",
                dispositions.len(),
                jobs.len()
            );
            Answer::Given(jobs.iter().map(|job| retry(&reason, job.attempt)).collect())
        }
        Ok(Err(panic)) => Answer::Missing(format!("the handler panicked: {}", text(&*panic))),
        Err(_) => Answer::Missing(format!(
            "the handler took longer than its lease of {lease:?}"
        )),
    }
}

/// Later, twice as late after each attempt: 1 s, 2 s, … 256 s.
pub(super) fn retry(reason: &str, attempt: u32) -> Disposition {
    let after = Duration::from_secs(1 << attempt.saturating_sub(1).min(8));
    Disposition::Retry {
        after,
        reason: reason.to_owned(),
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
