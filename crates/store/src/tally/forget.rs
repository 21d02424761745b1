//! Forgetting tallies.

use crate::Store;
use crate::connection::each;
use crate::error::Error;
use crate::schema::{report_delays, tallies};
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::Timestamp;
use domain::tally::{Slot, day};

/// How many accounts' counts of one slot are forgotten in one transaction.
const ACCOUNTS: i64 = 8;
/// How many days' delays are kept: more than anybody looks at.
const DAYS: i32 = 30;

impl Store {
    /// Forgets some of the oldest counts of slots that ended before this; how many.
    pub async fn forget_tallies(&self, than: Timestamp) -> Result<usize, Error> {
        let before = Slot::of(than).0;
        self.write(move |connection| {
            let oldest: Vec<(i32, Uid)> = each!(connection, c => tallies::table
                .filter(tallies::slot.lt(before))
                .select((tallies::slot, tallies::account_id))
                .distinct()
                .order((tallies::slot, tallies::account_id))
                .limit(ACCOUNTS)
                .load(c))?;
            let Some((slot, _)) = oldest.first().copied() else {
                return Ok(0);
            };
            let of_slot = oldest.into_iter().filter(|(other, _)| *other == slot);
            let accounts: Vec<Uid> = of_slot.map(|(_, account)| account).collect();
            Ok(each!(connection, c => diesel::delete(tallies::table)
                .filter(tallies::slot.eq(slot))
                .filter(tallies::account_id.eq_any(&accounts))
                .execute(c))?)
        })
        .await
    }

    /// Forgets how long the reports of one provider took on a day that nobody looks at any more; how many
    /// counts.
    pub async fn forget_report_delays(&self) -> Result<usize, Error> {
        let before = day(self.clock.now()) - DAYS;
        self.write(move |connection| {
            let oldest: Option<(i32, String)> = each!(connection, c => report_delays::table
                .filter(report_delays::day.lt(before))
                .order((report_delays::day, report_delays::provider))
                .select((report_delays::day, report_delays::provider))
                .first(c)
                .optional())?;
            let Some((day, provider)) = oldest else {
                return Ok(0);
            };
            Ok(each!(connection, c => diesel::delete(report_delays::table)
                .filter(report_delays::day.eq(day))
                .filter(report_delays::provider.eq(&provider))
                .execute(c))?)
        })
        .await
    }
}
