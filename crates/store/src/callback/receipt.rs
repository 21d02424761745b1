//! The receipts of callbacks that spoke of a message.

use super::decode_status;
use super::row::read_outcomes;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::{callback_keys, callbacks};
use crate::sql_types::{Moment, Uid};
use diesel::dsl::not;
use diesel::prelude::*;
use domain::Timestamp;
use domain::callback::Status;
use domain::id::{CallbackId, MessageId, TenantId};
use domain::message::Outcome;

/// One receipt of a callback, as far as it is about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The callback.
    pub callback_id: CallbackId,
    /// The slug of its account.
    pub provider_account: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// Whether the same callback was received before.
    pub is_repeated: bool,
    /// How far the work on it is.
    pub status: Status,
    /// When it was applied.
    pub processed_at: Option<Timestamp>,
    /// What became of each report about the message.
    pub outcomes: Vec<Outcome>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = callbacks)]
struct ReceiptRow {
    callback_id: Uid,
    is_first: bool,
    provider_account: String,
    received_at: Moment,
    status: i16,
    processed_at: Option<Moment>,
    reports: Option<String>,
}

/// The receipts of these callbacks: all first ones, and of those that came again the newest. A callback of
/// a shared account is the platform's; of its reports only those about the message are told.
pub(crate) fn receipts_about(
    connection: &mut Connection,
    tenant: TenantId,
    message: MessageId,
    ids: &[CallbackId],
    since: Timestamp,
    most: i64,
) -> Result<Vec<Receipt>, Error> {
    let ids: Vec<Uid> = ids.iter().copied().map(Uid::from).collect();
    let owners = [tenant, TenantId::PLATFORM].map(Uid::from);
    let firsts: Vec<Uid> = each!(connection, c => callback_keys::table
        .filter(callback_keys::callback_id.eq_any(&ids))
        .select(callback_keys::receipt_id)
        .load(c))?;
    let mut rows: Vec<ReceiptRow> = each!(connection, c => callbacks::table
        .filter(callbacks::receipt_id.eq_any(&firsts))
        .filter(callbacks::tenant_id.eq_any(owners))
        .select(ReceiptRow::as_select())
        .load(c))?;
    let repeated: Vec<ReceiptRow> = each!(connection, c => callbacks::table
        .filter(callbacks::tenant_id.eq_any(owners))
        .filter(callbacks::callback_id.eq_any(&ids))
        .filter(not(callbacks::is_first))
        .filter(callbacks::receipt_id.ge(Uid::first_of(since)))
        .order(callbacks::receipt_id.desc())
        .limit(most)
        .select(ReceiptRow::as_select())
        .load(c))?;
    rows.extend(repeated);
    rows.into_iter()
        .map(|row| row.into_receipt(message))
        .collect()
}

impl ReceiptRow {
    fn into_receipt(self, message: MessageId) -> Result<Receipt, Error> {
        let reports = read_outcomes(self.reports.as_deref())?;
        Ok(Receipt {
            callback_id: self.callback_id.into(),
            provider_account: self.provider_account,
            received_at: self.received_at.into(),
            is_repeated: !self.is_first,
            status: decode_status(self.status)?,
            processed_at: self.processed_at.map(Timestamp::from),
            outcomes: reports
                .into_iter()
                .filter(|report| report.message_id == Some(message))
                .map(|report| report.outcome)
                .collect(),
        })
    }
}
