//! The directory: the subscriptions a dispatcher works for, as of a version it knows.

use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::installation::{Versioned, version};
use crate::plan;
use crate::schema::tenants;
use crate::sql_types::Uid;
use crate::subscription::{self, Subscription};
use crate::tenant::{DELETED, State};
use diesel::prelude::*;
use domain::id::{SubscriptionId, TenantId};
use domain::subscription::RateLimit;
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
    /// Those of these tenants that are suspended.
    suspended: HashSet<TenantId>,
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
    /// It is there, and its tenant is suspended: what it is owed waits.
    Suspended,
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
        match found.ok().and_then(|at| of_tenant.get(at)) {
            None => Found::Gone,
            Some(_) if known.suspended.contains(&tenant) => Found::Suspended,
            Some(found) => Found::Subscription(found.clone()),
        }
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
                .of
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
    fn keep(&mut self, loaded: &Loaded) {
        if self.tenants.len() + loaded.of.len() > MOST_TENANTS {
            self.tenants.clear();
            self.suspended.clear();
        }
        for (tenant, of) in &loaded.of {
            self.tenants.insert(*tenant, of.clone());
            if loaded.suspended.contains(tenant) {
                self.suspended.insert(*tenant);
            } else {
                self.suspended.remove(tenant);
            }
        }
    }
}

/// What was read of some tenants.
struct Loaded {
    /// The subscriptions of each of them.
    of: HashMap<TenantId, OfTenant>,
    suspended: HashSet<TenantId>,
}

/// The subscriptions of these tenants, each of which is in the answer. One that was deleted has none. How fast
/// each is sent to is what its own limit and its tenant's plan allow.
fn load(connection: &mut Connection, tenants: HashSet<TenantId>) -> Result<Loaded, Error> {
    let ids: Vec<TenantId> = tenants.iter().copied().collect();
    let mut loaded: HashMap<TenantId, Vec<Arc<Subscription>>> =
        tenants.into_iter().map(|id| (id, Vec::new())).collect();
    let mut suspended = HashSet::new();
    if !ids.is_empty() {
        let (stopped, deleted) = not_active(connection, &ids)?;
        suspended = stopped;
        let uids: Vec<Uid> = ids.iter().copied().map(Uid::from).collect();
        let plans = plan::of_tenants(connection, &uids)?;
        for mut found in subscription::of_tenants(connection, &ids)? {
            let tenant = found.interest.tenant_id;
            let of_plan = plans.get(&tenant.into()).and_then(|plan| plan.rate_limit);
            let own = found.settings.rate_limit;
            found.settings.rate_limit = RateLimit::tighter(own, of_plan);
            if !deleted.contains(&tenant) {
                loaded.entry(tenant).or_default().push(Arc::new(found));
            }
        }
    }
    let of = loaded
        .into_iter()
        .map(|(tenant, mut of)| {
            of.sort_unstable_by_key(|known| known.interest.subscription_id);
            (tenant, Arc::new(of))
        })
        .collect();
    Ok(Loaded { of, suspended })
}

/// Those of these tenants that are suspended, and those that were deleted.
fn not_active(
    connection: &mut Connection,
    of: &[TenantId],
) -> Result<(HashSet<TenantId>, HashSet<TenantId>), Error> {
    let of: Vec<Uid> = of.iter().copied().map(Uid::from).collect();
    let rows: Vec<(Uid, i16)> = each!(connection, c => tenants::table
        .filter(tenants::id.eq_any(&of))
        .filter(tenants::state.ne(State::Active.code()))
        .select((tenants::id, tenants::state))
        .load(c))?;
    let (deleted, suspended): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(_, state)| *state == DELETED);
    let ids = |rows: Vec<(Uid, i16)>| rows.into_iter().map(|(id, _)| id.into()).collect();
    Ok((ids(suspended), ids(deleted)))
}
