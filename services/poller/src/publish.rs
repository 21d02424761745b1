//! What providers say, as the job that the ingress publishes for a callback.

use crate::Context;
use crate::account::Names;
use domain::Timestamp;
use domain::callback::{self, Kind, Statement};
use domain::id::ReceiptId;
use domain::report::Source;
use std::net::{IpAddr, Ipv4Addr};
use telemetry::Span;
use wire::{CallbackJob, Envelope, Job, Queue};

/// Nobody called: we did.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// An answer as it was received.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// Publishes what an answer says; returns when that is safe.
pub(crate) async fn publish(
    context: &Context,
    names: &Names,
    kind: Kind,
    statements: Vec<Statement>,
    received: Received,
    at: Timestamp,
    span: &Span,
) -> Result<(), String> {
    let content_type = received.content_type;
    let headers = content_type.map(|value| ("content-type".to_owned(), value));
    let job = CallbackJob {
        receipt_id: ReceiptId::new(at, &context.random),
        callback_id: callback::id(names.account_id, kind, &statements),
        tenant_id: names.tenant_id,
        account_id: names.account_id,
        provider_account: names.slug.clone(),
        provider: names.provider.clone(),
        environment: names.environment.clone(),
        kind,
        source: Source::Poll,
        received_at: at,
        source_ip: NOBODY,
        signature_checked: false,
        answer: String::new(),
        headers: headers.into_iter().collect(),
        body: received.body,
        statements,
    };
    let envelope = Envelope {
        job: Job::Callback(job),
        traceparent: Some(span.context().to_string()),
    };
    let payload = envelope.to_bytes().map_err(|error| error.to_string())?;
    let published = context.broker.publish(Queue::Callbacks, payload).await;
    published.map_err(|error| error.to_string())
}
