//! Recording attempts, and what follows from them.

use super::Place;
use super::row::AttemptRow;
use crate::Store;
use crate::dialect;
use crate::error::Error;
use crate::shard::{Fenced, holding};
use crate::sql_types::{Moment, Uid};
use domain::delivery::State;
use domain::id::{AttemptId, DeliveryId, SubscriptionId};
use domain::{Shard, Timestamp};
use std::collections::BTreeMap;

/// What an attempt did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// Of which delivery.
    pub delivery_id: DeliveryId,
    /// To which subscription.
    pub subscription_id: SubscriptionId,
    /// Under which lease.
    pub lease: Fenced,
    /// Its number, from 1.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
    /// What the endpoint answered.
    pub status_code: Option<u16>,
    /// The stable name of the error; none for success.
    pub error: Option<&'static str>,
    /// The first 16 KiB of the answer's body.
    pub response_body: Option<String>,
    /// What follows.
    pub then: Then,
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The delivery has ended in this state.
    End(State),
    /// It is tried again at this moment.
    RetryAt(Timestamp),
}

impl Store {
    /// Records attempts and what follows from them. An attempt of a lease that has passed on, or
    /// one recorded before, changes nothing; the shards whose leases are lost.
    pub async fn record_attempts(&self, batch: Vec<Attempt>) -> Result<Vec<Shard>, Error> {
        self.write(move |connection| {
            let mut leases: Vec<Fenced> = batch.iter().map(|attempt| attempt.lease).collect();
            leases.sort_unstable_by_key(|lease| (lease.shard, lease.fence));
            leases.dedup();
            let held = holding(connection, &leases)?;
            let under: Vec<&Attempt> = batch
                .iter()
                .filter(|attempt| held.contains(&attempt.lease))
                .collect();
            let records: Vec<Record> = under.iter().copied().map(Record::new).collect();
            let mut new = dialect::attempt::record(connection, &records)?;
            failpoint::reach!(StoreBeforeCounts);
            let mut fared: BTreeMap<Uid, Fared> = BTreeMap::new();
            for (attempt, record) in under.iter().zip(&records) {
                if new.remove(&(record.row.delivery_id, record.row.number)) {
                    let id = Uid::from(attempt.subscription_id);
                    fared.entry(id).or_default().count(attempt);
                }
            }
            let fared: Vec<_> = fared.into_iter().collect();
            dialect::attempt::count(connection, &fared)?;
            Ok(leases
                .iter()
                .filter(|lease| !held.contains(lease))
                .map(|lease| lease.shard)
                .collect())
        })
        .await
    }
}

/// How attempts of one subscription fared, summed over a batch.
#[derive(Default)]
pub(crate) struct Fared {
    pub(crate) delivered: i64,
    pub(crate) failed: i64,
    last_success_at: Option<Timestamp>,
    last_failure_at: Option<Timestamp>,
}

impl Fared {
    fn count(&mut self, attempt: &Attempt) {
        let (number, last) = match attempt.error {
            None => (&mut self.delivered, &mut self.last_success_at),
            Some(_) => (&mut self.failed, &mut self.last_failure_at),
        };
        *number += 1;
        *last = (*last).max(Some(attempt.started_at));
    }

    /// When one last succeeded, and when one last failed.
    pub(crate) fn last(&self) -> (Option<Moment>, Option<Moment>) {
        let moment = |at: Option<Timestamp>| at.map(Moment::from);
        (moment(self.last_success_at), moment(self.last_failure_at))
    }
}

/// An attempt as it is written, and where it leaves its delivery.
pub(crate) struct Record {
    pub(crate) row: AttemptRow,
    pub(crate) state: State,
    pub(crate) place: Place,
    pub(crate) due_at: Moment,
}

impl Record {
    fn new(attempt: &Attempt) -> Self {
        let (state, due_at) = match attempt.then {
            Then::End(state) => (state, attempt.started_at),
            Then::RetryAt(at) => (State::Pending, at),
        };
        Self {
            row: AttemptRow::from(attempt),
            state,
            place: Place::Scheduled,
            due_at: due_at.into(),
        }
    }
}
