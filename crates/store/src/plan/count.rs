//! Counting what plans limit, in the transaction of what is counted: whoever counts for a tenant holds its
//! row until then.

use super::of_tenants;
use crate::connection::{Connection, each};
use crate::dialect;
use crate::dialect::array::columns;
use crate::error::Error;
use crate::event::NewEventRow;
use crate::schema::limit_counters;
use crate::sql_types::{Id, Uid};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, SmallInt};
use domain::id::TenantId;
use domain::plan::{Limit, Mark, Plan, Use, end_of};
use domain::{Random, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Of which tenant, and what; of events, on which day.
pub(crate) type Key = (Uid, Limit, i32);

/// What is to be counted under a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// So many more.
    pub more: u64,
    /// How many there are, where that is known from elsewhere than from the counter.
    pub used: Option<u64>,
    /// When.
    pub at: Timestamp,
}

/// What was counted.
#[derive(Default)]
pub(crate) struct Taken {
    /// How many of each there was no room for, and the limit that they meet.
    pub refused: HashMap<Key, (u64, Use)>,
    /// What is told of it, which is to be written in the same transaction.
    pub told: Vec<NewEventRow>,
}

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = limit_counters)]
pub(crate) struct CounterRow {
    pub(crate) tenant_id: Uid,
    pub(crate) kind: i16,
    pub(crate) day: i32,
    pub(crate) used: i64,
    pub(crate) told: i16,
}

columns!(CounterRow => "limit_counters" {
    tenant_id: Id,
    kind: SmallInt,
    day: Integer,
    used: BigInt,
    told: SmallInt,
});

/// Counts, as far as the plans leave room, and says what is to be told. What no plan limits is not counted.
pub(crate) fn take(
    connection: &mut Connection,
    asked: &BTreeMap<Key, Asked>,
    random: &Random,
) -> Result<Taken, Error> {
    let mut taken = Taken::default();
    let tenants: BTreeSet<Uid> = asked.keys().map(|(tenant, ..)| *tenant).collect();
    let tenants: Vec<Uid> = tenants.into_iter().collect();
    if tenants.is_empty() {
        return Ok(taken);
    }
    let plans = of_tenants(connection, &tenants)?;
    let limited = |(tenant, limit, _): &Key| {
        let plan = plans.get(tenant)?;
        Some((plan, allowed(plan, *limit)?))
    };
    // In the order of their keys, so that two transactions never wait for one another.
    let wanted: Vec<CounterRow> = asked
        .keys()
        .filter(|key| limited(key).is_some())
        .map(CounterRow::of)
        .collect();
    let mut rows = dialect::plan::hold(connection, &wanted)?;
    for row in &mut rows {
        let key = row.key()?;
        let (Some((plan, allowed)), Some(asked)) = (limited(&key), asked.get(&key)) else {
            continue;
        };
        let before = asked
            .used
            .unwrap_or_else(|| u64::try_from(row.used).unwrap_or(0));
        let more = asked.more.min(allowed.saturating_sub(before));
        let used = Use {
            limit: key.1,
            plan: plan.name.clone(),
            used: before + more,
            allowed,
            resets_at: resets_at(&key),
        };
        row.used = i64::try_from(used.used).unwrap_or(i64::MAX);
        row.tell(&used, asked.at, random, &mut taken.told);
        if more < asked.more {
            taken.refused.insert(key, (asked.more - more, used));
        }
    }
    dialect::plan::keep(connection, &rows)?;
    Ok(taken)
}

/// How many events a tenant has published on a day on which their number was limited.
pub(super) fn used_of(
    connection: &mut Connection,
    tenant: TenantId,
    day: i32,
) -> Result<u64, Error> {
    let key = (Uid::from(tenant), encode(Limit::EventsPerDay), day);
    let used: Option<i64> = each!(connection, c => limit_counters::table
        .find(key)
        .select(limit_counters::used)
        .first(c)
        .optional())?;
    Ok(used.and_then(|used| u64::try_from(used).ok()).unwrap_or(0))
}

impl CounterRow {
    fn of((tenant, limit, day): &Key) -> Self {
        Self {
            tenant_id: *tenant,
            kind: encode(*limit),
            day: *day,
            used: 0,
            told: 0,
        }
    }

    fn key(&self) -> Result<Key, Error> {
        Ok((self.tenant_id, decode(self.kind)?, self.day))
    }

    /// Tells that the limit is further used up than was told. Where it no longer is, because it was raised
    /// or something was given back, it will be told again.
    fn tell(&mut self, used: &Use, at: Timestamp, random: &Random, told: &mut Vec<NewEventRow>) {
        let mark = Mark::of(used.used, used.allowed);
        let code = encode_mark(mark);
        if code > self.told {
            let events = used.events(self.tenant_id.into(), mark, at, random);
            told.extend(events.into_iter().map(NewEventRow::from));
        }
        self.told = code;
    }
}

const fn allowed(plan: &Plan, limit: Limit) -> Option<u64> {
    match limit {
        Limit::EventsPerDay => plan.events_per_day,
        Limit::Webhooks => match plan.webhooks {
            Some(number) => Some(number as u64),
            None => None,
        },
    }
}

fn resets_at((_, limit, day): &Key) -> Option<Timestamp> {
    match limit {
        Limit::EventsPerDay => Some(end_of(*day)),
        Limit::Webhooks => None,
    }
}

const fn encode(limit: Limit) -> i16 {
    match limit {
        Limit::EventsPerDay => 0,
        Limit::Webhooks => 1,
    }
}

fn decode(code: i16) -> Result<Limit, Error> {
    Limit::ALL
        .into_iter()
        .find(|limit| encode(*limit) == code)
        .ok_or_else(|| Error::unreadable(format!("a counter of the kind {code}")))
}

const fn encode_mark(mark: Mark) -> i16 {
    match mark {
        Mark::Low => 0,
        Mark::Warning => 1,
        Mark::Reached => 2,
    }
}
