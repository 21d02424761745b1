//! Messages: registered by the platform, changed only through the ledger.

mod parts;
mod row;

pub(crate) use row::{HistoryRow, MessageRow};

use crate::Store;
use crate::connection::{Connection, each, load_locked};
use crate::dialect::message::Wanted;
use crate::dialect::{self, lock};
use crate::error::Error;
use crate::ledger::{Heard, Ledger};
use crate::orphan;
use crate::page::{Page, Window};
use crate::schema::{message_history, messages};
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::id::{CallbackId, MessageId, TenantId};
use domain::message::{Message, Registration, find_match};
use domain::report::{DedupeKey, FailureClass, Source};
use domain::{State, Timestamp};

/// What became of a registration.
#[derive(Debug, Clone, PartialEq)]
pub enum Registered {
    /// The message is new; reports that waited for it are applied already.
    New {
        /// The message as it was registered.
        message: Box<Message>,
        /// What the waiting reports did.
        effects: crate::ledger::Effects,
    },
    /// The same message was registered before.
    Same(Box<Held>),
    /// Another message is known under the same ids.
    Conflict(MessageId),
}

/// A message with its history, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The message.
    pub message: Message,
    /// What was heard of it.
    pub history: Vec<Entry>,
}

/// One line of a message's history.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When we received it.
    pub received_at: Timestamp,
    /// When it happened by the provider's clock.
    pub provider_time: Option<Timestamp>,
    /// About which try to send.
    pub send_attempt: u32,
    /// The provider's word.
    pub word: String,
    /// What the word means; none when it is not listed.
    pub state: Option<State>,
    /// Whether the message stood on it from then on.
    pub is_applied: bool,
    /// Who said it.
    pub source: Source,
    /// The callback that brought it.
    pub callback_id: Option<CallbackId>,
    /// The provider's reason.
    pub failure_reason: Option<String>,
    /// Why a person said it.
    pub reason: Option<String>,
    /// Which person, as far as that is known.
    pub actor: Option<String>,
}

/// What a person says became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// What became of it.
    pub state: State,
    /// Why, in the person's words.
    pub reason: String,
    /// Who says it.
    pub actor: String,
    /// Whether it stands against everything but the next forced one.
    pub is_forced: bool,
}

/// What became of a ruling.
#[derive(Debug, Clone, PartialEq)]
pub enum Ruled {
    /// The message stands on it.
    Set {
        /// The message with its history.
        held: Box<Held>,
        /// What it did.
        effects: crate::ledger::Effects,
    },
    /// It would lose against the state that the message is in.
    WouldLose(State),
    /// There is no such message.
    Missing,
}

/// Which of a tenant's messages.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With this provider message id.
    pub provider_message_id: Option<String>,
    /// With this client reference.
    pub client_reference: Option<String>,
    /// Of this notification.
    pub notification_id: Option<String>,
    /// To this number, in E.164.
    pub to: Option<String>,
    /// In this state.
    pub state: Option<State>,
    /// Failed for this class of reasons.
    pub failure_class: Option<FailureClass>,
    /// Registered at or after this.
    pub after: Option<Timestamp>,
    /// Registered before this.
    pub before: Option<Timestamp>,
}

impl Store {
    /// Registers a message, once for the same content, and applies the reports that waited for it.
    pub async fn register_message(
        &self,
        tenant: TenantId,
        registration: Registration,
    ) -> Result<Registered, Error> {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        self.write(move |connection| {
            let identity = identity_key(&registration);
            lock::for_registration(connection, &orphan::keys(&registration))?;
            if let Some(known) = find_by_identity(connection, identity)? {
                let is_same = known.message.tenant_id == tenant
                    && known.message.registration.is_same(&registration);
                return Ok(if is_same {
                    let history = histories(connection, &[known.message.id])?;
                    Registered::Same(Box::new(Held {
                        message: known.message,
                        history: history.into_iter().map(|(_, entry)| entry).collect(),
                    }))
                } else {
                    Registered::Conflict(known.message.id)
                });
            }
            let now = clock.now();
            let id = MessageId::new(now, &random);
            let message = Message::register(id, tenant, registration.clone(), now);
            let row = MessageRow::new(&message, identity, 0);
            each!(connection, c => diesel::insert_into(messages::table).values(&row).execute(c))?;
            let effects = join_orphans(
                connection,
                &message,
                Ledger::new(clock.clone(), random.clone()),
            )?;
            Ok(Registered::New {
                message: Box::new(message),
                effects,
            })
        })
        .await
    }

    /// A tenant's message.
    pub async fn find_message(
        &self,
        tenant: TenantId,
        id: MessageId,
    ) -> Result<Option<Held>, Error> {
        self.read(move |connection| {
            let row: Option<MessageRow> = each!(connection, c => messages::table
                .filter(messages::id.eq(Uid::from(id)))
                .filter(messages::tenant_id.eq(Uid::from(tenant)))
                .select(MessageRow::as_select())
                .first(c)
                .optional())?;
            Ok(with_histories(connection, row.into_iter().collect())?.pop())
        })
        .await
    }

    /// A tenant's messages, newest first, with their histories.
    pub async fn list_messages(
        &self,
        tenant: TenantId,
        filter: Filter,
        window: Window<MessageId>,
    ) -> Result<Page<Held, MessageId>, Error> {
        self.read(move |connection| {
            let rows: Vec<MessageRow> = each!(connection, c => {
                let mut query = messages::table
                    .filter(messages::tenant_id.eq(Uid::from(tenant)))
                    .order(messages::id.desc())
                    .limit(window.reach())
                    .select(MessageRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(messages::id.lt(Uid::from(before)));
                }
                if let Some(id) = &filter.provider_message_id {
                    query = query.filter(messages::provider_message_id.eq(id));
                }
                if let Some(reference) = &filter.client_reference {
                    query = query.filter(messages::client_reference.eq(reference));
                }
                if let Some(notification) = &filter.notification_id {
                    query = query.filter(messages::notification_id.eq(notification));
                }
                if let Some(to) = &filter.to {
                    query = query.filter(messages::recipient.eq(to));
                }
                if let Some(state) = filter.state {
                    query = query.filter(messages::state.eq(encode_state(state)));
                }
                if let Some(class) = filter.failure_class {
                    query = query.filter(messages::failure_class.eq(class.as_str()));
                }
                // Ids begin with the time of registration, and are what the indexes end with.
                if let Some(after) = filter.after {
                    query = query.filter(messages::id.ge(Uid::first_of(after)));
                }
                if let Some(before) = filter.before {
                    query = query.filter(messages::id.lt(Uid::first_of(before)));
                }
                query.load(c)
            })?;
            let page = window.page(rows, |row: &MessageRow| MessageId::from(row.id));
            Ok(Page {
                items: with_histories(connection, page.items)?,
                next: page.next,
            })
        })
        .await
    }
}

impl Store {
    /// Has a message stand on what a person says, and writes the event that tells it, in one commit.
    pub async fn rule(
        &self,
        tenant: TenantId,
        id: MessageId,
        ruling: Ruling,
    ) -> Result<Ruled, Error> {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        self.write(move |connection| {
            let rows: Vec<MessageRow> = load_locked!(
                connection,
                messages::table
                    .filter(messages::id.eq(Uid::from(id)))
                    .filter(messages::tenant_id.eq(Uid::from(tenant)))
                    .select(MessageRow::as_select()),
                for_update
            );
            let Some(row) = rows.into_iter().next() else {
                return Ok(Ruled::Missing);
            };
            let mut ledger = Ledger::new(clock.clone(), random.clone());
            ledger.hold(vec![Tracked::try_from(row)?]);
            if let Some(standing) = ledger.rule(id, &ruling) {
                return Ok(Ruled::WouldLose(standing));
            }
            let message = ledger.messages().next().cloned();
            let effects = ledger.finish(connection, Vec::new())?;
            let Some(message) = message else {
                return Ok(Ruled::Missing);
            };
            let history = histories(connection, &[id])?;
            let held = Box::new(Held {
                message,
                history: history.into_iter().map(|(_, entry)| entry).collect(),
            });
            Ok(Ruled::Set { held, effects })
        })
        .await
    }
}

/// A message as the ledger holds it: with what only the store counts.
pub(crate) struct Tracked {
    pub message: Message,
    pub identity: [u8; 16],
    pub history_length: i32,
}

/// The messages that reports with these names may be about. Under these keys nobody registers
/// anything until the transaction ends.
pub(crate) fn candidates(
    connection: &mut Connection,
    wanted: &Wanted<'_>,
    keys: &[DedupeKey],
) -> Result<Vec<Tracked>, Error> {
    let rows = dialect::message::candidates(connection, wanted, keys)?;
    rows.into_iter().map(Tracked::try_from).collect()
}

impl From<&Tracked> for MessageRow {
    fn from(held: &Tracked) -> Self {
        Self::new(&held.message, held.identity, held.history_length)
    }
}

fn join_orphans(
    connection: &mut Connection,
    message: &Message,
    mut ledger: Ledger,
) -> Result<crate::ledger::Effects, Error> {
    let waiting = orphan::waiting_for(connection, &message.registration)?;
    if waiting.is_empty() {
        return ledger.finish(connection, Vec::new());
    }
    let registration = &message.registration;
    let mut wanted = Wanted::default();
    wanted.add(
        registration.account_id,
        registration.provider_message_id.as_deref(),
        registration.client_reference.as_deref(),
    );
    // The registration holds their locks already, for itself.
    ledger.hold(candidates(connection, &wanted, &[])?);
    let mut joined = Vec::new();
    for orphan in waiting {
        let found = find_match(ledger.messages(), registration.account_id, &orphan.report);
        if found != Some(message.id) {
            continue;
        }
        let heard = Heard {
            received_at: orphan.received_at,
            source: orphan.source,
            callback_id: orphan.callback_id,
            traceparent: orphan.traceparent.as_deref(),
        };
        ledger.hear(message.id, &orphan.report, &heard);
        joined.push(orphan.id);
    }
    orphan::remove(connection, &joined)?;
    ledger.finish(connection, Vec::new())
}

/// What makes a message the same message: its account, its provider message id (else its client
/// reference), and its recipient.
fn identity_key(registration: &Registration) -> [u8; 16] {
    let (kind, id) = match &registration.provider_message_id {
        Some(id) => ("message by provider id", Some(id)),
        None => (
            "message by reference",
            registration.client_reference.as_ref(),
        ),
    };
    let fields = [id.map(String::as_bytes), Some(registration.to.as_bytes())];
    DedupeKey::of(kind, registration.account_id, &fields).0
}

fn find_by_identity(connection: &mut Connection, key: [u8; 16]) -> Result<Option<Tracked>, Error> {
    let row: Option<MessageRow> = each!(connection, c => messages::table
        .filter(messages::identity_key.eq(key.as_slice()))
        .select(MessageRow::as_select())
        .first(c)
        .optional())?;
    row.map(Tracked::try_from).transpose()
}

fn with_histories(connection: &mut Connection, rows: Vec<MessageRow>) -> Result<Vec<Held>, Error> {
    let ids: Vec<_> = rows.iter().map(|row| MessageId::from(row.id)).collect();
    let mut entries = histories(connection, &ids)?;
    rows.into_iter()
        .map(|row| {
            let message = Tracked::try_from(row)?.message;
            let (own, others) = entries.drain(..).partition(|(id, _)| *id == message.id);
            entries = others;
            let history: Vec<(MessageId, Entry)> = own;
            Ok(Held {
                message,
                history: history.into_iter().map(|(_, entry)| entry).collect(),
            })
        })
        .collect()
}

fn histories(
    connection: &mut Connection,
    ids: &[MessageId],
) -> Result<Vec<(MessageId, Entry)>, Error> {
    let ids: Vec<Uid> = ids.iter().copied().map(Uid::from).collect();
    let rows: Vec<HistoryRow> = each!(connection, c => message_history::table
        .filter(message_history::message_id.eq_any(&ids))
        .order((message_history::message_id, message_history::ordinal))
        .select(HistoryRow::as_select())
        .load(c))?;
    rows.into_iter()
        .map(|row| Ok((row.message_id.into(), Entry::try_from(row)?)))
        .collect()
}

const fn encode_state(state: State) -> i16 {
    match state {
        State::Pending => 0,
        State::Sent => 1,
        State::Delivered => 2,
        State::Failed => 3,
        State::Expired => 4,
        State::Rejected => 5,
        State::Unknown => 6,
    }
}

fn decode_state(code: i16) -> Result<State, Error> {
    State::ALL
        .into_iter()
        .find(|state| encode_state(*state) == code)
        .ok_or_else(|| Error::unreadable(format!("a message in the state {code}")))
}

pub(crate) const fn encode_source(source: Source) -> i16 {
    match source {
        Source::Callback => 0,
        Source::Poll => 1,
        Source::Manual => 2,
    }
}

pub(crate) fn decode_source(code: i16) -> Result<Source, Error> {
    [Source::Callback, Source::Poll, Source::Manual]
        .into_iter()
        .find(|source| encode_source(*source) == code)
        .ok_or_else(|| Error::unreadable(format!("a report from the source {code}")))
}
