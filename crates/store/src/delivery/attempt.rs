//! Recording attempts, and what follows from them.

use super::row::AttemptRow;
use super::{PENDING, Place, encode_state};
use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::{attempts, deliveries, subscriptions};
use crate::shard::{Fenced, holding};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
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
            let mut fared: BTreeMap<SubscriptionId, Fared> = BTreeMap::new();
            for attempt in batch.iter().filter(|attempt| held.contains(&attempt.lease)) {
                if record(connection, attempt)? {
                    fared
                        .entry(attempt.subscription_id)
                        .or_default()
                        .count(attempt);
                }
            }
            for (id, fared) in fared {
                fared.write(connection, id)?;
            }
            Ok(leases
                .into_iter()
                .filter(|l| !held.contains(l))
                .map(|l| l.shard)
                .collect())
        })
        .await
    }
}

/// How attempts of one subscription fared, summed over a batch.
#[derive(Default)]
struct Fared {
    delivered: i64,
    failed: i64,
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

    fn write(self, connection: &mut Connection, id: SubscriptionId) -> Result<(), Error> {
        let (success, failure) = (self.last_success_at, self.last_failure_at);
        each!(connection, c => {
            diesel::update(subscriptions::table.find(Uid::from(id)))
                .set((
                    subscriptions::delivered.eq(subscriptions::delivered + self.delivered),
                    subscriptions::failed.eq(subscriptions::failed + self.failed),
                    success.map(|at| subscriptions::last_success_at.eq(Some(Moment::from(at)))),
                    failure.map(|at| subscriptions::last_failure_at.eq(Some(Moment::from(at)))),
                ))
                .execute(c)
        })?;
        Ok(())
    }
}

/// Whether the attempt was not recorded before.
fn record(connection: &mut Connection, attempt: &Attempt) -> Result<bool, Error> {
    let inserted = each!(connection, c => diesel::insert_into(attempts::table)
        .values(AttemptRow::from(attempt))
        .on_conflict_do_nothing()
        .execute(c))?;
    if inserted == 0 {
        return Ok(false);
    }
    let number = i32::try_from(attempt.number).unwrap_or(i32::MAX);
    let id = Uid::from(attempt.delivery_id);
    let (state, due_at) = match attempt.then {
        Then::End(state) => (state, attempt.started_at),
        Then::RetryAt(at) => (State::Pending, at),
    };
    each!(connection, c => diesel::update(deliveries::table.find(id))
        .filter(deliveries::state.eq(PENDING))
        .set((
            deliveries::attempts.eq(number),
            deliveries::state.eq(encode_state(state)),
            deliveries::place.eq(Place::Scheduled.code()),
            deliveries::due_at.eq(Moment::from(due_at)),
        ))
        .execute(c))?;
    Ok(true)
}
