//! Whole days, which PostgreSQL drops at once.

use super::{Kind, Mark, PAGE, forget_callback_keys};
use crate::Store;
use crate::connection::{Connection, each};
use crate::dialect::day::{self, Day, Drop};
use crate::error::Error;
use crate::schema::callbacks;
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::Timestamp;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
/// How often a day is tried that somebody uses, and how long apart. Who waits for such a try meanwhile
/// waits for a fifth of a second.
const TRIES: u32 = 3;
const AGAIN: Duration = Duration::from_millis(500);
/// Between two pages, so that those who work go first.
const BREATH: Duration = Duration::from_millis(20);

/// What became of the days of a kind that are over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Days {
    /// The partitions that were dropped.
    pub dropped: Vec<String>,
    /// Whether one was in use and is left for later: its rows should not be forgotten one by one.
    pub is_busy: bool,
}

impl Store {
    /// Drops the days of a kind that are over and older than this, where the engine keeps it by day
    /// and nothing of the day is owed. Several may do it at once. Nobody waits longer than a fifth of a
    /// second for it: a day that is in use is left for later.
    pub async fn forget_days(&self, kind: Kind, than: Timestamp) -> Result<Days, Error> {
        let mut days = Days::default();
        let Some(table) = kind.table_by_day() else {
            return Ok(days);
        };
        let before = number(than);
        let over = self.aside(move |c| day::over(c, table, before)).await?;
        for day in over {
            let looked_at = day.clone();
            if !self.aside(move |c| day::may_go(c, &looked_at)).await? {
                continue;
            }
            if kind == Kind::Callbacks {
                self.forget_keys_of(&day).await?;
            }
            match self.drop(&day).await? {
                Drop::Dropped => days.dropped.push(day.name),
                Drop::Gone => {}
                Drop::Busy => {
                    days.is_busy = true;
                    break;
                }
            }
        }
        Ok(days)
    }

    async fn drop(&self, day: &Day) -> Result<Drop, Error> {
        for _ in 1..TRIES {
            let tried = day.clone();
            let done = self.aside(move |c| day::drop(c, &tried)).await?;
            if done != Drop::Busy {
                return Ok(done);
            }
            tokio::time::sleep(AGAIN).await;
        }
        let tried = day.clone();
        self.aside(move |c| day::drop(c, &tried)).await
    }

    /// The keys of a day's callbacks are in a table of their own: they go first, so that a callback
    /// with a key always is there.
    async fn forget_keys_of(&self, day: &Day) -> Result<(), Error> {
        let (from, to) = (begin(day.number), begin(day.number + 1));
        let floor = Uid::first_of(to);
        let mut after = Some(Mark(Uid::first_of(from)));
        while let Some(Mark(mark)) = after {
            let page = self.write(move |connection| keys_page(connection, mark, floor));
            after = page.await?;
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }

    /// Runs work on a connection of its own, on PostgreSQL: it may take its time.
    async fn aside<T: Send + 'static + Default>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let Some(gate) = self.gate.clone() else {
            return Ok(T::default());
        };
        tokio::task::spawn_blocking(move || work(&mut gate.connect()?))
            .await
            .unwrap_or(Err(Error::Closed))
    }
}

fn keys_page(connection: &mut Connection, mark: Uid, floor: Uid) -> Result<Option<Mark>, Error> {
    let page: Vec<(Uid, Uid)> = each!(connection, c => callbacks::table
        .filter(callbacks::receipt_id.gt(mark))
        .filter(callbacks::receipt_id.lt(floor))
        .order(callbacks::receipt_id)
        .select((callbacks::receipt_id, callbacks::callback_id))
        .limit(PAGE)
        .load(c))?;
    let (receipts, ids): (Vec<Uid>, Vec<Uid>) = page.into_iter().unzip();
    forget_callback_keys(connection, &receipts, &ids)?;
    let is_full = i64::try_from(receipts.len()) == Ok(PAGE);
    Ok(receipts.last().filter(|_| is_full).copied().map(Mark))
}

/// The day (UTC) of a moment, since the Unix epoch.
pub(super) fn number(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(length_ms())
}

/// The first moment of a day.
pub(super) fn begin(number: i64) -> Timestamp {
    Timestamp::from_millis(number * length_ms())
}

fn length_ms() -> i64 {
    i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX)
}
