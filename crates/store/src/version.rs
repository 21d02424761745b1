//! Versions of what people change, so that nobody undoes what they have not seen.
//!
//! Whoever changes something may say which versions of it they have seen. What is written then looks first, in
//! the same transaction and under the row's lock: between the look and the change there is nobody.

use crate::Store;
use crate::connection::{Connection, each, load_locked};
use crate::error::Error;
use crate::schema::{
    api_keys, event_types, members, plans, provider_accounts, subscriptions, tenants, versions,
};
use crate::sql_types::{Moment, Uid};
use crate::tenant::DELETED;
use diesel::prelude::*;
use domain::id::{AccountId, KeyId, MemberId, SubscriptionId, TenantId};
use sha2::{Digest, Sha256};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

/// Something that has versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A subscription.
    Subscription(SubscriptionId),
    /// A provider account.
    Account(AccountId),
    /// A key.
    Key(KeyId),
    /// A member.
    Member(MemberId),
    /// An event type of the tenant's own.
    EventType(String),
    /// A tenant itself, whoever asks.
    Tenant(TenantId),
    /// A plan, whoever asks.
    Plan(String),
}

impl Thing {
    /// Whether changing it makes it where it is not there.
    const fn is_made_by_change(&self) -> bool {
        matches!(self, Self::Plan(_))
    }
}

/// What people have made of a thing: another after each change, the same whatever is counted about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub [u8; 8]);

/// Which versions of a thing may be changed.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Whose thing.
    pub tenant_id: TenantId,
    /// Which.
    pub thing: Thing,
    /// Its versions that are known; none: it is there, whatever its version.
    pub versions: Option<Vec<Version>>,
}

/// What is expected by whoever is at work, with the versions they made themselves.
#[derive(Clone)]
pub(crate) struct Condition {
    tenant_id: TenantId,
    thing: Thing,
    versions: Arc<Mutex<Option<Vec<Version>>>>,
}

tokio::task_local! {
    static PRESENT: Condition;
}

impl Expected {
    /// Has what `work` writes be written only where the thing is as expected, or is not there at all and is not
    /// made by it.
    pub async fn during<F: Future>(self, work: F) -> F::Output {
        let condition = Condition {
            tenant_id: self.tenant_id,
            thing: self.thing,
            versions: Arc::new(Mutex::new(self.versions)),
        };
        PRESENT.scope(condition, work).await
    }
}

/// What is expected at this moment.
pub(crate) fn present() -> Option<Condition> {
    PRESENT.try_with(Clone::clone).ok()
}

impl Condition {
    /// Does it where the thing is as expected; with the version that it has then. Nobody else changes it until
    /// the transaction ends.
    pub(crate) fn around<T>(
        &self,
        connection: &mut Connection,
        work: &mut impl FnMut(&mut Connection) -> Result<T, Error>,
    ) -> Result<(T, Option<Version>), Error> {
        let found = find(connection, self.tenant_id, &self.thing, Look::Locks)?;
        let is_expected = match found {
            Some(version) => self.allows(version),
            None => !self.thing.is_made_by_change(),
        };
        if !is_expected {
            return Err(Error::OtherVersion);
        }
        let done = work(connection)?;
        let version = find(connection, self.tenant_id, &self.thing, Look::Reads)?;
        Ok((done, version))
    }

    /// Whoever made a version may change it again.
    pub(crate) fn allow(&self, version: Option<Version>) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(versions) = &mut *versions {
            versions.extend(version);
        }
    }

    fn allows(&self, version: Version) -> bool {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = versions.as_ref();
        versions.is_none_or(|versions| versions.contains(&version))
    }
}

impl Store {
    /// The version of a thing; none where there is no such thing.
    pub async fn version_of(
        &self,
        tenant: TenantId,
        thing: Thing,
    ) -> Result<Option<Version>, Error> {
        self.look_up(move |connection| find(connection, tenant, &thing, Look::Reads))
            .await
    }
}

#[derive(Clone, Copy)]
enum Look {
    Reads,
    Locks,
}

/// Loads what makes a version, with a lock where it is to be changed.
macro_rules! version {
    ($connection:expr, $look:expr, $row:ty, $query:expr) => {{
        let rows: Vec<$row> = match $look {
            Look::Locks => load_locked!($connection, $query, for_update),
            Look::Reads => each!($connection, c => $query.load(c))?,
        };
        Ok(rows.first().map(Version::of))
    }};
}

fn find(
    connection: &mut Connection,
    tenant: TenantId,
    thing: &Thing,
    look: Look,
) -> Result<Option<Version>, Error> {
    let owner = Uid::from(tenant);
    match thing {
        Thing::Subscription(id) => subscription(connection, owner, (*id).into(), look),
        Thing::Account(id) => account(connection, owner, (*id).into(), look),
        Thing::Key(id) => version!(
            connection,
            look,
            KeyVersion,
            api_keys::table
                .filter(api_keys::id.eq(Uid::from(*id)))
                .filter(api_keys::tenant_id.eq(owner))
                .select((api_keys::name, api_keys::revoked_at, api_keys::ends_at))
        ),
        Thing::Member(id) => version!(
            connection,
            look,
            MemberVersion,
            members::table
                .filter(members::id.eq(Uid::from(*id)))
                .filter(members::tenant_id.eq(owner))
                .select((members::updated_at, members::name, members::role))
        ),
        Thing::EventType(name) => version!(
            connection,
            look,
            TypeVersion,
            event_types::table
                .filter(event_types::tenant_id.eq(owner))
                .filter(event_types::name.eq(name))
                .select((
                    event_types::updated_at,
                    event_types::description,
                    event_types::is_deprecated,
                    event_types::is_archived,
                    event_types::newest,
                ))
        ),
        Thing::Tenant(id) => of_tenant(connection, (*id).into(), look),
        Thing::Plan(name) => of_plan(connection, name, look),
    }
}

fn subscription(
    connection: &mut Connection,
    owner: Uid,
    id: Uid,
    look: Look,
) -> Result<Option<Version>, Error> {
    version!(
        connection,
        look,
        SubscriptionVersion,
        subscriptions::table
            .filter(subscriptions::id.eq(id))
            .filter(subscriptions::tenant_id.eq(owner))
            .filter(subscriptions::deleted_at.is_null())
            .select((
                subscriptions::updated_at,
                subscriptions::url,
                subscriptions::events,
                subscriptions::secret,
                subscriptions::name,
                subscriptions::description,
                subscriptions::environment,
                subscriptions::is_enabled,
                subscriptions::settings,
                subscriptions::headers,
                subscriptions::endpoint_secret,
            ))
    )
}

fn account(
    connection: &mut Connection,
    owner: Uid,
    id: Uid,
    look: Look,
) -> Result<Option<Version>, Error> {
    version!(
        connection,
        look,
        AccountVersion,
        provider_accounts::table
            .filter(provider_accounts::id.eq(id))
            .filter(provider_accounts::tenant_id.eq(owner))
            .select((
                provider_accounts::updated_at,
                provider_accounts::environment,
                provider_accounts::checks,
                provider_accounts::status_api,
                provider_accounts::silence_state,
                provider_accounts::silence_after,
            ))
    )
}

fn of_tenant(connection: &mut Connection, id: Uid, look: Look) -> Result<Option<Version>, Error> {
    lock_subscriptions(connection, look)?;
    version!(
        connection,
        look,
        TenantVersion,
        tenants::table
            .filter(tenants::id.eq(id))
            .filter(tenants::state.ne(DELETED))
            .select((tenants::name, tenants::plan, tenants::state))
    )
}

fn of_plan(connection: &mut Connection, name: &str, look: Look) -> Result<Option<Version>, Error> {
    lock_subscriptions(connection, look)?;
    version!(
        connection,
        look,
        PlanVersion,
        plans::table.find(name).select((
            plans::events_per_day,
            plans::webhooks,
            plans::per_minute,
            plans::per_hour,
        ))
    )
}

/// Whoever suspends or deletes a tenant, or changes a plan, locks this before the tenant or the plan.
fn lock_subscriptions(connection: &mut Connection, look: Look) -> Result<(), Error> {
    if let Look::Locks = look {
        let _: Vec<i64> = load_locked!(
            connection,
            versions::table
                .find("subscriptions")
                .select(versions::value),
            for_update
        );
    }
    Ok(())
}

type SubscriptionVersion = (
    Moment,
    String,
    String,
    Vec<u8>,
    Option<String>,
    Option<String>,
    String,
    bool,
    Option<String>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
);
type AccountVersion = (Moment, String, Vec<u8>, Option<Vec<u8>>, i16, Option<i64>);
type KeyVersion = (String, Option<Moment>, Option<Moment>);
type MemberVersion = (Moment, Option<String>, i16);
type TypeVersion = (Moment, Option<String>, bool, bool, i32);
type TenantVersion = (String, String, i16);
type PlanVersion = (Option<i64>, Option<i32>, Option<i32>, Option<i32>);

impl Version {
    fn of<R: Debug>(row: &R) -> Self {
        let hash = Sha256::digest(format!("{row:?}"));
        let mut version = [0; 8];
        for (to, from) in version.iter_mut().zip(hash) {
            *to = from;
        }
        Self(version)
    }
}
