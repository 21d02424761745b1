//! Applying callbacks to the messages they are about.

use super::row::outcomes_text;
use super::{Accepted, Recorded, ReportOutcome, record};
use crate::Store;
use crate::connection::Connection;
use crate::dialect;
use crate::dialect::message::Wanted;
use crate::error::Error;
use crate::ledger::{Effects, Heard, Ledger};
use crate::message::candidates;
use crate::orphan::{self, Orphan};
use crate::sql_types::Uid;
use domain::Timestamp;
use domain::callback::{Statement, Status};
use domain::id::{AccountId, ReceiptId};
use domain::message::{Outcome, find_match};
use domain::report::{DedupeKey, Report, Source};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// What applying a batch of callbacks did.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// The callbacks that were not recorded before.
    pub new: HashSet<ReceiptId>,
    /// The outcome of every report that was not applied by an earlier try.
    pub reports: Vec<Outcome>,
    /// The callbacks that were applied by this try.
    pub processed: Vec<Processed>,
    /// Changes of state and shards with new events.
    pub effects: Effects,
}

/// A callback that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processed {
    /// Its account.
    pub account_id: AccountId,
    /// Who made its statements.
    pub source: Source,
    /// When it was received.
    pub received_at: Timestamp,
    /// What became of each of its reports.
    pub reports: Vec<Outcome>,
}

impl Store {
    /// Records callbacks, applies their reports in their order, and writes the resulting events, all in one
    /// commit. Of a callback that was recorded before the try is counted; one that was applied by an earlier
    /// try is passed over.
    pub async fn apply_callbacks(&self, batch: Arc<Vec<Accepted>>) -> Result<Applied, Error> {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        self.write(move |connection| {
            let Recorded { new, known } = record(connection, &batch)?;
            failpoint::reach!(StoreBeforeApply);
            let todo: Vec<&Accepted> = batch
                .iter()
                .filter(|accepted| known.get(&accepted.receipt_id) != Some(&Status::Processed))
                .collect();
            let now = clock.now();
            let mut ledger = Ledger::new(clock.clone(), random.clone());
            hold_candidates(connection, &todo, &mut ledger)?;
            let mut new_keys = hear_keys(connection, &todo, now)?;
            let mut applied = Applied {
                new,
                ..Applied::default()
            };
            let (mut parked, mut marks) = (Vec::new(), Vec::new());
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
                marks.push(Mark {
                    receipt_id: accepted.receipt_id.into(),
                    reports: outcomes_text(&outcomes)?,
                });
                let outcomes: Vec<Outcome> = outcomes.iter().map(|one| one.outcome).collect();
                applied.reports.extend(&outcomes);
                applied.processed.push(Processed {
                    account_id: accepted.account_id,
                    source: accepted.source,
                    received_at: accepted.received_at,
                    reports: outcomes,
                });
            }
            orphan::park(connection, parked)?;
            applied.effects = ledger.finish(connection, marks)?;
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
    let found = find_match(ledger.messages(), accepted.account_id, report);
    let heard = Heard {
        received_at: accepted.received_at,
        source: accepted.source,
        callback_id: accepted.callback_id,
        traceparent: accepted.traceparent.as_deref(),
    };
    let outcome = match found {
        _ if !is_new => Outcome::Duplicate,
        None => Outcome::Orphaned,
        Some(found) => ledger.hear(found, report, &heard),
    };
    ReportOutcome {
        outcome,
        message_id: found.map(|found| found.message),
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

/// Loads every message the batch may be about: a few statements, however long the batch.
fn hold_candidates(
    connection: &mut Connection,
    batch: &[&Accepted],
    ledger: &mut Ledger,
) -> Result<(), Error> {
    let mut wanted = Wanted::default();
    let mut keys = Vec::new();
    for accepted in batch {
        for report in reports(accepted) {
            let account = accepted.account_id;
            let id = report.provider_message_id.as_deref();
            let reference = report.client_reference.as_deref();
            wanted.add(account, id, reference);
            keys.extend(orphan::keys_of(account, id, reference));
        }
    }
    ledger.hold(candidates(connection, &wanted, &keys)?);
    Ok(())
}

/// Remembers what is said; the keys that were not heard before. Saying the same twice in one batch
/// is new once.
fn hear_keys(
    connection: &mut Connection,
    batch: &[&Accepted],
    now: Timestamp,
) -> Result<HashSet<DedupeKey>, Error> {
    let keys: BTreeSet<[u8; 16]> = batch
        .iter()
        .flat_map(|accepted| {
            reports(accepted).map(|report| report.dedupe_key(accepted.account_id).0)
        })
        .collect();
    let keys: Vec<Vec<u8>> = keys.into_iter().map(Vec::from).collect();
    let new = dialect::callback::hear(connection, &keys, now.into())?;
    new.into_iter()
        .map(|key| {
            let key = key.try_into();
            key.map(DedupeKey)
                .map_err(|_| Error::unreadable("a report under an unreadable key"))
        })
        .collect()
}

/// That a receipt was applied, and what became of what it says.
pub(crate) struct Mark {
    pub(crate) receipt_id: Uid,
    pub(crate) reports: String,
}
