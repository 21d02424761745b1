//! Replays as rows.

use super::Replay;
use crate::error::Error;
use crate::schema::replays;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Shard;
use domain::id::TenantId;
use domain::replay::{Selection, State};

/// Cancelled, and deliveries of it may still be pending.
pub(super) const CANCELLING: i16 = 4;

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = replays, treat_none_as_default_value = false)]
pub(crate) struct ReplayRow {
    pub(super) id: Uid,
    pub(super) tenant_id: Uid,
    shard: i16,
    pub(super) subscription_id: Option<Uid>,
    pub(super) state: i16,
    pub(super) selection: String,
    /// Up to which position, or to which of its ids, the deliveries are made.
    pub(super) reached: i64,
    /// The position of the last event that may be of it.
    pub(super) through: i64,
    total: i64,
    done: i64,
    deliveries: i64,
    per_second: Option<i32>,
    pub(super) next_at: Moment,
    created_at: Moment,
    ended_at: Option<Moment>,
}

impl ReplayRow {
    pub(super) fn new(
        tenant: TenantId,
        replay: &Replay,
        (reached, through): (i64, i64),
    ) -> Result<Self, Error> {
        let selection = serde_json::to_string(&replay.selection)
            .map_err(|error| Error::unreadable(format!("a selection: {error}")))?;
        Ok(Self {
            id: replay.id.into(),
            tenant_id: tenant.into(),
            shard: i16::from(Shard::of_tenant(tenant).number()),
            subscription_id: replay.subscription_id.map(Uid::from),
            state: code_of(replay.state),
            selection,
            reached,
            through,
            total: number(replay.total),
            done: number(replay.done),
            deliveries: number(replay.deliveries),
            per_second: replay
                .per_second
                .map(|rate| i32::try_from(rate).unwrap_or(i32::MAX)),
            next_at: replay.created_at.into(),
            created_at: replay.created_at.into(),
            ended_at: replay.ended_at.map(Moment::from),
        })
    }

    pub(super) fn selection(&self) -> Result<Selection, Error> {
        serde_json::from_str(&self.selection)
            .map_err(|error| Error::unreadable(format!("a replay of nothing we know: {error}")))
    }

    pub(super) fn per_second(&self) -> Option<u32> {
        self.per_second.and_then(|rate| u32::try_from(rate).ok())
    }
}

impl TryFrom<ReplayRow> for Replay {
    type Error = Error;

    fn try_from(row: ReplayRow) -> Result<Self, Error> {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Self {
            id: row.id.into(),
            subscription_id: row.subscription_id.map(Into::into),
            selection: row.selection()?,
            state: state_of(row.state)?,
            total: count(row.total),
            done: count(row.done),
            deliveries: count(row.deliveries),
            per_second: row.per_second(),
            created_at: row.created_at.into(),
            ended_at: row.ended_at.map(Into::into),
        })
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) const fn code_of(state: State) -> i16 {
    match state {
        State::Running => 0,
        State::Paused => 1,
        State::Done => 2,
        State::Cancelled => 3,
    }
}

pub(super) fn state_of(code: i16) -> Result<State, Error> {
    if code == CANCELLING {
        return Ok(State::Cancelled);
    }
    State::ALL
        .into_iter()
        .find(|state| code_of(*state) == code)
        .ok_or_else(|| Error::unreadable(format!("a replay in the state {code}")))
}
