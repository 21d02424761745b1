//! Notifications: what their messages are, counted in the commit that changes the messages.

use crate::Store;
use crate::connection::{Connection, each};
use crate::dialect;
use crate::error::Error;
use crate::schema::notifications;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::account::Environment;
use domain::event::{Event, Resource};
use domain::id::{EventId, MessageId, TenantId};
use domain::json::Raw;
use domain::message::Message;
use domain::notification::{Counts, Notification, NotificationData};
use domain::{Clock, Random, State, Timestamp};
use std::collections::BTreeMap;

impl Store {
    /// A tenant's notification.
    pub async fn find_notification(
        &self,
        tenant: TenantId,
        id: String,
    ) -> Result<Option<Notification>, Error> {
        self.read(move |connection| {
            let row: Option<NotificationRow> = each!(connection, c => notifications::table
                .find((Uid::from(tenant), &id))
                .select(NotificationRow::as_select())
                .first(c)
                .optional())?;
            Ok(row.as_ref().map(Notification::from))
        })
        .await
    }
}

/// The messages of notifications that a commit touches, each with what it was before.
#[derive(Default)]
pub(crate) struct Touched(BTreeMap<MessageId, Touch>);

struct Touch {
    /// None of a message that is registered in this commit.
    before: Option<Seen>,
    caused_at: Timestamp,
    traceparent: Option<String>,
}

/// What a notification sees of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    state: State,
    sent_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
}

impl Seen {
    fn of(message: &Message) -> Self {
        Self {
            state: message.state(),
            sent_at: message.sent_at,
            delivered_at: message.delivered_at,
        }
    }
}

impl Touched {
    /// That a message is registered in this commit.
    pub(crate) fn register(&mut self, message: &Message) {
        if message.registration.notification_id.is_some() {
            let touch = Touch {
                before: None,
                caused_at: message.created_at,
                traceparent: None,
            };
            self.0.insert(message.id, touch);
        }
    }

    /// That a message, as it is now, is about to change.
    pub(crate) fn touch(
        &mut self,
        message: &Message,
        caused_at: Timestamp,
        traceparent: Option<&str>,
    ) {
        if message.registration.notification_id.is_some() {
            let touch = self.0.entry(message.id).or_insert_with(|| Touch {
                before: Some(Seen::of(message)),
                caused_at,
                traceparent: None,
            });
            touch.caused_at = caused_at;
            touch.traceparent = traceparent.map(str::to_owned);
        }
    }

    /// Counts what became of the messages, and gives the events of those notifications whose state is
    /// another now. The messages' rows are locked already.
    pub(crate) fn count<'a>(
        self,
        connection: &mut Connection,
        find: impl Fn(MessageId) -> Option<&'a Message>,
        clock: &Clock,
        random: &Random,
    ) -> Result<Vec<Event>, Error> {
        let now = clock.now();
        let mut changes: BTreeMap<(TenantId, &str), Change<'_>> = BTreeMap::new();
        for (id, touch) in &self.0 {
            let Some(message) = find(*id) else { continue };
            let Some(notification) = message.registration.notification_id.as_deref() else {
                continue;
            };
            if touch.before == Some(Seen::of(message)) {
                continue;
            }
            let key = (message.tenant_id, notification);
            let change = changes
                .entry(key)
                .or_insert_with(|| Change::new(message, notification, now));
            change.add(message, touch);
        }
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let added: Vec<&NotificationRow> = changes.values().map(|change| &change.added).collect();
        let counted = dialect::notification::add(connection, &added)?;
        let events = counted.into_iter().filter_map(|row| {
            let tenant = TenantId::from(row.tenant_id);
            let change = changes.get(&(tenant, row.notification_id.as_str()))?;
            change.told(&row, now, random)
        });
        Ok(events.collect())
    }
}

/// What a commit does to a notification.
struct Change<'a> {
    /// What is added to the counts.
    added: NotificationRow,
    /// Of the message that changed last.
    environment: &'a Environment,
    caused_at: Timestamp,
    traceparent: Option<&'a str>,
}

impl<'a> Change<'a> {
    fn new(message: &'a Message, notification: &str, now: Timestamp) -> Self {
        Self {
            added: NotificationRow::empty(message, notification, now),
            environment: &message.registration.environment,
            caused_at: Timestamp::from_millis(i64::MIN),
            traceparent: None,
        }
    }

    fn add(&mut self, message: &'a Message, touch: &'a Touch) {
        if let Some(before) = touch.before {
            *self.added.count(before.state) -= 1;
        }
        *self.added.count(message.state()) += 1;
        let sent_at = message.sent_at.map(Moment::from);
        self.added.sent_at = self.added.sent_at.into_iter().chain(sent_at).min();
        let delivered_at = message.delivered_at.map(Moment::from);
        self.added.delivered_at = self.added.delivered_at.max(delivered_at);
        if touch.caused_at >= self.caused_at {
            self.caused_at = touch.caused_at;
            self.environment = &message.registration.environment;
            self.traceparent = touch.traceparent.as_deref();
        }
    }

    /// The event that tells how the notification is now, if that is another state than before.
    fn told(&self, row: &NotificationRow, now: Timestamp, random: &Random) -> Option<Event> {
        let before = row.without(&self.added);
        let notification = Notification::from(row);
        if notification.counts.state() == before.state() {
            return None;
        }
        Some(Event {
            id: EventId::new(now, random),
            tenant_id: notification.tenant_id,
            event_type: "notification.updated".to_owned(),
            version: 1,
            environment: self.environment.clone(),
            created_at: now,
            source: "tidings".to_owned(),
            resource: Some(Resource {
                kind: "notification".to_owned(),
                id: notification.notification_id.clone(),
                data: None,
            }),
            context: None,
            metadata: None,
            data: Raw::of(&NotificationData::from(&notification)),
            transition: None,
            traceparent: self.traceparent.map(str::to_owned),
            caused_at: self.caused_at,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = notifications, treat_none_as_default_value = false)]
pub(crate) struct NotificationRow {
    pub(crate) tenant_id: Uid,
    pub(crate) notification_id: String,
    pub(crate) first_message_id: Uid,
    pub(crate) pending: i32,
    pub(crate) sent: i32,
    pub(crate) delivered: i32,
    pub(crate) failed: i32,
    pub(crate) expired: i32,
    pub(crate) rejected: i32,
    pub(crate) unknown: i32,
    pub(crate) created_at: Moment,
    pub(crate) updated_at: Moment,
    pub(crate) sent_at: Option<Moment>,
    pub(crate) delivered_at: Option<Moment>,
}

impl NotificationRow {
    fn empty(message: &Message, notification: &str, now: Timestamp) -> Self {
        Self {
            tenant_id: message.tenant_id.into(),
            notification_id: notification.to_owned(),
            first_message_id: message.id.into(),
            pending: 0,
            sent: 0,
            delivered: 0,
            failed: 0,
            expired: 0,
            rejected: 0,
            unknown: 0,
            created_at: message.created_at.into(),
            updated_at: now.into(),
            sent_at: None,
            delivered_at: None,
        }
    }

    const fn count(&mut self, state: State) -> &mut i32 {
        match state {
            State::Pending => &mut self.pending,
            State::Sent => &mut self.sent,
            State::Delivered => &mut self.delivered,
            State::Failed => &mut self.failed,
            State::Expired => &mut self.expired,
            State::Rejected => &mut self.rejected,
            State::Unknown => &mut self.unknown,
        }
    }

    /// What the counts were before this was added.
    fn without(&self, added: &Self) -> Counts {
        Counts {
            pending: number(self.pending - added.pending),
            sent: number(self.sent - added.sent),
            delivered: number(self.delivered - added.delivered),
            failed: number(self.failed - added.failed),
            expired: number(self.expired - added.expired),
            rejected: number(self.rejected - added.rejected),
            unknown: number(self.unknown - added.unknown),
        }
    }
}

/// Messages are many, but not so many; and none is counted out that was not counted in.
fn number(count: i32) -> u32 {
    u32::try_from(count).unwrap_or(0)
}

impl From<&NotificationRow> for Notification {
    fn from(row: &NotificationRow) -> Self {
        Self {
            tenant_id: row.tenant_id.into(),
            counts: Counts {
                pending: number(row.pending),
                sent: number(row.sent),
                delivered: number(row.delivered),
                failed: number(row.failed),
                expired: number(row.expired),
                rejected: number(row.rejected),
                unknown: number(row.unknown),
            },
            notification_id: row.notification_id.clone(),
            created_at: row.created_at.into(),
            sent_at: row.sent_at.map(Timestamp::from),
            last_delivered_at: row.delivered_at.map(Timestamp::from),
        }
    }
}
