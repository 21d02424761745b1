//! Events: the log, and the outbox.

mod feed;
mod log;
mod publish;

pub use feed::{FeedPage, Since};
pub use log::{About, Filter};
pub(crate) use publish::Publishing;
pub use publish::{Batch, Publication};

use crate::Store;
use crate::connection::each;
use crate::error::Error;
use crate::idempotency;
use crate::schema::events;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Shard;
use domain::event::{Event, Resource};
use domain::id::{EventId, MessageId, TenantId};
use domain::json::Raw;
use domain::plan::Use;

/// The kind of a resource that is a message.
const MESSAGE: &str = "message";
/// How many events a request looks at, at the most: what it looks for may be far behind, or not there.
const LOOKED_AT: i64 = 10_000;

/// What became of an event that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// It is written and will be told.
    New,
    /// The same was published under this key before: that answer again.
    Replayed(idempotency::Answer),
    /// Something else was published under this key before.
    Mismatch,
    /// Its tenant has published as many as its plan allows in a day. It is not written, and its key is free.
    Refused(Use),
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The event.
    pub event: Event,
    /// Its place among the tenant's events; none until a dispatcher has stamped it.
    pub sequence: Option<i64>,
    /// The order in which it was written.
    pub position: i64,
}

impl Store {
    /// A tenant's event.
    pub async fn find_event(&self, tenant: TenantId, id: EventId) -> Result<Option<Kept>, Error> {
        self.read(move |connection| {
            let row: Option<EventRow> = each!(connection, c => events::table
                .filter(events::id.eq(Uid::from(id)))
                .filter(events::tenant_id.eq(Uid::from(tenant)))
                .select(EventRow::as_select())
                .first(c)
                .optional())?;
            row.map(Kept::try_from).transpose()
        })
        .await
    }
}

#[derive(Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
pub(crate) struct NewEventRow {
    pub id: Uid,
    pub tenant_id: Uid,
    pub shard: i16,
    pub event_type: String,
    pub version: i32,
    pub environment: String,
    pub created_at: Moment,
    pub source: String,
    pub resource: Option<String>,
    pub context: Option<String>,
    pub metadata: Option<String>,
    pub data: String,
    pub message_id: Option<Uid>,
    pub transition: Option<i32>,
    pub traceparent: Option<String>,
    pub caused_at: Moment,
    /// What it is about, where that is no message.
    pub resource_type: Option<String>,
    pub resource_id: Option<String>,
}

impl From<Event> for NewEventRow {
    fn from(event: Event) -> Self {
        let text = |raw: Raw| raw.as_str().to_owned();
        let message_id = about(&event).map(Uid::from);
        let other = event.resource.as_ref().filter(|_| message_id.is_none());
        Self {
            resource_type: other.map(|resource| resource.kind.clone()),
            resource_id: other.map(|resource| resource.id.clone()),
            id: event.id.into(),
            tenant_id: event.tenant_id.into(),
            shard: i16::from(Shard::of_tenant(event.tenant_id).number()),
            event_type: event.event_type,
            version: i32::try_from(event.version).unwrap_or(i32::MAX),
            environment: event.environment.into(),
            created_at: event.created_at.into(),
            source: event.source,
            resource: event.resource.map(|resource| text(Raw::of(&resource))),
            context: event.context.map(text),
            metadata: event.metadata.map(text),
            data: text(event.data),
            message_id,
            transition: event
                .transition
                .and_then(|(_, number)| i32::try_from(number).ok()),
            traceparent: event.traceparent,
            caused_at: event.caused_at.into(),
        }
    }
}

/// The message an event is about, whoever raised it; that it is one of the same tenant is for the reader
/// to ask.
fn about(event: &Event) -> Option<MessageId> {
    let of_transition = event.transition.map(|(message, _)| message);
    of_transition.or_else(|| message_of(event.resource.as_ref()?))
}

/// The message that a resource is, where it is one.
fn message_of(resource: &Resource) -> Option<MessageId> {
    let is_message = resource.kind == MESSAGE;
    is_message.then(|| resource.id.parse().ok()).flatten()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = events)]
pub(crate) struct EventRow {
    pub position: i64,
    pub id: Uid,
    pub tenant_id: Uid,
    event_type: String,
    version: i32,
    environment: String,
    created_at: Moment,
    source: String,
    resource: Option<String>,
    context: Option<String>,
    metadata: Option<String>,
    data: String,
    message_id: Option<Uid>,
    transition: Option<i32>,
    traceparent: Option<String>,
    caused_at: Moment,
    sequence: Option<i64>,
}

impl TryFrom<EventRow> for Kept {
    type Error = Error;

    fn try_from(row: EventRow) -> Result<Self, Error> {
        let broken = |what: &str| Error::unreadable(format!("an event with an unreadable {what}"));
        let raw = |text: Option<String>, what: &str| {
            text.map(Raw::parse).transpose().map_err(|_| broken(what))
        };
        let resource = row
            .resource
            .as_deref()
            .map(serde_json::from_str)
            .transpose();
        let transition = row.message_id.zip(row.transition);
        let event = Event {
            id: row.id.into(),
            tenant_id: row.tenant_id.into(),
            event_type: row.event_type,
            version: u32::try_from(row.version).map_err(|_| broken("version"))?,
            environment: row.environment.parse().map_err(|_| broken("environment"))?,
            created_at: row.created_at.into(),
            source: row.source,
            resource: resource.map_err(|_| broken("resource"))?,
            context: raw(row.context, "context")?,
            metadata: raw(row.metadata, "metadata")?,
            data: Raw::parse(row.data).map_err(|_| broken("data"))?,
            transition: transition
                .and_then(|(message, number)| Some((message.into(), u32::try_from(number).ok()?))),
            traceparent: row.traceparent,
            caused_at: row.caused_at.into(),
        };
        Ok(Self {
            event,
            sequence: row.sequence,
            position: row.position,
        })
    }
}
