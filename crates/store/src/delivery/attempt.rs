//! Recording attempts, and what follows from them.

use super::Place;
use super::row::AttemptRow;
use crate::Store;
use crate::dialect;
use crate::dialect::attempt::Written;
use crate::error::Error;
use crate::news::{self, Told};
use crate::shard::{Fenced, numbers_of, those_held};
use crate::sql_types::{Moment, Uid};
use crate::subscription;
use crate::warning::{self, Judged};
use domain::attempt::Detail;
use domain::delivery::{Cause, State};
use domain::id::{AttemptId, DeliveryId, EventId, SubscriptionId};
use domain::news::What;
use domain::subscription::DisabledReason;
use domain::{Shard, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// What an attempt did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// Of which delivery.
    pub delivery_id: DeliveryId,
    /// Of which event.
    pub event_id: EventId,
    /// Of which type that is.
    pub event_type: String,
    /// To which subscription.
    pub subscription_id: SubscriptionId,
    /// When the settings it was made with were last changed.
    pub settings_of: Timestamp,
    /// After which time with nothing but failures the subscription is disabled; none: never.
    pub disable_after: Option<Duration>,
    /// Under which lease.
    pub lease: Fenced,
    /// Its number, from 1.
    pub number: u32,
    /// How many attempts were made before the budget it was made under.
    pub budget_from: u32,
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
    /// What else is kept of it.
    pub detail: Detail,
    /// What follows.
    pub then: Then,
    /// Why the delivery failed, where that is what follows.
    pub cause: Option<Cause>,
    /// Whether nothing is to leave for the subscription any more, as its endpoint said.
    pub disables: Option<DisabledReason>,
}

/// What recording attempts did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The shards whose leases are lost.
    pub lost: Vec<Shard>,
    /// The subscriptions that were disabled.
    pub disabled: Vec<(SubscriptionId, DisabledReason)>,
    /// What was told of subscriptions.
    pub told: Told,
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
    /// Records attempts and what follows from them, for their subscriptions too: whether these are warned
    /// of, disabled, or have recovered, and the events that tell it. An attempt of a lease that has passed
    /// on, or one recorded before, changes nothing.
    pub async fn record_attempts(&self, batch: Arc<[Attempt]>) -> Result<Recorded, Error> {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        self.write(move |connection| {
            let mut leases: Vec<Fenced> = batch.iter().map(|attempt| attempt.lease).collect();
            leases.sort_unstable_by_key(|lease| (lease.shard, lease.fence));
            leases.dedup();
            failpoint::reach!(StoreBeforeRecord);
            let records: Vec<Record> = batch.iter().map(Record::new).collect();
            let Written { fences, noted } =
                dialect::attempt::record(connection, &numbers_of(&leases), &records)?;
            let held = those_held(&leases, fences);
            let Judged {
                mut news,
                mut disabling,
            } = warning::judge(connection, &batch, &noted)?;
            let of_held = batch.iter().filter(|attempt| held.contains(&attempt.lease));
            disabling.extend(of_held.filter_map(warning::asked));
            let now = clock.now();
            let disabled = subscription::disable(connection, disabling, now, &random)?;
            news.extend(disabled.iter().map(|disabled| {
                let what = What::Disabled {
                    reason: disabled.reason,
                    disabled_at: now,
                    failing_since: disabled.failing_since,
                    last: disabled.last,
                };
                (disabled.id, what)
            }));
            let lost = leases.iter().filter(|lease| !held.contains(lease));
            Ok(Recorded {
                lost: lost.map(|lease| lease.shard).collect(),
                disabled: disabled
                    .iter()
                    .map(|disabled| (disabled.id, disabled.reason))
                    .collect(),
                // The last, because no subscription is made while the tenant's events are written.
                told: news::tell(connection, news, now, &random)?,
            })
        })
        .await
    }
}

/// An attempt as it is written, under which lease, and where it leaves its delivery.
pub(crate) struct Record {
    pub(crate) row: AttemptRow,
    pub(crate) subscription_id: Uid,
    /// The number of its shard, and the fence.
    pub(crate) lease: (i16, i64),
    pub(crate) state: State,
    pub(crate) place: Place,
    pub(crate) due_at: Moment,
    /// Why the delivery failed.
    pub(crate) cause: Option<String>,
    /// Where the budget began that it was made under. Meanwhile the delivery may have got another.
    pub(crate) budget_from: i32,
}

impl Record {
    fn new(attempt: &Attempt) -> Self {
        let (state, due_at) = match attempt.then {
            Then::End(state) => (state, attempt.started_at),
            Then::RetryAt(at) => (State::Pending, at),
        };
        Self {
            row: AttemptRow::from(attempt),
            subscription_id: attempt.subscription_id.into(),
            lease: (i16::from(attempt.lease.shard.number()), attempt.lease.fence),
            state,
            place: Place::Scheduled,
            due_at: due_at.into(),
            cause: attempt.cause.map(|cause| cause.as_str().to_owned()),
            budget_from: i32::try_from(attempt.budget_from).unwrap_or(i32::MAX),
        }
    }
}
