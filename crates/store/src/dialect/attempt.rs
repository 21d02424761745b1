//! Attempts: recording a batch of them, and what follows.

use super::array::Statement;
use super::known::Known;
use super::{lease, together};
use crate::connection::Connection;
use crate::delivery::AttemptRow;
use crate::delivery::attempt::Record;
use crate::delivery::{CANCELLED, PENDING, encode_state};
use crate::error::Error;
use crate::schema::{attempts, deliveries, subscriptions};
use crate::sql_types::{Id, Instant, Moment, Uid};
use crate::warning::Noted;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Text};
use domain::delivery::State;
use std::collections::{BTreeMap, HashMap};

/// What was written.
pub(crate) struct Written {
    /// The fences of the shards that are leased; they hold until the transaction ends.
    pub(crate) fences: Vec<(i16, i64)>,
    /// What may mean more for its subscription.
    pub(crate) noted: Vec<Noted>,
}

/// Writes attempts under leases that hold, moves their deliveries on while those are pending, and
/// counts how their subscriptions fared. What was recorded before changes nothing.
pub(crate) fn record(
    connection: &mut Connection,
    leased: &[i16],
    records: &[Record],
) -> Result<Written, Error> {
    match connection {
        Connection::Sqlite(c) => {
            let fences: Vec<(i16, i64)> = lease::fence(leased).load(c)?;
            let held: HashMap<i16, i64> = fences.iter().copied().collect();
            let is_held = |record: &&Record| held.get(&record.lease.0) == Some(&record.lease.1);
            let noted = record_each(c, records.iter().filter(is_held))?;
            Ok(Written { fences, noted })
        }
        Connection::Postgres(session) => {
            let (kept, fences, recorded) = session.together(async |c| {
                tokio::join!(
                    biased;
                    together::execute(c, lease::keep(leased)),
                    together::load(c, lease::fence(leased)),
                    together::load(c, record_all(records)),
                )
            });
            kept?;
            Ok(Written {
                fences: fences?,
                noted: recorded?,
            })
        }
    }
}

fn record_each<'a>(
    c: &mut SqliteConnection,
    records: impl Iterator<Item = &'a Record>,
) -> QueryResult<Vec<Noted>> {
    let mut fared: BTreeMap<Uid, Fared> = BTreeMap::new();
    let mut new = Vec::new();
    for record in records {
        let row = &record.row;
        let inserted = diesel::insert_into(attempts::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(c)?;
        if inserted == 0 {
            continue;
        }
        let moved = move_on(c, record)?;
        if moved == 0 {
            move_on_after_change(c, record)?;
        }
        fared.entry(record.subscription_id).or_default().count(row);
        new.push((record, moved > 0 && record.state == State::Failed));
    }
    for (id, fared) in &fared {
        diesel::update(subscriptions::table.find(*id))
            .set((
                subscriptions::delivered.eq(subscriptions::delivered + fared.delivered),
                subscriptions::failed.eq(subscriptions::failed + fared.failed),
                fared
                    .success
                    .map(|at| subscriptions::last_success_at.eq(Some(at))),
                fared
                    .failure
                    .map(|at| subscriptions::last_failure_at.eq(Some(at))),
            ))
            .execute(c)?;
    }
    note(c, fared.into_keys().collect(), &new)
}

/// Those of these attempts that failed, or whose subscriptions had.
fn note(
    c: &mut SqliteConnection,
    subscriptions: Vec<Uid>,
    new: &[(&Record, bool)],
) -> QueryResult<Vec<Noted>> {
    type Stood = (Uid, bool, Option<Moment>, Option<Moment>, Option<i16>, bool);
    let stood: Vec<Stood> = subscriptions::table
        .filter(subscriptions::id.eq_any(subscriptions))
        .select((
            subscriptions::id,
            subscriptions::is_enabled,
            subscriptions::failing_since,
            subscriptions::failing_until,
            subscriptions::failing_told,
            subscriptions::owes_recovery,
        ))
        .load(c)?;
    let stood: HashMap<Uid, Stood> = stood.into_iter().map(|stood| (stood.0, stood)).collect();
    let noted = new.iter().filter_map(|(record, has_failed)| {
        let (subscription_id, is_enabled, since, until, told, owes_recovery) =
            *stood.get(&record.subscription_id)?;
        let is_of_note = record.row.error.is_some() || since.is_some() || owes_recovery;
        is_of_note.then_some(Noted {
            delivery_id: record.row.delivery_id,
            number: record.row.number,
            has_failed: *has_failed,
            subscription_id,
            is_enabled,
            since,
            until,
            told,
            owes_recovery,
        })
    });
    Ok(noted.collect())
}

/// Leaves a delivery where its attempt leaves it; how many rows that was.
fn move_on(c: &mut SqliteConnection, record: &Record) -> QueryResult<usize> {
    let text = "update deliveries set attempts = {}, state = {}, place = {}, due_at = {}, error = {} \
                where id = {} and state = {} and budget_from = {}";
    Known::new(text)
        .bind::<Integer, _>(record.row.number)
        .bind::<SmallInt, _>(encode_state(record.state))
        .bind::<SmallInt, _>(record.place.code())
        .bind::<Instant, _>(record.due_at)
        .bind::<Nullable<Text>, _>(&record.cause)
        .bind::<Id, _>(record.row.delivery_id)
        .bind::<SmallInt, _>(PENDING)
        .bind::<Integer, _>(record.budget_from)
        .execute(c)
}

/// As [`move_on`], of one that got a fresh budget or was cancelled while it was attempted: a failure does
/// not end the one, and only a success brings the other back.
fn move_on_after_change(c: &mut SqliteConnection, record: &Record) -> QueryResult<()> {
    for (is, becomes) in [(PENDING, State::Pending), (CANCELLED, State::Cancelled)] {
        let state = match record.state {
            State::Delivered => State::Delivered,
            State::Pending | State::Failed | State::Cancelled => becomes,
        };
        diesel::update(deliveries::table.find(record.row.delivery_id))
            .filter(deliveries::state.eq(is))
            .set((
                deliveries::attempts.eq(record.row.number),
                deliveries::state.eq(encode_state(state)),
                deliveries::place.eq(record.place.code()),
                deliveries::due_at.eq(record.due_at),
            ))
            .execute(c)?;
    }
    Ok(())
}

/// How attempts of one subscription fared, summed over a batch.
#[derive(Default)]
struct Fared {
    delivered: i64,
    failed: i64,
    /// When one last succeeded, and when one last failed.
    success: Option<Moment>,
    failure: Option<Moment>,
}

impl Fared {
    fn count(&mut self, row: &AttemptRow) {
        let (number, last) = match row.error {
            None => (&mut self.delivered, &mut self.success),
            Some(_) => (&mut self.failed, &mut self.failure),
        };
        *number += 1;
        *last = (*last).max(Some(row.started_at));
    }
}

/// The columns of [`Noted`].
type NotedColumns = (
    Id,
    Integer,
    Bool,
    Id,
    Bool,
    Nullable<Instant>,
    Nullable<Instant>,
    Nullable<SmallInt>,
    Bool,
);

/// As [`record_each`], of those whose lease holds. Of two attempts of one delivery the later one says
/// where it stands; one that got a fresh budget or was cancelled meanwhile is not ended by a failure.
fn record_all(records: &[Record]) -> Statement<'_, NotedColumns> {
    let text = "with told as (\
                    select distinct on (delivery_id, number) t.* from unnest({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}) \
                        as t (delivery_id, number, id, started_at, duration_ms, status_code, error, \
                            response_body, detail, state, place, due_at, cause, subscription_id, \
                            shard, fence, budget_from) \
                    join shards on shards.number = t.shard and shards.fence = t.fence), \
                recorded as (\
                    insert into attempts (delivery_id, number, id, started_at, duration_ms, \
                        status_code, error, response_body, detail) \
                    select delivery_id, number, id, started_at, duration_ms, status_code, error, \
                        response_body, detail from told \
                    on conflict do nothing returning delivery_id, number), \
                new as (\
                    select delivery_id, number, started_at, error, state, place, due_at, cause, \
                        subscription_id, budget_from \
                    from told join recorded using (delivery_id, number)), \
                last as (\
                    select distinct on (delivery_id) delivery_id, number, state, place, due_at, \
                        cause, budget_from from new \
                    order by delivery_id, number desc), \
                moved as (\
                    update deliveries set attempts = last.number, place = last.place, \
                        due_at = last.due_at, error = case \
                            when deliveries.state = 3 or last.state = 1 \
                                or deliveries.budget_from <> last.budget_from then null \
                            else last.cause end, \
                        state = case \
                            when last.state = 1 then 1 \
                            when deliveries.state = 3 then 3 \
                            when deliveries.budget_from <> last.budget_from then 0 \
                            else last.state end \
                    from last where deliveries.id = last.delivery_id \
                        and deliveries.state in (0, 3) and deliveries.id = any({}) \
                    returning deliveries.id, deliveries.state), \
                fared as (\
                    select subscription_id, \
                        count(*) filter (where error is null) as delivered, \
                        count(*) filter (where error is not null) as failed, \
                        max(started_at) filter (where error is null) as success, \
                        max(started_at) filter (where error is not null) as failure \
                    from new group by subscription_id), \
                stood as (\
                    update subscriptions set \
                        delivered = subscriptions.delivered + fared.delivered, \
                        failed = subscriptions.failed + fared.failed, \
                        last_success_at = greatest(fared.success, last_success_at), \
                        last_failure_at = greatest(fared.failure, last_failure_at) \
                    from fared where subscriptions.id = fared.subscription_id \
                        and subscriptions.id = any({}) \
                    returning id, is_enabled, failing_since, failing_until, failing_told, \
                        owes_recovery) \
                select new.delivery_id, new.number, coalesce(moved.state = 2, false), stood.id, \
                    stood.is_enabled, stood.failing_since, stood.failing_until, \
                    stood.failing_told, stood.owes_recovery \
                from new join stood on stood.id = new.subscription_id \
                    left join moved on moved.id = new.delivery_id \
                where new.error is not null or stood.failing_since is not null \
                    or stood.owes_recovery";
    let rows = || records.iter().map(|record| &record.row);
    let subscriptions = || {
        records
            .iter()
            .map(|r| &r.subscription_id)
            .collect::<Vec<_>>()
    };
    Statement::new(text)
        .bind::<Id, _>(rows().map(|row| &row.delivery_id).collect())
        .bind::<Integer, _>(rows().map(|row| &row.number).collect())
        .bind::<Id, _>(rows().map(|row| &row.id).collect())
        .bind::<Instant, _>(rows().map(|row| &row.started_at).collect())
        .bind::<BigInt, _>(rows().map(|row| &row.duration_ms).collect())
        .bind::<Nullable<Integer>, _>(rows().map(|row| &row.status_code).collect())
        .bind::<Nullable<Text>, _>(rows().map(|row| &row.error).collect())
        .bind::<Nullable<Text>, _>(rows().map(|row| &row.response_body).collect())
        .bind::<Nullable<Text>, _>(rows().map(|row| &row.detail).collect())
        .bind::<SmallInt, _>(records.iter().map(|r| encode_state(r.state)).collect())
        .bind::<SmallInt, _>(records.iter().map(|r| r.place.code()).collect())
        .bind::<Instant, _>(records.iter().map(|record| &record.due_at).collect())
        .bind::<Nullable<Text>, _>(records.iter().map(|record| &record.cause).collect())
        .bind::<Id, _>(subscriptions())
        .bind::<SmallInt, _>(records.iter().map(|record| record.lease.0).collect())
        .bind::<BigInt, _>(records.iter().map(|record| record.lease.1).collect())
        .bind::<Integer, _>(records.iter().map(|r| &r.budget_from).collect())
        .bind::<Id, _>(rows().map(|row| &row.delivery_id).collect())
        .bind::<Id, _>(subscriptions())
}
