//! Reading the log of a tenant.

use super::row::{EntryRow, read_hash};
use crate::Store;
use crate::connection::each;
use crate::error::Error;
use crate::page::{Page, Window};
use crate::schema::audit_entries;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::audit::{Action, Entry, Hash};
use domain::id::{AuditEntryId, TenantId};

/// Which entries.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this kind of actor.
    pub actor_type: Option<String>,
    /// Of this key or member.
    pub actor_id: Option<String>,
    /// Of this action.
    pub action: Option<Action>,
    /// About the thing with this id.
    pub target_id: Option<String>,
    /// At or after this.
    pub after: Option<Timestamp>,
    /// Before this.
    pub before: Option<Timestamp>,
}

/// An entry, as it is listed.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The entry.
    pub entry: Entry,
    /// Its place in the chain; none within the second in which it gets one.
    pub position: Option<i64>,
    /// The hash of the entry before it.
    pub previous_hash: Option<Hash>,
    /// Its hash.
    pub hash: Option<Hash>,
}

impl Store {
    /// A tenant's entries, newest first.
    pub async fn list_audit(
        &self,
        tenant: TenantId,
        filter: Filter,
        window: Window<AuditEntryId>,
    ) -> Result<Page<Listed, AuditEntryId>, Error> {
        self.read(move |connection| {
            let rows: Vec<EntryRow> = each!(connection, c => {
                let mut query = audit_entries::table
                    .filter(audit_entries::tenant_id.eq(Uid::from(tenant)))
                    .order(audit_entries::id.desc())
                    .limit(window.reach())
                    .select(EntryRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(audit_entries::id.lt(Uid::from(before)));
                }
                if let Some(actor) = &filter.actor_type {
                    query = query.filter(audit_entries::actor_type.eq(actor));
                }
                if let Some(actor) = &filter.actor_id {
                    query = query.filter(audit_entries::actor_id.eq(actor));
                }
                if let Some(action) = filter.action {
                    query = query.filter(audit_entries::action.eq(action.as_str()));
                }
                if let Some(target) = &filter.target_id {
                    query = query.filter(audit_entries::target_id.eq(target));
                }
                if let Some(after) = filter.after {
                    query = query
                        .filter(audit_entries::id.ge(Uid::first_of(after)))
                        .filter(audit_entries::at.ge(Moment::from(after)));
                }
                if let Some(before) = filter.before {
                    query = query
                        .filter(audit_entries::id.lt(Uid::first_of(before)))
                        .filter(audit_entries::at.lt(Moment::from(before)));
                }
                query.load(c)
            })?;
            let page = window.page(rows, |row: &EntryRow| AuditEntryId::from(row.id));
            Ok(page.map(Listed::from))
        })
        .await
    }

    /// A tenant's entry.
    pub async fn find_audit_entry(
        &self,
        tenant: TenantId,
        id: AuditEntryId,
    ) -> Result<Option<Listed>, Error> {
        self.read(move |connection| {
            let row: Option<EntryRow> = each!(connection, c => audit_entries::table
                .filter(audit_entries::id.eq(Uid::from(id)))
                .filter(audit_entries::tenant_id.eq(Uid::from(tenant)))
                .select(EntryRow::as_select())
                .first(c)
                .optional())?;
            Ok(row.map(Listed::from))
        })
        .await
    }
}

impl From<EntryRow> for Listed {
    fn from(row: EntryRow) -> Self {
        let hash = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(|bytes| read_hash(Some(bytes)));
        Self {
            position: row.position,
            previous_hash: hash(&row.previous_hash),
            hash: hash(&row.hash),
            entry: row.into(),
        }
    }
}
