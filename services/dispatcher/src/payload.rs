//! What a delivery sends: what its event says by itself or, where that is too long for the
//! subscription, a thin event. It is decided at the first attempt, and stays.

use crate::Context;
use crate::outgoing::Job;
use bytes::Bytes;
use endpoint::Endpoint;
use std::time::Duration;

/// How long to wait before the store is asked again that failed.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The body of an attempt; none where the lease was lost, or the process ends, and nothing may be
/// sent.
pub(crate) async fn of(context: &Context, endpoint: &Endpoint, job: &Job) -> Option<Bytes> {
    let (store, whole) = (&context.store, &job.event.body);
    let (lease, delivery) = (job.lease, job.to.delivery_id);
    if job.to.has_body {
        let kept = insist(context, || store.find_body(delivery)).await?;
        return Some(kept.map_or_else(|| whole.clone(), Bytes::from));
    }
    // What was sent before without being kept was the whole.
    if job.to.attempts > 0 || whole.len() <= endpoint.max_payload_bytes {
        return Some(whole.clone());
    }
    let url = format!("{}/v1/events/{}", context.api_url, job.event.id);
    let Some(thin) = wire::body::thin(whole, &url) else {
        tracing::error!(webhook.id = %job.event.id, "an event cannot be made thin; it is sent whole");
        return Some(whole.clone());
    };
    let keep = || store.keep_body(lease, delivery, thin.clone());
    insist(context, keep).await?.then(|| thin.into())
}

/// Asks the store until it answers; none when the process ends before.
async fn insist<T, F>(context: &Context, ask: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<T, store::Error>>,
{
    loop {
        match ask().await {
            Ok(answer) => return Some(answer),
            Err(error) => {
                tracing::warn!(%error, "the body of a delivery could not be read or kept yet");
                tokio::select! {
                    () = tokio::time::sleep(AGAIN_AFTER) => {}
                    () = context.shutdown.stopped() => return None,
                }
            }
        }
    }
}
