//! Many subscriptions of a tenant at once: made, changed or ended in one commit, which every dispatcher
//! hears of once.

use super::list::{Filter, rows};
use super::told::{self, Pair};
use super::{Change, Subscription, SubscriptionRow, changed, find_locked, find_these, rotation};
use crate::Store;
use crate::connection::{Connection, each, insert_rows};
use crate::dialect;
use crate::dialect::event::newest_position;
use crate::dialect::lock;
use crate::error::Error;
use crate::news::Told;
use crate::page::Window;
use crate::plan::{self, Asked, Taken};
use crate::schema::{events, subscriptions};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::id::{SubscriptionId, TenantId};
use domain::plan::{Limit, Use};
use domain::{Random, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// Which subscriptions something is done to.
#[derive(Debug, Clone)]
pub enum Which {
    /// These, each named once.
    Ids(Vec<SubscriptionId>),
    /// A page of those that a filter finds.
    Found(Filter, Window<SubscriptionId>),
}

/// What became of those that were chosen, in their order.
#[derive(Debug)]
pub struct Chosen<R> {
    /// Each with its outcome.
    pub items: Vec<(SubscriptionId, Outcome<R>)>,
    /// Where the next page begins; none where this was the last, or ids were named.
    pub next: Option<SubscriptionId>,
}

/// What became of a subscription.
#[derive(Debug)]
pub enum Outcome<R> {
    /// It is this now; in a dry run, it would be.
    Changed(Box<Subscription>),
    /// It is as it was.
    Same(Box<Subscription>),
    /// It was not changed, for this reason.
    Refused(R),
    /// There is none.
    Missing,
}

/// How many subscriptions were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// So many: the first of those that were to be.
    pub number: usize,
    /// The limit of the plan that the others meet, where there are others.
    pub refused: Option<Use>,
    /// What was told of the limit.
    pub told: Told,
}

impl Store {
    /// Makes subscriptions, as many as the plan leaves room for. They want the events written from now on.
    pub async fn create_subscriptions(
        &self,
        tenant: TenantId,
        new: Vec<Subscription>,
    ) -> Result<Made, Error> {
        let rows = new.into_iter().map(SubscriptionRow::new);
        let mut rows: Vec<SubscriptionRow> = rows.collect::<Result<_, _>>()?;
        let recorder = self.recorder();
        let (clock, random) = (self.clock.clone(), self.random.clone());
        self.write(move |connection| {
            // Whoever else makes some waits here, and counts these.
            changed(connection, tenant.into())?;
            let (number, taken) = count(connection, tenant, rows.len(), clock.now(), &random)?;
            let rows = rows.get_mut(..number).unwrap_or_default();
            // From here on every event is either committed before them, or written after them.
            lock::no_events_of(connection, tenant)?;
            let position = newest_position(connection)?;
            for row in rows.iter_mut() {
                row.since_position = position;
            }
            insert_rows!(connection, subscriptions::table, rows.iter());
            insert_rows!(connection, events::table, taken.told.iter());
            let made = rows.iter().map(|row| (None, Some(row.clone())));
            told::changed(recorder.as_ref(), connection, made.collect())?;
            Ok(Made {
                number,
                told: Told::of(&taken.told),
                refused: taken.refused.into_values().next().map(|(_, used)| used),
            })
        })
        .await
    }

    /// Changes subscriptions, each as `decide` says of it as it is: nothing, a change, or why not.
    /// Nobody else changes them between that and the commit. In a dry run nothing is changed.
    pub async fn change_subscriptions<R: Send + 'static>(
        &self,
        tenant: TenantId,
        which: Which,
        dry_run: bool,
        mut decide: impl FnMut(&Subscription) -> Result<Option<Change>, R> + Send + 'static,
    ) -> Result<Chosen<R>, Error> {
        let recorder = self.recorder();
        let mut work = move |connection: &mut Connection| {
            let mut plan = Plan::default();
            let found = find(connection, tenant, &which, dry_run)?;
            let mut outcomes = HashMap::with_capacity(found.rows.len());
            for row in found.rows {
                let id = SubscriptionId::from(row.id);
                outcomes.insert(id, plan.add(row, &mut decide)?);
            }
            if !dry_run {
                plan.carry_out(connection, tenant)?;
                told::changed(recorder.as_ref(), connection, plan.told)?;
            }
            Ok(in_order(found.order, found.next, outcomes))
        };
        if dry_run {
            return self.read(work).await;
        }
        self.write(move |connection| work(connection)).await
    }

    /// Ends subscriptions; the outcome of one that there was is as it was. In a dry run none is ended.
    pub async fn delete_subscriptions(
        &self,
        tenant: TenantId,
        which: Which,
        dry_run: bool,
        at: Timestamp,
    ) -> Result<Chosen<()>, Error> {
        let recorder = self.recorder();
        let work = move |connection: &mut Connection| {
            let found = find(connection, tenant, &which, dry_run)?;
            let ids: Vec<Uid> = found.rows.iter().map(|row| row.id).collect();
            if !dry_run && !ids.is_empty() {
                each!(connection, c => diesel::update(subscriptions::table)
                    .filter(subscriptions::id.eq_any(&ids))
                    .set(subscriptions::deleted_at.eq(Some(Moment::from(at))))
                    .execute(c))?;
                changed(connection, tenant.into())?;
                let ended = found.rows.iter().map(|row| (Some(row.clone()), None));
                told::changed(recorder.as_ref(), connection, ended.collect())?;
            }
            let mut outcomes = HashMap::with_capacity(found.rows.len());
            for row in found.rows {
                let ended = Subscription::try_from(row)?;
                let id = ended.interest.subscription_id;
                outcomes.insert(id, Outcome::Same(Box::new(ended)));
            }
            Ok(in_order(found.order, found.next, outcomes))
        };
        if dry_run {
            return self.read(work).await;
        }
        self.write(work).await
    }
}

/// How many of so many more there is room for, and what is told of it.
fn count(
    connection: &mut Connection,
    tenant: TenantId,
    more: usize,
    at: Timestamp,
    random: &Random,
) -> Result<(usize, Taken), Error> {
    // There is no day to count them at.
    let key = (Uid::from(tenant), Limit::Webhooks, 0);
    let asked = Asked {
        more: u64::try_from(more).unwrap_or(u64::MAX),
        used: Some(plan::webhooks_of(connection, tenant)?),
        at,
    };
    let taken = plan::take(connection, &BTreeMap::from([(key, asked)]), random)?;
    let refused = taken.refused.get(&key).map_or(0, |(number, _)| *number);
    let refused = usize::try_from(refused).unwrap_or(usize::MAX);
    Ok((more.saturating_sub(refused), taken))
}

/// What is to be written.
#[derive(Default)]
struct Plan {
    rows: Vec<SubscriptionRow>,
    /// Of those that got a secret.
    new_secrets: Vec<Uid>,
    /// What they were, and what they become.
    told: Vec<Pair>,
}

impl Plan {
    fn add<R>(
        &mut self,
        mut row: SubscriptionRow,
        decide: &mut impl FnMut(&Subscription) -> Result<Option<Change>, R>,
    ) -> Result<Outcome<R>, Error> {
        let is = Subscription::try_from(row.clone())?;
        let change = match decide(&is) {
            Err(reason) => return Ok(Outcome::Refused(reason)),
            Ok(None) => return Ok(Outcome::Same(Box::new(is))),
            Ok(Some(change)) => change,
        };
        let before = row.clone();
        if row.apply(change)? {
            self.new_secrets.push(row.id);
        }
        let becomes = Subscription::try_from(row.clone())?;
        self.told.push((Some(before), Some(row.clone())));
        self.rows.push(row);
        Ok(Outcome::Changed(Box::new(becomes)))
    }

    fn carry_out(&self, connection: &mut Connection, tenant: TenantId) -> Result<(), Error> {
        if self.rows.is_empty() {
            return Ok(());
        }
        rotation::forget_previous(connection, &self.new_secrets)?;
        dialect::subscription::update(connection, &self.rows)?;
        changed(connection, tenant.into())
    }
}

/// Those that were chosen.
struct Found {
    /// As they were asked for.
    order: Vec<SubscriptionId>,
    /// Those of them that there are, by id.
    rows: Vec<SubscriptionRow>,
    next: Option<SubscriptionId>,
}

/// Finds those that are meant first, and then locks them by id, so that two requests never wait for
/// one another.
fn find(
    connection: &mut Connection,
    tenant: TenantId,
    which: &Which,
    dry_run: bool,
) -> Result<Found, Error> {
    let (order, next) = match which {
        Which::Ids(ids) => (ids.clone(), None),
        Which::Found(filter, window) => {
            let rows = rows(connection, tenant, filter, window)?;
            let page = window.page(rows, |row| SubscriptionId::from(row.id));
            let ids = page.items.iter().map(|row| row.id.into()).collect();
            (ids, page.next)
        }
    };
    let rows = if dry_run {
        find_these(connection, tenant, &order)?
    } else {
        find_locked(connection, tenant, &order)?
    };
    Ok(Found { order, rows, next })
}

fn in_order<R>(
    order: Vec<SubscriptionId>,
    next: Option<SubscriptionId>,
    mut outcomes: HashMap<SubscriptionId, Outcome<R>>,
) -> Chosen<R> {
    let items = order.into_iter().map(|id| {
        let outcome = outcomes.remove(&id).unwrap_or(Outcome::Missing);
        (id, outcome)
    });
    Chosen {
        items: items.collect(),
        next,
    }
}
