//! Changing a subscription's secret, while the one before it goes on to sign for a while.

use super::{changed, find, find_locked, told};
use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::{previous_secrets, subscriptions};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{SubscriptionId, TenantId};
use std::collections::HashMap;
use uuid::Uuid;

/// How many secrets sign beside the current one at the most.
const MOST_PREVIOUS: i64 = 2;

/// A secret that was replaced and still signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousSecret {
    /// Its row, which it is sealed for.
    pub id: Uuid,
    /// The secret, sealed.
    pub secret: Vec<u8>,
    /// Until when it signs.
    pub expires_at: Timestamp,
}

/// A change of a subscription's secret.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The secret that there is, sealed, as it was read.
    pub from: Vec<u8>,
    /// The new one, sealed.
    pub to: Vec<u8>,
    /// The old one, as it goes on to sign; none where it ends at once, and all before it with it.
    pub previous: Option<PreviousSecret>,
    /// Now.
    pub at: Timestamp,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// The new secret signs from the next attempt on.
    Done,
    /// The secret is not the one that was read: read it again.
    Changed,
    /// There is no such subscription.
    Gone,
}

impl Store {
    /// Changes the secret of a subscription. Of those before it the two latest go on to sign, each as
    /// long as it was given.
    pub async fn rotate_secret(
        &self,
        tenant: TenantId,
        id: SubscriptionId,
        rotation: Rotation,
    ) -> Result<Rotated, Error> {
        let recorder = self.recorder();
        self.write(move |connection| {
            let before = find_locked(connection, tenant, &[id])?.pop();
            let updated = each!(connection, c => diesel::update(subscriptions::table)
                .filter(subscriptions::id.eq(Uid::from(id)))
                .filter(subscriptions::tenant_id.eq(Uid::from(tenant)))
                .filter(subscriptions::deleted_at.is_null())
                .filter(subscriptions::secret.eq(&rotation.from))
                .set((
                    subscriptions::secret.eq(&rotation.to),
                    subscriptions::updated_at.eq(Moment::from(rotation.at)),
                ))
                .execute(c))?;
            if updated == 0 {
                let is_there = find(connection, tenant, id)?.is_some();
                return Ok(if is_there {
                    Rotated::Changed
                } else {
                    Rotated::Gone
                });
            }
            match &rotation.previous {
                None => forget_previous(connection, &[id.into()])?,
                Some(previous) => {
                    let row = PreviousRow {
                        id: Uid(previous.id),
                        tenant_id: tenant.into(),
                        subscription_id: id.into(),
                        secret: previous.secret.clone(),
                        expires_at: previous.expires_at.into(),
                    };
                    each!(connection, c => diesel::insert_into(previous_secrets::table)
                        .values(&row)
                        .execute(c))?;
                    forget_all_but_latest(connection, id, rotation.at)?;
                }
            }
            changed(connection, tenant.into())?;
            let after = find(connection, tenant, id)?;
            told::changed(recorder.as_ref(), connection, vec![(before, after)])?;
            Ok(Rotated::Done)
        })
        .await
    }

    /// Forgets replaced secrets that do not sign any more: up to 500 of them. How many there were.
    pub async fn forget_expired_secrets(&self, now: Timestamp) -> Result<usize, Error> {
        self.write(move |connection| {
            let ids: Vec<Uid> = each!(connection, c => previous_secrets::table
                .filter(previous_secrets::expires_at.le(Moment::from(now)))
                .order(previous_secrets::id)
                .select(previous_secrets::id)
                .limit(500)
                .load(c))?;
            Ok(
                each!(connection, c => diesel::delete(previous_secrets::table)
                .filter(previous_secrets::id.eq_any(&ids))
                .execute(c))?,
            )
        })
        .await
    }
}

/// Ends the secrets before the current one.
pub(super) fn forget_previous(connection: &mut Connection, of: &[Uid]) -> Result<(), Error> {
    each!(connection, c => diesel::delete(previous_secrets::table)
        .filter(previous_secrets::subscription_id.eq_any(of))
        .execute(c))?;
    Ok(())
}

/// Those of these subscriptions, newest first.
pub(super) fn previous_of(
    connection: &mut Connection,
    subscriptions: &[Uid],
) -> Result<HashMap<Uid, Vec<PreviousSecret>>, Error> {
    let rows: Vec<PreviousRow> = each!(connection, c => previous_secrets::table
        .filter(previous_secrets::subscription_id.eq_any(subscriptions))
        .order(previous_secrets::id.desc())
        .select(PreviousRow::as_select())
        .load(c))?;
    let mut of: HashMap<Uid, Vec<PreviousSecret>> = HashMap::new();
    for row in rows {
        of.entry(row.subscription_id)
            .or_default()
            .push(PreviousSecret {
                id: row.id.0,
                secret: row.secret,
                expires_at: row.expires_at.into(),
            });
    }
    Ok(of)
}

/// Their ids are in the order in which they were replaced.
fn forget_all_but_latest(
    connection: &mut Connection,
    id: SubscriptionId,
    now: Timestamp,
) -> Result<(), Error> {
    let latest: Vec<Uid> = each!(connection, c => previous_secrets::table
        .filter(previous_secrets::subscription_id.eq(Uid::from(id)))
        .filter(previous_secrets::expires_at.gt(Moment::from(now)))
        .order(previous_secrets::id.desc())
        .select(previous_secrets::id)
        .limit(MOST_PREVIOUS)
        .load(c))?;
    each!(connection, c => diesel::delete(previous_secrets::table)
        .filter(previous_secrets::subscription_id.eq(Uid::from(id)))
        .filter(previous_secrets::id.ne_all(&latest))
        .execute(c))?;
    Ok(())
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = previous_secrets, treat_none_as_default_value = false)]
struct PreviousRow {
    id: Uid,
    tenant_id: Uid,
    subscription_id: Uid,
    secret: Vec<u8>,
    expires_at: Moment,
}
