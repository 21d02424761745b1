//! Messages: registered by the platform, changed only through the ledger.

mod list;
mod parts;
mod row;

pub use list::Filter;
pub(crate) use row::{HistoryRow, MessageRow, decode_delay, narrow};

use crate::Store;
use crate::connection::{Connection, each, load_locked};
use crate::dialect;
use crate::dialect::message::{Wanted, find_registered};
use crate::error::Error;
use crate::ledger::{Heard, Ledger};
use crate::orphan;
use crate::schema::{message_history, messages};
use crate::send_attempt;
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::id::{CallbackId, MessageId, TenantId};
use domain::message::{Message, Registration, find_match};
use domain::poll::Plan;
use domain::report::{DedupeKey, Source};
use domain::send_attempt::Sending;
use domain::{State, Timestamp};

/// A message to be registered.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// What the platform says of it.
    pub registration: Registration,
    /// Who is asked about it, and when.
    pub plan: Plan,
}

/// With the usual plan.
impl From<Registration> for NewMessage {
    fn from(registration: Registration) -> Self {
        Self {
            registration,
            plan: Plan::default(),
        }
    }
}

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
    /// What else the provider answered, raw.
    pub provider_response: Option<String>,
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

impl Store {
    /// Registers a message, once for the same content, and applies the reports that waited for it.
    pub async fn register_message(
        &self,
        tenant: TenantId,
        new: impl Into<NewMessage>,
    ) -> Result<Registered, Error> {
        let NewMessage { registration, plan } = new.into();
        let (clock, random) = (self.clock.clone(), self.random.clone());
        self.write(move |connection| {
            let now = clock.now();
            let id = MessageId::new(now, &random);
            let mut message = Message::register(id, tenant, registration.clone(), now);
            message.poll_from(now, plan, random.fraction());
            let sending = message.sending(1);
            let identity = identity_key(&sending, &registration.to);
            let keys = orphan::keys_of(
                sending.account_id,
                sending.provider_message_id,
                sending.client_reference,
            );
            let (known, sent_again) = find_registered(connection, identity, &keys)?;
            if let Some(known) = known {
                let known = tracked(connection, vec![known])?.pop();
                let known = known.ok_or_else(|| Error::unreadable("a message that is gone"))?;
                let is_same = known.message.tenant_id == tenant
                    && known.message.registration.is_same(&registration);
                return Ok(if is_same {
                    Registered::Same(Box::new(with_history(connection, known.message)?))
                } else {
                    Registered::Conflict(known.message.id)
                });
            }
            if let Some(known) = sent_again {
                return Ok(Registered::Conflict(known.into()));
            }
            let row = MessageRow::new(&message, identity, 0);
            each!(connection, c => diesel::insert_into(messages::table).values(&row).execute(c))?;
            let mut ledger = Ledger::new(clock.clone(), random.clone());
            if registration.notification_id.is_some() {
                ledger.register(Tracked {
                    message: message.clone(),
                    identity,
                    history_length: 0,
                });
            }
            join_orphans(connection, id, &sending, &mut ledger)?;
            let effects = ledger.finish(connection, Vec::new())?;
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
            let mut ledger = Ledger::new(clock.clone(), random.clone());
            ledger.hold(tracked(connection, rows)?);
            if ledger.message(id).is_none() {
                return Ok(Ruled::Missing);
            }
            if let Some(standing) = ledger.rule(id, &ruling) {
                return Ok(Ruled::WouldLose(standing));
            }
            let Some(message) = ledger.message(id).cloned() else {
                return Ok(Ruled::Missing);
            };
            let effects = ledger.finish(connection, Vec::new())?;
            let held = Box::new(with_history(connection, message)?);
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
    tracked(connection, rows)
}

/// Messages as the ledger holds them. Only those that were sent again have more than their row.
pub(crate) fn tracked(
    connection: &mut Connection,
    rows: Vec<MessageRow>,
) -> Result<Vec<Tracked>, Error> {
    let messages = rows.into_iter().map(Tracked::try_from);
    let mut messages = messages.collect::<Result<Vec<_>, _>>()?;
    let sent_again = messages.iter_mut().map(|tracked| &mut tracked.message);
    send_attempt::attach(connection, sent_again.collect())?;
    Ok(messages)
}

impl From<&Tracked> for MessageRow {
    fn from(held: &Tracked) -> Self {
        Self::new(&held.message, held.identity, held.history_length)
    }
}

/// Applies the reports that waited for a message that is sent under these names now.
pub(crate) fn join_orphans(
    connection: &mut Connection,
    message: MessageId,
    sending: &Sending<'_>,
    ledger: &mut Ledger,
) -> Result<(), Error> {
    let waiting = orphan::waiting_for(connection, sending)?;
    if waiting.is_empty() {
        return Ok(());
    }
    let account = sending.account_id;
    let mut wanted = Wanted::default();
    wanted.add(
        account,
        sending.provider_message_id,
        sending.client_reference,
    );
    // The registration holds their locks already, for itself.
    ledger.hold(candidates(connection, &wanted, &[])?);
    let mut joined = Vec::new();
    for orphan in waiting {
        let found = find_match(ledger.messages(), account, &orphan.report);
        let Some(found) = found.filter(|found| found.message == message) else {
            continue;
        };
        let heard = Heard {
            received_at: orphan.received_at,
            source: orphan.source,
            callback_id: orphan.callback_id,
            traceparent: orphan.traceparent.as_deref(),
        };
        ledger.hear(found, &orphan.report, &heard);
        joined.push(orphan.id);
    }
    orphan::remove(connection, &joined)
}

/// What makes a send attempt the same: its account, its provider message id (else its client
/// reference), and its recipient.
pub(crate) fn identity_key(sending: &Sending<'_>, to: &str) -> [u8; 16] {
    let (kind, id) = match sending.provider_message_id {
        Some(id) => ("message by provider id", Some(id)),
        None => ("message by reference", sending.client_reference),
    };
    let fields = [id.map(str::as_bytes), Some(to.as_bytes())];
    DedupeKey::of(kind, sending.account_id, &fields).0
}

/// A message with its history.
pub(crate) fn with_history(connection: &mut Connection, message: Message) -> Result<Held, Error> {
    let history = histories(connection, &[message.id])?;
    Ok(Held {
        message,
        history: history.into_iter().map(|(_, entry)| entry).collect(),
    })
}

pub(crate) fn with_histories(
    connection: &mut Connection,
    rows: Vec<MessageRow>,
) -> Result<Vec<Held>, Error> {
    let ids: Vec<_> = rows.iter().map(|row| MessageId::from(row.id)).collect();
    let mut entries = histories(connection, &ids)?;
    let messages = tracked(connection, rows)?.into_iter();
    let held = messages.map(|Tracked { message, .. }| {
        let (own, others) = entries.drain(..).partition(|(id, _)| *id == message.id);
        entries = others;
        let history: Vec<(MessageId, Entry)> = own;
        Held {
            message,
            history: history.into_iter().map(|(_, entry)| entry).collect(),
        }
    });
    Ok(held.collect())
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

pub(crate) const fn encode_state(state: State) -> i16 {
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

pub(crate) fn decode_state(code: i16) -> Result<State, Error> {
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
