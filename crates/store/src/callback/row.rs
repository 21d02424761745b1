//! Callbacks, as rows.

use super::{
    Accepted, Callback, ReportOutcome, decode_kind, decode_status, encode_kind, encode_status,
};
use crate::dialect::array::columns;
use crate::error::Error;
use crate::schema::callbacks;
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{Binary, Bool, Integer, Nullable, SmallInt, Text};
use domain::Timestamp;
use domain::callback::Status;
use domain::id::MessageId;
use domain::message::Outcome;
use serde::{Deserialize, Serialize};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = callbacks, treat_none_as_default_value = false)]
pub(super) struct CallbackRow {
    pub receipt_id: Uid,
    pub callback_id: Uid,
    is_first: bool,
    tenant_id: Uid,
    account_id: Uid,
    provider_account: String,
    kind: i16,
    received_at: Moment,
    source_ip: String,
    signature_checked: bool,
    answer: String,
    headers: String,
    body: Vec<u8>,
    status: i16,
    attempts: i32,
    error: Option<String>,
    processed_at: Option<Moment>,
    reports: Option<String>,
}

columns!(CallbackRow => "callbacks" {
    receipt_id: Id,
    callback_id: Id,
    is_first: Bool,
    tenant_id: Id,
    account_id: Id,
    provider_account: Text,
    kind: SmallInt,
    received_at: Instant,
    source_ip: Text,
    signature_checked: Bool,
    answer: Text,
    headers: Text,
    body: Binary,
    status: SmallInt,
    attempts: Integer,
    error: Nullable<Text>,
    processed_at: Nullable<Instant>,
    reports: Nullable<Text>,
});

#[derive(Serialize, Deserialize)]
struct OutcomeText {
    outcome: String,
    message_id: Option<MessageId>,
}

impl From<ReportOutcome> for OutcomeText {
    fn from(report: ReportOutcome) -> Self {
        Self {
            outcome: report.outcome.as_str().to_owned(),
            message_id: report.message_id,
        }
    }
}

impl CallbackRow {
    pub(super) fn new(accepted: &Accepted, is_first: bool) -> Self {
        Self {
            receipt_id: accepted.receipt_id.into(),
            callback_id: accepted.callback_id.into(),
            is_first,
            tenant_id: accepted.tenant_id.into(),
            account_id: accepted.account_id.into(),
            provider_account: accepted.provider_account.clone(),
            kind: encode_kind(accepted.kind),
            received_at: accepted.received_at.into(),
            source_ip: accepted.source_ip.clone(),
            signature_checked: accepted.signature_checked,
            answer: accepted.answer.clone(),
            headers: serde_json::to_string(&accepted.headers).unwrap_or_default(),
            body: accepted.body.clone(),
            status: encode_status(Status::Received),
            attempts: i32::try_from(accepted.attempt).unwrap_or(i32::MAX),
            error: None,
            processed_at: None,
            reports: None,
        }
    }

    pub(super) fn into_callback(self, receipts: u32) -> Result<Callback, Error> {
        let broken = |what: &str| Error::unreadable(format!("a callback with unreadable {what}"));
        let reports = read_outcomes(self.reports.as_deref())?;
        Ok(Callback {
            id: self.callback_id.into(),
            receipt_id: self.receipt_id.into(),
            provider_account: self.provider_account,
            kind: decode_kind(self.kind)?,
            received_at: self.received_at.into(),
            source_ip: self.source_ip,
            status: decode_status(self.status)?,
            attempts: u32::try_from(self.attempts).unwrap_or_default(),
            error: self.error,
            processed_at: self.processed_at.map(Timestamp::from),
            signature_checked: self.signature_checked,
            answer: self.answer,
            body: self.body,
            headers: serde_json::from_str(&self.headers).map_err(|_| broken("headers"))?,
            receipts,
            reports,
        })
    }
}

/// Outcomes, as their column holds them.
pub(super) fn outcomes_text(outcomes: &[ReportOutcome]) -> Result<String, Error> {
    let outcomes: Vec<_> = outcomes.iter().copied().map(OutcomeText::from).collect();
    serde_json::to_string(&outcomes)
        .map_err(|error| Error::unreadable(format!("outcomes that cannot be written: {error}")))
}

/// Outcomes of their column; none before the callback is applied.
pub(super) fn read_outcomes(text: Option<&str>) -> Result<Vec<ReportOutcome>, Error> {
    let broken = || Error::unreadable("a callback with unreadable outcomes");
    let outcomes: Vec<OutcomeText> =
        serde_json::from_str(text.unwrap_or("[]")).map_err(|_| broken())?;
    outcomes
        .into_iter()
        .map(|text| {
            Ok(ReportOutcome {
                outcome: Outcome::parse(&text.outcome).ok_or_else(broken)?,
                message_id: text.message_id,
            })
        })
        .collect()
}
