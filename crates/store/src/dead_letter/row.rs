//! Dead letters as rows.

use super::{DeadLetter, Died, MAX_ERROR_BYTES};
use crate::dialect::array::columns;
use crate::schema::dead_letters;
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{Binary, Integer, Nullable, Text};
use domain::id::{DeadLetterId, TenantId};
use domain::text;

/// One that is written.
#[derive(Insertable)]
#[diesel(table_name = dead_letters, treat_none_as_default_value = false)]
pub(crate) struct NewRow {
    id: Uid,
    key: Vec<u8>,
    tenant_id: Uid,
    queue: String,
    kind: String,
    provider_account: Option<String>,
    callback_id: Option<Uid>,
    death: String,
    reason: String,
    last_error: Option<String>,
    attempts: i32,
    first_seen_at: Moment,
    died_at: Moment,
    size_bytes: i32,
    payload: Vec<u8>,
}

columns!(NewRow => "dead_letters" {
    id: Id,
    key: Binary,
    tenant_id: Id,
    queue: Text,
    kind: Text,
    provider_account: Nullable<Text>,
    callback_id: Nullable<Id>,
    death: Text,
    reason: Text,
    last_error: Nullable<Text>,
    attempts: Integer,
    first_seen_at: Instant,
    died_at: Instant,
    size_bytes: Integer,
    payload: Binary,
});

impl NewRow {
    pub(super) fn new(
        id: DeadLetterId,
        key: [u8; 32],
        tenant: TenantId,
        died: &Died,
        last_error: Option<String>,
    ) -> Self {
        Self {
            id: id.into(),
            key: key.to_vec(),
            tenant_id: tenant.into(),
            queue: died.queue.clone(),
            kind: died.kind.clone(),
            provider_account: died.provider_account.clone(),
            callback_id: died.callback_id.map(Uid::from),
            death: died.death.clone(),
            reason: text::clean(text::cut(&died.reason, MAX_ERROR_BYTES).to_owned()),
            last_error,
            attempts: number(died.attempts),
            first_seen_at: died.first_seen_at.into(),
            died_at: died.died_at.into(),
            size_bytes: i32::try_from(died.payload.len()).unwrap_or(i32::MAX),
            payload: died.payload.clone(),
        }
    }
}

/// One that is read; its payload is read when it is known that it may be.
#[derive(Queryable, Selectable)]
#[diesel(table_name = dead_letters)]
pub(super) struct Row {
    pub(super) id: Uid,
    queue: String,
    kind: String,
    provider_account: Option<String>,
    callback_id: Option<Uid>,
    reason: String,
    last_error: Option<String>,
    attempts: i32,
    first_seen_at: Moment,
    died_at: Moment,
    size_bytes: i32,
    requeue_at: Option<Moment>,
}

impl Row {
    pub(super) fn size(&self) -> u32 {
        u32::try_from(self.size_bytes).unwrap_or_default()
    }

    pub(super) fn into_letter(self, payload: Option<Vec<u8>>) -> DeadLetter {
        DeadLetter {
            id: self.id.into(),
            size_bytes: self.size(),
            queue: self.queue,
            kind: self.kind,
            provider_account: self.provider_account,
            callback_id: self.callback_id.map(Into::into),
            reason: self.reason,
            last_error: self.last_error,
            attempts: u32::try_from(self.attempts).unwrap_or_default(),
            first_seen_at: self.first_seen_at.into(),
            died_at: self.died_at.into(),
            payload,
            requeue_at: self.requeue_at.map(Into::into),
        }
    }
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
