//! Leases on accounts: one poller at a time asks about the messages of an account.

use crate::Store;
use crate::connection::{Connection, each, load_locked};
use crate::dialect::{self, lease};
use crate::error::Error;
use crate::schema::{poll_leases, provider_accounts};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::AccountId;
use domain::poll::LEASE;
use std::collections::HashMap;
use std::time::Duration;

/// Which accounts are looked for.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Those after this one, in the order of their ids.
    pub after: Option<AccountId>,
    /// So many at the most.
    pub limit: usize,
}

/// That a poller, and nobody else, asks about the messages of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which account.
    pub account_id: AccountId,
    /// Which poller.
    pub owner: String,
    /// The number of the lease; a later one has a greater one.
    pub fence: i64,
    /// How often asking failed since it last succeeded.
    pub failures: u32,
}

/// That nobody asks about the messages of an account for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// How long.
    pub length: Duration,
    /// Why.
    pub reason: RestReason,
}

/// Why a provider is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RestReason {
    /// It failed too often.
    Open,
    /// It does not accept the credentials.
    Refused,
    /// It asked us to slow down.
    Slowed,
}

/// How a lease is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Given {
    /// How often asking failed since it last succeeded.
    pub failures: u32,
    /// How long nobody asks now.
    pub rest: Option<Rest>,
}

/// What pollers have before them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Since when the message is due that has been for longest.
    pub oldest: Option<Timestamp>,
    /// How many accounts of which provider are left alone, and why.
    pub resting: HashMap<(String, RestReason), u64>,
}

/// Accounts are counted up to here.
const MOST_COUNTED: i64 = 10_000;

impl RestReason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Refused, Self::Slowed];

    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Refused => "refused",
            Self::Slowed => "slowed",
        }
    }

    const fn code(self) -> i16 {
        match self {
            Self::Open => 1,
            Self::Refused => 2,
            Self::Slowed => 3,
        }
    }
}

/// No reason: nobody rests.
const NONE: i16 = 0;

impl Store {
    /// Accounts with messages that are due, about which nobody asks now, in the order of their ids. Looks at one
    /// message of each account, however many it has.
    pub async fn find_due_accounts(&self, search: Search) -> Result<Vec<AccountId>, Error> {
        let clock = self.clock.clone();
        self.read(move |connection| {
            let sought = dialect::poll::Sought {
                due_by: clock.now().into(),
                free_at: lease::now(connection, &clock)?.into(),
                after: search.after.map_or(Uid(uuid::Uuid::nil()), Uid::from),
                limit: i64::try_from(search.limit).unwrap_or(i64::MAX),
            };
            let found = dialect::poll::due_accounts(connection, &sought)?;
            Ok(found.into_iter().map(AccountId::from).collect())
        })
        .await
    }

    /// Takes the leases of accounts that nobody has and that do not rest; those that were to be had.
    pub async fn lease_accounts(
        &self,
        owner: String,
        accounts: Vec<AccountId>,
    ) -> Result<Vec<Lease>, Error> {
        let clock = self.clock.clone();
        self.write(move |connection| {
            let ids: Vec<Uid> = accounts.iter().copied().map(Uid::from).collect();
            dialect::poll::make_leases(connection, &ids)?;
            let now = lease::now(connection, &clock)?;
            let free: Vec<Uid> = load_locked!(
                connection,
                poll_leases::table
                    .filter(poll_leases::account_id.eq_any(&ids))
                    .filter(poll_leases::until.le(Moment::from(now)))
                    .filter(poll_leases::rest_until.le(Moment::from(now)))
                    .order(poll_leases::account_id)
                    .select(poll_leases::account_id),
                for_update,
                skip_locked
            );
            let taken: Vec<(Uid, i64, i32)> = each!(connection, c => diesel::update(
                poll_leases::table.filter(poll_leases::account_id.eq_any(&free)))
                .set((
                    poll_leases::owner.eq(&owner),
                    poll_leases::fence.eq(poll_leases::fence + 1),
                    poll_leases::until.eq(Moment::from(now.plus(LEASE))),
                ))
                .returning((
                    poll_leases::account_id,
                    poll_leases::fence,
                    poll_leases::failures,
                ))
                .get_results(c))?;
            let lease = |(account, fence, failures): (Uid, i64, i32)| Lease {
                account_id: account.into(),
                owner: owner.clone(),
                fence,
                failures: u32::try_from(failures).unwrap_or(0),
            };
            Ok(taken.into_iter().map(lease).collect())
        })
        .await
    }

    /// Renews the leases of a poller on these accounts; those that it has.
    pub async fn renew_accounts(
        &self,
        owner: String,
        accounts: Vec<AccountId>,
    ) -> Result<Vec<AccountId>, Error> {
        let clock = self.clock.clone();
        self.write(move |connection| {
            let ids: Vec<Uid> = accounts.iter().copied().map(Uid::from).collect();
            let until = lease::now(connection, &clock)?.plus(LEASE);
            let held: Vec<Uid> = load_locked!(
                connection,
                poll_leases::table
                    .filter(poll_leases::account_id.eq_any(&ids))
                    .filter(poll_leases::owner.eq(&owner))
                    .order(poll_leases::account_id)
                    .select(poll_leases::account_id),
                for_update
            );
            each!(connection, c => diesel::update(
                poll_leases::table.filter(poll_leases::account_id.eq_any(&held)))
                .set(poll_leases::until.eq(Moment::from(until)))
                .execute(c))?;
            Ok(held.into_iter().map(AccountId::from).collect())
        })
        .await
    }

    /// Gives a lease back, and says how asking went. One that was lost is somebody else's.
    pub async fn give_back(&self, lease: &Lease, given: Given) -> Result<(), Error> {
        let (lease, clock) = (lease.clone(), self.clock.clone());
        self.write(move |connection| {
            let now = lease::now(connection, &clock)?;
            let rest_until = given.rest.map_or(Moment(0), |rest| now.plus(rest.length).into());
            let failures = i32::try_from(given.failures).unwrap_or(i32::MAX);
            each!(connection, c => diesel::update(poll_leases::table.find(Uid::from(lease.account_id)))
                .filter(poll_leases::owner.eq(&lease.owner))
                .filter(poll_leases::fence.eq(lease.fence))
                .set((
                    poll_leases::owner.eq(""),
                    poll_leases::until.eq(Moment(0)),
                    poll_leases::failures.eq(failures),
                    poll_leases::rest_until.eq(rest_until),
                    poll_leases::rest_reason.eq(given.rest.map_or(NONE, |rest| rest.reason.code())),
                ))
                .execute(c))?;
            Ok(())
        })
        .await
    }

    /// What pollers have before them: one look at each account, and at those that rest.
    pub async fn poll_backlog(&self) -> Result<Backlog, Error> {
        let clock = self.clock.clone();
        self.read(move |connection| {
            let now = lease::now(connection, &clock)?;
            let oldest = dialect::poll::oldest_due(connection, clock.now().into(), MOST_COUNTED)?;
            let resting: Vec<(String, i16)> = each!(connection, c => poll_leases::table
                .inner_join(provider_accounts::table
                    .on(provider_accounts::id.eq(poll_leases::account_id)))
                .filter(poll_leases::rest_until.gt(Moment::from(now)))
                .select((provider_accounts::provider, poll_leases::rest_reason))
                .limit(MOST_COUNTED)
                .load(c))?;
            let mut backlog = Backlog {
                oldest: oldest.map(Timestamp::from),
                resting: HashMap::new(),
            };
            for (provider, reason) in resting {
                let reason = RestReason::ALL.into_iter().find(|it| it.code() == reason);
                if let Some(reason) = reason {
                    *backlog.resting.entry((provider, reason)).or_default() += 1;
                }
            }
            Ok(backlog)
        })
        .await
    }
}

/// Whether a lease is still whose it was. On PostgreSQL nobody takes it until the transaction ends.
pub(crate) fn holds(connection: &mut Connection, lease: &Lease) -> Result<bool, Error> {
    let found: Vec<i64> = load_locked!(
        connection,
        poll_leases::table
            .filter(poll_leases::account_id.eq(Uid::from(lease.account_id)))
            .filter(poll_leases::owner.eq(&lease.owner))
            .select(poll_leases::fence),
        for_update
    );
    Ok(found == [lease.fence])
}

/// The account's provider may be asked again at once: somebody changed the account.
pub(crate) fn end_rest(connection: &mut Connection, account: AccountId) -> Result<(), Error> {
    each!(connection, c => diesel::update(poll_leases::table.find(Uid::from(account)))
        .set((
            poll_leases::failures.eq(0),
            poll_leases::rest_until.eq(Moment(0)),
            poll_leases::rest_reason.eq(NONE),
        ))
        .execute(c))?;
    Ok(())
}

/// Ends every lease: nobody else can be alive.
pub(crate) fn free_all(connection: &mut Connection) -> Result<(), Error> {
    each!(connection, c => diesel::update(poll_leases::table)
        .set((poll_leases::owner.eq(""), poll_leases::until.eq(Moment(0))))
        .execute(c))?;
    Ok(())
}
