//! Plans: what tenants may use. Those that ship are rows as well, and stay as they are.

mod count;
mod told;

pub(crate) use count::{Asked, CounterRow, Key, Taken, take};

use crate::Store;
use crate::connection::{Connection, each, load_locked};
use crate::error::Error;
use crate::installation::{Versioned, bump};
use crate::retention::PAGE;
use crate::schema::{limit_counters, plans, subscriptions, tenants};
use crate::sql_types::Uid;
use crate::tenant::DELETED;
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::TenantId;
use domain::plan::{Limit, MAX_OWN_PLANS, Plan, Use, day_of, end_of};
use domain::subscription::RateLimit;
use std::collections::HashMap;

/// How many days that are over are remembered: clocks differ, and a day ends everywhere before it is forgotten.
const DAYS_KEPT: i32 = 2;

/// What became of a plan that was to be made or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Made,
    /// It has these limits now.
    Replaced,
    /// It ships, and stays as it is.
    Shipped,
    /// There are too many.
    TooMany,
}

/// What became of a plan that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Gone,
    /// It ships, and stays.
    Shipped,
    /// A tenant has it.
    InUse,
    /// There is none.
    Missing,
}

/// What a tenant's plan limits, and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Of its events; none where their number has no limit.
    pub events_per_day: Option<Use>,
    /// Of its webhooks; none where their number has no limit.
    pub webhooks: Option<Use>,
    /// Of each of its webhooks.
    pub rate_limit: Option<RateLimit>,
}

impl Store {
    /// All plans, in the order of their names. They are few.
    pub async fn list_plans(&self) -> Result<Vec<Plan>, Error> {
        self.read(|connection| {
            let rows: Vec<PlanRow> = each!(connection, c => plans::table
                .order(plans::name)
                .select(PlanRow::as_select())
                .load(c))?;
            rows.into_iter().map(Plan::try_from).collect()
        })
        .await
    }

    /// The plan of this name.
    pub async fn find_plan(&self, name: String) -> Result<Option<Plan>, Error> {
        self.read(move |connection| find(connection, &name)?.map(Plan::try_from).transpose())
            .await
    }

    /// Makes a plan, or gives it other limits, which hold at once: how fast webhooks are sent to from the
    /// next attempt on.
    pub async fn put_plan(&self, plan: Plan) -> Result<Put, Error> {
        let row = PlanRow::from(plan);
        let recorder = self.recorder();
        self.write(move |connection| {
            // Those who change plans, or which tenant has which, go one after another.
            let version = bump(connection, Versioned::Subscriptions)?;
            let before = find(connection, &row.name)?;
            match &before {
                Some(before) if before.is_shipped => return Ok(Put::Shipped),
                None if own_plans(connection)? >= i64::from(MAX_OWN_PLANS) => {
                    return Ok(Put::TooMany);
                }
                Some(_) => {
                    each!(connection, c => diesel::update(plans::table.find(&row.name))
                        .set(&row)
                        .execute(c))?;
                }
                None => {
                    each!(connection, c => diesel::insert_into(plans::table)
                        .values(&row)
                        .execute(c))?;
                }
            }
            each!(connection, c => diesel::update(tenants::table)
                .filter(tenants::plan.eq(&row.name))
                .set(tenants::subscription_version.eq(version))
                .execute(c))?;
            let put = before.as_ref().map_or(Put::Made, |_| Put::Replaced);
            told::changed(recorder.as_ref(), connection, before, Some(row.clone()))?;
            Ok(put)
        })
        .await
    }

    /// Deletes a plan that no tenant has.
    pub async fn delete_plan(&self, name: String) -> Result<Deleted, Error> {
        let recorder = self.recorder();
        self.write(move |connection| {
            // Whoever gives it to a tenant meanwhile shares its row: one of the two waits for the other.
            let found: Vec<PlanRow> = load_locked!(
                connection,
                plans::table.find(&name).select(PlanRow::as_select()),
                for_update
            );
            let Some(row) = found.into_iter().next() else {
                return Ok(Deleted::Missing);
            };
            if row.is_shipped {
                return Ok(Deleted::Shipped);
            }
            let has_it: Option<Uid> = each!(connection, c => tenants::table
                .filter(tenants::plan.eq(&name))
                .filter(tenants::state.ne(DELETED))
                .select(tenants::id)
                .first(c)
                .optional())?;
            if has_it.is_some() {
                return Ok(Deleted::InUse);
            }
            each!(connection, c => diesel::delete(plans::table.find(&name)).execute(c))?;
            told::changed(recorder.as_ref(), connection, Some(row), None)?;
            Ok(Deleted::Gone)
        })
        .await
    }

    /// What the plan of a tenant limits now, and how much of it is used.
    pub async fn find_limits(&self, tenant: TenantId) -> Result<Limits, Error> {
        let now = self.clock.now();
        self.read(move |connection| limits(connection, tenant, now))
            .await
    }

    /// Forgets a page of counters of days that are over; how many.
    pub async fn forget_limit_counters(&self) -> Result<usize, Error> {
        // What is counted at the day 0 has no day.
        let days = 1..day_of(self.clock.now()) - DAYS_KEPT;
        self.write(move |connection| {
            let old: Vec<(Uid, i16, i32)> = each!(connection, c => limit_counters::table
                .filter(limit_counters::day.ge(days.start))
                .filter(limit_counters::day.lt(days.end))
                .order(limit_counters::day)
                .select((limit_counters::tenant_id, limit_counters::kind, limit_counters::day))
                .limit(PAGE)
                .load(c))?;
            let Some((_, _, day)) = old.first().copied() else {
                return Ok(0);
            };
            let of_day = old.iter().filter(|(.., other)| *other == day);
            let tenants: Vec<Uid> = of_day.map(|(tenant, ..)| *tenant).collect();
            Ok(each!(connection, c => diesel::delete(limit_counters::table)
                .filter(limit_counters::day.eq(day))
                .filter(limit_counters::tenant_id.eq_any(&tenants))
                .execute(c))?)
        })
        .await
    }
}

/// Whether there is such a plan; it stays until the transaction ends.
pub(crate) fn holds(connection: &mut Connection, name: &str) -> Result<bool, Error> {
    let found: Vec<String> = load_locked!(
        connection,
        plans::table.find(name).select(plans::name),
        for_share
    );
    Ok(!found.is_empty())
}

/// The plans of these tenants.
pub(crate) fn of_tenants(
    connection: &mut Connection,
    of: &[Uid],
) -> Result<HashMap<Uid, Plan>, Error> {
    let rows: Vec<(Uid, PlanRow)> = each!(connection, c => tenants::table
        .inner_join(plans::table.on(plans::name.eq(tenants::plan)))
        .filter(tenants::id.eq_any(of))
        .select((tenants::id, PlanRow::as_select()))
        .load(c))?;
    rows.into_iter()
        .map(|(id, row)| Ok((id, row.try_into()?)))
        .collect()
}

/// How many webhooks a tenant has.
pub(crate) fn webhooks_of(connection: &mut Connection, tenant: TenantId) -> Result<u64, Error> {
    let number: i64 = each!(connection, c => subscriptions::table
        .filter(subscriptions::tenant_id.eq(Uid::from(tenant)))
        .filter(subscriptions::deleted_at.is_null())
        .count()
        .get_result(c))?;
    Ok(u64::try_from(number).unwrap_or(0))
}

fn limits(connection: &mut Connection, tenant: TenantId, now: Timestamp) -> Result<Limits, Error> {
    let plan = of_tenants(connection, &[tenant.into()])?.remove(&tenant.into());
    let Some(plan) = plan else {
        return Ok(Limits {
            events_per_day: None,
            webhooks: None,
            rate_limit: None,
        });
    };
    let day = day_of(now);
    let of = |limit, used, allowed, resets_at| Use {
        limit,
        plan: plan.name.clone(),
        used,
        allowed,
        resets_at,
    };
    let events_per_day = match plan.events_per_day {
        None => None,
        Some(allowed) => {
            let used = count::used_of(connection, tenant, day)?;
            Some(of(Limit::EventsPerDay, used, allowed, Some(end_of(day))))
        }
    };
    let webhooks = match plan.webhooks {
        None => None,
        Some(allowed) => {
            let used = webhooks_of(connection, tenant)?;
            Some(of(Limit::Webhooks, used, allowed.into(), None))
        }
    };
    Ok(Limits {
        events_per_day,
        webhooks,
        rate_limit: plan.rate_limit,
    })
}

fn find(connection: &mut Connection, name: &str) -> Result<Option<PlanRow>, Error> {
    Ok(each!(connection, c => plans::table
        .find(name)
        .select(PlanRow::as_select())
        .first(c)
        .optional())?)
}

fn own_plans(connection: &mut Connection) -> Result<i64, Error> {
    Ok(each!(connection, c => plans::table
        .filter(diesel::dsl::not(plans::is_shipped))
        .count()
        .get_result(c))?)
}

#[derive(Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = plans, treat_none_as_default_value = false, treat_none_as_null = true)]
#[diesel(primary_key(name))]
pub(crate) struct PlanRow {
    name: String,
    is_shipped: bool,
    events_per_day: Option<i64>,
    webhooks: Option<i32>,
    per_minute: Option<i32>,
    per_hour: Option<i32>,
}

impl From<Plan> for PlanRow {
    fn from(plan: Plan) -> Self {
        let rate = plan.rate_limit;
        let number = |it: u32| i32::try_from(it).unwrap_or(i32::MAX);
        Self {
            name: plan.name,
            is_shipped: plan.is_shipped,
            events_per_day: plan
                .events_per_day
                .map(|it| i64::try_from(it).unwrap_or(i64::MAX)),
            webhooks: plan.webhooks.map(number),
            per_minute: rate.and_then(|rate| rate.per_minute).map(number),
            per_hour: rate.and_then(|rate| rate.per_hour).map(number),
        }
    }
}

impl TryFrom<PlanRow> for Plan {
    type Error = Error;

    fn try_from(row: PlanRow) -> Result<Self, Error> {
        let broken = |_| Error::unreadable("a plan with a negative limit");
        let number = |it: Option<i32>| it.map(u32::try_from).transpose().map_err(broken);
        let rate = RateLimit {
            per_minute: number(row.per_minute)?,
            per_hour: number(row.per_hour)?,
        };
        let is_limited = rate.per_minute.is_some() || rate.per_hour.is_some();
        let events = row.events_per_day.map(u64::try_from).transpose();
        Ok(Self {
            name: row.name,
            is_shipped: row.is_shipped,
            events_per_day: events.map_err(broken)?,
            webhooks: number(row.webhooks)?,
            rate_limit: is_limited.then_some(rate),
        })
    }
}
