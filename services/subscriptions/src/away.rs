//! While the store is away nobody waits to be told so.
//!
//! The store is looked at every second. Once it does not answer, requests are refused before anything is asked of
//! it, and reads that wait for it end; a write that was handed over goes on to its end, for it may be done.

use crate::house::is_admitted;
use crate::{Context, Desk, failure};
use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web;
use runtime::http::Problem;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use store::installation::Versioned;
use tokio::sync::watch;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often while it is away.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// A row that is found by its key takes a millisecond.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// Whether the store is known to be away. Clones are the same.
#[derive(Clone)]
pub(crate) struct Away(Arc<watch::Sender<bool>>);

impl Default for Away {
    fn default() -> Self {
        Self(Arc::new(watch::channel(false).0))
    }
}

impl Away {
    fn is_known(&self) -> bool {
        *self.0.borrow()
    }

    /// Does something that only reads, until it is done or the store is known to be away.
    pub(crate) async fn unless<T>(&self, read: impl Future<Output = T>) -> Result<T, Problem> {
        let mut known = self.0.subscribe();
        tokio::select! {
            biased;
            done = read => Ok(done),
            // The sender is here, so the wait does not fail.
            _ = known.wait_for(|is_away| *is_away) => Err(failure::away()),
        }
    }

    /// Takes note of how it was found. The log hears of a change.
    fn note(&self, reason: Option<&str>) {
        let is_away = reason.is_some();
        if self.0.send_replace(is_away) == is_away {
            return;
        }
        if let Some(reason) = reason {
            tracing::warn!(
                reason,
                "the store is away: requests are answered 503 at once"
            );
        } else {
            tracing::info!("the store answers again");
        }
    }
}

/// Refuses what would wait for a store that is away.
pub(crate) async fn unless_away(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(desk) = request.app_data::<web::Data<Desk>>().cloned() else {
        return next.call(request).await;
    };
    if desk.away.is_known() {
        return Err(failure::away().into());
    }
    if request.method() == Method::GET {
        return desk.away.unless(next.call(request)).await?;
    }
    next.call(request).await
}

/// Looks at the store for as long as the process serves. A file is never away.
pub(crate) fn keep_looking(away: &Away, context: &Context) {
    if !context.store.is_remote() {
        return;
    }
    let ours = (away.clone(), context.clone());
    context.tasks.supervise("subscriptions.away", move || {
        let (away, context) = ours.clone();
        async move {
            if !is_admitted(&context).await {
                return Ok(());
            }
            loop {
                let reason = look(&context).await;
                away.note(reason.as_deref());
                let pause = reason.map_or(LOOK_EVERY, |_| LOOK_AGAIN);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}

/// Why the store is away; none where it is there, whatever else is wrong with it. That one connection ended says
/// nothing: it is asked again over another.
async fn look(context: &Context) -> Option<String> {
    match ask(context).await {
        Some(Silence::Error(_)) => ask(context).await,
        found => found,
    }
    .map(|silence| silence.to_string())
}

/// How the store failed to answer.
enum Silence {
    Error(store::Error),
    Late,
}

async fn ask(context: &Context) -> Option<Silence> {
    let version = context.store.version(Versioned::Subscriptions);
    match tokio::time::timeout(ANSWERS_WITHIN, version).await {
        Ok(Err(error)) if error.is_outage() && !matches!(error, store::Error::Busy(_)) => {
            Some(Silence::Error(error))
        }
        Ok(_) => None,
        Err(_) => Some(Silence::Late),
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Late => write!(f, "it does not answer within {ANSWERS_WITHIN:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[tokio::test]
    async fn a_read_ends_when_the_store_is_known_to_be_away_and_one_that_is_done_does_not() {
        let away = Away::default();
        assert_eq!(away.unless(ready(1)).await.unwrap(), 1);
        let reading = away.unless(pending::<()>());
        let noting = async {
            tokio::task::yield_now().await;
            away.note(Some("it is frozen"));
        };
        let (read, ()) = tokio::join!(reading, noting);
        assert!(read.is_err());
        assert!(away.is_known());
        assert_eq!(away.unless(ready(2)).await.unwrap(), 2);
        away.note(None);
        assert!(!away.is_known());
    }
}
