//! Deliveries that wait for a subscription that its endpoint disabled.

use super::{PENDING, encode_state};
use crate::Store;
use crate::connection::{Connection, each, load_locked};
use crate::error::Error;
use crate::news::{self, Told};
use crate::schema::{deliveries, events, subscriptions};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::delivery::{Cause, State};
use domain::id::SubscriptionId;
use domain::news::{Last, What, is_news};
use domain::subscription::DisabledReason;
use std::collections::HashMap;

/// How many are given up in one go.
const PAGE: i64 = 500;

/// What was given up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// So many deliveries.
    pub deliveries: usize,
    /// What was told of them.
    pub told: Told,
}

/// A delivery that is given up: its id, its event, its subscription, and how often it was attempted.
type Held = (Uid, Uid, Uid, i32);

impl Store {
    /// Gives deliveries up whose subscription was disabled before this moment, by anybody but its
    /// owner, and still is: up to 500 of them; and tells of each.
    pub async fn fail_held_deliveries(&self, before: Timestamp) -> Result<GivenUp, Error> {
        let (now, random) = (self.clock.now(), self.random.clone());
        self.write(move |connection| {
            let disabled = subscriptions::table
                .filter(subscriptions::is_enabled.eq(false))
                .filter(subscriptions::deleted_at.is_null())
                .filter(subscriptions::disabled_at.lt(Moment::from(before)))
                .filter(subscriptions::disabled_reason.ne(DisabledReason::Manual.as_str()))
                .order(subscriptions::id);
            // Whoever enables one of them waits until this is done, or is passed over.
            let of: Vec<Uid> = load_locked!(
                connection,
                disabled.select(subscriptions::id),
                for_update,
                skip_locked
            );
            if of.is_empty() {
                return Ok(GivenUp::default());
            }
            let held: Vec<Held> = load_locked!(
                connection,
                deliveries::table
                    .filter(deliveries::subscription_id.eq_any(&of))
                    .filter(deliveries::state.eq(PENDING))
                    .order(deliveries::id)
                    .limit(PAGE)
                    .select((
                        deliveries::id,
                        deliveries::event_id,
                        deliveries::subscription_id,
                        deliveries::attempts,
                    )),
                for_update
            );
            let ids: Vec<Uid> = held.iter().map(|(id, ..)| *id).collect();
            each!(connection, c => diesel::update(deliveries::table)
                .filter(deliveries::id.eq_any(&ids))
                .set((
                    deliveries::state.eq(encode_state(State::Failed)),
                    deliveries::error.eq(Some(Cause::HeldTooLong.as_str())),
                ))
                .execute(c))?;
            let news = exhausted(connection, &held, now)?;
            Ok(GivenUp {
                deliveries: held.len(),
                told: news::tell(connection, news, now, &random)?,
            })
        })
        .await
    }
}

fn exhausted(
    connection: &mut Connection,
    held: &[Held],
    now: Timestamp,
) -> Result<Vec<(SubscriptionId, What)>, Error> {
    let ids: Vec<Uid> = held.iter().map(|(_, event, ..)| *event).collect();
    let types: Vec<(Uid, String)> = each!(connection, c => events::table
        .filter(events::id.eq_any(&ids))
        .select((events::id, events::event_type))
        .load(c))?;
    // What fails to be told of a failure is not told.
    let types: HashMap<Uid, String> = types
        .into_iter()
        .filter(|(_, event_type)| !is_news(event_type))
        .collect();
    let news = held
        .iter()
        .filter_map(|(id, event, subscription, attempts)| {
            let event_type = types.get(event)?.clone();
            let what = What::Exhausted {
                delivery_id: (*id).into(),
                event_id: (*event).into(),
                event_type,
                cause: Cause::HeldTooLong,
                attempts: u32::try_from(*attempts).unwrap_or(0),
                failed_at: now,
                last: Last::default(),
            };
            Some((SubscriptionId::from(*subscription), what))
        });
    Ok(news.collect())
}
