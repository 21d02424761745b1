//! Idempotency keys: the same request twice is answered twice and done once.

use crate::Store;
use crate::connection::{Connection, each};
use crate::dialect;
use crate::dialect::array::columns;
use crate::error::Error;
use crate::schema::idempotency_keys;
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{Binary, SmallInt, Text};
use domain::Timestamp;
use domain::id::TenantId;
use std::collections::{BTreeMap, HashMap};
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

/// Claims keys in the transaction of what they stand for; of each, whether it was the first under
/// its key. Another transaction that claims one of them now waits until this one ends.
pub(crate) fn claim(connection: &mut Connection, claims: &[&Claim]) -> Result<Vec<Claimed>, Error> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    // Each key once, and in one order, so that two transactions never wait for one another.
    let first: BTreeMap<&[u8; 32], &Claim> = claims
        .iter()
        .rev()
        .map(|claim| (&claim.key, *claim))
        .collect();
    let rows: Vec<KeyRow> = first.values().copied().map(KeyRow::from).collect();
    let mut new = dialect::idempotency::keep(connection, &rows)?;
    let (mut known, taken): (Vec<KeyRow>, Vec<KeyRow>) =
        rows.into_iter().partition(|row| new.contains(&row.key));
    if !taken.is_empty() {
        let taken = taken.iter().map(|row| row.key.as_slice());
        let rows: Vec<KeyRow> = each!(connection, c => idempotency_keys::table
            .filter(idempotency_keys::key.eq_any(taken))
            .select(KeyRow::as_select())
            .load(c))?;
        known.extend(rows);
    }
    let known: HashMap<&[u8], &KeyRow> =
        known.iter().map(|row| (row.key.as_slice(), row)).collect();
    let judge = |claim: &&Claim| {
        if new.remove(claim.key.as_slice()) {
            return Ok(Claimed::New);
        }
        let known = known.get(claim.key.as_slice());
        let known = known.ok_or(diesel::result::Error::NotFound)?;
        Ok(if known.body_hash == claim.body_hash {
            Claimed::Same(known.answer())
        } else {
            Claimed::Other
        })
    };
    claims.iter().map(judge).collect()
}

/// Says what is answered under a key that was claimed before it was known.
pub(crate) fn answer(
    connection: &mut Connection,
    claim: &Claim,
    answer: String,
) -> Result<(), Error> {
    each!(connection, c => diesel::update(idempotency_keys::table.find(claim.key.as_slice()))
        .set(idempotency_keys::answer.eq(&answer))
        .execute(c))?;
    Ok(())
}

/// Frees keys that this transaction claimed: nothing was done under them.
pub(crate) fn release(connection: &mut Connection, keys: &[&[u8; 32]]) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<&[u8]> = keys.iter().map(|key| key.as_slice()).collect();
    each!(connection, c => diesel::delete(idempotency_keys::table)
        .filter(idempotency_keys::key.eq_any(&keys))
        .execute(c))?;
    Ok(())
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = idempotency_keys, treat_none_as_default_value = false)]
pub(crate) struct KeyRow {
    pub(crate) key: Vec<u8>,
    tenant_id: Uid,
    body_hash: Vec<u8>,
    status: i16,
    answer: String,
    pub(crate) created_at: Moment,
}

columns!(KeyRow => "idempotency_keys" {
    key: Binary,
    tenant_id: Id,
    body_hash: Binary,
    status: SmallInt,
    answer: Text,
    created_at: Instant,
});

impl KeyRow {
    fn answer(&self) -> Answer {
        Answer {
            status: u16::try_from(self.status).unwrap_or(200),
            body: self.answer.clone(),
        }
    }
}

impl From<&Claim> for KeyRow {
    fn from(claim: &Claim) -> Self {
        Self {
            key: claim.key.to_vec(),
            tenant_id: claim.tenant_id.into(),
            body_hash: claim.body_hash.to_vec(),
            status: i16::try_from(claim.answer.status).unwrap_or(200),
            answer: claim.answer.body.clone(),
            created_at: claim.at.into(),
        }
    }
}
