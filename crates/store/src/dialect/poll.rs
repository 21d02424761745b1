//! Polls: finding accounts with due messages, and moving many messages on.

use super::array::Statement;
use crate::connection::Connection;
use crate::error::Error;
use crate::schema::{messages, poll_leases};
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable};

/// Which accounts are looked for.
pub(crate) struct Sought {
    /// With a message that is due by then.
    pub(crate) due_by: Moment,
    /// Whose lease is free then.
    pub(crate) free_at: Moment,
    pub(crate) after: Uid,
    pub(crate) limit: i64,
}

/// When a message is due next.
pub(crate) struct Move {
    pub(crate) id: Uid,
    pub(crate) poll_at: Option<Moment>,
    pub(crate) polls: i32,
}

/// Every account that has messages to ask about, with the first of these: a look into the index for each, which
/// begins behind the account before. `$1` is the account to begin after.
macro_rules! first_of_each {
    ($after:literal, $then:literal) => {
        concat!(
            "with recursive owing (account_id) as ( \
                 select (select poll_account_id from messages \
                         where poll_at is not null and poll_account_id > ",
            $after,
            " order by poll_account_id limit 1) \
                 union all \
                 select (select messages.poll_account_id from messages \
                         where poll_at is not null and messages.poll_account_id > owing.account_id \
                         order by messages.poll_account_id limit 1) \
                 from owing where owing.account_id is not null), \
             firsts (account_id, poll_at) as ( \
                 select owing.account_id, \
                        (select messages.poll_at from messages \
                         where messages.poll_account_id = owing.account_id and poll_at is not null \
                         order by messages.poll_at limit 1) \
                 from owing where owing.account_id is not null) ",
            $then
        )
    };
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Id)]
    account_id: Uid,
}

#[derive(QueryableByName)]
struct First {
    #[diesel(sql_type = Nullable<Instant>)]
    poll_at: Option<Moment>,
}

/// Accounts with due messages whose leases are free and that do not rest, in the order of their ids.
pub(crate) fn due_accounts(
    connection: &mut Connection,
    sought: &Sought,
) -> Result<Vec<Uid>, Error> {
    match connection {
        Connection::Sqlite(c) => {
            let text = first_of_each!(
                "?1",
                "select firsts.account_id from firsts \
                 left join poll_leases on poll_leases.account_id = firsts.account_id \
                 where firsts.poll_at <= ?2 and coalesce(poll_leases.until, 0) <= ?3 \
                 and coalesce(poll_leases.rest_until, 0) <= ?3 \
                 order by firsts.account_id limit ?4"
            );
            let found: Vec<Found> = diesel::sql_query(text)
                .bind::<Id, _>(sought.after)
                .bind::<Instant, _>(sought.due_by)
                .bind::<Instant, _>(sought.free_at)
                .bind::<BigInt, _>(sought.limit)
                .load(c)?;
            Ok(found.into_iter().map(|found| found.account_id).collect())
        }
        Connection::Postgres(session) => {
            let text = first_of_each!(
                "(({})[1])",
                "select firsts.account_id from firsts \
                 left join poll_leases on poll_leases.account_id = firsts.account_id \
                 where firsts.poll_at <= ({})[1] \
                 and coalesce(poll_leases.until, 'epoch') <= ({})[1] \
                 and coalesce(poll_leases.rest_until, 'epoch') <= ({})[1] \
                 order by firsts.account_id limit ({})[1]"
            );
            Ok(Statement::<Id>::new(text)
                .bind::<Id, _>(vec![sought.after])
                .bind::<Instant, _>(vec![sought.due_by])
                .bind::<Instant, _>(vec![sought.free_at])
                .bind::<Instant, _>(vec![sought.free_at])
                .bind::<BigInt, _>(vec![sought.limit])
                .load(session.raw())?)
        }
    }
}

/// Since when the message is due that has been for longest, of so many accounts.
pub(crate) fn oldest_due(
    connection: &mut Connection,
    due_by: Moment,
    most: i64,
) -> Result<Option<Moment>, Error> {
    let nil = Uid(uuid::Uuid::nil());
    let first: Option<Moment> = match connection {
        Connection::Sqlite(c) => {
            let text = first_of_each!(
                "?1",
                "select min(poll_at) as poll_at from (select poll_at from firsts limit ?2) as few"
            );
            let first: First = diesel::sql_query(text)
                .bind::<Id, _>(nil)
                .bind::<BigInt, _>(most)
                .get_result(c)?;
            first.poll_at
        }
        Connection::Postgres(session) => {
            let text = first_of_each!(
                "(({})[1])",
                "select min(poll_at) from (select poll_at from firsts limit ({})[1]) as few"
            );
            Statement::<Nullable<Instant>>::new(text)
                .bind::<Id, _>(vec![nil])
                .bind::<BigInt, _>(vec![most])
                .get_result(session.raw())?
        }
    };
    Ok(first.filter(|first| *first <= due_by))
}

/// Makes leases that nobody has, for accounts that have none.
pub(crate) fn make_leases(connection: &mut Connection, accounts: &[Uid]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for account in accounts {
                diesel::insert_into(poll_leases::table)
                    .values((
                        poll_leases::account_id.eq(account),
                        poll_leases::owner.eq(""),
                        poll_leases::until.eq(Moment(0)),
                        poll_leases::fence.eq(0),
                        poll_leases::failures.eq(0),
                        poll_leases::rest_until.eq(Moment(0)),
                        poll_leases::rest_reason.eq(0),
                    ))
                    .on_conflict_do_nothing()
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) => {
            // In one order, so that two pollers never wait for one another.
            let mut accounts = accounts.to_vec();
            accounts.sort_unstable();
            let text = "insert into poll_leases \
                            (account_id, owner, until, fence, failures, rest_until, rest_reason) \
                        select account_id, '', 'epoch', 0, 0, 'epoch', 0 \
                        from unnest({}) as account_id on conflict do nothing";
            Statement::<()>::new(text)
                .bind::<Id, _>(accounts)
                .execute(session.raw())?;
        }
    }
    Ok(())
}

/// Writes when messages are due next.
pub(crate) fn reschedule(connection: &mut Connection, moves: &[Move]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for moved in moves {
                diesel::update(messages::table.find(moved.id))
                    .set((
                        messages::poll_at.eq(moved.poll_at),
                        messages::polls.eq(moved.polls),
                    ))
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) => {
            let text = "update messages set poll_at = new.poll_at, polls = new.polls \
                        from unnest({}, {}, {}) as new (id, poll_at, polls) \
                        where messages.id = new.id and messages.id = any({})";
            Statement::<()>::new(text)
                .bind::<Id, _>(moves.iter().map(|moved| moved.id).collect())
                .bind::<Nullable<Instant>, _>(moves.iter().map(|moved| moved.poll_at).collect())
                .bind::<Integer, _>(moves.iter().map(|moved| moved.polls).collect())
                .bind::<Id, _>(moves.iter().map(|moved| moved.id).collect())
                .execute(session.raw())?;
        }
    }
    Ok(())
}
