//! Entries, as rows.

use crate::dialect::array::columns;
use crate::schema::audit_entries;
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use domain::audit::{Entry, Hash};

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_entries, treat_none_as_default_value = false)]
pub(crate) struct EntryRow {
    pub id: Uid,
    pub tenant_id: Uid,
    pub at: Moment,
    pub actor_type: String,
    pub actor_id: Option<String>,
    pub actor_name: Option<String>,
    pub action: String,
    pub target_type: String,
    pub target_id: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
    pub source_ip: Option<String>,
    pub request_id: Option<String>,
    pub position: Option<i64>,
    pub previous_hash: Option<Vec<u8>>,
    pub hash: Option<Vec<u8>>,
}

columns!(EntryRow => "audit_entries" {
    id: Id,
    tenant_id: Id,
    at: Instant,
    actor_type: Text,
    actor_id: Nullable<Text>,
    actor_name: Nullable<Text>,
    action: Text,
    target_type: Text,
    target_id: Nullable<Text>,
    before: Nullable<Text>,
    after: Nullable<Text>,
    source_ip: Nullable<Text>,
    request_id: Nullable<Text>,
    position: Nullable<BigInt>,
    previous_hash: Nullable<Binary>,
    hash: Nullable<Binary>,
});

impl From<Entry> for EntryRow {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id.into(),
            tenant_id: entry.tenant_id.into(),
            at: entry.at.into(),
            actor_type: entry.actor_type,
            actor_id: entry.actor_id,
            actor_name: entry.actor_name,
            action: entry.action,
            target_type: entry.target_type,
            target_id: entry.target_id,
            before: entry.before,
            after: entry.after,
            source_ip: entry.source_ip,
            request_id: entry.request_id,
            position: None,
            previous_hash: None,
            hash: None,
        }
    }
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        Self {
            id: row.id.into(),
            tenant_id: row.tenant_id.into(),
            at: row.at.into(),
            actor_type: row.actor_type,
            actor_id: row.actor_id,
            actor_name: row.actor_name,
            action: row.action,
            target_type: row.target_type,
            target_id: row.target_id,
            before: row.before,
            after: row.after,
            source_ip: row.source_ip,
            request_id: row.request_id,
        }
    }
}

/// A hash, as a row holds it. One of another length was not written by us, and is no hash of anything.
pub(crate) fn read_hash(bytes: Option<&[u8]>) -> Hash {
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .unwrap_or([0xff; 32])
}
