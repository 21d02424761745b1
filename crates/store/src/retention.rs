//! Retention: what is old is forgotten, a page at a time, so that nobody waits behind it. What is still
//! owed stays, however old.

mod day;

pub use day::Days;

use crate::Store;
use crate::connection::{Connection, each};
use crate::delivery::ENDED;
use crate::error::Error;
use crate::schema::{
    attempts, callback_keys, callbacks, dead_letters, deliveries, events, message_history,
    messages, notifications, polls, quarantine, replays, report_keys, security_events,
    send_attempts, suspicions, trials,
};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

/// How many rows are looked at, and forgotten, in one transaction.
pub(crate) const PAGE: i64 = 500;
/// How long it is remembered that a suspicion was told: longer than it counts as the same.
const SUSPICIONS_FOR: Duration = Duration::from_hours(2);

/// What is kept for a time, in the order in which it is forgotten: what hangs on something goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Callbacks that are processed or dead, with what became of them. Their effects stay.
    Callbacks,
    /// Attempts, by the age of their delivery; those of a pending one stay.
    Attempts,
    /// Deliveries that ended.
    Deliveries,
    /// Replays that are done or cancelled.
    Replays,
    /// Events that were told; one of which a delivery is left stays.
    Events,
    /// Messages with their send attempts, by when they were registered.
    Messages,
    /// Notifications to which nothing has happened since: their messages are forgotten.
    Notifications,
    /// Histories whose message is forgotten.
    History,
    /// Security events.
    SecurityEvents,
    /// Refused requests.
    Quarantine,
    /// Jobs that were given up.
    DeadLetters,
    /// What was asked about messages.
    Polls,
    /// Tests of subscriptions.
    Trials,
}

/// A place in what is old: the next page begins after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(Uid);

/// What was done about a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// How many rows are gone.
    pub rows: usize,
    /// Where the next page begins; none when this was the last.
    pub next: Option<Mark>,
}

impl Kind {
    /// The table, where PostgreSQL keeps it by day.
    const fn table_by_day(self) -> Option<&'static str> {
        match self {
            Self::Callbacks => Some("callbacks"),
            Self::Attempts => Some("attempts"),
            Self::Events => Some("events"),
            Self::History => Some("message_history"),
            Self::Deliveries
            | Self::Replays
            | Self::Messages
            | Self::Notifications
            | Self::SecurityEvents
            | Self::Quarantine
            | Self::DeadLetters
            | Self::Polls
            | Self::Trials => None,
        }
    }
}

/// A page of the keys that are older than a floor, in their order. A key may come several times.
macro_rules! old {
    ($connection:expr, $table:ident, $key:ident, $span:expr) => {
        each!($connection, c => $table::table
            .filter($table::$key.gt($span.after))
            .filter($table::$key.lt($span.floor))
            .order($table::$key)
            .select($table::$key)
            .limit(PAGE)
            .load::<Uid>(c))?
    };
}

/// Deletes rows by their keys; how many.
macro_rules! delete {
    ($connection:expr, $table:ident, $key:ident, $keys:expr) => {
        each!($connection, c => diesel::delete($table::table)
            .filter($table::$key.eq_any($keys))
            .execute(c))?
    };
}

impl Store {
    /// Forgets a page of what is older than this and owed to nobody, from a place on. On PostgreSQL
    /// what is kept by day stays until its day is over.
    pub async fn forget_page(
        &self,
        kind: Kind,
        than: Timestamp,
        after: Option<Mark>,
    ) -> Result<Forgotten, Error> {
        let span = Span {
            after: after.map_or(Uid(uuid::Uuid::nil()), |mark| mark.0),
            floor: Uid::first_of(self.cut(kind, than)),
        };
        self.write(move |connection| match kind {
            Kind::Callbacks => forget_callbacks(connection, span),
            Kind::Attempts => forget_attempts(connection, span),
            Kind::Deliveries => forget_deliveries(connection, span),
            Kind::Replays => forget_replays(connection, span),
            Kind::Events => forget_events(connection, span),
            Kind::Messages => {
                let ids = old!(connection, messages, id, span);
                delete!(connection, send_attempts, message_id, &ids);
                let rows = delete!(connection, messages, id, &ids);
                Ok(Forgotten::of(rows, &ids))
            }
            Kind::Notifications => {
                let ids = old!(connection, notifications, first_message_id, span);
                let rows = each!(connection, c => diesel::delete(notifications::table)
                    .filter(notifications::first_message_id.eq_any(&ids))
                    .filter(notifications::updated_at.lt(Moment::from(than)))
                    .execute(c))?;
                Ok(Forgotten::of(rows, &ids))
            }
            Kind::History => forget_history(connection, span),
            Kind::SecurityEvents => {
                let ids = old!(connection, security_events, id, span);
                let rows = delete!(connection, security_events, id, &ids);
                Ok(Forgotten::of(rows, &ids))
            }
            Kind::Quarantine => {
                let ids = old!(connection, quarantine, id, span);
                let rows = delete!(connection, quarantine, id, &ids);
                Ok(Forgotten::of(rows, &ids))
            }
            Kind::Polls => {
                let ids = old!(connection, polls, id, span);
                let rows = delete!(connection, polls, id, &ids);
                Ok(Forgotten::of(rows, &ids))
            }
            Kind::Trials => {
                let ids = old!(connection, trials, id, span);
                let rows = delete!(connection, trials, id, &ids);
                Ok(Forgotten::of(rows, &ids))
            }
            Kind::DeadLetters => {
                let ids = old!(connection, dead_letters, id, span);
                let rows = delete!(connection, dead_letters, id, &ids);
                Ok(Forgotten::of(rows, &ids))
            }
        })
        .await
    }

    /// Forgets a page of what was heard before this, so that the same would be heard again; how many.
    pub async fn forget_report_keys(&self, heard_before: Timestamp) -> Result<usize, Error> {
        let limit = Moment::from(heard_before);
        self.write(move |connection| {
            let keys: Vec<Vec<u8>> = each!(connection, c => report_keys::table
                .filter(report_keys::heard_at.lt(limit))
                .order(report_keys::heard_at)
                .select(report_keys::key)
                .limit(PAGE)
                .load(c))?;
            Ok(delete!(connection, report_keys, key, &keys))
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
                forgotten += delete!(connection, quarantine, id, &old);
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

    /// Since when a kind is kept: where whole days are dropped, a day is not begun to be forgotten.
    fn cut(&self, kind: Kind, than: Timestamp) -> Timestamp {
        if self.gate.is_some() && kind.table_by_day().is_some() {
            day::begin(day::number(than))
        } else {
            than
        }
    }
}

/// What is old, without what was looked at already.
#[derive(Clone, Copy)]
struct Span {
    after: Uid,
    floor: Uid,
}

impl Forgotten {
    /// Of a page of keys, which is the last one where it is not full.
    fn of(rows: usize, page: &[Uid]) -> Self {
        let is_full = i64::try_from(page.len()) == Ok(PAGE);
        let last = page.last().filter(|_| is_full);
        Self {
            rows,
            next: last.copied().map(Mark),
        }
    }
}

fn forget_callbacks(connection: &mut Connection, span: Span) -> Result<Forgotten, Error> {
    let old: Vec<(Uid, Uid, i16)> = each!(connection, c => callbacks::table
        .filter(callbacks::receipt_id.gt(span.after))
        .filter(callbacks::receipt_id.lt(span.floor))
        .order(callbacks::receipt_id)
        .select((callbacks::receipt_id, callbacks::callback_id, callbacks::status))
        .limit(PAGE)
        .load(c))?;
    let page: Vec<Uid> = old.iter().map(|(receipt, ..)| *receipt).collect();
    let done = old
        .iter()
        .filter(|(.., status)| crate::callback::DONE.contains(status));
    let (receipts, ids): (Vec<Uid>, Vec<Uid>) =
        done.map(|(receipt, id, _)| (*receipt, *id)).unzip();
    forget_callback_keys(connection, &receipts, &ids)?;
    let rows = delete!(connection, callbacks, receipt_id, &receipts);
    Ok(Forgotten::of(rows, &page))
}

/// A callback goes with its first receipt.
fn forget_callback_keys(
    connection: &mut Connection,
    receipts: &[Uid],
    ids: &[Uid],
) -> Result<(), Error> {
    each!(connection, c => diesel::delete(callback_keys::table)
        .filter(callback_keys::callback_id.eq_any(ids))
        .filter(callback_keys::receipt_id.eq_any(receipts))
        .execute(c))?;
    Ok(())
}

fn forget_attempts(connection: &mut Connection, span: Span) -> Result<Forgotten, Error> {
    let page = old!(connection, attempts, delivery_id, span);
    let pending: HashSet<Uid> = each!(connection, c => deliveries::table
        .filter(deliveries::id.eq_any(&page))
        .filter(deliveries::state.ne_all(ENDED))
        .select(deliveries::id)
        .load(c))?
    .into_iter()
    .collect();
    let rest = all_but(&page, &pending);
    let rows = delete!(connection, attempts, delivery_id, &rest);
    Ok(Forgotten::of(rows, &page))
}

fn forget_deliveries(connection: &mut Connection, span: Span) -> Result<Forgotten, Error> {
    let page = old!(connection, deliveries, id, span);
    let rows = each!(connection, c => diesel::delete(deliveries::table)
        .filter(deliveries::id.eq_any(&page))
        .filter(deliveries::state.eq_any(ENDED))
        .execute(c))?;
    Ok(Forgotten::of(rows, &page))
}

fn forget_replays(connection: &mut Connection, span: Span) -> Result<Forgotten, Error> {
    let page = old!(connection, replays, id, span);
    let rows = each!(connection, c => diesel::delete(replays::table)
        .filter(replays::id.eq_any(&page))
        .filter(replays::ended_at.is_not_null())
        .execute(c))?;
    Ok(Forgotten::of(rows, &page))
}

fn forget_events(connection: &mut Connection, span: Span) -> Result<Forgotten, Error> {
    let page = old!(connection, events, id, span);
    let owed: HashSet<Uid> = each!(connection, c => deliveries::table
        .filter(deliveries::event_id.eq_any(&page))
        .select(deliveries::event_id)
        .load(c))?
    .into_iter()
    .collect();
    let rest = all_but(&page, &owed);
    let rows = each!(connection, c => diesel::delete(events::table)
        .filter(events::id.eq_any(&rest))
        .filter(events::sequence.is_not_null())
        .execute(c))?;
    Ok(Forgotten::of(rows, &page))
}

fn forget_history(connection: &mut Connection, span: Span) -> Result<Forgotten, Error> {
    let page = old!(connection, message_history, message_id, span);
    let known: HashSet<Uid> = each!(connection, c => messages::table
        .filter(messages::id.eq_any(&page))
        .select(messages::id)
        .load(c))?
    .into_iter()
    .collect();
    let rest = all_but(&page, &known);
    let rows = delete!(connection, message_history, message_id, &rest);
    Ok(Forgotten::of(rows, &page))
}

/// Each once.
fn all_but(page: &[Uid], kept: &HashSet<Uid>) -> Vec<Uid> {
    let rest: BTreeSet<Uid> = page.iter().copied().collect();
    rest.into_iter().filter(|id| !kept.contains(id)).collect()
}
