//! Tenants and their API keys.

use crate::Store;
use crate::connection::each;
use crate::error::Error;
use crate::schema::{api_keys, tenants};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{KeyId, TenantId};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// Its plan.
    pub plan: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An API key, as it is kept: its hash, and enough of it to recognise it.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its id.
    pub id: KeyId,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// How the key begins.
    pub prefix: String,
}

impl Store {
    /// Makes a tenant and its first key.
    pub async fn create_tenant(&self, tenant: Tenant, key: NewKey) -> Result<(), Error> {
        self.write(move |connection| {
            each!(connection, c => diesel::insert_into(tenants::table)
                .values((
                    tenants::id.eq(Uid::from(tenant.id)),
                    tenants::name.eq(&tenant.name),
                    tenants::plan.eq(&tenant.plan),
                    tenants::created_at.eq(Moment::from(tenant.created_at)),
                    tenants::subscription_version.eq(0),
                ))
                .execute(c))?;
            each!(connection, c => diesel::insert_into(api_keys::table)
                .values((
                    api_keys::id.eq(Uid::from(key.id)),
                    api_keys::tenant_id.eq(Uid::from(tenant.id)),
                    api_keys::hash.eq(key.hash.as_slice()),
                    api_keys::prefix.eq(&key.prefix),
                    api_keys::created_at.eq(Moment::from(tenant.created_at)),
                ))
                .execute(c))?;
            Ok(())
        })
        .await
    }

    /// Whose key this is.
    pub async fn find_tenant_of_key(&self, hash: [u8; 32]) -> Result<Option<TenantId>, Error> {
        self.look_up(move |connection| {
            let found: Option<Uid> = each!(connection, c => api_keys::table
                .filter(api_keys::hash.eq(hash.as_slice()))
                .select(api_keys::tenant_id)
                .first(c)
                .optional())?;
            Ok(found.map(TenantId::from))
        })
        .await
    }

    /// Whether there is such a tenant.
    pub async fn has_tenant(&self, id: TenantId) -> Result<bool, Error> {
        self.read(move |connection| {
            let found: i64 = each!(connection, c => tenants::table
                .filter(tenants::id.eq(Uid::from(id)))
                .count()
                .get_result(c))?;
            Ok(found > 0)
        })
        .await
    }
}
