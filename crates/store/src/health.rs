//! The health of provider accounts: judged by what was counted, told once for each change.

use crate::Store;
use crate::connection::{Connection, each, insert_rows, load_locked};
use crate::dialect::array::columns;
use crate::dialect::health as dialect;
use crate::error::Error;
use crate::event::NewEventRow;
use crate::schema::{events, provider_accounts, provider_health, tallies};
use crate::sql_types::{Id, Instant, Moment, Uid};
use crate::tally::{sums_of, total};
use diesel::prelude::*;
use diesel::sql_types::SmallInt;
use domain::account::{Environment, Slug};
use domain::event::{Event, Resource};
use domain::health::{Condition, Health, Patient, USUAL, WINDOW, change, missed_ratio};
use domain::id::{AccountId, EventId, TenantId};
use domain::json::Raw;
use domain::tally::{Name, Slot, Sums};
use domain::{Shard, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What a look at all provider accounts found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// Which part of the ends nobody called us about, of each provider that ended anything lately; none
    /// where too little ended to say.
    pub missed: BTreeMap<String, Option<f64>>,
    /// The shards that have new events.
    pub shards: BTreeSet<Shard>,
    /// The accounts that fare otherwise than was last told.
    pub changed: Vec<(AccountId, Condition)>,
}

/// What was last told of an account.
type Told = HashMap<Uid, (Condition, Moment)>;

impl Store {
    /// The health of a tenant's provider account.
    pub async fn find_health(
        &self,
        tenant: TenantId,
        id: AccountId,
    ) -> Result<Option<Health>, Error> {
        let now = self.clock.now();
        self.read(move |connection| {
            let id = Uid::from(id);
            let accounts = accounts_of(connection, &[id])?;
            let own = accounts
                .get(&id)
                .filter(|account| account.tenant_id == tenant);
            let Some(account) = own else {
                return Ok(None);
            };
            let told = told_of(connection, &[id])?;
            let counted = Counted::of(connection, &[id], now)?;
            Ok(Some(counted.health(id, account, told.get(&id).copied())))
        })
        .await
    }

    /// Judges all accounts with ends in the last hour, and tells the tenants of those that fare otherwise
    /// than was last told, degraded from this ratio on. Each change is told once, however many judge: only
    /// who still finds what it has seen told changes it.
    pub async fn judge_providers(&self, degraded_from: f64) -> Result<Judged, Error> {
        let now = self.clock.now();
        let random = self.random.clone();
        let read = move |connection: &mut Connection| judge(connection, degraded_from, now);
        let (mut judged, news) = self.read(read).await?;
        if news.is_empty() {
            return Ok(judged);
        }
        let told = self
            .write(move |connection| {
                let changed = tell(connection, &news)?;
                let news = news
                    .iter()
                    .filter(|new| changed.contains(&new.row.account_id));
                let news: Vec<&New> = news.collect();
                let rows = news
                    .iter()
                    .map(|new| new.event(EventId::new(now, &random), now));
                let rows: Vec<NewEventRow> = rows.map(NewEventRow::from).collect();
                insert_rows!(connection, events::table, rows.iter());
                let told = news
                    .iter()
                    .map(|new| (new.row.account_id, new.account.tenant_id));
                let told = told.zip(news.iter().map(|new| new.condition));
                Ok(told.collect::<Vec<_>>())
            })
            .await?;
        for ((account, tenant), condition) in told {
            judged.shards.insert(Shard::of_tenant(tenant));
            judged.changed.push((account.into(), condition));
        }
        Ok(judged)
    }
}

/// An account that fares otherwise than was told.
struct New {
    row: HealthRow,
    condition: Condition,
    /// Since when it was as was told; none where nothing was.
    seen: Option<Moment>,
    account: AccountOf,
    health: Health,
}

impl New {
    fn event(&self, id: EventId, now: Timestamp) -> Event {
        let event_type = match self.condition {
            Condition::Degraded => "provider.degraded",
            Condition::Healthy | Condition::Unknown => "provider.recovered",
        };
        Event {
            id,
            tenant_id: self.account.tenant_id,
            event_type: event_type.to_owned(),
            version: 1,
            environment: self.account.environment.clone(),
            created_at: now,
            source: "tidings".to_owned(),
            resource: Some(Resource {
                kind: "provider_account".to_owned(),
                id: AccountId::from(self.row.account_id).to_string(),
                data: None,
            }),
            context: None,
            metadata: None,
            data: Raw::of(&self.health),
            transition: None,
            traceparent: None,
            caused_at: now,
        }
    }
}

/// What is to be told, in the order of accounts.
fn judge(
    connection: &mut Connection,
    degraded_from: f64,
    now: Timestamp,
) -> Result<(Judged, Vec<New>), Error> {
    let ends = recent_ends(connection, now)?;
    let mut judged = Judged::default();
    let mut of_providers: BTreeMap<&str, Sums> = BTreeMap::new();
    for (_, provider, name, count) in &ends {
        let of_provider = of_providers.entry(provider).or_default();
        of_provider.add(name, *count);
    }
    for (provider, sums) in of_providers {
        let missed = missed_ratio(&sums);
        judged.missed.insert(provider.to_owned(), missed);
    }
    let mut of_accounts: BTreeMap<Uid, Sums> = BTreeMap::new();
    for (account, _, name, count) in &ends {
        of_accounts.entry(*account).or_default().add(name, *count);
    }
    let ids: Vec<Uid> = of_accounts.keys().copied().collect();
    let told = told_of(connection, &ids)?;
    let changes: BTreeMap<Uid, Condition> = of_accounts
        .iter()
        .filter_map(|(account, sums)| {
            let told = told
                .get(account)
                .map_or(Condition::Unknown, |(told, _)| *told);
            let changed = change(told, missed_ratio(sums), degraded_from)?;
            Some((*account, changed))
        })
        .collect();
    if changes.is_empty() {
        return Ok((judged, Vec::new()));
    }
    let ids: Vec<Uid> = changes.keys().copied().collect();
    let mut accounts = accounts_of(connection, &ids)?;
    let counted = Counted::of(connection, &ids, now)?;
    let news = changes.into_iter().filter_map(|(id, condition)| {
        let account = accounts.remove(&id)?;
        let since = Moment::from(now);
        Some(New {
            row: HealthRow {
                account_id: id,
                tenant_id: account.tenant_id.into(),
                state: encode(condition),
                since,
            },
            condition,
            seen: told.get(&id).map(|(_, since)| *since),
            health: counted.health(id, &account, Some((condition, since))),
            account,
        })
    });
    Ok((judged, news.collect()))
}

/// Notes what is told now, of the accounts of which still is told what was seen; those.
fn tell(connection: &mut Connection, news: &[New]) -> Result<HashSet<Uid>, Error> {
    let ids: Vec<Uid> = news.iter().map(|new| new.row.account_id).collect();
    let known: Vec<(Uid, Moment)> = load_locked!(
        connection,
        provider_health::table
            .filter(provider_health::account_id.eq_any(&ids))
            .order(provider_health::account_id)
            .select((provider_health::account_id, provider_health::since)),
        for_update
    );
    let known: HashMap<Uid, Moment> = known.into_iter().collect();
    let as_seen = |new: &&New| known.get(&new.row.account_id).copied() == new.seen;
    let (first, again): (Vec<&New>, Vec<&New>) = news
        .iter()
        .filter(as_seen)
        .partition(|new| new.seen.is_none());
    let rows = |news: Vec<&New>| {
        news.into_iter()
            .map(|new| new.row.clone())
            .collect::<Vec<_>>()
    };
    let mut told: HashSet<Uid> = dialect::begin(connection, &rows(first))?
        .into_iter()
        .collect();
    let again = rows(again);
    dialect::replace(connection, &again)?;
    told.extend(again.iter().map(|row| row.account_id));
    Ok(told)
}

/// What ended in the last hour: of which account and provider, under which name, how often.
fn recent_ends(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<Vec<(Uid, String, String, u64)>, Error> {
    let key = (tallies::account_id, tallies::provider, tallies::name);
    let rows: Vec<(Uid, String, String, i64)> = each!(connection, c => tallies::table
        .filter(tallies::slot.gt(Slot::of(now).before(WINDOW).0))
        .filter(tallies::name.eq_any(Name::of_ends()))
        .group_by(key)
        .select((tallies::account_id, tallies::provider, tallies::name, total()))
        .load(c))?;
    let number = |count| u64::try_from(count).unwrap_or(0);
    let rows = rows
        .into_iter()
        .map(|(account, provider, name, count)| (account, provider, name, number(count)));
    Ok(rows.collect())
}

fn told_of(connection: &mut Connection, accounts: &[Uid]) -> Result<Told, Error> {
    let rows: Vec<(Uid, i16, Moment)> = each!(connection, c => provider_health::table
        .filter(provider_health::account_id.eq_any(accounts))
        .select((
            provider_health::account_id,
            provider_health::state,
            provider_health::since,
        ))
        .load(c))?;
    rows.into_iter()
        .map(|(account, state, since)| Ok((account, (decode(state)?, since))))
        .collect()
}

/// An account, as far as its health is told.
struct AccountOf {
    tenant_id: TenantId,
    slug: Slug,
    provider: String,
    environment: Environment,
}

fn accounts_of(connection: &mut Connection, ids: &[Uid]) -> Result<HashMap<Uid, AccountOf>, Error> {
    let rows: Vec<(Uid, Uid, String, String, String)> = each!(connection, c => provider_accounts::table
            .filter(provider_accounts::id.eq_any(ids))
            .select((
                provider_accounts::id,
                provider_accounts::tenant_id,
                provider_accounts::slug,
                provider_accounts::provider,
                provider_accounts::environment,
            ))
            .load(c))?;
    rows.into_iter()
        .map(|(id, tenant, slug, provider, environment)| {
            let broken = || Error::unreadable("an account with an invalid name");
            let account = AccountOf {
                tenant_id: tenant.into(),
                slug: slug.parse().map_err(|_| broken())?,
                provider,
                environment: environment.parse().map_err(|_| broken())?,
            };
            Ok((id, account))
        })
        .collect()
}

/// What was counted of accounts in the last hour and in the day before it.
struct Counted {
    hour: HashMap<Uid, Sums>,
    day_before: HashMap<Uid, Sums>,
}

impl Counted {
    fn of(connection: &mut Connection, accounts: &[Uid], now: Timestamp) -> Result<Self, Error> {
        let next = Slot(Slot::of(now).0.saturating_add(1));
        let hour = next.before(WINDOW)..next;
        let day_before = hour.start.before(USUAL)..hour.start;
        let reports = Name::of_reports();
        Ok(Self {
            hour: sums_of(connection, accounts, hour, None)?,
            day_before: sums_of(connection, accounts, day_before, Some(&reports))?,
        })
    }

    fn health(&self, id: Uid, account: &AccountOf, told: Option<(Condition, Moment)>) -> Health {
        let patient = Patient {
            provider_account: account.slug.clone(),
            provider: account.provider.clone(),
            told: told.map(|(condition, since)| (condition, since.into())),
        };
        let nothing = Sums::default();
        let hour = self.hour.get(&id).unwrap_or(&nothing);
        let day_before = self.day_before.get(&id).unwrap_or(&nothing);
        Health::of(patient, hour, day_before)
    }
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = provider_health)]
pub(crate) struct HealthRow {
    pub account_id: Uid,
    tenant_id: Uid,
    state: i16,
    since: Moment,
}

columns!(HealthRow => "provider_health" {
    account_id: Id,
    tenant_id: Id,
    state: SmallInt,
    since: Instant,
});

const fn encode(condition: Condition) -> i16 {
    match condition {
        Condition::Unknown => 0,
        Condition::Healthy => 1,
        Condition::Degraded => 2,
    }
}

fn decode(code: i16) -> Result<Condition, Error> {
    [Condition::Unknown, Condition::Healthy, Condition::Degraded]
        .into_iter()
        .find(|condition| encode(*condition) == code)
        .ok_or_else(|| Error::unreadable(format!("a provider account in the condition {code}")))
}
