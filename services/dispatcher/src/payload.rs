//! What a delivery sends: what its event says by itself or, where the subscription wants another version
//! of it, that; and a thin event, where that is too long for the subscription. It is decided at the first
//! attempt, and stays.

use crate::Context;
use crate::outgoing::Job;
use bytes::Bytes;
use catalog::{Conversion, Wanted};
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
    if job.to.attempts > 0 {
        return Some(whole.clone());
    }
    let converted = of_version(context, endpoint, job).await?;
    let is_long = converted.as_ref().unwrap_or(whole).len() > endpoint.max_payload_bytes;
    let thin = if is_long {
        make_thin(context, job, converted.as_ref().unwrap_or(whole))
    } else {
        None
    };
    let Some(other) = thin.or(converted) else {
        return Some(whole.clone());
    };
    let keep = || store.keep_body(lease, delivery, other.to_vec());
    insist(context, keep).await?.then(|| other.clone())
}

fn make_thin(context: &Context, job: &Job, body: &[u8]) -> Option<Bytes> {
    let url = format!("{}/v1/events/{}", context.api_url, job.event.id);
    let thin = wire::body::thin(body, &url);
    if thin.is_none() {
        tracing::error!(webhook.id = %job.event.id, "an event cannot be made thin; it is sent whole");
    }
    thin.map(Bytes::from)
}

/// The body in the version that the subscription wants, where that is another: none of it, where it is
/// not, or where it cannot be made; then the event is told as it was published, and says so.
async fn of_version(context: &Context, endpoint: &Endpoint, job: &Job) -> Option<Option<Bytes>> {
    let event = &job.event;
    let Some(wanted) = endpoint.versions.get(&event.event_type).copied() else {
        return Some(None);
    };
    if wanted == event.version {
        return Some(None);
    }
    let of = Wanted {
        tenant: event.tenant_id,
        name: &event.event_type,
        version: None,
    };
    let find = || context.catalog.conversion(of, event.version, wanted);
    let found = insist(context, find).await?;
    let body = event.body.clone();
    let made = match found {
        None => Err("there is no such version".to_owned()),
        Some(conversion) if conversion.takes_long(body.len()) => {
            let work = move || convert(&conversion, &body, wanted);
            let ended = tokio::task::spawn_blocking(work).await;
            ended.unwrap_or_else(|error| Err(error.to_string()))
        }
        Some(conversion) => convert(&conversion, &body, wanted),
    };
    match made {
        Ok(body) => {
            context.metrics.conversion("converted");
            Some(Some(body.into()))
        }
        Err(error) => {
            context.metrics.conversion("failed");
            tracing::warn!(
                webhook.id = %event.id, subscription.id = %endpoint.subscription_id, %error,
                "an event could not be converted to the version that a subscription wants; it is sent as it was published"
            );
            Some(None)
        }
    }
}

fn convert(conversion: &Conversion, body: &[u8], version: u32) -> Result<Vec<u8>, String> {
    let data = wire::body::data(body).ok_or("the body cannot be read")?;
    let converted = conversion
        .convert(&data)
        .map_err(|error| error.to_string())?;
    let body = wire::body::of_version(body, version, &converted);
    body.ok_or_else(|| "the body cannot be written".to_owned())
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
