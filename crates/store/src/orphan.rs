//! Orphans: reports of messages that nobody has registered yet.

use crate::Store;
use crate::connection::{Connection, each, insert_rows};
use crate::dialect::array::columns;
use crate::error::Error;
use crate::message::{decode_source, encode_source};
use crate::page::{Page, Window};
use crate::retention::PAGE;
use crate::schema::{orphans, provider_accounts, report_keys};
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, SmallInt, Text};
use domain::Timestamp;
use domain::id::{AccountId, CallbackId, OrphanId, TenantId};
use domain::report::{DedupeKey, Report, Source};
use domain::send_attempt::Sending;

/// The most orphans that one registration joins; reports of one message never come near it.
const MOST_JOINED: i64 = 1_000;

/// How many orphans there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// So many.
    pub waiting: i64,
    /// The oldest was received then.
    pub oldest: Option<Timestamp>,
}

/// A report that waits for its message.
pub(crate) struct Orphan {
    pub id: Uid,
    pub tenant_id: TenantId,
    pub account_id: AccountId,
    pub report: Report,
    pub callback_id: CallbackId,
    pub received_at: Timestamp,
    pub source: Source,
    pub traceparent: Option<String>,
}

/// A report that waits, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its id.
    pub id: OrphanId,
    /// The slug of its account; none once that was deleted.
    pub provider_account: Option<String>,
    /// What it says.
    pub report: Report,
    /// When it was received.
    pub received_at: Timestamp,
}

/// Which of a tenant's orphans.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this account.
    pub provider_account: Option<String>,
    /// Of this message of the provider.
    pub provider_message_id: Option<String>,
    /// Received at or after this.
    pub after: Option<Timestamp>,
    /// Received before this.
    pub before: Option<Timestamp>,
}

impl Store {
    /// A tenant's orphans, newest first.
    pub async fn list_orphans(
        &self,
        tenant: TenantId,
        filter: Filter,
        window: Window<OrphanId>,
    ) -> Result<Page<Waiting, OrphanId>, Error> {
        self.read(move |connection| {
            let rows: Vec<(OrphanRow, Option<String>)> = each!(connection, c => {
                let mut query = orphans::table
                    .left_join(provider_accounts::table.on(provider_accounts::id.eq(orphans::account_id)))
                    .filter(orphans::tenant_id.eq(Uid::from(tenant)))
                    .order(orphans::id.desc())
                    .limit(window.reach())
                    .select((OrphanRow::as_select(), provider_accounts::slug.nullable()))
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(orphans::id.lt(Uid::from(before)));
                }
                if let Some(account) = &filter.provider_account {
                    query = query.filter(provider_accounts::slug.eq(account));
                }
                if let Some(id) = &filter.provider_message_id {
                    query = query.filter(orphans::provider_message_id.eq(id));
                }
                if let Some(after) = filter.after {
                    query = query.filter(orphans::received_at.ge(Moment::from(after)));
                }
                if let Some(before) = filter.before {
                    query = query.filter(orphans::received_at.lt(Moment::from(before)));
                }
                query.load(c)
            })?;
            let page = window.page(rows, |(row, _): &(OrphanRow, _)| OrphanId::from(row.id));
            let items = page.items.into_iter().map(|(row, provider_account)| {
                let id = row.id.into();
                let orphan = Orphan::try_from(row)?;
                Ok(Waiting {
                    id,
                    provider_account,
                    report: orphan.report,
                    received_at: orphan.received_at,
                })
            });
            Ok(Page {
                items: items.collect::<Result<_, Error>>()?,
                next: page.next,
            })
        })
        .await
    }

    /// How many reports wait for their messages, and since when.
    pub async fn count_orphans(&self) -> Result<Count, Error> {
        self.read(|connection| {
            let waiting: i64 = each!(connection, c => orphans::table.count().get_result(c))?;
            let oldest: Option<Moment> = each!(connection, c => orphans::table
                .order(orphans::received_at)
                .select(orphans::received_at)
                .first(c)
                .optional())?;
            Ok(Count {
                waiting,
                oldest: oldest.map(Timestamp::from),
            })
        })
        .await
    }
}

impl Store {
    /// Gives up a page of the reports that have waited since before this; how many. With each goes the
    /// memory of having heard it: said again, it waits again.
    pub async fn expire_orphans(&self, parked_before: Timestamp) -> Result<usize, Error> {
        let floor = Uid::first_of(parked_before);
        self.write(move |connection| {
            let rows: Vec<OrphanRow> = each!(connection, c => orphans::table
                .filter(orphans::id.lt(floor))
                .order(orphans::id)
                .limit(PAGE)
                .select(OrphanRow::as_select())
                .load(c))?;
            let ids: Vec<Uid> = rows.iter().map(|row| row.id).collect();
            let mut keys = Vec::new();
            for row in rows {
                let orphan = Orphan::try_from(row)?;
                keys.push(orphan.report.dedupe_key(orphan.account_id).0.to_vec());
            }
            each!(connection, c => diesel::delete(report_keys::table)
                .filter(report_keys::key.eq_any(&keys))
                .execute(c))?;
            Ok(each!(connection, c => diesel::delete(orphans::table)
                .filter(orphans::id.eq_any(&ids))
                .execute(c))?)
        })
        .await
    }
}

/// What a registration under these names and a report that looks for it both lock.
pub(crate) fn keys_of(
    account: AccountId,
    id: Option<&str>,
    reference: Option<&str>,
) -> Vec<DedupeKey> {
    let key = |kind, text: &str| DedupeKey::of(kind, account, &[Some(text.as_bytes())]);
    let id = id.map(|id| key("id", id));
    let reference = reference.map(|reference| key("reference", reference));
    id.into_iter().chain(reference).collect()
}

/// Parks reports.
pub(crate) fn park(connection: &mut Connection, parked: Vec<Orphan>) -> Result<(), Error> {
    let rows = parked
        .into_iter()
        .map(OrphanRow::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    insert_rows!(connection, orphans::table, rows.iter());
    Ok(())
}

/// The reports that may be about what is sent under these names, in the order they were received.
pub(crate) fn waiting_for(
    connection: &mut Connection,
    sending: &Sending<'_>,
) -> Result<Vec<Orphan>, Error> {
    let account = Uid::from(sending.account_id);
    let mut rows: Vec<OrphanRow> = Vec::new();
    if let Some(id) = sending.provider_message_id {
        rows.extend(each!(connection, c => orphans::table
            .filter(orphans::account_id.eq(account))
            .filter(orphans::provider_message_id.eq(id))
            .order(orphans::id)
            .limit(MOST_JOINED)
            .select(OrphanRow::as_select())
            .load::<OrphanRow>(c))?);
    }
    if let Some(reference) = sending.client_reference {
        rows.extend(each!(connection, c => orphans::table
            .filter(orphans::account_id.eq(account))
            .filter(orphans::client_reference.eq(reference))
            .order(orphans::id)
            .limit(MOST_JOINED)
            .select(OrphanRow::as_select())
            .load::<OrphanRow>(c))?);
    }
    rows.sort_by_key(|row| (row.received_at, row.id));
    rows.dedup_by_key(|row| row.id);
    rows.into_iter().map(Orphan::try_from).collect()
}

/// Takes reports out that found their message.
pub(crate) fn remove(connection: &mut Connection, joined: &[Uid]) -> Result<(), Error> {
    if !joined.is_empty() {
        each!(connection, c => diesel::delete(orphans::table)
            .filter(orphans::id.eq_any(joined))
            .execute(c))?;
    }
    Ok(())
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = orphans, treat_none_as_default_value = false)]
struct OrphanRow {
    id: Uid,
    tenant_id: Uid,
    account_id: Uid,
    provider_message_id: Option<String>,
    client_reference: Option<String>,
    report: String,
    callback_id: Uid,
    received_at: Moment,
    source: i16,
    traceparent: Option<String>,
}

columns!(OrphanRow => "orphans" {
    id: Id,
    tenant_id: Id,
    account_id: Id,
    provider_message_id: Nullable<Text>,
    client_reference: Nullable<Text>,
    report: Text,
    callback_id: Id,
    received_at: Instant,
    source: SmallInt,
    traceparent: Nullable<Text>,
});

impl TryFrom<Orphan> for OrphanRow {
    type Error = Error;

    fn try_from(orphan: Orphan) -> Result<Self, Error> {
        let report = serde_json::to_string(&orphan.report).map_err(|error| {
            Error::unreadable(format!("a report that cannot be written: {error}"))
        })?;
        Ok(Self {
            id: orphan.id,
            tenant_id: orphan.tenant_id.into(),
            account_id: orphan.account_id.into(),
            provider_message_id: orphan.report.provider_message_id,
            client_reference: orphan.report.client_reference,
            report,
            callback_id: orphan.callback_id.into(),
            received_at: orphan.received_at.into(),
            source: encode_source(orphan.source),
            traceparent: orphan.traceparent,
        })
    }
}

impl TryFrom<OrphanRow> for Orphan {
    type Error = Error;

    fn try_from(row: OrphanRow) -> Result<Self, Error> {
        let report = serde_json::from_str(&row.report)
            .map_err(|error| Error::unreadable(format!("an unreadable orphan: {error}")))?;
        Ok(Self {
            id: row.id,
            tenant_id: row.tenant_id.into(),
            account_id: row.account_id.into(),
            report,
            callback_id: row.callback_id.into(),
            received_at: row.received_at.into(),
            source: decode_source(row.source)?,
            traceparent: row.traceparent,
        })
    }
}
