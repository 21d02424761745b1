//! Tenants.

mod deletion;

pub use deletion::Part;

use crate::Store;
use crate::asked::{Asked, asked};
use crate::connection::{Connection, each, load_locked};
use crate::dialect;
use crate::error::Error;
use crate::installation::{Versioned, bump};
use crate::key::{self, NewKey};
use crate::page::{Page, Window};
use crate::plan;
use crate::schema::tenants;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::TenantId;

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// Its plan.
    pub plan: String,
    /// Whether it may do anything.
    pub state: State,
    /// Since when it is in its state; none for one that was never in another.
    pub state_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Whether a tenant may do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It may.
    Active,
    /// Its keys open nothing and its deliveries wait; what providers say of its messages is taken.
    Suspended,
}

impl State {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Active, Self::Suspended];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    pub(crate) const fn code(self) -> i16 {
        match self {
            Self::Active => 0,
            Self::Suspended => 1,
        }
    }

    pub(crate) fn decode(code: i16) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|state| state.code() == code)
            .ok_or_else(|| Error::unreadable(format!("a tenant in the state {code}")))
    }
}

/// The code of a tenant that was deleted and is remembered for a while. Nobody is shown one.
pub(crate) const DELETED: i16 = 2;

/// Which tenants.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Called this.
    pub name: Option<Asked>,
    /// On this plan.
    pub plan: Option<String>,
    /// In this state.
    pub state: Option<State>,
}

/// What is changed of a tenant; none stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// What people call it.
    pub name: Option<String>,
    /// Its plan.
    pub plan: Option<String>,
}

/// What became of a tenant that was to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It is this now.
    To(Tenant),
    /// There is none.
    Missing,
    /// There is no such plan.
    NoSuchPlan,
}

impl Store {
    /// Makes a tenant and its first key. Not where there is no such plan: whether there is.
    pub async fn create_tenant(&self, tenant: Tenant, key: NewKey) -> Result<bool, Error> {
        let row = TenantRow::from(tenant);
        self.write(move |connection| {
            if !plan::holds(connection, &row.plan)? {
                return Ok(false);
            }
            each!(connection, c => diesel::insert_into(tenants::table)
                .values((&row, tenants::subscription_version.eq(0)))
                .execute(c))?;
            key::insert(connection, row.id, &key, row.created_at)?;
            Ok(true)
        })
        .await
    }

    /// Whether there is such a tenant.
    pub async fn has_tenant(&self, id: TenantId) -> Result<bool, Error> {
        self.read(move |connection| Ok(find(connection, id)?.is_some()))
            .await
    }

    /// A tenant.
    pub async fn find_tenant(&self, id: TenantId) -> Result<Option<Tenant>, Error> {
        self.read(move |connection| find(connection, id)?.map(Tenant::try_from).transpose())
            .await
    }

    /// All tenants, newest first.
    pub async fn list_tenants(
        &self,
        filter: Filter,
        window: Window<TenantId>,
    ) -> Result<Page<Tenant, TenantId>, Error> {
        self.read(move |connection| {
            let order = dialect::message::text_order(connection);
            let rows: Vec<TenantRow> = each!(connection, c => {
                let mut query = tenants::table
                    .filter(tenants::state.ne(DELETED))
                    .order(tenants::id.desc())
                    .limit(window.reach())
                    .select(TenantRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(tenants::id.lt(Uid::from(before)));
                }
                if let Some(plan) = &filter.plan {
                    query = query.filter(tenants::plan.eq(plan));
                }
                if let Some(state) = filter.state {
                    query = query.filter(tenants::state.eq(state.code()));
                }
                asked!(query, order, tenants::name, "tenants.name", &filter.name);
                query.load(c)
            })?;
            let items = rows.into_iter().map(Tenant::try_from);
            let items = items.collect::<Result<_, _>>()?;
            Ok(window.page(items, |tenant: &Tenant| tenant.id))
        })
        .await
    }

    /// Changes a tenant. What another plan limits holds at once: how fast webhooks are sent to from the next
    /// attempt on.
    pub async fn update_tenant(&self, id: TenantId, change: Change) -> Result<Changed, Error> {
        self.write(move |connection| {
            let version = match &change.plan {
                None => None,
                Some(plan) => {
                    let version = bump(connection, Versioned::Subscriptions)?;
                    if !plan::holds(connection, plan)? {
                        return Ok(Changed::NoSuchPlan);
                    }
                    Some(version)
                }
            };
            let Some(mut row) = lock(connection, id)? else {
                return Ok(Changed::Missing);
            };
            row.name = change.name.clone().unwrap_or(row.name);
            row.plan = change.plan.clone().unwrap_or(row.plan);
            each!(connection, c => diesel::update(tenants::table.find(row.id))
                .set((
                    tenants::name.eq(&row.name),
                    tenants::plan.eq(&row.plan),
                    version.map(|version| tenants::subscription_version.eq(version)),
                ))
                .execute(c))?;
            Tenant::try_from(row).map(Changed::To)
        })
        .await
    }

    /// Suspends a tenant or ends that; it after the change, or none where there is none. Dispatchers hold
    /// its deliveries, or go on with them, before their next attempt.
    pub async fn set_tenant_state(
        &self,
        id: TenantId,
        state: State,
        at: Timestamp,
    ) -> Result<Option<Tenant>, Error> {
        self.write(move |connection| {
            let version = bump(connection, Versioned::Subscriptions)?;
            let Some(mut row) = lock(connection, id)? else {
                return Ok(None);
            };
            if row.state != state.code() {
                row.state = state.code();
                row.state_at = Some(at.into());
                each!(connection, c => diesel::update(tenants::table.find(row.id))
                    .set((
                        tenants::state.eq(row.state),
                        tenants::state_at.eq(row.state_at),
                        tenants::subscription_version.eq(version),
                    ))
                    .execute(c))?;
            }
            Tenant::try_from(row).map(Some)
        })
        .await
    }
}

pub(crate) fn find(connection: &mut Connection, id: TenantId) -> Result<Option<TenantRow>, Error> {
    Ok(each!(connection, c => tenants::table
        .filter(tenants::id.eq(Uid::from(id)))
        .filter(tenants::state.ne(DELETED))
        .select(TenantRow::as_select())
        .first(c)
        .optional())?)
}

/// A tenant that nobody else changes until the transaction ends; none where there is none.
pub(crate) fn lock(connection: &mut Connection, id: TenantId) -> Result<Option<TenantRow>, Error> {
    let query = tenants::table
        .filter(tenants::id.eq(Uid::from(id)))
        .filter(tenants::state.ne(DELETED));
    let rows: Vec<TenantRow> =
        load_locked!(connection, query.select(TenantRow::as_select()), for_update);
    Ok(rows.into_iter().next())
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = tenants, treat_none_as_default_value = false)]
pub(crate) struct TenantRow {
    id: Uid,
    name: String,
    plan: String,
    created_at: Moment,
    pub(crate) state: i16,
    state_at: Option<Moment>,
}

impl From<Tenant> for TenantRow {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id.into(),
            name: tenant.name,
            plan: tenant.plan,
            created_at: tenant.created_at.into(),
            state: tenant.state.code(),
            state_at: tenant.state_at.map(Moment::from),
        }
    }
}

impl TryFrom<TenantRow> for Tenant {
    type Error = Error;

    fn try_from(row: TenantRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            name: row.name,
            plan: row.plan,
            state: State::decode(row.state)?,
            state_at: row.state_at.map(Timestamp::from),
            created_at: row.created_at.into(),
        })
    }
}
