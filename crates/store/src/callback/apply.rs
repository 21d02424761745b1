//! Applying recorded callbacks to the messages they are about.

use super::row::outcomes_text;
use super::{Accepted, ReportOutcome, encode_status, known_receipts};
use crate::Store;
use crate::connection::{Connection, each};
use crate::dialect::lock_keys;
use crate::error::Error;
use crate::ledger::{Effects, Heard, Ledger};
use crate::message::candidates;
use crate::orphan::{self, Orphan};
use crate::schema::{callbacks, report_keys};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::callback::{Statement, Status};
use domain::id::{AccountId, ReceiptId};
use domain::message::{Outcome, find_match};
use domain::report::{DedupeKey, Report};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// What applying a batch of callbacks did.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// The outcome of every report that was not applied by an earlier try.
    pub reports: Vec<Outcome>,
    /// Changes of state and shards with new events.
    pub effects: Effects,
}

impl Store {
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
    lock_keys(connection, &locks)?;
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

fn mark_processed(
    connection: &mut Connection,
    accepted: &Accepted,
    outcomes: &[ReportOutcome],
    now: Timestamp,
) -> Result<(), Error> {
    let reports = outcomes_text(outcomes)?;
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
