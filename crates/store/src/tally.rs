//! Tallies: what was counted of provider accounts, added up by whoever counted it, and summed for whoever
//! asks.

mod book;
mod delay;
mod forget;

pub use book::Book;
pub use delay::ReportDelay;

use crate::Store;
use crate::connection::{Connection, each};
use crate::dialect::array::columns;
use crate::dialect::tally as dialect;
use crate::error::Error;
use crate::schema::{provider_accounts, report_delays, tallies};
use crate::sql_types::{Id, Uid};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};
use domain::id::{AccountId, TenantId};
use domain::tally::{Batch, Key, Learnt, Name, Slot, Sums};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Which counts of a tenant's callbacks.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Of this account.
    pub account_id: Option<AccountId>,
    /// Of this provider.
    pub provider: Option<String>,
    /// In these slots.
    pub slots: Range<Slot>,
}

/// An hour, by its number since 1970, and the provider.
pub type HourOf = (i32, String);

impl Store {
    /// Adds up counts. What was counted of an account that is gone is dropped.
    pub async fn add_tallies(&self, batch: Arc<Batch>) -> Result<(), Error> {
        self.write(move |connection| {
            let accounts = accounts_of(connection, &batch)?;
            let counts = batch.counts.iter().filter_map(|(key, count)| {
                let (tenant_id, provider) = accounts.get(&key.account_id.into())?;
                Some(TallyRow::new(key, *count, *tenant_id, provider))
            });
            let counts: Vec<TallyRow> = counts.collect();
            let learnt = batch.learnt.iter();
            let learnt: Vec<DelayRow> = learnt.map(DelayRow::from).collect();
            dialect::add(connection, &counts)?;
            dialect::learn(connection, &learnt)
        })
        .await
    }

    /// What was counted of a tenant's callbacks, by hour and provider.
    pub async fn sum_callbacks(
        &self,
        tenant: TenantId,
        filter: Filter,
    ) -> Result<BTreeMap<HourOf, Sums>, Error> {
        self.read(move |connection| {
            let columns = "slot / 12, provider, name, cast(sum(count) as bigint)";
            let rows: Vec<(i32, String, String, i64)> = each!(connection, c => {
                let mut query = tallies::table
                    .group_by(sql::<Text>("slot / 12, provider, name"))
                    .select(sql::<(Integer, Text, Text, BigInt)>(columns))
                    .filter(tallies::tenant_id.eq(Uid::from(tenant)))
                    .filter(tallies::name.eq_any(Name::of_callbacks()))
                    .filter(tallies::slot.ge(filter.slots.start.0))
                    .filter(tallies::slot.lt(filter.slots.end.0))
                    .into_boxed();
                if let Some(account) = filter.account_id {
                    query = query.filter(tallies::account_id.eq(Uid::from(account)));
                }
                if let Some(provider) = &filter.provider {
                    query = query.filter(tallies::provider.eq(provider));
                }
                query.load(c)
            })?;
            let mut sums: BTreeMap<HourOf, Sums> = BTreeMap::new();
            for (hour, provider, name, count) in rows {
                let of_hour = sums.entry((hour, provider)).or_default();
                of_hour.add(&name, u64::try_from(count).unwrap_or(0));
            }
            Ok(sums)
        })
        .await
    }
}

/// What was counted of accounts in some slots, under all names or under these.
pub(crate) fn sums_of(
    connection: &mut Connection,
    accounts: &[Uid],
    slots: Range<Slot>,
    names: Option<&[String]>,
) -> Result<HashMap<Uid, Sums>, Error> {
    // One by one: the key begins with the slot, and all accounts of a slot lie behind it.
    let slots: Vec<i32> = (slots.start.0..slots.end.0).collect();
    let rows: Vec<(Uid, String, i64)> = each!(connection, c => {
        let mut query = tallies::table
            .group_by((tallies::account_id, tallies::name))
            .select((tallies::account_id, tallies::name, total()))
            .filter(tallies::slot.eq_any(&slots))
            .filter(tallies::account_id.eq_any(accounts))
            .into_boxed();
        if let Some(names) = names {
            query = query.filter(tallies::name.eq_any(names));
        }
        query.load(c)
    })?;
    let mut sums: HashMap<Uid, Sums> = HashMap::new();
    for (account, name, count) in rows {
        let of_account = sums.entry(account).or_default();
        of_account.add(&name, u64::try_from(count).unwrap_or(0));
    }
    Ok(sums)
}

/// A sum as the type that the counts have: PostgreSQL makes a greater one of it.
pub(crate) fn total() -> diesel::expression::SqlLiteral<BigInt> {
    sql("cast(sum(count) as bigint)")
}

/// The tenant and the provider of each account that is there.
fn accounts_of(
    connection: &mut Connection,
    batch: &Batch,
) -> Result<HashMap<Uid, (Uid, String)>, Error> {
    let ids: BTreeSet<Uid> = batch
        .counts
        .keys()
        .map(|key| key.account_id.into())
        .collect();
    let rows: Vec<(Uid, Uid, String)> = each!(connection, c => provider_accounts::table
        .filter(provider_accounts::id.eq_any(ids))
        .select((
            provider_accounts::id,
            provider_accounts::tenant_id,
            provider_accounts::provider,
        ))
        .load(c))?;
    let known = rows
        .into_iter()
        .map(|(id, tenant, provider)| (id, (tenant, provider)));
    Ok(known.collect())
}

#[derive(Insertable)]
#[diesel(table_name = tallies)]
pub(crate) struct TallyRow {
    slot: i32,
    account_id: Uid,
    name: String,
    tenant_id: Uid,
    provider: String,
    count: i64,
}

columns!(TallyRow => "tallies" {
    slot: Integer,
    account_id: Id,
    name: Text,
    tenant_id: Id,
    provider: Text,
    count: BigInt,
});

impl TallyRow {
    fn new(key: &Key, count: u64, tenant_id: Uid, provider: &str) -> Self {
        Self {
            slot: key.slot.0,
            account_id: key.account_id.into(),
            name: key.name.clone(),
            tenant_id,
            provider: provider.to_owned(),
            count: i64::try_from(count).unwrap_or(i64::MAX),
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = report_delays)]
pub(crate) struct DelayRow {
    day: i32,
    provider: String,
    network: String,
    bucket: String,
    count: i64,
}

columns!(DelayRow => "report_delays" {
    day: Integer,
    provider: Text,
    network: Text,
    bucket: Text,
    count: BigInt,
});

impl From<(&Learnt, &u64)> for DelayRow {
    fn from((learnt, count): (&Learnt, &u64)) -> Self {
        Self {
            day: learnt.day,
            provider: learnt.provider.clone(),
            network: learnt.network.clone(),
            bucket: learnt.bucket.clone(),
            count: i64::try_from(*count).unwrap_or(i64::MAX),
        }
    }
}
