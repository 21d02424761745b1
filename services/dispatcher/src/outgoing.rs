//! What is on its way to endpoints, as it is in memory.

use bytes::Bytes;
use domain::Timestamp;
use domain::id::{EventId, TenantId};
use std::sync::Arc;
use store::delivery::{Owed, Recipient};
use store::shard::Fenced;
use telemetry::TraceContext;

/// An event with the body that every one of its receivers gets.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub id: EventId,
    pub tenant_id: TenantId,
    pub event_type: String,
    /// The version that it was published in.
    pub version: u32,
    pub body: Bytes,
    pub trace: Option<TraceContext>,
    pub caused_at: Timestamp,
}

/// One delivery that waits for its attempt.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub to: Recipient,
    pub lease: Fenced,
    pub event: Arc<Outgoing>,
}

impl Outgoing {
    /// Renders the body. An event is owed only after it was stamped.
    pub(crate) fn of(owed: &Owed) -> Arc<Self> {
        let event = &owed.event.event;
        let body = wire::body::render(event, owed.event.sequence.unwrap_or_default());
        Arc::new(Self {
            id: event.id,
            tenant_id: event.tenant_id,
            event_type: event.event_type.clone(),
            version: event.version,
            body: body.into(),
            trace: event.traceparent.as_deref().and_then(TraceContext::parse),
            caused_at: event.caused_at,
        })
    }
}
