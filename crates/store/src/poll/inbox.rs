//! Inboxes: how far those were read that providers keep for us.

use super::{Lease, Recorded, holds};
use crate::Store;
use crate::connection::{Connection, each};
use crate::dialect::lease;
use crate::error::Error;
use crate::schema::{inboxes, poll_leases, provider_accounts};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::AccountId;
use std::time::Duration;

/// How far an inbox was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbox {
    /// From where to go on; none before anything came.
    pub cursor: Option<String>,
    /// When it was last read to its end.
    pub fetched_at: Timestamp,
}

impl Store {
    /// Accounts of these providers whose inboxes were not read for so long, and about which nobody asks now.
    pub async fn find_due_inboxes(
        &self,
        providers: Vec<&'static str>,
        every: Duration,
        limit: usize,
    ) -> Result<Vec<AccountId>, Error> {
        let clock = self.clock.clone();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let read_by = Moment::from(clock.now().minus(every));
            let free_at = Moment::from(lease::now(connection, &clock)?);
            let found: Vec<Uid> = each!(connection, c => provider_accounts::table
                .left_join(inboxes::table.on(inboxes::account_id.eq(provider_accounts::id)))
                .left_join(poll_leases::table.on(poll_leases::account_id.eq(provider_accounts::id)))
                .filter(provider_accounts::provider.eq_any(&providers))
                .filter(provider_accounts::status_api.is_not_null())
                .filter(inboxes::fetched_at.is_null().or(inboxes::fetched_at.le(read_by)))
                .filter(poll_leases::until.is_null().or(poll_leases::until.le(free_at)
                    .and(poll_leases::rest_until.le(free_at))))
                .order(inboxes::fetched_at)
                .limit(limit)
                .select(provider_accounts::id)
                .load(c))?;
            Ok(found.into_iter().map(AccountId::from).collect())
        })
        .await
    }

    /// How far an account's inbox was read; none when it never was.
    pub async fn find_inbox(&self, account: AccountId) -> Result<Option<Inbox>, Error> {
        self.look_up(move |connection| {
            let found: Option<(Option<String>, Moment)> = each!(connection, c => inboxes::table
                .find(Uid::from(account))
                .select((inboxes::cursor, inboxes::fetched_at))
                .first(c)
                .optional())?;
            Ok(found.map(|(cursor, fetched_at)| Inbox {
                cursor,
                fetched_at: fetched_at.into(),
            }))
        })
        .await
    }

    /// Writes how far an account's inbox was read, under the lease.
    pub async fn record_inbox(&self, lease: &Lease, inbox: Inbox) -> Result<Recorded, Error> {
        let lease = lease.clone();
        self.write(move |connection| {
            if !holds(connection, &lease)? {
                return Ok(Recorded::LeaseLost);
            }
            let read = (
                inboxes::cursor.eq(&inbox.cursor),
                inboxes::fetched_at.eq(Moment::from(inbox.fetched_at)),
            );
            let written = each!(connection, c => diesel::insert_into(inboxes::table)
                .values((inboxes::account_id.eq(Uid::from(lease.account_id)), read))
                .on_conflict(inboxes::account_id)
                .do_update()
                .set(read)
                .execute(c))?;
            Ok(Recorded::Done(written))
        })
        .await
    }
}

/// The account is gone, and with it its inbox and its lease.
pub(crate) fn forget(connection: &mut Connection, account: AccountId) -> Result<(), Error> {
    each!(connection, c => diesel::delete(inboxes::table.find(Uid::from(account))).execute(c))?;
    Ok(())
}
