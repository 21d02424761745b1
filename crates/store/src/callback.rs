//! Callbacks: recorded first, then applied.

use crate::Store;
use crate::connection::{Connection, each, insert_rows};
use crate::dialect::lock_keys;
use crate::error::Error;
use crate::ledger::{Effects, Heard, Ledger};
use crate::message::candidates;
use crate::orphan::{self, Orphan};
use crate::page::{Page, Window};
use crate::schema::{callbacks, report_keys};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::callback::{Kind, Statement, Status};
use domain::id::{AccountId, CallbackId, MessageId, ReceiptId, TenantId};
use domain::message::{Outcome, find_match};
use domain::report::{DedupeKey, Report, Source};
use domain::{Timestamp, text};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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

/// What applying a batch of callbacks did.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// The outcome of every report that was not applied by an earlier try.
    pub reports: Vec<Outcome>,
    /// Changes of state and shards with new events.
    pub effects: Effects,
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
    /// Records callbacks, before anything is done about them. Recording one again only counts the
    /// try.
    pub async fn record_callbacks(&self, batch: Arc<Vec<Accepted>>) -> Result<(), Error> {
        self.write(move |connection| {
            let seen = seen_callbacks(connection, &batch)?;
            let receipts = known_receipts(connection, &batch)?;
            let mut first_in_batch = HashSet::new();
            let mut rows = Vec::with_capacity(batch.len());
            for accepted in batch.iter() {
                if receipts.contains_key(&accepted.receipt_id) {
                    count_try(connection, accepted)?;
                } else {
                    let is_first = !seen.contains(&accepted.callback_id)
                        && first_in_batch.insert(accepted.callback_id);
                    rows.push(CallbackRow::new(accepted, is_first));
                }
            }
            insert_rows!(connection, callbacks::table, &rows);
            Ok(())
        })
        .await
    }

    /// Applies the reports of recorded callbacks, in their order, and writes the resulting events,
    /// all in one commit. A callback that was applied by an earlier try is passed over.
    pub async fn apply_callbacks(&self, batch: Arc<Vec<Accepted>>) -> Result<Applied, Error> {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        self.write(move |connection| {
            let statuses = known_receipts(connection, &batch)?;
            let todo: Vec<&Accepted> = batch
                .iter()
                .filter(|accepted| statuses.get(&accepted.receipt_id) != Some(&Status::Processed))
                .collect();
            let now = clock.now();
            let mut ledger = Ledger::new(clock, random.clone());
            hold_candidates(connection, &todo, &mut ledger)?;
            let mut new_keys = hear_keys(connection, &todo, now)?;
            let mut applied = Applied::default();
            let mut parked = Vec::new();
            for accepted in &todo {
                let outcomes: Vec<_> = reports(accepted)
                    .map(|report| {
                        let is_new = new_keys.remove(&report.dedupe_key(accepted.account_id));
                        let outcome = hear(&mut ledger, accepted, report, is_new);
                        if outcome.outcome == Outcome::Orphaned {
                            parked.push(orphan_of(accepted, report, now, &random));
                        }
                        outcome
                    })
                    .collect();
                mark_processed(connection, accepted, &outcomes, now)?;
                applied
                    .reports
                    .extend(outcomes.iter().map(|outcome| outcome.outcome));
            }
            orphan::park(connection, parked)?;
            applied.effects = ledger.finish(connection)?;
            Ok(applied)
        })
        .await
    }

    /// Notes that a callback could not be applied.
    pub async fn fail_callback(
        &self,
        receipt: ReceiptId,
        status: Status,
        error: String,
    ) -> Result<(), Error> {
        self.write(move |connection| {
            each!(connection, c => diesel::update(callbacks::table.find(Uid::from(receipt)))
                .filter(callbacks::status.ne(encode_status(Status::Processed)))
                .set((
                    callbacks::status.eq(encode_status(status)),
                    callbacks::error.eq(Some(text::cut(&error, 1_024))),
                ))
                .execute(c))?;
            Ok(())
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
            let row: Option<CallbackRow> = each!(connection, c => callbacks::table
                .filter(callbacks::callback_id.eq(Uid::from(id)))
                .filter(callbacks::tenant_id.eq(Uid::from(tenant)))
                .order(callbacks::receipt_id)
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

fn reports(accepted: &Accepted) -> impl Iterator<Item = &Report> {
    accepted
        .statements
        .iter()
        .filter_map(|statement| match statement {
            Statement::Report(report) => Some(report),
            Statement::Inbound(_) | Statement::OptOut(_) | Statement::CarrierSubscription(_) => {
                None
            }
        })
}

fn hear(ledger: &mut Ledger, accepted: &Accepted, report: &Report, is_new: bool) -> ReportOutcome {
    let message_id = find_match(ledger.messages(), accepted.account_id, report);
    let heard = Heard {
        received_at: accepted.received_at,
        source: accepted.source,
        callback_id: accepted.callback_id,
        traceparent: accepted.traceparent.as_deref(),
    };
    let outcome = match message_id {
        _ if !is_new => Outcome::Duplicate,
        None => Outcome::Orphaned,
        Some(id) => ledger.hear(id, report, &heard),
    };
    ReportOutcome {
        outcome,
        message_id,
    }
}

fn orphan_of(
    accepted: &Accepted,
    report: &Report,
    now: Timestamp,
    random: &domain::Random,
) -> Orphan {
    Orphan {
        id: Uid::from(ReceiptId::new(now, random)),
        tenant_id: accepted.tenant_id,
        account_id: accepted.account_id,
        report: report.clone(),
        callback_id: accepted.callback_id,
        received_at: accepted.received_at,
        source: accepted.source,
        traceparent: accepted.traceparent.clone(),
    }
}

/// Loads every message the batch may be about: two statements an account, however long the batch.
fn hold_candidates(
    connection: &mut Connection,
    batch: &[&Accepted],
    ledger: &mut Ledger,
) -> Result<(), Error> {
    let mut wanted: BTreeMap<AccountId, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    let mut locks = Vec::new();
    for accepted in batch {
        for report in reports(accepted) {
            let (ids, references) = wanted.entry(accepted.account_id).or_default();
            ids.extend(report.provider_message_id.as_deref());
            references.extend(report.client_reference.as_deref());
            let id = report.provider_message_id.as_deref();
            locks.extend(orphan::keys_of(
                accepted.account_id,
                id,
                report.client_reference.as_deref(),
            ));
        }
    }
    lock_keys(connection, &locks);
    for (account, (ids, references)) in wanted {
        let (ids, references): (Vec<_>, Vec<_>) =
            (ids.into_iter().collect(), references.into_iter().collect());
        ledger.hold(candidates(connection, account, &ids, &references)?);
    }
    Ok(())
}

/// Remembers what is said; the keys that were not heard before. Saying the same twice in one batch
/// is new once.
fn hear_keys(
    connection: &mut Connection,
    batch: &[&Accepted],
    now: Timestamp,
) -> Result<HashSet<DedupeKey>, Error> {
    let mut new = HashSet::new();
    for accepted in batch {
        for report in reports(accepted) {
            let key = report.dedupe_key(accepted.account_id);
            let inserted = each!(connection, c => diesel::insert_into(report_keys::table)
                .values((
                    report_keys::key.eq(key.0.as_slice()),
                    report_keys::heard_at.eq(Moment::from(now)),
                ))
                .on_conflict_do_nothing()
                .execute(c))?;
            if inserted > 0 {
                new.insert(key);
            }
        }
    }
    Ok(new)
}

fn seen_callbacks(
    connection: &mut Connection,
    batch: &[Accepted],
) -> Result<HashSet<CallbackId>, Error> {
    let ids: Vec<Uid> = batch
        .iter()
        .map(|accepted| accepted.callback_id.into())
        .collect();
    let seen: Vec<Uid> = each!(connection, c => callbacks::table
        .filter(callbacks::callback_id.eq_any(&ids))
        .select(callbacks::callback_id)
        .load(c))?;
    Ok(seen.into_iter().map(CallbackId::from).collect())
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

fn count_try(connection: &mut Connection, accepted: &Accepted) -> Result<(), Error> {
    let attempts = i32::try_from(accepted.attempt).unwrap_or(i32::MAX);
    each!(connection, c => diesel::update(callbacks::table.find(Uid::from(accepted.receipt_id)))
        .set(callbacks::attempts.eq(attempts))
        .execute(c))?;
    Ok(())
}

fn mark_processed(
    connection: &mut Connection,
    accepted: &Accepted,
    outcomes: &[ReportOutcome],
    now: Timestamp,
) -> Result<(), Error> {
    let reports: Vec<_> = outcomes.iter().copied().map(OutcomeText::from).collect();
    let reports = serde_json::to_string(&reports)
        .map_err(|error| Error::unreadable(format!("outcomes that cannot be written: {error}")))?;
    each!(connection, c => diesel::update(callbacks::table.find(Uid::from(accepted.receipt_id)))
        .set((
            callbacks::status.eq(encode_status(Status::Processed)),
            callbacks::processed_at.eq(Some(Moment::from(now))),
            callbacks::error.eq(None::<String>),
            callbacks::reports.eq(Some(&reports)),
        ))
        .execute(c))?;
    Ok(())
}

fn with_receipts(
    connection: &mut Connection,
    rows: Vec<CallbackRow>,
) -> Result<Vec<Callback>, Error> {
    let ids: Vec<Uid> = rows.iter().map(|row| row.callback_id).collect();
    let counts: Vec<(Uid, i64)> = each!(connection, c => callbacks::table
        .filter(callbacks::callback_id.eq_any(&ids))
        .group_by(callbacks::callback_id)
        .select((callbacks::callback_id, diesel::dsl::count_star()))
        .load(c))?;
    let counts: HashMap<Uid, i64> = counts.into_iter().collect();
    rows.into_iter()
        .map(|row| {
            let receipts = counts.get(&row.callback_id).copied().unwrap_or(1);
            row.into_callback(u32::try_from(receipts).unwrap_or(u32::MAX))
        })
        .collect()
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = callbacks, treat_none_as_default_value = false)]
struct CallbackRow {
    receipt_id: Uid,
    callback_id: Uid,
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
    fn new(accepted: &Accepted, is_first: bool) -> Self {
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

    fn into_callback(self, receipts: u32) -> Result<Callback, Error> {
        let broken = |what: &str| Error::unreadable(format!("a callback with unreadable {what}"));
        let outcomes: Vec<OutcomeText> =
            serde_json::from_str(self.reports.as_deref().unwrap_or("[]"))
                .map_err(|_| broken("outcomes"))?;
        let reports = outcomes
            .into_iter()
            .map(|text| {
                let outcome = Outcome::parse(&text.outcome).ok_or_else(|| broken("outcomes"))?;
                Ok(ReportOutcome {
                    outcome,
                    message_id: text.message_id,
                })
            })
            .collect::<Result<_, Error>>()?;
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

const fn encode_kind(kind: Kind) -> i16 {
    match kind {
        Kind::Reports => 0,
        Kind::Inbound => 1,
        Kind::OptOuts => 2,
        Kind::Subscriptions => 3,
    }
}

fn decode_kind(code: i16) -> Result<Kind, Error> {
    Kind::ALL
        .into_iter()
        .find(|kind| encode_kind(*kind) == code)
        .ok_or_else(|| Error::unreadable(format!("a callback of the kind {code}")))
}

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
