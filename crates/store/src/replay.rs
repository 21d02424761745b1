//! Replays: old events that are told again. A replay is a row with a cursor; the owner of its tenant's shard
//! makes the deliveries of a page in the commit that moves the cursor.

pub(crate) mod page;
mod row;

pub(crate) use row::ReplayRow;

use crate::Store;
use crate::audit;
use crate::connection::{Connection, each, load_locked};
use crate::dialect::event::newest_position;
use crate::dialect::lock;
use crate::error::Error;
use crate::page::{Page, Window};
use crate::schema::{events, replays};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::id::{ReplayId, SubscriptionId, TenantId};
use domain::replay::{Selection, State};
use domain::{Shard, Timestamp};
use row::{CANCELLING, code_of};
use std::time::Duration;

/// By how much the order in which events were written may differ from that of their ids.
const SLACK: Duration = Duration::from_mins(1);

/// A replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Its id.
    pub id: ReplayId,
    /// To this one alone; none for all that are active and want the event.
    pub subscription_id: Option<SubscriptionId>,
    /// Of which events.
    pub selection: Selection,
    /// How far it is.
    pub state: State,
    /// How many events there were when it was asked for.
    pub total: u64,
    /// Of how many events the deliveries were made.
    pub done: u64,
    /// How many deliveries were made.
    pub deliveries: u64,
    /// So many events in a second at the most.
    pub per_second: Option<u32>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was done or cancelled.
    pub ended_at: Option<Timestamp>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Whose events.
    pub tenant_id: TenantId,
    /// To whom; none for all that are active and want the event.
    pub subscription_id: Option<SubscriptionId>,
    /// Of which events.
    pub selection: Selection,
    /// So many events in a second at the most.
    pub per_second: Option<u32>,
    /// Events from before this are about to be forgotten, and left out.
    pub since: Timestamp,
}

/// How a replay is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Not for now.
    Pause,
    /// From where it was paused.
    Resume,
    /// Never.
    Cancel,
}

/// What became of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It is as wished.
    Done(Box<Replay>),
    /// It has ended in this state.
    Ended(State),
    /// There is no such replay.
    Missing,
}

impl Store {
    /// How many events a selection holds now, of those written since.
    pub async fn count_selected(
        &self,
        tenant: TenantId,
        selection: Selection,
        since: Timestamp,
    ) -> Result<u64, Error> {
        let through = self.last_position(tenant).await?;
        let (_, total) = self.survey(tenant, selection, since, through).await?;
        Ok(total)
    }

    /// Begins a replay of the events that were accepted before it.
    pub async fn begin_replay(&self, demand: Demand) -> Result<Replay, Error> {
        let now = self.clock.now();
        let tenant = demand.tenant_id;
        let through = self.last_position(tenant).await?;
        let selection = demand.selection.clone();
        let (reached, total) = self
            .survey(tenant, selection, demand.since, through)
            .await?;
        let replay = Replay {
            id: ReplayId::new(now, &self.random),
            subscription_id: demand.subscription_id,
            selection: demand.selection,
            state: State::Running,
            total,
            done: 0,
            deliveries: 0,
            per_second: demand.per_second,
            created_at: now,
            ended_at: None,
        };
        let row = ReplayRow::new(tenant, &replay, (reached, through))?;
        let (recorder, begun) = (self.recorder(), replay.clone());
        self.write(move |connection| {
            each!(connection, c => diesel::insert_into(replays::table)
                .values(&row)
                .execute(c))?;
            let Some(recorder) = &recorder else {
                return Ok(());
            };
            let change = audit::Change {
                target_type: "replay",
                target_id: Some(begun.id.to_string()),
                before: None,
                after: Some(recorder.show(&audit::Seen::Replay(begun.clone()))),
            };
            recorder.changed(connection, vec![change])
        })
        .await?;
        Ok(replay)
    }

    /// A tenant's replay.
    pub async fn find_replay(
        &self,
        tenant: TenantId,
        id: ReplayId,
    ) -> Result<Option<Replay>, Error> {
        self.read(move |connection| find(connection, tenant, id))
            .await
    }

    /// A tenant's replays, newest first.
    pub async fn list_replays(
        &self,
        tenant: TenantId,
        window: Window<ReplayId>,
    ) -> Result<Page<Replay, ReplayId>, Error> {
        self.read(move |connection| {
            let rows: Vec<ReplayRow> = each!(connection, c => {
                let mut query = replays::table
                    .filter(replays::tenant_id.eq(Uid::from(tenant)))
                    .order(replays::id.desc())
                    .limit(window.reach())
                    .select(ReplayRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(replays::id.lt(Uid::from(before)));
                }
                query.load(c)
            })?;
            let items = rows
                .into_iter()
                .map(Replay::try_from)
                .collect::<Result<_, _>>()?;
            Ok(window.page(items, |item: &Replay| item.id))
        })
        .await
    }

    /// Pauses, resumes or cancels a replay. What it has made already goes on, until it is cancelled.
    pub async fn change_replay(
        &self,
        tenant: TenantId,
        id: ReplayId,
        wish: Wish,
    ) -> Result<Changed, Error> {
        let now = self.clock.now();
        self.write(move |connection| {
            let rows: Vec<ReplayRow> = load_locked!(
                connection,
                of(tenant, id).select(ReplayRow::as_select()),
                for_update
            );
            let Some(row) = rows.into_iter().next() else {
                return Ok(Changed::Missing);
            };
            let mut replay = Replay::try_from(row)?;
            let (state, code) = match (wish, replay.state) {
                (Wish::Cancel, State::Running | State::Paused) => (State::Cancelled, CANCELLING),
                (Wish::Pause, State::Running) => (State::Paused, code_of(State::Paused)),
                (Wish::Resume, State::Paused) => (State::Running, code_of(State::Running)),
                (Wish::Cancel, State::Cancelled)
                | (Wish::Pause, State::Paused)
                | (Wish::Resume, State::Running) => return Ok(Changed::Done(Box::new(replay))),
                (_, ended) => return Ok(Changed::Ended(ended)),
            };
            each!(connection, c => diesel::update(replays::table.find(Uid::from(id)))
                .set((
                    replays::state.eq(code),
                    replays::next_at.eq(Moment::from(now)),
                ))
                .execute(c))?;
            replay.state = state;
            Ok(Changed::Done(Box::new(replay)))
        })
        .await
    }

    /// How many replays are in each state, for metrics.
    pub async fn count_replays(&self) -> Result<Vec<(State, u64)>, Error> {
        self.read(|connection| {
            let counts: Vec<(i16, i64)> = each!(connection, c => replays::table
                .group_by(replays::state)
                .select((replays::state, diesel::dsl::count_star()))
                .load(c))?;
            let told = counts.into_iter().map(|(code, count)| {
                let count = u64::try_from(count).unwrap_or(0);
                Ok((row::state_of(code)?, count))
            });
            told.collect()
        })
        .await
    }

    /// The position of the tenant's newest event: every one before it is committed.
    async fn last_position(&self, tenant: TenantId) -> Result<i64, Error> {
        self.write(move |connection| {
            lock::no_events_of(connection, tenant)?;
            newest_position(connection)
        })
        .await
    }

    /// From where on a selection's events are, of those up to a position, and how many there are.
    async fn survey(
        &self,
        tenant: TenantId,
        selection: Selection,
        since: Timestamp,
        through: i64,
    ) -> Result<(i64, u64), Error> {
        self.read(move |connection| {
            let reached = match &selection {
                Selection::Ids { .. } => 0,
                Selection::Range { from, .. } => before(connection, since.max(*from))?,
            };
            let count: i64 = each!(connection, c => {
                let mut query = events::table
                    .filter(events::tenant_id.eq(Uid::from(tenant)))
                    .filter(events::position.le(through))
                    .filter(events::created_at.ge(Moment::from(since)))
                    .select(diesel::dsl::count_star())
                    .into_boxed();
                match selection {
                    Selection::Ids { ids } => {
                        let ids: Vec<Uid> = ids.into_iter().map(Uid::from).collect();
                        query = query.filter(events::id.eq_any(ids));
                    }
                    Selection::Range { from, to, types } => {
                        query = query
                            .filter(events::position.gt(reached))
                            .filter(events::created_at.ge(Moment::from(from)))
                            .filter(events::created_at.lt(Moment::from(to)));
                        if let Some(types) = types {
                            query = query.filter(events::event_type.eq_any(types));
                        }
                    }
                }
                query.get_result(c)
            })?;
            Ok((reached, u64::try_from(count).unwrap_or(0)))
        })
        .await
    }
}

/// The position of an event that was written before any of this time or a later one.
fn before(connection: &mut Connection, from: Timestamp) -> Result<i64, Error> {
    let floor = Uid::first_of(from.minus(SLACK));
    let last: Option<i64> = each!(connection, c => events::table
        .filter(events::id.lt(floor))
        .order(events::id.desc())
        .select(events::position)
        .first(c)
        .optional())?;
    Ok(last.unwrap_or(0))
}

pub(crate) fn find(
    connection: &mut Connection,
    tenant: TenantId,
    id: ReplayId,
) -> Result<Option<Replay>, Error> {
    let row: Option<ReplayRow> = each!(connection, c => of(tenant, id)
        .select(ReplayRow::as_select())
        .first(c)
        .optional())?;
    row.map(Replay::try_from).transpose()
}

#[diesel::dsl::auto_type(no_type_alias)]
fn of(tenant: TenantId, id: ReplayId) -> _ {
    let (tenant, id): (Uid, Uid) = (tenant.into(), id.into());
    replays::table
        .filter(replays::id.eq(id))
        .filter(replays::tenant_id.eq(tenant))
}

impl ReplayRow {
    /// Whose owner does it.
    pub(crate) fn shard(&self) -> Shard {
        Shard::of_tenant(self.tenant_id.into())
    }
}
