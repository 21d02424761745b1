//! Quarantine: refused requests, whole and sealed, until somebody takes them in or they are old.

use crate::Store;
use crate::callback::{decode_kind, encode_kind};
use crate::connection::{Connection, each};
use crate::dialect::array::columns;
use crate::dialect::security as dialect;
use crate::error::Error;
use crate::page::{Page, Window};
use crate::schema::quarantine;
use crate::security::{decode_reason, encode_reason};
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{Binary, Integer, SmallInt, Text};
use domain::Timestamp;
use domain::callback::Kind;
use domain::id::{QuarantineId, TenantId};
use domain::security::Reason;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its id.
    pub id: QuarantineId,
    /// Whose account; the platform's where there is none.
    pub tenant_id: TenantId,
    /// The slug that was called.
    pub provider_account: String,
    /// Which URL was called.
    pub kind: Kind,
    /// Why it was refused.
    pub reason: Reason,
    /// When it was received.
    pub received_at: Timestamp,
    /// Who called.
    pub source_ip: String,
    /// The size of its body, in bytes.
    pub size_bytes: u32,
    /// The request, sealed.
    pub sealed: Vec<u8>,
}

/// Which of a tenant's refused requests.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// To this account.
    pub provider_account: Option<String>,
    /// For this reason.
    pub reason: Option<Reason>,
}

impl Store {
    /// A tenant's refused requests, newest first.
    pub async fn list_quarantine(
        &self,
        tenant: TenantId,
        filter: Filter,
        window: Window<QuarantineId>,
    ) -> Result<Page<Quarantined, QuarantineId>, Error> {
        self.read(move |connection| {
            let rows: Vec<QuarantineRow> = each!(connection, c => {
                let mut query = quarantine::table
                    .filter(quarantine::tenant_id.eq(Uid::from(tenant)))
                    .order(quarantine::id.desc())
                    .limit(window.reach())
                    .select(QuarantineRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(quarantine::id.lt(Uid::from(before)));
                }
                if let Some(account) = &filter.provider_account {
                    query = query.filter(quarantine::provider_account.eq(account));
                }
                if let Some(reason) = filter.reason {
                    query = query.filter(quarantine::reason.eq(encode_reason(reason)));
                }
                query.load(c)
            })?;
            let page = window.page(rows, |row: &QuarantineRow| QuarantineId::from(row.id));
            let items = page.items.into_iter().map(Quarantined::try_from);
            Ok(Page {
                items: items.collect::<Result<_, _>>()?,
                next: page.next,
            })
        })
        .await
    }

    /// A tenant's refused request.
    pub async fn find_quarantined(
        &self,
        tenant: TenantId,
        id: QuarantineId,
    ) -> Result<Option<Quarantined>, Error> {
        self.read(move |connection| find(connection, tenant, id))
            .await
    }

    /// Forgets a request that was taken in.
    pub async fn release_quarantined(
        &self,
        tenant: TenantId,
        id: QuarantineId,
    ) -> Result<(), Error> {
        self.write(move |connection| {
            each!(connection, c => diesel::delete(quarantine::table.find(Uid::from(id)))
                .filter(quarantine::tenant_id.eq(Uid::from(tenant)))
                .execute(c))?;
            Ok(())
        })
        .await
    }
}

pub(crate) fn find(
    connection: &mut Connection,
    tenant: TenantId,
    id: QuarantineId,
) -> Result<Option<Quarantined>, Error> {
    let row: Option<QuarantineRow> = each!(connection, c => quarantine::table
        .find(Uid::from(id))
        .filter(quarantine::tenant_id.eq(Uid::from(tenant)))
        .select(QuarantineRow::as_select())
        .first(c)
        .optional())?;
    row.map(Quarantined::try_from).transpose()
}

/// Keeps requests that are not kept yet.
pub(crate) fn keep(connection: &mut Connection, refused: &[Quarantined]) -> Result<(), Error> {
    let rows: Vec<QuarantineRow> = refused.iter().map(QuarantineRow::from).collect();
    dialect::keep(connection, &rows)
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = quarantine)]
pub(crate) struct QuarantineRow {
    id: Uid,
    tenant_id: Uid,
    provider_account: String,
    kind: i16,
    reason: i16,
    received_at: Moment,
    source_ip: String,
    size_bytes: i32,
    sealed: Vec<u8>,
}

columns!(QuarantineRow => "quarantine" {
    id: Id,
    tenant_id: Id,
    provider_account: Text,
    kind: SmallInt,
    reason: SmallInt,
    received_at: Instant,
    source_ip: Text,
    size_bytes: Integer,
    sealed: Binary,
});

impl From<&Quarantined> for QuarantineRow {
    fn from(refused: &Quarantined) -> Self {
        Self {
            id: refused.id.into(),
            tenant_id: refused.tenant_id.into(),
            provider_account: refused.provider_account.clone(),
            kind: encode_kind(refused.kind),
            reason: encode_reason(refused.reason),
            received_at: refused.received_at.into(),
            source_ip: refused.source_ip.clone(),
            size_bytes: i32::try_from(refused.size_bytes).unwrap_or(i32::MAX),
            sealed: refused.sealed.clone(),
        }
    }
}

impl TryFrom<QuarantineRow> for Quarantined {
    type Error = Error;

    fn try_from(row: QuarantineRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            tenant_id: row.tenant_id.into(),
            provider_account: row.provider_account,
            kind: decode_kind(row.kind)?,
            reason: decode_reason(row.reason)?,
            received_at: row.received_at.into(),
            source_ip: row.source_ip,
            size_bytes: u32::try_from(row.size_bytes).unwrap_or_default(),
            sealed: row.sealed,
        })
    }
}
