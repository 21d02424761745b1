//! Callbacks: recorded, and applied.

mod apply;
mod receipt;
mod row;

pub(crate) use apply::Mark;
pub use apply::{Applied, Processed};
pub use receipt::Receipt;
pub(crate) use receipt::receipts_about;

use crate::Store;
use crate::connection::{Connection, each, insert_rows};
use crate::dialect;
use crate::dialect::callback::Received;
use crate::error::Error;
use crate::page::{Page, Window};
use crate::schema::{callback_keys, callbacks};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::callback::{Kind, Statement, Status};
use domain::id::{AccountId, CallbackId, MessageId, ReceiptId, TenantId};
use domain::message::Outcome;
use domain::report::Source;
use domain::{Timestamp, text};
use row::CallbackRow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A callback that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// This receipt of it.
    pub receipt_id: ReceiptId,
    /// The callback: the same for a duplicate.
    pub callback_id: CallbackId,
    /// Whose account.
    pub tenant_id: TenantId,
    /// Which account.
    pub account_id: AccountId,
    /// That account's slug.
    pub provider_account: String,
    /// Which URL was called.
    pub kind: Kind,
    /// Who made the statements.
    pub source: Source,
    /// When it was received.
    pub received_at: Timestamp,
    /// Who called.
    pub source_ip: String,
    /// Whether a signature was checked.
    pub signature_checked: bool,
    /// The body of our answer.
    pub answer: String,
    /// The request's headers, without secrets.
    pub headers: Vec<(String, String)>,
    /// The request's body.
    pub body: Vec<u8>,
    /// What it says.
    pub statements: Vec<Statement>,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// How often this was tried, this time included.
    pub attempt: u32,
}

/// What became of one statement of a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportOutcome {
    /// What became of it.
    pub outcome: Outcome,
    /// The message it is about, where one is known.
    pub message_id: Option<MessageId>,
}

/// A callback as it is kept: its first receipt, and how many there were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// Its id.
    pub id: CallbackId,
    /// The receipt this is.
    pub receipt_id: ReceiptId,
    /// The slug of its account.
    pub provider_account: String,
    /// Which URL was called.
    pub kind: Kind,
    /// When it was received first.
    pub received_at: Timestamp,
    /// Who called.
    pub source_ip: String,
    /// How far the work on it is.
    pub status: Status,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When it was applied.
    pub processed_at: Option<Timestamp>,
    /// Whether a signature was checked.
    pub signature_checked: bool,
    /// The body of our answer.
    pub answer: String,
    /// The request's body.
    pub body: Vec<u8>,
    /// The request's headers, without secrets.
    pub headers: Vec<(String, String)>,
    /// How often the same callback was received.
    pub receipts: u32,
    /// What became of what it says.
    pub reports: Vec<ReportOutcome>,
}

/// Which of a tenant's callbacks.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this account.
    pub provider_account: Option<String>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// In this status.
    pub status: Option<Status>,
    /// Received at or after this.
    pub after: Option<Timestamp>,
    /// Received before this.
    pub before: Option<Timestamp>,
}

impl Store {
    /// Records callbacks, and does nothing about them; those that were not recorded before. Recording one
    /// again only counts the try.
    pub async fn record_callbacks(
        &self,
        batch: Arc<Vec<Accepted>>,
    ) -> Result<HashSet<ReceiptId>, Error> {
        self.write(move |connection| Ok(record(connection, &batch)?.new))
            .await
    }

    /// Notes that a callback could not be applied; whether its status says so for the first time.
    pub async fn fail_callback(
        &self,
        receipt: ReceiptId,
        status: Status,
        error: String,
    ) -> Result<bool, Error> {
        self.write(move |connection| {
            let before: Option<i16> = each!(connection, c => callbacks::table
                .find(Uid::from(receipt))
                .select(callbacks::status)
                .first(c)
                .optional())?;
            let noted = each!(connection, c => diesel::update(callbacks::table.find(Uid::from(receipt)))
                .filter(callbacks::status.ne(encode_status(Status::Processed)))
                .set((
                    callbacks::status.eq(encode_status(status)),
                    callbacks::error.eq(Some(text::cut(&error, 1_024))),
                ))
                .execute(c))?;
            Ok(noted > 0 && before != Some(encode_status(status)))
        })
        .await
    }

    /// A tenant's callback.
    pub async fn find_callback(
        &self,
        tenant: TenantId,
        id: CallbackId,
    ) -> Result<Option<Callback>, Error> {
        self.read(move |connection| {
            let first: Option<Uid> = each!(connection, c => callback_keys::table
                .find(Uid::from(id))
                .select(callback_keys::receipt_id)
                .first(c)
                .optional())?;
            let Some(first) = first else {
                return Ok(None);
            };
            let row: Option<CallbackRow> = each!(connection, c => callbacks::table
                .filter(callbacks::receipt_id.eq(first))
                .filter(callbacks::tenant_id.eq(Uid::from(tenant)))
                .select(CallbackRow::as_select())
                .first(c)
                .optional())?;
            Ok(with_receipts(connection, row.into_iter().collect())?.pop())
        })
        .await
    }

    /// A tenant's callbacks, newest first.
    pub async fn list_callbacks(
        &self,
        tenant: TenantId,
        filter: Filter,
        window: Window<ReceiptId>,
    ) -> Result<Page<Callback, ReceiptId>, Error> {
        self.read(move |connection| {
            let rows: Vec<CallbackRow> = each!(connection, c => {
                let mut query = callbacks::table
                    .filter(callbacks::tenant_id.eq(Uid::from(tenant)))
                    .filter(callbacks::is_first)
                    .order(callbacks::receipt_id.desc())
                    .limit(window.reach())
                    .select(CallbackRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(callbacks::receipt_id.lt(Uid::from(before)));
                }
                if let Some(account) = &filter.provider_account {
                    query = query.filter(callbacks::provider_account.eq(account));
                }
                if let Some(kind) = filter.kind {
                    query = query.filter(callbacks::kind.eq(encode_kind(kind)));
                }
                if let Some(status) = filter.status {
                    query = query.filter(callbacks::status.eq(encode_status(status)));
                }
                if let Some(after) = filter.after {
                    query = query.filter(callbacks::received_at.ge(Moment::from(after)));
                }
                if let Some(before) = filter.before {
                    query = query.filter(callbacks::received_at.lt(Moment::from(before)));
                }
                query.load(c)
            })?;
            let page = window.page(rows, |row: &CallbackRow| ReceiptId::from(row.receipt_id));
            Ok(Page {
                items: with_receipts(connection, page.items)?,
                next: page.next,
            })
        })
        .await
    }
}

/// What recording has found.
struct Recorded {
    /// Those that were not recorded before.
    new: HashSet<ReceiptId>,
    /// Those that were, and how far the work on them is.
    known: HashMap<ReceiptId, Status>,
}

fn record(connection: &mut Connection, batch: &[Accepted]) -> Result<Recorded, Error> {
    let known = known_receipts(connection, batch)?;
    let (again, new): (Vec<&Accepted>, Vec<_>) = batch
        .iter()
        .partition(|accepted| known.contains_key(&accepted.receipt_id));
    dialect::callback::count_tries(connection, &tries(&again))?;
    let firsts = dialect::callback::count_receipts(connection, &received(&new))?;
    let rows: Vec<CallbackRow> = new
        .into_iter()
        .map(|accepted| {
            let first = firsts.get(&accepted.callback_id.into());
            CallbackRow::new(accepted, first == Some(&accepted.receipt_id.into()))
        })
        .collect();
    insert_rows!(connection, callbacks::table, rows.iter());
    let new = rows.iter().map(|row| row.receipt_id.into()).collect();
    Ok(Recorded { new, known })
}

/// How often each receipt was tried.
fn tries(again: &[&Accepted]) -> Vec<(Uid, i32)> {
    let number = |attempt: u32| i32::try_from(attempt).unwrap_or(i32::MAX);
    again
        .iter()
        .map(|accepted| (accepted.receipt_id.into(), number(accepted.attempt)))
        .collect()
}

/// The receipts of each callback, counted.
fn received(new: &[&Accepted]) -> Vec<Received> {
    let mut received: BTreeMap<CallbackId, Received> = BTreeMap::new();
    for accepted in new {
        let of_callback = received
            .entry(accepted.callback_id)
            .or_insert_with(|| Received {
                callback_id: accepted.callback_id.into(),
                receipt_id: accepted.receipt_id.into(),
                receipts: 0,
            });
        of_callback.receipts += 1;
    }
    received.into_values().collect()
}

fn known_receipts(
    connection: &mut Connection,
    batch: &[Accepted],
) -> Result<HashMap<ReceiptId, Status>, Error> {
    let ids: Vec<Uid> = batch
        .iter()
        .map(|accepted| accepted.receipt_id.into())
        .collect();
    let known: Vec<(Uid, i16)> = each!(connection, c => callbacks::table
        .filter(callbacks::receipt_id.eq_any(&ids))
        .select((callbacks::receipt_id, callbacks::status))
        .load(c))?;
    known
        .into_iter()
        .map(|(id, status)| Ok((id.into(), decode_status(status)?)))
        .collect()
}

fn with_receipts(
    connection: &mut Connection,
    rows: Vec<CallbackRow>,
) -> Result<Vec<Callback>, Error> {
    let ids: Vec<Uid> = rows.iter().map(|row| row.callback_id).collect();
    let counts: Vec<(Uid, i32)> = each!(connection, c => callback_keys::table
        .filter(callback_keys::callback_id.eq_any(&ids))
        .select((callback_keys::callback_id, callback_keys::receipts))
        .load(c))?;
    let counts: HashMap<Uid, i32> = counts.into_iter().collect();
    rows.into_iter()
        .map(|row| {
            let receipts = counts.get(&row.callback_id).copied().unwrap_or(1);
            row.into_callback(u32::try_from(receipts).unwrap_or(1))
        })
        .collect()
}

pub(crate) const fn encode_kind(kind: Kind) -> i16 {
    match kind {
        Kind::Reports => 0,
        Kind::Inbound => 1,
        Kind::OptOuts => 2,
        Kind::Subscriptions => 3,
    }
}

pub(crate) fn decode_kind(code: i16) -> Result<Kind, Error> {
    Kind::ALL
        .into_iter()
        .find(|kind| encode_kind(*kind) == code)
        .ok_or_else(|| Error::unreadable(format!("a callback of the kind {code}")))
}

pub(crate) const PROCESSED: i16 = encode_status(Status::Processed);
pub(crate) const DEAD_LETTERED: i16 = encode_status(Status::DeadLettered);
/// Nothing is done about these any more.
pub(crate) const DONE: [i16; 2] = [PROCESSED, encode_status(Status::DeadLettered)];

const fn encode_status(status: Status) -> i16 {
    match status {
        Status::Received => 0,
        Status::Processed => 1,
        Status::Failed => 2,
        Status::DeadLettered => 3,
    }
}

fn decode_status(code: i16) -> Result<Status, Error> {
    [
        Status::Received,
        Status::Processed,
        Status::Failed,
        Status::DeadLettered,
    ]
    .into_iter()
    .find(|status| encode_status(*status) == code)
    .ok_or_else(|| Error::unreadable(format!("a callback in the status {code}")))
}
