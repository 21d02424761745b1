//! Retention: what is old is forgotten, a page at a time, so that nobody waits behind it.

use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::{
    callback_keys, callbacks, dead_letters, quarantine, security_events, suspicions,
};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use std::time::Duration;

/// How many rows are forgotten in one transaction.
const PAGE: i64 = 500;
/// How long it is remembered that a suspicion was told: longer than it counts as the same.
const SUSPICIONS_FOR: Duration = Duration::from_hours(2);

/// What is kept for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Callbacks, with what became of them. Their effects stay.
    Callbacks,
    /// Security events.
    SecurityEvents,
    /// Refused requests.
    Quarantine,
    /// Jobs that were given up.
    DeadLetters,
}

impl Store {
    /// Forgets a page of what is older than this; how many rows. Nothing is left once it is fewer than a
    /// page, which is none.
    pub async fn forget_older(&self, kind: Kind, than: Timestamp) -> Result<usize, Error> {
        let floor = Uid::first_of(than);
        self.write(move |connection| match kind {
            Kind::Callbacks => forget_callbacks(connection, floor),
            Kind::SecurityEvents => {
                let old: Vec<Uid> = each!(connection, c => security_events::table
                    .filter(security_events::id.lt(floor))
                    .select(security_events::id)
                    .limit(PAGE)
                    .load(c))?;
                Ok(
                    each!(connection, c => diesel::delete(security_events::table)
                    .filter(security_events::id.eq_any(&old))
                    .execute(c))?,
                )
            }
            Kind::Quarantine => {
                let old: Vec<Uid> = each!(connection, c => quarantine::table
                    .filter(quarantine::id.lt(floor))
                    .select(quarantine::id)
                    .limit(PAGE)
                    .load(c))?;
                Ok(each!(connection, c => diesel::delete(quarantine::table)
                    .filter(quarantine::id.eq_any(&old))
                    .execute(c))?)
            }
            Kind::DeadLetters => {
                let old: Vec<Uid> = each!(connection, c => dead_letters::table
                    .filter(dead_letters::id.lt(floor))
                    .select(dead_letters::id)
                    .limit(PAGE)
                    .load(c))?;
                Ok(each!(connection, c => diesel::delete(dead_letters::table)
                    .filter(dead_letters::id.eq_any(&old))
                    .execute(c))?)
            }
        })
        .await
    }

    /// Forgets a page of refused requests of tenants that have more than `most`, their oldest; how many.
    pub async fn forget_quarantine_beyond(&self, most: i64) -> Result<usize, Error> {
        self.write(move |connection| {
            let crowded: Vec<(Uid, i64)> = each!(connection, c => quarantine::table
                .group_by(quarantine::tenant_id)
                .having(diesel::dsl::count_star().gt(most))
                .select((quarantine::tenant_id, diesel::dsl::count_star()))
                .limit(PAGE)
                .load(c))?;
            let mut forgotten = 0;
            for (tenant, rows) in crowded {
                let old: Vec<Uid> = each!(connection, c => quarantine::table
                    .filter(quarantine::tenant_id.eq(tenant))
                    .order(quarantine::id)
                    .select(quarantine::id)
                    .limit((rows - most).min(PAGE))
                    .load(c))?;
                forgotten += each!(connection, c => diesel::delete(quarantine::table)
                    .filter(quarantine::id.eq_any(&old))
                    .execute(c))?;
            }
            Ok(forgotten)
        })
        .await
    }

    /// Forgets which suspicions were told, once they no longer count as the same.
    pub async fn forget_suspicions(&self) -> Result<usize, Error> {
        let limit = Moment::from(self.clock.now().minus(SUSPICIONS_FOR));
        self.write(move |connection| {
            Ok(each!(connection, c => diesel::delete(suspicions::table)
                .filter(suspicions::raised_at.lt(limit))
                .execute(c))?)
        })
        .await
    }
}

fn forget_callbacks(connection: &mut Connection, floor: Uid) -> Result<usize, Error> {
    let old: Vec<(Uid, Uid)> = each!(connection, c => callbacks::table
        .filter(callbacks::receipt_id.lt(floor))
        .order(callbacks::receipt_id)
        .select((callbacks::receipt_id, callbacks::callback_id))
        .limit(PAGE)
        .load(c))?;
    let (receipts, ids): (Vec<Uid>, Vec<Uid>) = old.into_iter().unzip();
    // A callback goes with its first receipt.
    each!(connection, c => diesel::delete(callback_keys::table)
        .filter(callback_keys::callback_id.eq_any(&ids))
        .filter(callback_keys::receipt_id.eq_any(&receipts))
        .execute(c))?;
    Ok(each!(connection, c => diesel::delete(callbacks::table)
        .filter(callbacks::receipt_id.eq_any(&receipts))
        .execute(c))?)
}
