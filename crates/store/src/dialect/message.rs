//! Messages: finding those that a batch may be about, and writing those that it changed.

use super::array::Statement;
use super::{lock, together};
use crate::connection::Connection;
use crate::error::Error;
use crate::message::MessageRow;
use crate::schema::{messages, send_attempts};
use crate::sql_types::{Id, Instant, Uid};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Text};
use domain::id::{AccountId, MessageId};
use domain::report::DedupeKey;
use std::collections::{BTreeMap, BTreeSet};

/// Which messages are looked for: those that accounts know by some names, and one that is known already.
#[derive(Default)]
pub(crate) struct Wanted<'a> {
    accounts: BTreeMap<AccountId, Names<'a>>,
    message: Option<MessageId>,
}

#[derive(Default)]
struct Names<'a> {
    ids: BTreeSet<&'a str>,
    references: BTreeSet<&'a str>,
}

impl<'a> Wanted<'a> {
    pub(crate) fn add(
        &mut self,
        account: AccountId,
        id: Option<&'a str>,
        reference: Option<&'a str>,
    ) {
        let names = self.accounts.entry(account).or_default();
        names.ids.extend(id);
        names.references.extend(reference);
    }

    pub(crate) const fn add_message(&mut self, message: MessageId) {
        self.message = Some(message);
    }
}

/// What is registered under an identity: the message, or the message of the send attempt. Nobody else
/// registers anything under these names until the transaction ends. On PostgreSQL in one round trip.
pub(crate) fn find_registered(
    connection: &mut Connection,
    identity: [u8; 16],
    keys: &[DedupeKey],
) -> Result<(Option<MessageRow>, Option<Uid>), Error> {
    let message = messages::table.filter(messages::identity_key.eq(identity.to_vec()));
    let attempt = send_attempts::table
        .filter(send_attempts::identity_key.eq(identity.to_vec()))
        .select(send_attempts::message_id);
    match connection {
        Connection::Sqlite(c) => {
            let message = message
                .select(MessageRow::as_select())
                .first(c)
                .optional()?;
            Ok((message, attempt.first(c).optional()?))
        }
        Connection::Postgres(session) => {
            let (locked, messages, attempts) = session.together(async |c| {
                tokio::join!(
                    biased;
                    together::execute(c, lock::for_registration(keys)),
                    together::load::<MessageRow, _>(c, message.select(MessageRow::as_select())),
                    together::load::<Uid, _>(c, attempt),
                )
            });
            locked?;
            Ok((messages?.pop(), attempts?.pop()))
        }
    }
}

/// Makes everybody wait who would register or look for anything under these names.
pub(crate) fn lock_names(connection: &mut Connection, keys: &[DedupeKey]) -> Result<(), Error> {
    if let Connection::Postgres(session) = connection {
        lock::for_registration(keys).execute(session.raw())?;
    }
    Ok(())
}

/// The messages with these names, about which nobody registers anything until the transaction ends.
/// On PostgreSQL they are locked, in the order of their ids, so that two transactions that know a
/// message by different names change it one after the other.
pub(crate) fn candidates(
    connection: &mut Connection,
    wanted: &Wanted<'_>,
    keys: &[DedupeKey],
) -> Result<Vec<MessageRow>, Error> {
    match connection {
        Connection::Sqlite(c) => {
            let mut rows = Vec::new();
            for (account, names) in &wanted.accounts {
                rows.extend(of_account(c, Uid::from(*account), names)?);
                rows.extend(sent_again(c, Uid::from(*account), names)?);
            }
            if let Some(id) = wanted.message {
                rows.extend(of_ids(c, &[Uid::from(id)])?);
            }
            rows.sort_unstable_by_key(|row| row.id);
            rows.dedup_by_key(|row| row.id);
            Ok(rows)
        }
        Connection::Postgres(session) => {
            let (locked, ids) = session.together(async |c| {
                tokio::join!(
                    biased;
                    together::execute(c, lock::for_reports(keys)),
                    together::load::<Uid, _>(c, named(wanted)),
                )
            });
            locked?;
            let mut ids = ids?;
            ids.extend(wanted.message.map(Uid::from));
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            Ok(messages::table
                .filter(messages::id.eq_any(ids))
                .order(messages::id)
                .select(MessageRow::as_select())
                .for_update()
                .load(session.raw())?)
        }
    }
}

fn of_account(
    c: &mut SqliteConnection,
    account: Uid,
    names: &Names<'_>,
) -> Result<Vec<MessageRow>, Error> {
    let mut rows: Vec<MessageRow> = Vec::new();
    if !names.ids.is_empty() {
        rows.extend(
            messages::table
                .filter(messages::account_id.eq(account))
                .filter(messages::provider_message_id.eq_any(&names.ids))
                .select(MessageRow::as_select())
                .load(c)?,
        );
    }
    if !names.references.is_empty() {
        rows.extend(
            messages::table
                .filter(messages::account_id.eq(account))
                .filter(messages::client_reference.eq_any(&names.references))
                .select(MessageRow::as_select())
                .load(c)?,
        );
    }
    Ok(rows)
}

fn of_ids(c: &mut SqliteConnection, ids: &[Uid]) -> QueryResult<Vec<MessageRow>> {
    messages::table
        .filter(messages::id.eq_any(ids))
        .select(MessageRow::as_select())
        .load(c)
}

/// The messages that were sent again through an account under these names. Few accounts have any.
fn sent_again(
    c: &mut SqliteConnection,
    account: Uid,
    names: &Names<'_>,
) -> QueryResult<Vec<MessageRow>> {
    let of_account = send_attempts::table.filter(send_attempts::account_id.eq(account));
    let has_any: bool = diesel::select(diesel::dsl::exists(of_account)).get_result(c)?;
    if !has_any {
        return Ok(Vec::new());
    }
    let ids: Vec<Uid> = of_account
        .filter(
            send_attempts::provider_message_id
                .eq_any(&names.ids)
                .or(send_attempts::client_reference.eq_any(&names.references)),
        )
        .select(send_attempts::message_id)
        .load(c)?;
    of_ids(c, &ids)
}

fn named<'a>(wanted: &Wanted<'a>) -> Statement<'a, Id> {
    let text = "select messages.id from unnest({}, {}) as by_id (account, name) \
                join messages on account_id = account and provider_message_id = name \
                where account_id = any({}) and provider_message_id = any({}) \
                union select messages.id from unnest({}, {}) as by_reference (account, name) \
                join messages on account_id = account and client_reference = name \
                where account_id = any({}) and client_reference = any({}) \
                union select message_id from send_attempts \
                where account_id = any({}) and provider_message_id = any({}) \
                union select message_id from send_attempts \
                where account_id = any({}) and client_reference = any({})";
    let pairs = |of: fn(&Names<'a>) -> BTreeSet<&'a str>| {
        let pairs = wanted.accounts.iter().flat_map(move |(account, names)| {
            let account = Uid::from(*account);
            of(names).into_iter().map(move |name| (account, name))
        });
        pairs.unzip::<_, _, Vec<_>, Vec<_>>()
    };
    let (id_accounts, ids) = pairs(|names| names.ids.clone());
    let (reference_accounts, references) = pairs(|names| names.references.clone());
    Statement::new(text)
        .bind::<Id, _>(id_accounts.clone())
        .bind::<Text, _>(ids.clone())
        .bind::<Id, _>(id_accounts.clone())
        .bind::<Text, _>(ids.clone())
        .bind::<Id, _>(reference_accounts.clone())
        .bind::<Text, _>(references.clone())
        .bind::<Id, _>(reference_accounts.clone())
        .bind::<Text, _>(references.clone())
        // What is of another account is left out later.
        .bind::<Id, _>(id_accounts)
        .bind::<Text, _>(ids)
        .bind::<Id, _>(reference_accounts)
        .bind::<Text, _>(references)
}

/// How a text is compared by its bytes, whatever the collation: not before another, and before another.
pub(crate) const fn text_order(connection: &Connection) -> (&'static str, &'static str) {
    match connection {
        Connection::Sqlite(_) => (" >= ", " < "),
        Connection::Postgres(_) => (" ~>=~ ", " ~<~ "),
    }
}

/// Writes what reports change of a message.
pub(super) fn update_one(c: &mut SqliteConnection, row: &MessageRow) -> QueryResult<()> {
    diesel::update(messages::table.find(row.id))
        .set((
            messages::updated_at.eq(row.updated_at),
            messages::state.eq(row.state),
            messages::override_number.eq(row.override_number),
            messages::standing_attempt.eq(row.standing_attempt),
            messages::provider_time.eq(row.provider_time),
            messages::transition.eq(row.transition),
            messages::decided_seen.eq(row.decided_seen),
            messages::history_length.eq(row.history_length),
            messages::sent_at.eq(row.sent_at),
            messages::delivered_at.eq(row.delivered_at),
            messages::failure_reason.eq(&row.failure_reason),
            messages::failure_class.eq(&row.failure_class),
            messages::network_code.eq(&row.network_code),
            messages::part_standings.eq(&row.part_standings),
            messages::cost.eq(&row.cost),
            messages::poll_at.eq(row.poll_at),
            messages::polls.eq(row.polls),
            messages::poll_from.eq(row.poll_from),
            messages::poll_delay.eq(row.poll_delay),
        ))
        .execute(c)?;
    Ok(())
}

/// As [`update_one`], of many.
pub(super) fn update_all(rows: &[MessageRow]) -> Statement<'_> {
    let text = "update messages set \
                    updated_at = new.updated_at, state = new.state, \
                    override_number = new.override_number, \
                    standing_attempt = new.standing_attempt, \
                    provider_time = new.provider_time, transition = new.transition, \
                    decided_seen = new.decided_seen, history_length = new.history_length, \
                    sent_at = new.sent_at, delivered_at = new.delivered_at, \
                    failure_reason = new.failure_reason, failure_class = new.failure_class, \
                    network_code = new.network_code, part_standings = new.part_standings, \
                    cost = new.cost, poll_at = new.poll_at, polls = new.polls, \
                    poll_from = new.poll_from, poll_delay = new.poll_delay \
                from unnest({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, \
                            {}, {}, {}) as new (\
                    id, updated_at, state, override_number, standing_attempt, provider_time, \
                    transition, decided_seen, history_length, sent_at, delivered_at, \
                    failure_reason, failure_class, network_code, part_standings, cost, \
                    poll_at, polls, poll_from, poll_delay) \
                where messages.id = new.id and messages.id = any({})";
    Statement::new(text)
        .bind::<Id, _>(rows.iter().map(|row| &row.id).collect())
        .bind::<Instant, _>(rows.iter().map(|row| &row.updated_at).collect())
        .bind::<SmallInt, _>(rows.iter().map(|row| &row.state).collect())
        .bind::<Integer, _>(rows.iter().map(|row| &row.override_number).collect())
        .bind::<Integer, _>(rows.iter().map(|row| &row.standing_attempt).collect())
        .bind::<Nullable<Instant>, _>(rows.iter().map(|row| &row.provider_time).collect())
        .bind::<Integer, _>(rows.iter().map(|row| &row.transition).collect())
        .bind::<BigInt, _>(rows.iter().map(|row| &row.decided_seen).collect())
        .bind::<Integer, _>(rows.iter().map(|row| &row.history_length).collect())
        .bind::<Nullable<Instant>, _>(rows.iter().map(|row| &row.sent_at).collect())
        .bind::<Nullable<Instant>, _>(rows.iter().map(|row| &row.delivered_at).collect())
        .bind::<Nullable<Text>, _>(rows.iter().map(|row| &row.failure_reason).collect())
        .bind::<Nullable<Text>, _>(rows.iter().map(|row| &row.failure_class).collect())
        .bind::<Nullable<Text>, _>(rows.iter().map(|row| &row.network_code).collect())
        .bind::<Nullable<Text>, _>(rows.iter().map(|row| &row.part_standings).collect())
        .bind::<Nullable<Text>, _>(rows.iter().map(|row| &row.cost).collect())
        .bind::<Nullable<Instant>, _>(rows.iter().map(|row| &row.poll_at).collect())
        .bind::<Integer, _>(rows.iter().map(|row| &row.polls).collect())
        .bind::<Nullable<Instant>, _>(rows.iter().map(|row| &row.poll_from).collect())
        .bind::<Nullable<BigInt>, _>(rows.iter().map(|row| &row.poll_delay).collect())
        .bind::<Id, _>(rows.iter().map(|row| &row.id).collect())
}
