//! Polls: which messages somebody has to be asked about, and what came of asking.

mod inbox;
mod lease;

pub use inbox::Inbox;
pub(crate) use inbox::forget as forget_inbox;
pub use lease::{Backlog, Given, Lease, Rest, RestReason, Search};
pub(crate) use lease::{end_rest, free_all, holds};

use crate::Store;
use crate::connection::{Connection, each, insert_rows, load_locked};
use crate::dialect;
use crate::dialect::array::columns;
use crate::error::Error;
use crate::message::{Held, MessageRow, decode_delay, decode_state, narrow, with_histories};
use crate::schema::{messages, polls};
use crate::send_attempt::newest_names;
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, SmallInt, Text};
use domain::account::{Environment, Slug};
use domain::id::{AccountId, MessageId, PollId, TenantId};
use domain::poll::{Due, Outcome};
use domain::{State, Timestamp};
use std::collections::HashMap;
use std::time::Duration;

/// How many due messages are read at once.
pub const PAGE: usize = 500;
/// Who asks for a message to be asked about within this time of a poll of it has just had it.
const JUST_NOW: Duration = Duration::from_secs(10);

/// A message that somebody has to be asked about, as far as asking needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueMessage {
    /// Its id.
    pub id: MessageId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The slug of its account.
    pub provider_account: Slug,
    /// That account's provider.
    pub provider: String,
    /// Where it belongs.
    pub environment: Environment,
    /// The provider's id of it.
    pub provider_message_id: Option<String>,
    /// The platform's reference.
    pub client_reference: Option<String>,
    /// The recipient in E.164.
    pub to: String,
    /// The sender.
    pub from: Option<String>,
    /// Its state.
    pub state: State,
    /// The network, where a report has named it.
    pub network_code: Option<String>,
    /// In how many parts it was sent.
    pub parts: u32,
    /// The try to send it that is going on.
    pub send_attempt: u32,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it is due, and where in its schedule it is.
    pub due: Due,
}

/// That somebody was asked about a message, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled {
    /// Which message.
    pub message_id: MessageId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// About which try to send it.
    pub send_attempt: u32,
    /// When it was due, as it was read. Where that has changed, nothing follows.
    pub was_due_at: Option<Timestamp>,
    /// When it was asked.
    pub at: Timestamp,
    /// What came of it; none where nobody was asked, and the message is only due at another time.
    pub outcome: Option<Outcome>,
    /// The provider's word, or why there is none.
    pub detail: Option<String>,
    /// When the next poll is; none when there is none.
    pub next: Option<Timestamp>,
    /// How many polls of the schedule are answered.
    pub polls: u32,
}

/// What became of the record of polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is written; so many messages are due anew, or no more.
    Done(usize),
    /// Somebody else asks about the account's messages now, and nothing was written.
    LeaseLost,
}

/// What became of the wish to have a message asked about now.
#[derive(Debug, Clone, PartialEq)]
pub enum Wished {
    /// It is due, or was asked about just now.
    Due(Box<Held>),
    /// Its state is decided.
    Decided(State),
    /// There is no such message.
    Missing,
}

impl Store {
    /// The messages of an account that are due, those that have been for longest first. One that cannot be read is
    /// said once and asked about no more: it would be in the way of the others.
    pub async fn list_due(&self, account: AccountId) -> Result<Vec<DueMessage>, Error> {
        let now = Moment::from(self.clock.now());
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let (due, broken) = self.read(move |connection| {
            let mut rows: Vec<DueRow> = each!(connection, c => messages::table
                .filter(messages::poll_account_id.eq(Uid::from(account)))
                .filter(messages::poll_at.le(now))
                .order(messages::poll_at)
                .limit(limit)
                .select(DueRow::as_select())
                .load(c))?;
            name_as_sent_last(connection, &mut rows)?;
            let mut due = Vec::with_capacity(rows.len());
            let mut broken = Vec::new();
            for row in rows {
                let id = row.id;
                match DueMessage::try_from(row) {
                    Ok(message) => due.push(message),
                    Err(error) => {
                        tracing::error!(message.id = %MessageId::from(id), %error, "nobody is asked about a message");
                        broken.push(id);
                    }
                }
            }
            Ok((due, broken))
        })
        .await?;
        if !broken.is_empty() {
            self.write(move |connection| {
                each!(connection, c => diesel::update(messages::table.filter(messages::id.eq_any(&broken)))
                    .set(messages::poll_at.eq(None::<Moment>))
                    .execute(c))?;
                Ok(())
            })
            .await?;
        }
        Ok(due)
    }

    /// Writes down polls, and when the next ones are, in one commit under the lease. A message that was decided
    /// meanwhile, or is due at another time, stays as it is.
    pub async fn record_polls(
        &self,
        lease: &Lease,
        polled: Vec<Polled>,
    ) -> Result<Recorded, Error> {
        let (lease, random) = (lease.clone(), self.random.clone());
        self.write(move |connection| {
            if !holds(connection, &lease)? {
                return Ok(Recorded::LeaseLost);
            }
            let due = still_due(connection, &polled)?;
            let moves: Vec<dialect::poll::Move> = due
                .iter()
                .map(|polled| dialect::poll::Move {
                    id: polled.message_id.into(),
                    poll_at: polled.next.map(Moment::from),
                    polls: narrow(polled.polls),
                })
                .collect();
            dialect::poll::reschedule(connection, &moves)?;
            let rows: Vec<PollRow> = polled
                .iter()
                .filter_map(|polled| {
                    let id = PollId::new(polled.at, &random);
                    Some(PollRow::new(polled, polled.outcome?, id))
                })
                .collect();
            insert_rows!(connection, polls::table, rows.iter());
            Ok(Recorded::Done(moves.len()))
        })
        .await
    }

    /// Has a message asked about now. Who asks twice within ten seconds has it asked about once.
    pub async fn poll_now(&self, tenant: TenantId, id: MessageId) -> Result<Wished, Error> {
        let clock = self.clock.clone();
        self.write(move |connection| {
            let now = clock.now();
            let mut rows: Vec<MessageRow> = load_locked!(
                connection,
                messages::table
                    .filter(messages::id.eq(Uid::from(id)))
                    .filter(messages::tenant_id.eq(Uid::from(tenant)))
                    .select(MessageRow::as_select()),
                for_update
            );
            let Some(row) = rows.first_mut() else {
                return Ok(Wished::Missing);
            };
            let state = decode_state(row.state)?;
            if state.is_decided() {
                return Ok(Wished::Decided(state));
            }
            let is_due = row.poll_at.is_some_and(|at| at <= Moment::from(now));
            if !is_due && !was_polled_since(connection, row.id, now.minus(JUST_NOW))? {
                row.poll_at = Some(now.into());
                each!(connection, c => diesel::update(messages::table.find(row.id))
                    .set(messages::poll_at.eq(row.poll_at))
                    .execute(c))?;
            }
            let held = with_histories(connection, rows)?.pop();
            Ok(held.map_or(Wished::Missing, |held| Wished::Due(Box::new(held))))
        })
        .await
    }
}

/// Gives those that were sent again the names under which they were sent last.
fn name_as_sent_last(connection: &mut Connection, rows: &mut [DueRow]) -> Result<(), Error> {
    let sent_again: HashMap<Uid, i32> = rows
        .iter()
        .filter(|row| row.send_attempt > 1)
        .map(|row| (row.id, row.send_attempt))
        .collect();
    let mut names = newest_names(connection, &sent_again)?;
    for row in rows {
        if let Some(names) = names.remove(&row.id) {
            row.provider_account = names.provider_account;
            row.provider = names.provider;
            row.provider_message_id = names.provider_message_id;
            row.client_reference = names.client_reference;
        }
    }
    Ok(())
}

/// Those whose messages are due when they were. On PostgreSQL they stay so until the transaction ends.
fn still_due<'a>(
    connection: &mut Connection,
    polled: &'a [Polled],
) -> Result<Vec<&'a Polled>, Error> {
    let ids: Vec<Uid> = polled
        .iter()
        .map(|polled| polled.message_id.into())
        .collect();
    let due: Vec<(Uid, Option<Moment>)> = load_locked!(
        connection,
        messages::table
            .filter(messages::id.eq_any(&ids))
            .order(messages::id)
            .select((messages::id, messages::poll_at)),
        for_update
    );
    let due: HashMap<Uid, Option<Moment>> = due.into_iter().collect();
    let is_still = |polled: &&Polled| {
        let was = polled.was_due_at.map(Moment::from);
        was.is_some() && due.get(&polled.message_id.into()) == Some(&was)
    };
    Ok(polled.iter().filter(is_still).collect())
}

fn was_polled_since(
    connection: &mut Connection,
    message: Uid,
    since: Timestamp,
) -> Result<bool, Error> {
    let last: Option<Uid> = each!(connection, c => polls::table
        .filter(polls::message_id.eq(message))
        .filter(polls::id.ge(Uid::first_of(since)))
        .select(polls::id)
        .first(c)
        .optional())?;
    Ok(last.is_some())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = messages)]
struct DueRow {
    id: Uid,
    tenant_id: Uid,
    provider_account: String,
    provider: String,
    environment: String,
    provider_message_id: Option<String>,
    client_reference: Option<String>,
    recipient: String,
    sender: Option<String>,
    state: i16,
    network_code: Option<String>,
    parts: i32,
    send_attempt: i32,
    created_at: Moment,
    poll_at: Option<Moment>,
    polls: i32,
    poll_from: Option<Moment>,
    poll_delay: Option<i64>,
}

impl TryFrom<DueRow> for DueMessage {
    type Error = Error;

    fn try_from(row: DueRow) -> Result<Self, Error> {
        let broken = |what: &str| Error::unreadable(format!("a message with an unreadable {what}"));
        let count = |number: i32| u32::try_from(number).map_err(|_| broken("number"));
        let created_at = Timestamp::from(row.created_at);
        Ok(Self {
            id: row.id.into(),
            tenant_id: row.tenant_id.into(),
            provider_account: row
                .provider_account
                .parse()
                .map_err(|_| broken("account"))?,
            provider: row.provider,
            environment: row.environment.parse().map_err(|_| broken("environment"))?,
            provider_message_id: row.provider_message_id,
            client_reference: row.client_reference,
            to: row.recipient,
            from: row.sender,
            state: decode_state(row.state)?,
            network_code: row.network_code,
            parts: count(row.parts)?,
            send_attempt: count(row.send_attempt)?,
            created_at,
            due: Due {
                at: row.poll_at.map(Timestamp::from),
                polls: count(row.polls)?,
                from: row.poll_from.map_or(created_at, Timestamp::from),
                delay: decode_delay(row.poll_delay),
            },
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = polls, treat_none_as_default_value = false)]
struct PollRow {
    id: Uid,
    message_id: Uid,
    tenant_id: Uid,
    at: Moment,
    send_attempt: i32,
    outcome: i16,
    detail: Option<String>,
}

columns!(PollRow => "polls" {
    id: Id,
    message_id: Id,
    tenant_id: Id,
    at: Instant,
    send_attempt: Integer,
    outcome: SmallInt,
    detail: Nullable<Text>,
});

impl PollRow {
    fn new(polled: &Polled, outcome: Outcome, id: PollId) -> Self {
        Self {
            id: id.into(),
            message_id: polled.message_id.into(),
            tenant_id: polled.tenant_id.into(),
            at: polled.at.into(),
            send_attempt: narrow(polled.send_attempt),
            outcome: encode_outcome(outcome),
            detail: polled.detail.clone(),
        }
    }
}

pub(crate) fn decode_outcome(code: i16) -> Result<Outcome, Error> {
    Outcome::ALL
        .into_iter()
        .find(|outcome| encode_outcome(*outcome) == code)
        .ok_or_else(|| Error::unreadable(format!("a poll with the outcome {code}")))
}

const fn encode_outcome(outcome: Outcome) -> i16 {
    match outcome {
        Outcome::Reported => 0,
        Outcome::Unchanged => 1,
        Outcome::Nothing => 2,
        Outcome::Unavailable => 3,
        Outcome::Unreadable => 4,
        Outcome::Refused => 5,
        Outcome::Slowed => 6,
        Outcome::Silence => 7,
    }
}
