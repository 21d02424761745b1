//! The directory: the subscriptions a dispatcher works for, as of a version it knows.

use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::installation::{Versioned, version};
use crate::schema::tenants;
use crate::sql_types::Uid;
use crate::subscription::{self, Subscription};
use diesel::prelude::*;
use domain::id::{SubscriptionId, TenantId};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most tenants remembered; beyond it the directory starts afresh.
const MOST_TENANTS: usize = 20_000;

/// Subscriptions by tenant, loaded when first needed and again when they changed. Clones share it.
#[derive(Clone, Default)]
pub struct Directory(Arc<Mutex<Known>>);

#[derive(Default)]
pub(crate) struct Known {
    version: i64,
    tenants: HashMap<TenantId, Vec<Arc<Subscription>>>,
}

/// What the directory says of a subscription.
#[derive(Debug, Clone)]
pub enum Found {
    /// This.
    Subscription(Arc<Subscription>),
    /// It was deleted.
    Gone,
    /// Its tenant is not loaded.
    NotLoaded,
}

impl Directory {
    /// A subscription of a tenant.
    pub fn find(&self, tenant: TenantId, id: SubscriptionId) -> Found {
        let known = self.lock();
        let Some(of_tenant) = known.tenants.get(&tenant) else {
            return Found::NotLoaded;
        };
        of_tenant
            .iter()
            .find(|known| known.interest.subscription_id == id)
            .map_or(Found::Gone, |found| Found::Subscription(found.clone()))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything: what was read in a transaction that failed may never have been true.
    pub(crate) fn forget(&self) {
        *self.lock() = Known::default();
    }
}

impl Store {
    /// Brings the directory up to date, and loads these tenants. Whether anything had changed.
    pub async fn refresh_directory(
        &self,
        directory: &Directory,
        tenants: Vec<TenantId>,
    ) -> Result<bool, Error> {
        let shared = directory.clone();
        self.read(move |connection| {
            let mut known = shared.lock();
            let changed = known.refresh(connection)?;
            known.learn(connection, tenants)?;
            Ok(changed)
        })
        .await
    }
}

impl Known {
    /// The subscriptions of a tenant that is loaded.
    pub(crate) fn of(&self, tenant: TenantId) -> &[Arc<Subscription>] {
        self.tenants.get(&tenant).map_or(&[], Vec::as_slice)
    }

    /// Reloads the known tenants that changed since the last look: one row tells that none did.
    pub(crate) fn refresh(&mut self, connection: &mut Connection) -> Result<bool, Error> {
        let newest = version(connection, Versioned::Subscriptions)?;
        if newest == self.version {
            return Ok(false);
        }
        let changed: Vec<Uid> = each!(connection, c => tenants::table
            .filter(tenants::subscription_version.gt(self.version))
            .select(tenants::id)
            .load(c))?;
        let changed = changed.into_iter().map(TenantId::from);
        let stale: Vec<_> = changed
            .filter(|tenant| self.tenants.remove(tenant).is_some())
            .collect();
        self.load(connection, &stale)?;
        self.version = newest;
        Ok(true)
    }

    /// Loads the tenants among these that are not known yet.
    pub(crate) fn learn(
        &mut self,
        connection: &mut Connection,
        tenants: impl IntoIterator<Item = TenantId>,
    ) -> Result<(), Error> {
        let unknown: HashSet<_> = tenants
            .into_iter()
            .filter(|tenant| !self.tenants.contains_key(tenant))
            .collect();
        self.load(connection, &unknown.into_iter().collect::<Vec<_>>())
    }

    fn load(&mut self, connection: &mut Connection, tenants: &[TenantId]) -> Result<(), Error> {
        if tenants.is_empty() {
            return Ok(());
        }
        if self.tenants.len() + tenants.len() > MOST_TENANTS {
            self.tenants.clear();
        }
        self.tenants
            .extend(tenants.iter().map(|tenant| (*tenant, Vec::new())));
        for found in subscription::of_tenants(connection, tenants)? {
            self.tenants
                .entry(found.interest.tenant_id)
                .or_default()
                .push(Arc::new(found));
        }
        Ok(())
    }
}
