//! Trials: tests of subscriptions that somebody asked for, with what came of them.

use crate::Store;
use crate::connection::each;
use crate::error::Error;
use crate::page::{Page, Window};
use crate::retention::PAGE;
use crate::schema::trials;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::attempt::Detail;
use domain::id::{EventId, SubscriptionId, TenantId, TrialId};

/// A test of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Its id.
    pub id: TrialId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which subscription.
    pub subscription_id: SubscriptionId,
    /// The id that the endpoint was told. There is no such event.
    pub event_id: EventId,
    /// The type that it was told.
    pub event_type: String,
    /// The beginning of the body it was sent.
    pub request_body: String,
    /// When it began.
    pub begun_at: Timestamp,
    /// What came of it; none while it is under way, and of one that was interrupted.
    pub ended: Option<Ended>,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How long it took.
    pub duration_ms: i64,
    /// What the endpoint answered.
    pub status_code: Option<u16>,
    /// The stable name of the error; none for success.
    pub error: Option<String>,
    /// The first 16 KiB of the answer's body.
    pub response_body: Option<String>,
    /// What else is kept of it.
    pub detail: Detail,
}

impl Store {
    /// Writes a test down, before it is sent.
    pub async fn begin_trial(&self, trial: Trial) -> Result<(), Error> {
        let row = TrialRow::try_from(trial)?;
        self.write(move |connection| {
            each!(connection, c => diesel::insert_into(trials::table)
                .values(&row)
                .execute(c))?;
            Ok(())
        })
        .await
    }

    /// Writes down what came of a test.
    pub async fn end_trial(
        &self,
        tenant: TenantId,
        id: TrialId,
        ended: Ended,
    ) -> Result<(), Error> {
        let detail = write_detail(&ended.detail)?;
        self.write(move |connection| {
            each!(connection, c => diesel::update(trials::table.find(Uid::from(id)))
                .filter(trials::tenant_id.eq(Uid::from(tenant)))
                .set((
                    trials::duration_ms.eq(Some(ended.duration_ms)),
                    trials::status_code.eq(ended.status_code.map(i32::from)),
                    trials::error.eq(&ended.error),
                    trials::response_body.eq(&ended.response_body),
                    trials::detail.eq(Some(&detail)),
                ))
                .execute(c))?;
            Ok(())
        })
        .await
    }

    /// The tests of a subscription, newest first.
    pub async fn list_trials(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        window: Window<TrialId>,
    ) -> Result<Page<Trial, TrialId>, Error> {
        self.read(move |connection| {
            let rows: Vec<TrialRow> = each!(connection, c => {
                let mut query = trials::table
                    .filter(trials::tenant_id.eq(Uid::from(tenant)))
                    .filter(trials::subscription_id.eq(Uid::from(subscription)))
                    .order(trials::id.desc())
                    .limit(window.reach())
                    .select(TrialRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(trials::id.lt(Uid::from(before)));
                }
                query.load(c)
            })?;
            let page = window.page(rows, |row| TrialId::from(row.id));
            let items = page.items.into_iter().map(Trial::try_from);
            Ok(Page {
                items: items.collect::<Result<_, _>>()?,
                next: page.next,
            })
        })
        .await
    }

    /// Forgets a page of tests of tenants that have more than `most`, their oldest; how many.
    pub async fn forget_trials_beyond(&self, most: i64) -> Result<usize, Error> {
        self.write(move |connection| {
            let crowded: Option<(Uid, i64)> = each!(connection, c => trials::table
                .group_by(trials::tenant_id)
                .having(diesel::dsl::count_star().gt(most))
                .select((trials::tenant_id, diesel::dsl::count_star()))
                .first(c)
                .optional())?;
            let Some((tenant, rows)) = crowded else {
                return Ok(0);
            };
            let old: Vec<Uid> = each!(connection, c => trials::table
                .filter(trials::tenant_id.eq(tenant))
                .order(trials::id)
                .select(trials::id)
                .limit((rows - most).min(PAGE))
                .load(c))?;
            Ok(each!(connection, c => diesel::delete(trials::table)
                .filter(trials::id.eq_any(&old))
                .execute(c))?)
        })
        .await
    }
}

fn write_detail(detail: &Detail) -> Result<String, Error> {
    serde_json::to_string(detail)
        .map_err(|error| Error::unreadable(format!("a detail that cannot be written: {error}")))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = trials, treat_none_as_default_value = false)]
struct TrialRow {
    id: Uid,
    tenant_id: Uid,
    subscription_id: Uid,
    event_id: Uid,
    event_type: String,
    request_body: String,
    begun_at: Moment,
    duration_ms: Option<i64>,
    status_code: Option<i32>,
    error: Option<String>,
    response_body: Option<String>,
    detail: Option<String>,
}

impl TryFrom<Trial> for TrialRow {
    type Error = Error;

    fn try_from(trial: Trial) -> Result<Self, Error> {
        let ended = trial.ended.as_ref();
        let detail = ended.map(|ended| write_detail(&ended.detail));
        Ok(Self {
            id: trial.id.into(),
            tenant_id: trial.tenant_id.into(),
            subscription_id: trial.subscription_id.into(),
            event_id: trial.event_id.into(),
            event_type: trial.event_type,
            request_body: trial.request_body,
            begun_at: trial.begun_at.into(),
            duration_ms: ended.map(|ended| ended.duration_ms),
            status_code: ended.and_then(|ended| ended.status_code.map(i32::from)),
            detail: detail.transpose()?,
            error: ended.and_then(|ended| ended.error.clone()),
            response_body: trial.ended.and_then(|ended| ended.response_body),
        })
    }
}

impl TryFrom<TrialRow> for Trial {
    type Error = Error;

    fn try_from(row: TrialRow) -> Result<Self, Error> {
        let read = |text: &str| {
            serde_json::from_str(text)
                .map_err(|error| Error::unreadable(format!("what is kept of a test: {error}")))
        };
        let ended = match row.duration_ms {
            None => None,
            Some(duration_ms) => Some(Ended {
                duration_ms,
                status_code: row.status_code.and_then(|code| u16::try_from(code).ok()),
                error: row.error,
                response_body: row.response_body,
                detail: row
                    .detail
                    .as_deref()
                    .map(read)
                    .transpose()?
                    .unwrap_or_default(),
            }),
        };
        Ok(Self {
            id: row.id.into(),
            tenant_id: row.tenant_id.into(),
            subscription_id: row.subscription_id.into(),
            event_id: row.event_id.into(),
            event_type: row.event_type,
            request_body: row.request_body,
            begun_at: row.begun_at.into(),
            ended,
        })
    }
}
