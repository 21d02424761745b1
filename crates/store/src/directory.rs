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

/// The subscriptions of a tenant, in the order of their ids: one of them is looked for before each attempt.
pub(crate) type OfTenant = Arc<Vec<Arc<Subscription>>>;

/// Subscriptions by tenant, loaded when first needed and again when they changed. Clones share it.
#[derive(Clone, Default)]
pub struct Directory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Looked at also by the threads that drive connections: never held over a query.
    known: Mutex<Known>,
    /// Held by whoever brings it up to date, over its queries.
    updating: Mutex<()>,
}

#[derive(Default)]
struct Known {
    version: i64,
    tenants: HashMap<TenantId, OfTenant>,
}

/// What an update found.
pub(crate) struct Updated {
    /// Whether any subscription had changed.
    pub has_changed: bool,
    /// The subscriptions of each tenant that was asked for.
    pub of: HashMap<TenantId, OfTenant>,
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
        let known = self.known();
        let Some(of_tenant) = known.tenants.get(&tenant) else {
            return Found::NotLoaded;
        };
        let found = of_tenant.binary_search_by_key(&id, |known| known.interest.subscription_id);
        found
            .ok()
            .and_then(|at| of_tenant.get(at))
            .map_or(Found::Gone, |found| Found::Subscription(found.clone()))
    }

    /// Brings the directory up to date: one row tells whether anything changed. Loads these tenants
    /// where they are not known.
    pub(crate) fn refresh(
        &self,
        connection: &mut Connection,
        tenants: &HashSet<TenantId>,
    ) -> Result<Updated, Error> {
        let newest = version(connection, Versioned::Subscriptions)?;
        self.follow(connection, newest, tenants)
    }

    /// As [`Self::refresh`], where the version of the subscriptions was read before.
    pub(crate) fn follow(
        &self,
        connection: &mut Connection,
        newest: i64,
        tenants: &HashSet<TenantId>,
    ) -> Result<Updated, Error> {
        let _updating = self.updating();
        let since = self.known().version;
        // It may have been brought further meanwhile.
        if newest <= since {
            return self.load(connection, tenants, Vec::new(), false);
        }
        let changed: Vec<Uid> = each!(connection, c => tenants::table
            .filter(tenants::subscription_version.gt(since))
            .select(tenants::id)
            .load(c))?;
        let stale = changed.into_iter().map(TenantId::from).collect();
        let updated = self.load(connection, tenants, stale, true)?;
        self.known().version = newest;
        Ok(updated)
    }

    /// Loads these tenants where they are not known.
    pub(crate) fn learn(
        &self,
        connection: &mut Connection,
        tenants: &HashSet<TenantId>,
    ) -> Result<(), Error> {
        let _updating = self.updating();
        self.load(connection, tenants, Vec::new(), false).map(drop)
    }

    /// Forgets everything: what was read in a transaction that failed may never have been true.
    pub(crate) fn forget(&self) {
        *self.known() = Known::default();
    }

    /// Loads what is wanted and not known, and what is known and stale.
    fn load(
        &self,
        connection: &mut Connection,
        wanted: &HashSet<TenantId>,
        mut stale: Vec<TenantId>,
        has_changed: bool,
    ) -> Result<Updated, Error> {
        let mut of: HashMap<TenantId, OfTenant> = {
            let known = self.known();
            stale.retain(|tenant| known.tenants.contains_key(tenant));
            let fresh = wanted.iter().filter(|tenant| !stale.contains(tenant));
            fresh
                .filter_map(|tenant| Some((*tenant, known.tenants.get(tenant)?.clone())))
                .collect()
        };
        let unknown = wanted.iter().filter(|tenant| !of.contains_key(tenant));
        let missing: HashSet<TenantId> = unknown.chain(&stale).copied().collect();
        let loaded = load(connection, missing)?;
        self.known().keep(&loaded);
        of.extend(
            loaded
                .into_iter()
                .filter(|(tenant, _)| wanted.contains(tenant)),
        );
        Ok(Updated { has_changed, of })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn updating(&self) -> MutexGuard<'_, ()> {
        let updating = &self.0.updating;
        updating.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.look_up(move |connection| {
            let tenants = tenants.iter().copied().collect();
            Ok(shared.refresh(connection, &tenants)?.has_changed)
        })
        .await
    }
}

impl Known {
    fn keep(&mut self, loaded: &HashMap<TenantId, OfTenant>) {
        if self.tenants.len() + loaded.len() > MOST_TENANTS {
            self.tenants.clear();
        }
        self.tenants
            .extend(loaded.iter().map(|(tenant, of)| (*tenant, of.clone())));
    }
}

/// The subscriptions of these tenants, each of which is in the answer.
fn load(
    connection: &mut Connection,
    tenants: HashSet<TenantId>,
) -> Result<HashMap<TenantId, OfTenant>, Error> {
    let ids: Vec<TenantId> = tenants.iter().copied().collect();
    let mut loaded: HashMap<TenantId, Vec<Arc<Subscription>>> =
        tenants.into_iter().map(|id| (id, Vec::new())).collect();
    if !ids.is_empty() {
        for found in subscription::of_tenants(connection, &ids)? {
            let of = loaded.entry(found.interest.tenant_id).or_default();
            of.push(Arc::new(found));
        }
    }
    Ok(loaded
        .into_iter()
        .map(|(tenant, mut of)| {
            of.sort_unstable_by_key(|known| known.interest.subscription_id);
            (tenant, Arc::new(of))
        })
        .collect())
}
