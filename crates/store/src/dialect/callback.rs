//! Callbacks and what they say, a batch at a time.

use super::array::Statement;
use crate::callback::{Mark, PROCESSED};
use crate::connection::Connection;
use crate::error::Error;
use crate::schema::{callback_keys, callbacks, report_keys};
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{Binary, Integer, Text};
use std::collections::HashMap;

/// New receipts of one callback.
pub(crate) struct Received {
    pub(crate) callback_id: Uid,
    /// The first of them.
    pub(crate) receipt_id: Uid,
    pub(crate) receipts: i32,
}

/// Counts receipts of callbacks; the very first receipt of each. Sorted by callback, so that two
/// transactions never wait for one another.
pub(crate) fn count_receipts(
    connection: &mut Connection,
    received: &[Received],
) -> Result<HashMap<Uid, Uid>, Error> {
    let firsts: Vec<(Uid, Uid)> = match connection {
        Connection::Sqlite(c) => received
            .iter()
            .map(|new| count_receipt(c, new))
            .collect::<Result<_, _>>()?,
        Connection::Postgres(session) => {
            let text = "insert into callback_keys (callback_id, receipt_id, receipts) \
                        select * from unnest({}, {}, {}) \
                        on conflict (callback_id) \
                        do update set receipts = callback_keys.receipts + excluded.receipts \
                        returning callback_id, receipt_id";
            Statement::<(Id, Id)>::new(text)
                .bind::<Id, _>(received.iter().map(|new| &new.callback_id).collect())
                .bind::<Id, _>(received.iter().map(|new| &new.receipt_id).collect())
                .bind::<Integer, _>(received.iter().map(|new| &new.receipts).collect())
                .load(session.raw())?
        }
    };
    Ok(firsts.into_iter().collect())
}

fn count_receipt(c: &mut SqliteConnection, new: &Received) -> QueryResult<(Uid, Uid)> {
    let inserted = diesel::insert_into(callback_keys::table)
        .values((
            callback_keys::callback_id.eq(new.callback_id),
            callback_keys::receipt_id.eq(new.receipt_id),
            callback_keys::receipts.eq(new.receipts),
        ))
        .on_conflict_do_nothing()
        .execute(c)?;
    if inserted > 0 {
        return Ok((new.callback_id, new.receipt_id));
    }
    diesel::update(callback_keys::table.find(new.callback_id))
        .set(callback_keys::receipts.eq(callback_keys::receipts + new.receipts))
        .returning((callback_keys::callback_id, callback_keys::receipt_id))
        .get_result(c)
}

/// Writes how often each receipt was tried.
pub(crate) fn count_tries(connection: &mut Connection, tries: &[(Uid, i32)]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for (receipt, number) in tries {
                diesel::update(callbacks::table.find(receipt))
                    .set(callbacks::attempts.eq(number))
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) if !tries.is_empty() => {
            let text = "update callbacks set attempts = tried.attempts \
                        from unnest({}, {}) as tried (receipt_id, attempts) \
                        where callbacks.receipt_id = tried.receipt_id \
                            and callbacks.receipt_id = any({})";
            let receipts: Vec<&Uid> = tries.iter().map(|(receipt, _)| receipt).collect();
            Statement::<()>::new(text)
                .bind::<Id, _>(receipts.clone())
                .bind::<Integer, _>(tries.iter().map(|(_, number)| number).collect())
                .bind::<Id, _>(receipts)
                .execute(session.raw())?;
        }
        Connection::Postgres(_) => {}
    }
    Ok(())
}

/// Remembers what was said; the keys that were not heard before. Sorted, so that two transactions
/// never wait for one another.
pub(crate) fn hear(
    connection: &mut Connection,
    keys: &[Vec<u8>],
    now: Moment,
) -> Result<Vec<Vec<u8>>, Error> {
    match connection {
        Connection::Sqlite(c) => {
            let mut new = Vec::new();
            for key in keys {
                let inserted = diesel::insert_into(report_keys::table)
                    .values((report_keys::key.eq(key), report_keys::heard_at.eq(now)))
                    .on_conflict_do_nothing()
                    .execute(c)?;
                if inserted > 0 {
                    new.push(key.clone());
                }
            }
            Ok(new)
        }
        Connection::Postgres(session) => {
            let text = "insert into report_keys (key, heard_at) \
                        select key, heard_at from unnest({}) as key, unnest({}) as heard_at \
                        on conflict do nothing returning key";
            Ok(Statement::<Binary>::new(text)
                .bind::<Binary, _>(keys.iter().collect())
                .bind::<Instant, _>(vec![now])
                .load(session.raw())?)
        }
    }
}

/// Marks a callback as applied, with what became of each statement.
pub(super) fn mark_one(c: &mut SqliteConnection, mark: &Mark, now: Moment) -> QueryResult<()> {
    diesel::update(callbacks::table.find(mark.receipt_id))
        .set((
            callbacks::status.eq(PROCESSED),
            callbacks::processed_at.eq(Some(now)),
            callbacks::error.eq(None::<String>),
            callbacks::reports.eq(Some(&mark.reports)),
        ))
        .execute(c)?;
    Ok(())
}

/// As [`mark_one`], of many.
pub(super) fn mark_all(marks: &[Mark], now: Moment) -> Statement<'_> {
    let text = "update callbacks set status = 1, processed_at = heard_at, error = null, \
                    reports = mark.reports \
                from unnest({}, {}) as mark (receipt_id, reports), unnest({}) as heard_at \
                where callbacks.receipt_id = mark.receipt_id \
                    and callbacks.receipt_id = any({})";
    let receipts: Vec<&Uid> = marks.iter().map(|mark| &mark.receipt_id).collect();
    Statement::new(text)
        .bind::<Id, _>(receipts.clone())
        .bind::<Text, _>(marks.iter().map(|mark| &mark.reports).collect())
        .bind::<Instant, _>(vec![now])
        .bind::<Id, _>(receipts)
}
