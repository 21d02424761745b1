//! How fast subscriptions are sent to, for whoever owns their shard next: their breakers, and what was
//! granted to those that are limited.

use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::subscriptions;
use crate::shard::{Fenced, holding};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::breaker::State;
use domain::id::SubscriptionId;
use domain::sends::Log;
use domain::{Shard, Timestamp};

/// A breaker that is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// Of which subscription.
    pub subscription_id: SubscriptionId,
    /// How it stands.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
}

impl Store {
    /// What was granted to a subscription within the last hour; none where the lease is lost.
    pub async fn find_sends(
        &self,
        lease: Fenced,
        id: SubscriptionId,
    ) -> Result<Option<Log>, Error> {
        self.write(move |connection| {
            if holding(connection, &[lease])?.is_empty() {
                return Ok(None);
            }
            let kept: Option<Option<String>> = each!(connection, c => subscriptions::table
                .find(Uid::from(id))
                .select(subscriptions::sends)
                .first(c)
                .optional())?;
            let read = |text: String| {
                serde_json::from_str(&text).map_err(|error| {
                    Error::unreadable(format!("what was granted to a subscription: {error}"))
                })
            };
            kept.flatten()
                .map_or_else(|| Ok(Log::default()), read)
                .map(Some)
        })
        .await
    }

    /// Keeps what is granted to a subscription, before any of it is used; whether the lease holds. If
    /// not, nothing is kept, and nothing may be sent.
    pub async fn keep_sends(
        &self,
        lease: Fenced,
        id: SubscriptionId,
        log: Log,
    ) -> Result<bool, Error> {
        let text = serde_json::to_string(&log)
            .map_err(|error| Error::unreadable(format!("what cannot be written: {error}")))?;
        self.write(move |connection| {
            if holding(connection, &[lease])?.is_empty() {
                return Ok(false);
            }
            each!(connection, c => diesel::update(subscriptions::table.find(Uid::from(id)))
                .set(subscriptions::sends.eq(Some(&text)))
                .execute(c))?;
            Ok(true)
        })
        .await
    }

    /// Keeps how the breaker of a subscription stands; whether the lease holds.
    pub async fn keep_breaker(&self, lease: Fenced, now: Broken) -> Result<bool, Error> {
        let kept = (now.state != State::Closed).then_some(now);
        self.write(move |connection| {
            if holding(connection, &[lease])?.is_empty() {
                return Ok(false);
            }
            let id = Uid::from(now.subscription_id);
            each!(connection, c => diesel::update(subscriptions::table.find(id))
                .set((
                    subscriptions::breaker.eq(kept.map(|kept| kept.state.as_str())),
                    subscriptions::breaker_at.eq(kept.map(|kept| Moment::from(kept.since))),
                ))
                .execute(c))?;
            Ok(true)
        })
        .await
    }

    /// How many breakers stand in each state, for metrics.
    pub async fn count_breakers(&self) -> Result<Vec<(State, i64)>, Error> {
        self.read(|connection| {
            let all: i64 = each!(connection, c => subscriptions::table
                .filter(subscriptions::deleted_at.is_null())
                .count()
                .get_result(c))?;
            let broken: Vec<(Option<String>, i64)> = each!(connection, c => subscriptions::table
                .filter(subscriptions::deleted_at.is_null())
                .filter(subscriptions::breaker.is_not_null())
                .group_by(subscriptions::breaker)
                .select((subscriptions::breaker, diesel::dsl::count_star()))
                .load(c))?;
            let number = |state: State| {
                let of_state = broken
                    .iter()
                    .filter(|(name, _)| name.as_deref() == Some(state.as_str()));
                of_state.map(|(_, number)| number).sum::<i64>()
            };
            let [open, half_open] = [number(State::Open), number(State::HalfOpen)];
            Ok(vec![
                (State::Closed, all - open - half_open),
                (State::Open, open),
                (State::HalfOpen, half_open),
            ])
        })
        .await
    }
}

/// The breakers of these shards that are not closed.
pub(crate) fn broken(connection: &mut Connection, of: &[Shard]) -> Result<Vec<Broken>, Error> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(Uid, Option<String>, Option<Moment>)> = each!(connection, c => subscriptions::table
        .filter(subscriptions::breaker.is_not_null())
        .filter(subscriptions::deleted_at.is_null())
        .select((subscriptions::id, subscriptions::breaker, subscriptions::breaker_at))
        .load(c))?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, name, since)| {
            Some(Broken {
                subscription_id: id.into(),
                state: State::parse(&name?)?,
                since: since?.into(),
            })
        })
        .filter(|broken| of.contains(&Shard::of_subscription(broken.subscription_id)))
        .collect())
}
