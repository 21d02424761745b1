//! Having dead letters done again, and purging them, a page at a time. What is to be done again is a mark in
//! its row, with the time from which: so it goes on after a restart, at its rate, and can be taken back.

use super::{Filter, wanted};
use crate::Store;
use crate::audit::Recorder;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::dead_letters;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::id::{DeadLetterId, TenantId};
use serde_json::json;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

/// How many rows one transaction changes.
const PAGE: i64 = 500;
/// How many are taken into hand at once.
const MOST_IN_HAND: i64 = 100;
/// How many bytes of payloads are in hand (or those of a single one).
const MAX_BYTES_IN_HAND: i64 = 8 * 1_048_576;
/// How long whoever has them in hand may take to publish them, before they are taken again.
const IN_HAND: Duration = Duration::from_secs(15);

/// A dead letter in hand, to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requeued {
    /// Which.
    pub id: DeadLetterId,
    /// Where it goes.
    pub queue: String,
    /// The death it is done again after.
    pub death: String,
    /// The job, as it was published.
    pub payload: Vec<u8>,
}

impl Store {
    /// Marks a page of what a filter wants to be done again, oldest first, so many in each second from
    /// `passed` later on, a number of those before; how many. What is marked stays as it is.
    pub async fn mark_for_requeue(
        &self,
        tenant: TenantId,
        filter: Filter,
        per_second: NonZeroU32,
        passed: u64,
    ) -> Result<u64, Error> {
        let (now, recorder) = (self.clock.now(), self.recorder());
        self.write(move |connection| {
            let page: Vec<Uid> = each!(connection, c => wanted!(tenant, filter, dead_letters::id)
                .filter(dead_letters::requeue_at.is_null())
                .order(dead_letters::id)
                .limit(PAGE)
                .load(c))?;
            let mut seconds: HashMap<u64, Vec<Uid>> = HashMap::new();
            for (id, number) in page.iter().zip(passed..) {
                let second = number / u64::from(per_second.get());
                seconds.entry(second).or_default().push(*id);
            }
            for (second, ids) in seconds {
                let at = Moment::from(now.plus(Duration::from_secs(second)));
                each!(connection, c => diesel::update(dead_letters::table)
                    .filter(dead_letters::id.eq_any(ids))
                    .set(dead_letters::requeue_at.eq(Some(at)))
                    .execute(c))?;
            }
            note(recorder.as_ref(), connection, &filter, page.len())?;
            Ok(u64::try_from(page.len()).unwrap_or(0))
        })
        .await
    }

    /// Takes the marks of what a filter wants back, a page at a time; how many. What is under way goes on.
    pub async fn cancel_requeue(&self, tenant: TenantId, filter: Filter) -> Result<u64, Error> {
        let recorder = self.recorder();
        self.write(move |connection| {
            let page: Vec<Uid> = each!(connection, c => wanted!(tenant, filter, dead_letters::id)
                .filter(dead_letters::requeue_at.is_not_null())
                .limit(PAGE)
                .load(c))?;
            let cancelled = each!(connection, c => diesel::update(dead_letters::table)
                .filter(dead_letters::id.eq_any(page))
                .set(dead_letters::requeue_at.eq(None::<Moment>))
                .execute(c))?;
            note(recorder.as_ref(), connection, &filter, cancelled)?;
            Ok(u64::try_from(cancelled).unwrap_or(0))
        })
        .await
    }

    /// Purges a page of what a filter wants, oldest first; how many.
    pub async fn purge_dead_letters(&self, tenant: TenantId, filter: Filter) -> Result<u64, Error> {
        let recorder = self.recorder();
        self.write(move |connection| {
            let page: Vec<Uid> = each!(connection, c => wanted!(tenant, filter, dead_letters::id)
                .order(dead_letters::id)
                .limit(PAGE)
                .load(c))?;
            let purged = each!(connection, c => diesel::delete(dead_letters::table)
                .filter(dead_letters::id.eq_any(page))
                .execute(c))?;
            note(recorder.as_ref(), connection, &filter, purged)?;
            Ok(u64::try_from(purged).unwrap_or(0))
        })
        .await
    }

    /// Takes dead letters into hand that are to be done again now: a hundred, no more than fit into 8 MiB.
    /// Nobody else gets them for 15 s.
    pub async fn claim_requeued(&self) -> Result<Vec<Requeued>, Error> {
        let now = self.clock.now();
        let is_due = self.read(move |connection| Ok(!due(connection, now.into(), 1)?.is_empty()));
        if !is_due.await? {
            return Ok(Vec::new());
        }
        self.write(move |connection| {
            let due = due(connection, now.into(), MOST_IN_HAND)?;
            let ids = fitting(due);
            let until = Moment::from(now.plus(IN_HAND));
            // Another tracker may have been first.
            let ours: Vec<Uid> = each!(connection, c => diesel::update(dead_letters::table)
                .filter(dead_letters::id.eq_any(ids))
                .filter(dead_letters::requeue_at.le(Moment::from(now)))
                .set(dead_letters::requeue_at.eq(Some(until)))
                .returning(dead_letters::id)
                .get_results(c))?;
            let rows: Vec<(Uid, String, String, Vec<u8>)> = each!(connection, c => dead_letters::table
                .filter(dead_letters::id.eq_any(ours))
                .order(dead_letters::id)
                .select((
                    dead_letters::id,
                    dead_letters::queue,
                    dead_letters::death,
                    dead_letters::payload,
                ))
                .load(c))?;
            let requeued = rows.into_iter().map(|(id, queue, death, payload)| Requeued {
                id: id.into(),
                queue,
                death,
                payload,
            });
            Ok(requeued.collect())
        })
        .await
    }

    /// Removes dead letters that were published, unless they died again meanwhile.
    pub async fn remove_requeued(
        &self,
        published: Vec<(DeadLetterId, String)>,
    ) -> Result<(), Error> {
        self.write(move |connection| {
            for (id, death) in &published {
                each!(connection, c => diesel::delete(dead_letters::table.find(Uid::from(*id)))
                    .filter(dead_letters::death.eq(death))
                    .execute(c))?;
            }
            Ok(())
        })
        .await
    }
}

/// Says in the audit log how many of which were changed.
fn note(
    recorder: Option<&Recorder>,
    connection: &mut Connection,
    filter: &Filter,
    number: usize,
) -> Result<(), Error> {
    if number == 0 {
        return Ok(());
    }
    let what = json!({
        "number": number,
        "queue": filter.queue,
        "kind": filter.kind,
        "provider_account": filter.provider_account,
        "after": filter.after,
        "before": filter.before,
    });
    let id = filter.id.map(|id| id.to_string());
    Recorder::note(recorder, connection, "dead_letter", id, what)
}

fn due(connection: &mut Connection, now: Moment, limit: i64) -> Result<Vec<(Uid, i32)>, Error> {
    Ok(each!(connection, c => dead_letters::table
        .filter(dead_letters::requeue_at.le(now))
        .order((dead_letters::requeue_at, dead_letters::id))
        .limit(limit)
        .select((dead_letters::id, dead_letters::size_bytes))
        .load(c))?)
}

fn fitting(due: Vec<(Uid, i32)>) -> Vec<Uid> {
    let mut bytes = 0;
    due.into_iter()
        .enumerate()
        .take_while(|(place, (_, size))| {
            bytes += i64::from(*size);
            *place == 0 || bytes <= MAX_BYTES_IN_HAND
        })
        .map(|(_, (id, _))| id)
        .collect()
}
