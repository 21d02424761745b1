//! Deliveries and attempts, as rows.

use super::detail::{self, Known};
use super::{Attempt, Recipient, Tried};
use crate::dialect::array::columns;
use crate::schema::{attempts, deliveries};
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, SmallInt, Text};
use domain::id::{EventId, ReplayId};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = deliveries, treat_none_as_default_value = false)]
pub(crate) struct DeliveryRow {
    pub id: Uid,
    pub tenant_id: Uid,
    pub event_id: Uid,
    pub subscription_id: Uid,
    pub shard: i16,
    pub state: i16,
    pub place: i16,
    pub attempts: i32,
    pub due_at: Moment,
    pub created_at: Moment,
    pub error: Option<String>,
    /// The body itself is read when it is sent.
    #[diesel(select_expression = deliveries::body.is_not_null())]
    #[diesel(skip_insertion)]
    pub has_body: bool,
    pub budget_from: i32,
    pub replay_id: Uid,
}

columns!(DeliveryRow => "deliveries" {
    id: Id,
    tenant_id: Id,
    event_id: Id,
    subscription_id: Id,
    shard: SmallInt,
    state: SmallInt,
    place: SmallInt,
    attempts: Integer,
    due_at: Instant,
    created_at: Instant,
    error: Nullable<Text>,
    budget_from: Integer,
    replay_id: Id,
});

impl DeliveryRow {
    pub(crate) fn recipient(&self) -> Recipient {
        Recipient {
            delivery_id: self.id.into(),
            subscription_id: self.subscription_id.into(),
            attempts: u32::try_from(self.attempts).unwrap_or(0),
            has_body: self.has_body,
            budget_from: u32::try_from(self.budget_from).unwrap_or(0),
            replay_id: self.replay_id(),
        }
    }

    pub(crate) fn replay_id(&self) -> Option<ReplayId> {
        (self.replay_id != Uid::NONE).then(|| self.replay_id.into())
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = attempts, treat_none_as_default_value = false)]
pub(crate) struct AttemptRow {
    pub delivery_id: Uid,
    pub number: i32,
    pub id: Uid,
    pub started_at: Moment,
    pub duration_ms: i64,
    pub status_code: Option<i32>,
    pub error: Option<String>,
    pub response_body: Option<String>,
    pub detail: Option<String>,
}

impl From<&Attempt> for AttemptRow {
    fn from(attempt: &Attempt) -> Self {
        Self {
            delivery_id: attempt.delivery_id.into(),
            number: i32::try_from(attempt.number).unwrap_or(i32::MAX),
            id: attempt.id.into(),
            started_at: attempt.started_at.into(),
            duration_ms: attempt.duration_ms,
            status_code: attempt.status_code.map(i32::from),
            error: attempt.error.map(str::to_owned),
            response_body: attempt.response_body.clone(),
            detail: detail::write(&attempt.detail, Known::of(attempt)),
        }
    }
}

impl AttemptRow {
    /// As it is shown, of a delivery of this event.
    pub(crate) fn tried(self, event_id: EventId) -> Tried {
        let known = Known {
            event_id,
            started_at: self.started_at.into(),
            duration_ms: self.duration_ms,
        };
        Tried {
            number: u32::try_from(self.number).unwrap_or(0),
            started_at: known.started_at,
            duration_ms: known.duration_ms,
            status_code: self.status_code.and_then(|code| u16::try_from(code).ok()),
            error: self.error,
            response_body: self.response_body,
            // What cannot be read is not worth more than the rest of the attempt.
            detail: self.detail.and_then(|text| detail::read(&text, known)),
        }
    }
}

impl Known {
    const fn of(attempt: &Attempt) -> Self {
        Self {
            event_id: attempt.event_id,
            started_at: attempt.started_at,
            duration_ms: attempt.duration_ms,
        }
    }
}
