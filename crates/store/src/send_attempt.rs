//! Send attempts: a message that is sent again, and what is known of it by its later names.

use crate::Store;
use crate::connection::{Connection, each};
use crate::dialect::message::{Wanted, find_registered, lock_names};
use crate::error::Error;
use crate::ledger::{Effects, Ledger};
use crate::message::{Held, candidates, identity_key, join_orphans, with_history};
use crate::orphan;
use crate::schema::{messages, send_attempts};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::erasure::BLANK;
use domain::id::{AccountId, MessageId, TenantId};
use domain::message::Message;
use domain::poll::Plan;
use domain::report::DedupeKey;
use domain::send_attempt::{MAX_SEND_ATTEMPTS, SendAttempt};
use std::collections::HashMap;

/// What became of a send attempt that somebody registers.
#[derive(Debug, Clone, PartialEq)]
pub enum SentAgain {
    /// It is new; reports that waited for it are applied already.
    New {
        /// The message with its history.
        held: Box<Held>,
        /// What the waiting reports did.
        effects: Effects,
    },
    /// It is a send attempt of the message already.
    Same(Box<Held>),
    /// A message is known under the same ids.
    Conflict(MessageId),
    /// The message has as many send attempts as there can be.
    TooMany,
    /// There is no such message.
    Missing,
}

impl Store {
    /// Registers that a message is sent again, once for the same account and ids, and applies the reports
    /// that waited for it. The attempt's number and time are given here.
    pub async fn send_again(
        &self,
        tenant: TenantId,
        id: MessageId,
        attempt: SendAttempt,
        plan: Plan,
    ) -> Result<SentAgain, Error> {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        self.write(move |connection| {
            if !has(connection, tenant, id)? {
                return Ok(SentAgain::Missing);
            }
            let mut ledger = Ledger::new(clock.clone(), random.clone());
            let mut attempt = attempt.clone();
            attempt.created_at = clock.now();
            let Some(message) = hold(connection, id, &attempt, &mut ledger)? else {
                return Ok(SentAgain::Missing);
            };
            if message
                .sendings()
                .any(|known| known.is_same(&attempt.sending()))
            {
                return Ok(SentAgain::Same(Box::new(with_history(
                    connection, message,
                )?)));
            }
            attempt.number = message.send_attempt + 1;
            let identity = identity_of(&message, &attempt);
            if let (Some(known), _) | (None, Some(known)) = known_under(connection, identity)? {
                return Ok(SentAgain::Conflict(known));
            }
            if attempt.number > MAX_SEND_ATTEMPTS {
                return Ok(SentAgain::TooMany);
            }
            insert(connection, &message, &attempt, identity)?;
            ledger.send_again(id, attempt.clone(), plan);
            join_orphans(connection, id, &attempt.sending(), &mut ledger)?;
            let message = ledger.message(id).cloned().unwrap_or(message);
            let effects = ledger.finish(connection, Vec::new())?;
            let held = Box::new(with_history(connection, message)?);
            Ok(SentAgain::New { held, effects })
        })
        .await
    }
}

fn has(connection: &mut Connection, tenant: TenantId, id: MessageId) -> Result<bool, Error> {
    let found: Option<Uid> = each!(connection, c => messages::table
        .filter(messages::id.eq(Uid::from(id)))
        .filter(messages::tenant_id.eq(Uid::from(tenant)))
        .select(messages::id)
        .first(c)
        .optional())?;
    Ok(found.is_some())
}

/// Holds the message, and those that the reports which wait under these names may be about, all locked in
/// the order of their ids.
fn hold(
    connection: &mut Connection,
    id: MessageId,
    attempt: &SendAttempt,
    ledger: &mut Ledger,
) -> Result<Option<Message>, Error> {
    let (provider_id, reference) = (
        attempt.provider_message_id.as_deref(),
        attempt.client_reference.as_deref(),
    );
    let keys = orphan::keys_of(attempt.account_id, provider_id, reference);
    lock_names(connection, &keys)?;
    let mut wanted = Wanted::default();
    wanted.add(attempt.account_id, provider_id, reference);
    wanted.add_message(id);
    ledger.hold(candidates(connection, &wanted, &[])?);
    Ok(ledger.message(id).cloned())
}

fn known_under(
    connection: &mut Connection,
    identity: [u8; 16],
) -> Result<(Option<MessageId>, Option<MessageId>), Error> {
    // Their names are locked already.
    let (message, attempt) = find_registered(connection, identity, &[])?;
    Ok((
        message.map(|row| row.id.into()),
        attempt.map(MessageId::from),
    ))
}

/// As that of a message; of one whose number was erased nothing else can be the same.
pub(crate) fn identity_of(message: &Message, attempt: &SendAttempt) -> [u8; 16] {
    let to = &message.registration.to;
    if to == BLANK {
        return erased_identity(message.id, attempt.account_id, attempt.number);
    }
    identity_key(&attempt.sending(), to)
}

/// The identity of a send attempt whose recipient is not to be known any more.
pub(crate) fn erased_identity(message: MessageId, account: AccountId, number: u32) -> [u8; 16] {
    let (id, number) = (message.0.into_bytes(), number.to_le_bytes());
    let fields = [Some(id.as_slice()), Some(number.as_slice())];
    DedupeKey::of("erased send attempt", account, &fields).0
}

fn insert(
    connection: &mut Connection,
    message: &Message,
    attempt: &SendAttempt,
    identity: [u8; 16],
) -> Result<(), Error> {
    let row = SendAttemptRow::new(message, attempt, identity);
    each!(connection, c => diesel::insert_into(send_attempts::table).values(&row).execute(c))?;
    each!(connection, c => diesel::update(messages::table.find(row.message_id))
        .set((
            messages::send_attempt.eq(row.number),
            messages::poll_account_id.eq(Some(row.account_id)),
        ))
        .execute(c))?;
    Ok(())
}

/// Gives messages that were sent again their later send attempts.
pub(crate) fn attach(
    connection: &mut Connection,
    messages: Vec<&mut Message>,
) -> Result<(), Error> {
    let sent_again = messages.into_iter();
    let mut sent_again: Vec<_> = sent_again
        .filter(|message| message.send_attempt > 1)
        .collect();
    if sent_again.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uid> = sent_again.iter().map(|message| message.id.into()).collect();
    let rows: Vec<SendAttemptRow> = each!(connection, c => send_attempts::table
        .filter(send_attempts::message_id.eq_any(&ids))
        .order((send_attempts::message_id, send_attempts::number))
        .select(SendAttemptRow::as_select())
        .load(c))?;
    sent_again.sort_unstable_by_key(|message| message.id);
    for row in rows {
        let id = MessageId::from(row.message_id);
        let place = sent_again.binary_search_by_key(&id, |message| message.id);
        if let Ok(place) = place
            && let Some(message) = sent_again.get_mut(place)
        {
            message.sent_again.push(SendAttempt::try_from(row)?);
        }
    }
    Ok(())
}

/// Under which names messages were sent last.
pub(crate) struct Names {
    pub(crate) provider_account: String,
    pub(crate) provider: String,
    pub(crate) provider_message_id: Option<String>,
    pub(crate) client_reference: Option<String>,
}

/// The names of these attempts, by their messages.
pub(crate) fn newest_names(
    connection: &mut Connection,
    numbers: &HashMap<Uid, i32>,
) -> Result<HashMap<Uid, Names>, Error> {
    if numbers.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<&Uid> = numbers.keys().collect();
    let rows: Vec<SendAttemptRow> = each!(connection, c => send_attempts::table
        .filter(send_attempts::message_id.eq_any(&ids))
        .select(SendAttemptRow::as_select())
        .load(c))?;
    let newest = rows
        .into_iter()
        .filter(|row| numbers.get(&row.message_id) == Some(&row.number));
    let named = newest.map(|row| {
        let names = Names {
            provider_account: row.provider_account,
            provider: row.provider,
            provider_message_id: row.provider_message_id,
            client_reference: row.client_reference,
        };
        (row.message_id, names)
    });
    Ok(named.collect())
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = send_attempts, treat_none_as_default_value = false)]
struct SendAttemptRow {
    message_id: Uid,
    number: i32,
    tenant_id: Uid,
    account_id: Uid,
    provider_account: String,
    provider: String,
    provider_message_id: Option<String>,
    client_reference: Option<String>,
    identity_key: Vec<u8>,
    created_at: Moment,
}

impl SendAttemptRow {
    fn new(message: &Message, attempt: &SendAttempt, identity: [u8; 16]) -> Self {
        Self {
            message_id: message.id.into(),
            number: i32::try_from(attempt.number).unwrap_or(i32::MAX),
            tenant_id: message.tenant_id.into(),
            account_id: attempt.account_id.into(),
            provider_account: attempt.provider_account.clone().into(),
            provider: attempt.provider.clone(),
            provider_message_id: attempt.provider_message_id.clone(),
            client_reference: attempt.client_reference.clone(),
            identity_key: identity.to_vec(),
            created_at: attempt.created_at.into(),
        }
    }
}

impl TryFrom<SendAttemptRow> for SendAttempt {
    type Error = Error;

    fn try_from(row: SendAttemptRow) -> Result<Self, Error> {
        let broken =
            |what: &str| Error::unreadable(format!("a send attempt with an unreadable {what}"));
        Ok(Self {
            number: u32::try_from(row.number).map_err(|_| broken("number"))?,
            account_id: row.account_id.into(),
            provider_account: row
                .provider_account
                .parse()
                .map_err(|_| broken("account"))?,
            provider: row.provider,
            provider_message_id: row.provider_message_id,
            client_reference: row.client_reference,
            created_at: row.created_at.into(),
        })
    }
}
