//! Idempotency keys: the same request twice is answered twice and done once.

use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::idempotency_keys;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use diesel::query_dsl::methods;
use domain::Timestamp;
use domain::id::TenantId;
use std::time::Duration;

/// How long a key is remembered.
pub const REMEMBERED: Duration = Duration::from_hours(24);

/// A request under a key.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Whose request.
    pub tenant_id: TenantId,
    /// SHA-256 over tenant, method, path and key.
    pub key: [u8; 32],
    /// SHA-256 of the request's body.
    pub body_hash: [u8; 32],
    /// What is answered when this is the first.
    pub answer: Answer,
    /// Now.
    pub at: Timestamp,
}

/// An answer that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

/// Whether a request under a key is the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claimed {
    New,
    Same(Answer),
    Other,
}

impl Store {
    /// Forgets up to 500 keys older than [`REMEMBERED`]; how many.
    pub async fn forget_idempotency_keys(&self) -> Result<usize, Error> {
        let limit = Moment::from(self.clock.now().minus(REMEMBERED));
        self.write(move |connection| {
            let old: Vec<Vec<u8>> = each!(connection, c => idempotency_keys::table
                .filter(idempotency_keys::created_at.lt(limit))
                .select(idempotency_keys::key)
                .limit(500)
                .load(c))?;
            Ok(
                each!(connection, c => diesel::delete(idempotency_keys::table)
                .filter(idempotency_keys::key.eq_any(&old))
                .execute(c))?,
            )
        })
        .await
    }
}

/// Claims a key in the transaction of what it stands for. Another transaction that claims it now
/// waits until this one ends.
pub(crate) fn claim(connection: &mut Connection, claim: &Claim) -> Result<Claimed, Error> {
    let row = KeyRow {
        key: claim.key.to_vec(),
        tenant_id: claim.tenant_id.into(),
        body_hash: claim.body_hash.to_vec(),
        status: i16::try_from(claim.answer.status).unwrap_or(200),
        answer: claim.answer.body.clone(),
        created_at: claim.at.into(),
    };
    let oldest = Moment::from(claim.at.minus(REMEMBERED));
    let claimed = each!(connection, c => {
        let insert = diesel::insert_into(idempotency_keys::table)
            .values(&row)
            .on_conflict(idempotency_keys::key)
            .do_update()
            .set(&row);
        methods::FilterDsl::filter(insert, idempotency_keys::created_at.lt(oldest)).execute(c)
    })?;
    if claimed > 0 {
        return Ok(Claimed::New);
    }
    let known: KeyRow = each!(connection, c => idempotency_keys::table
        .find(claim.key.as_slice())
        .select(KeyRow::as_select())
        .first(c))?;
    if known.body_hash != claim.body_hash {
        return Ok(Claimed::Other);
    }
    Ok(Claimed::Same(Answer {
        status: u16::try_from(known.status).unwrap_or(200),
        body: known.answer,
    }))
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = idempotency_keys, treat_none_as_default_value = false)]
struct KeyRow {
    key: Vec<u8>,
    tenant_id: Uid,
    body_hash: Vec<u8>,
    status: i16,
    answer: String,
    created_at: Moment,
}
