//! Deliveries that wait for a subscription that its endpoint disabled.

use super::{PENDING, encode_state};
use crate::Store;
use crate::connection::{each, load_locked};
use crate::error::Error;
use crate::schema::{deliveries, subscriptions};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::delivery::{Cause, State};
use domain::subscription::DisabledReason;

/// How many are given up in one go.
const PAGE: i64 = 500;

impl Store {
    /// Gives deliveries up whose subscription was disabled before this moment, by anybody but its
    /// owner, and still is: up to 500 of them. How many there were.
    pub async fn fail_held_deliveries(&self, before: Timestamp) -> Result<usize, Error> {
        self.write(move |connection| {
            let disabled = subscriptions::table
                .filter(subscriptions::is_enabled.eq(false))
                .filter(subscriptions::deleted_at.is_null())
                .filter(subscriptions::disabled_at.lt(Moment::from(before)))
                .filter(subscriptions::disabled_reason.ne(DisabledReason::Manual.as_str()))
                .order(subscriptions::id);
            // Whoever enables one of them waits until this is done, or is passed over.
            let held: Vec<Uid> = load_locked!(
                connection,
                disabled.select(subscriptions::id),
                for_update,
                skip_locked
            );
            if held.is_empty() {
                return Ok(0);
            }
            let ids: Vec<Uid> = each!(connection, c => deliveries::table
                .filter(deliveries::subscription_id.eq_any(&held))
                .filter(deliveries::state.eq(PENDING))
                .order(deliveries::id)
                .select(deliveries::id)
                .limit(PAGE)
                .load(c))?;
            Ok(each!(connection, c => diesel::update(deliveries::table)
                .filter(deliveries::id.eq_any(&ids))
                .filter(deliveries::state.eq(PENDING))
                .set((
                    deliveries::state.eq(encode_state(State::Failed)),
                    deliveries::error.eq(Some(Cause::HeldTooLong.as_str())),
                ))
                .execute(c))?)
        })
        .await
    }
}
