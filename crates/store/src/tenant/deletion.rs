//! Deleting a tenant. From the outside it is gone with the first commit; what is theirs is removed
//! afterwards, a page at a time, by whoever claims that. The row itself is remembered for a day, and looked
//! at again and again: what was on its way when the tenant went arrives late.

use super::{DELETED, lock};
use crate::Store;
use crate::connection::{Connection, each, load_locked};
use crate::error::Error;
use crate::installation::{Versioned, bump};
use crate::retention::PAGE;
use crate::schema::{
    access_tokens, account_sources, api_keys, attempts, callback_keys, callbacks, console_links,
    dead_letters, deliveries, event_type_versions, event_types, events, inboxes, limit_counters,
    members, message_history, messages, notifications, orphans, poll_leases, polls,
    previous_secrets, provider_accounts, provider_health, quarantine, replays, security_events,
    send_attempts, subscriptions, sweeps, tallies, tenants, trials,
};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::TenantId;
use std::time::Duration;

/// Nothing is removed before what was under way has ended: attempts, and callbacks being recorded.
const ENDS_WITHIN: Duration = Duration::from_mins(2);
/// How often what came late is looked for.
const LOOK_EVERY: Duration = Duration::from_mins(10);
/// How long the row is remembered. Idempotency keys, which are found by nothing but their age, live shorter.
const REMEMBERED: Duration = Duration::from_hours(25);
/// How many messages or deliveries are removed at once, with all that hangs on them.
const FEW: i64 = 100;

/// What a tenant has, in the order in which it is removed: what hangs on something goes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Keys, tokens, links and members.
    Access,
    /// Subscriptions, with their deliveries, attempts, secrets, tests and sweeps.
    Subscriptions,
    /// Replays.
    Replays,
    /// Callbacks.
    Callbacks,
    /// Reports without a message.
    Orphans,
    /// Messages, with their histories, send attempts and polls.
    Messages,
    /// Notifications.
    Notifications,
    /// Events.
    Events,
    /// Event types of its own, with their versions.
    EventTypes,
    /// What the door found odd.
    SecurityEvents,
    /// Refused requests.
    Quarantine,
    /// Jobs that were given up.
    DeadLetters,
    /// Counts.
    Tallies,
    /// What was counted for its plan.
    Limits,
    /// From where accounts were called.
    Sources,
    /// Provider accounts, with what is known of them.
    Accounts,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 16] = [
        Self::Access,
        Self::Subscriptions,
        Self::Replays,
        Self::Callbacks,
        Self::Orphans,
        Self::Messages,
        Self::Notifications,
        Self::Events,
        Self::EventTypes,
        Self::SecurityEvents,
        Self::Quarantine,
        Self::DeadLetters,
        Self::Tallies,
        Self::Limits,
        Self::Sources,
        Self::Accounts,
    ];
}

/// Deletes a page of a tenant's rows of a table by their key; how many.
macro_rules! delete_page {
    ($connection:expr, $tenant:expr, $table:ident, $key:ident: $kind:ty) => {{
        let keys: Vec<$kind> = each!($connection, c => $table::table
            .filter($table::tenant_id.eq($tenant))
            .select($table::$key)
            .order($table::$key)
            .limit(PAGE)
            .load(c))?;
        each!($connection, c => diesel::delete($table::table)
            .filter($table::tenant_id.eq($tenant))
            .filter($table::$key.eq_any(&keys))
            .execute(c))?
    }};
}

/// Deletes rows by a key of what they hang on.
macro_rules! delete_of {
    ($connection:expr, $table:ident, $key:ident, $keys:expr) => {
        each!($connection, c => diesel::delete($table::table)
            .filter($table::$key.eq_any($keys))
            .execute(c))?
    };
}

impl Store {
    /// Deletes a tenant: from now on nobody sees it or what it has. Whether there was one.
    pub async fn delete_tenant(&self, id: TenantId, at: Timestamp) -> Result<bool, Error> {
        self.write(move |connection| {
            let version = bump(connection, Versioned::Subscriptions)?;
            bump(connection, Versioned::Accounts)?;
            if lock(connection, id)?.is_none() {
                return Ok(false);
            }
            each!(connection, c => diesel::update(tenants::table.find(Uid::from(id)))
                .set((
                    tenants::name.eq(""),
                    tenants::state.eq(DELETED),
                    tenants::state_at.eq(Some(Moment::from(at))),
                    tenants::subscription_version.eq(version),
                ))
                .execute(c))?;
            Ok(true)
        })
        .await
    }

    /// A deleted tenant whose rows are to be looked for now. Nobody else is told of it for ten minutes, unless it
    /// is let go of.
    pub async fn claim_deleted_tenant(&self) -> Result<Option<TenantId>, Error> {
        let now = self.clock.now();
        self.write(move |connection| {
            let waiting = tenants::table
                .filter(tenants::state.eq(DELETED))
                .filter(tenants::state_at.le(Some(Moment::from(now.minus(ENDS_WITHIN)))))
                .filter(
                    tenants::looked_at
                        .is_null()
                        .or(tenants::looked_at.le(Some(Moment::from(now.minus(LOOK_EVERY))))),
                )
                .order(tenants::id)
                .limit(1)
                .select(tenants::id);
            let found: Vec<Uid> = load_locked!(connection, waiting, for_update, skip_locked);
            let Some(id) = found.into_iter().next() else {
                return Ok(None);
            };
            each!(connection, c => diesel::update(tenants::table.find(id))
                .set(tenants::looked_at.eq(Some(Moment::from(now))))
                .execute(c))?;
            Ok(Some(id.into()))
        })
        .await
    }

    /// Lets whoever looks next have a deleted tenant that was claimed and could not be cleared.
    pub async fn release_deleted_tenant(&self, id: TenantId) -> Result<(), Error> {
        self.write(move |connection| {
            each!(connection, c => diesel::update(tenants::table.find(Uid::from(id)))
                .set(tenants::looked_at.eq(None::<Moment>))
                .execute(c))?;
            Ok(())
        })
        .await
    }

    /// Removes a page of what a deleted tenant has; how many rows. None is left of the part at 0.
    pub async fn remove_page(&self, tenant: TenantId, part: Part) -> Result<usize, Error> {
        let tenant = Uid::from(tenant);
        self.write(move |connection| {
            let is_deleted: i64 = each!(connection, c => tenants::table
                .filter(tenants::id.eq(tenant))
                .filter(tenants::state.eq(DELETED))
                .count()
                .get_result(c))?;
            if is_deleted == 0 {
                return Ok(0);
            }
            remove(connection, tenant, part)
        })
        .await
    }

    /// Forgets a deleted tenant itself, once nothing of it can come any more. Whether it is forgotten.
    pub async fn forget_tenant(&self, tenant: TenantId) -> Result<bool, Error> {
        let deleted_before = Some(Moment::from(self.clock.now().minus(REMEMBERED)));
        self.write(move |connection| {
            let rows = each!(connection, c => diesel::delete(tenants::table)
                .filter(tenants::id.eq(Uid::from(tenant)))
                .filter(tenants::state.eq(DELETED))
                .filter(tenants::state_at.lt(deleted_before))
                .execute(c))?;
            Ok(rows > 0)
        })
        .await
    }
}

fn remove(connection: &mut Connection, tenant: Uid, part: Part) -> Result<usize, Error> {
    Ok(match part {
        Part::Access => {
            delete_page!(connection, tenant, api_keys, id: Uid)
                + delete_page!(connection, tenant, access_tokens, hash: Vec<u8>)
                + delete_page!(connection, tenant, console_links, hash: Vec<u8>)
                + delete_page!(connection, tenant, members, id: Uid)
        }
        Part::Subscriptions => {
            delete_page!(connection, tenant, sweeps, id: Uid)
                + delete_page!(connection, tenant, trials, id: Uid)
                + remove_subscriptions(connection, tenant)?
        }
        Part::Replays => delete_page!(connection, tenant, replays, id: Uid),
        Part::Callbacks => remove_callbacks(connection, tenant)?,
        Part::Orphans => delete_page!(connection, tenant, orphans, id: Uid),
        Part::Messages => remove_messages(connection, tenant)?,
        Part::Notifications => {
            delete_page!(connection, tenant, notifications, notification_id: String)
        }
        Part::Events => remove_events(connection, tenant)?,
        Part::EventTypes => remove_event_types(connection, tenant)?,
        Part::SecurityEvents => delete_page!(connection, tenant, security_events, id: Uid),
        Part::Quarantine => delete_page!(connection, tenant, quarantine, id: Uid),
        Part::DeadLetters => delete_page!(connection, tenant, dead_letters, id: Uid),
        Part::Tallies => remove_tallies(connection, tenant)?,
        Part::Limits => delete_page!(connection, tenant, limit_counters, day: i32),
        Part::Sources => remove_sources(connection, tenant)?,
        Part::Accounts => remove_accounts(connection, tenant)?,
    })
}

/// Some deliveries of the first subscriptions, or those themselves, once no delivery is left.
fn remove_subscriptions(connection: &mut Connection, tenant: Uid) -> Result<usize, Error> {
    let first: Vec<Uid> = each!(connection, c => subscriptions::table
        .filter(subscriptions::tenant_id.eq(tenant))
        .order(subscriptions::id)
        .select(subscriptions::id)
        .limit(FEW)
        .load(c))?;
    let some: Vec<Uid> = each!(connection, c => deliveries::table
        .filter(deliveries::subscription_id.eq_any(&first))
        .order((deliveries::subscription_id, deliveries::id))
        .select(deliveries::id)
        .limit(FEW)
        .load(c))?;
    if !some.is_empty() {
        delete_of!(connection, attempts, delivery_id, &some);
        return Ok(delete_of!(connection, deliveries, id, &some));
    }
    delete_of!(connection, previous_secrets, subscription_id, &first);
    Ok(delete_of!(connection, subscriptions, id, &first))
}

/// First receipts with their callbacks, then the others.
fn remove_callbacks(connection: &mut Connection, tenant: Uid) -> Result<usize, Error> {
    let mut page: Vec<(Uid, Uid)> = each!(connection, c => callbacks::table
        .filter(callbacks::tenant_id.eq(tenant))
        .filter(callbacks::is_first)
        .order(callbacks::receipt_id)
        .select((callbacks::receipt_id, callbacks::callback_id))
        .limit(PAGE)
        .load(c))?;
    if page.is_empty() {
        page = each!(connection, c => callbacks::table
            .filter(callbacks::tenant_id.eq(tenant))
            .filter(diesel::dsl::not(callbacks::is_first))
            .order(callbacks::callback_id)
            .select((callbacks::receipt_id, callbacks::callback_id))
            .limit(PAGE)
            .load(c))?;
    }
    let (receipts, ids): (Vec<Uid>, Vec<Uid>) = page.into_iter().unzip();
    delete_of!(connection, callback_keys, callback_id, &ids);
    Ok(delete_of!(connection, callbacks, receipt_id, &receipts))
}

fn remove_messages(connection: &mut Connection, tenant: Uid) -> Result<usize, Error> {
    let ids: Vec<Uid> = each!(connection, c => messages::table
        .filter(messages::tenant_id.eq(tenant))
        .order(messages::id)
        .select(messages::id)
        .limit(FEW)
        .load(c))?;
    delete_of!(connection, message_history, message_id, &ids);
    delete_of!(connection, send_attempts, message_id, &ids);
    delete_of!(connection, polls, message_id, &ids);
    Ok(delete_of!(connection, messages, id, &ids))
}

/// By id, which on PostgreSQL tells the day.
fn remove_events(connection: &mut Connection, tenant: Uid) -> Result<usize, Error> {
    let ids: Vec<Uid> = each!(connection, c => events::table
        .filter(events::tenant_id.eq(tenant))
        .order(events::position)
        .select(events::id)
        .limit(PAGE)
        .load(c))?;
    Ok(delete_of!(connection, events, id, &ids))
}

/// Some types, with all their versions.
fn remove_event_types(connection: &mut Connection, tenant: Uid) -> Result<usize, Error> {
    let names: Vec<String> = each!(connection, c => event_types::table
        .filter(event_types::tenant_id.eq(tenant))
        .order(event_types::name)
        .select(event_types::name)
        .limit(FEW)
        .load(c))?;
    each!(connection, c => diesel::delete(event_type_versions::table)
        .filter(event_type_versions::tenant_id.eq(tenant))
        .filter(event_type_versions::name.eq_any(&names))
        .execute(c))?;
    Ok(each!(connection, c => diesel::delete(event_types::table)
        .filter(event_types::tenant_id.eq(tenant))
        .filter(event_types::name.eq_any(&names))
        .execute(c))?)
}

/// The slots of a page that have one name: those are found by an index.
fn remove_tallies(connection: &mut Connection, tenant: Uid) -> Result<usize, Error> {
    let page: Vec<(String, i32)> = each!(connection, c => tallies::table
        .filter(tallies::tenant_id.eq(tenant))
        .order((tallies::name, tallies::slot))
        .select((tallies::name, tallies::slot))
        .limit(PAGE)
        .load(c))?;
    let Some((name, _)) = page.first().cloned() else {
        return Ok(0);
    };
    let of_name = page.iter().filter(|(other, _)| *other == name);
    let slots: Vec<i32> = of_name.map(|(_, slot)| *slot).collect();
    Ok(each!(connection, c => diesel::delete(tallies::table)
        .filter(tallies::tenant_id.eq(tenant))
        .filter(tallies::name.eq(&name))
        .filter(tallies::slot.eq_any(&slots))
        .execute(c))?)
}

/// Of one account at a time.
fn remove_sources(connection: &mut Connection, tenant: Uid) -> Result<usize, Error> {
    let accounts = provider_accounts::table
        .filter(provider_accounts::tenant_id.eq(tenant))
        .select(provider_accounts::id);
    let account: Option<Uid> = each!(connection, c => account_sources::table
        .filter(account_sources::account_id.eq_any(accounts))
        .select(account_sources::account_id)
        .first(c)
        .optional())?;
    let Some(account) = account else {
        return Ok(0);
    };
    let sources: Vec<String> = each!(connection, c => account_sources::table
        .filter(account_sources::account_id.eq(account))
        .order(account_sources::source)
        .select(account_sources::source)
        .limit(PAGE)
        .load(c))?;
    Ok(
        each!(connection, c => diesel::delete(account_sources::table)
        .filter(account_sources::account_id.eq(account))
        .filter(account_sources::source.eq_any(&sources))
        .execute(c))?,
    )
}

fn remove_accounts(connection: &mut Connection, tenant: Uid) -> Result<usize, Error> {
    let ids: Vec<Uid> = each!(connection, c => provider_accounts::table
        .filter(provider_accounts::tenant_id.eq(tenant))
        .order(provider_accounts::id)
        .select(provider_accounts::id)
        .limit(PAGE)
        .load(c))?;
    delete_of!(connection, inboxes, account_id, &ids);
    delete_of!(connection, poll_leases, account_id, &ids);
    delete_of!(connection, provider_health, account_id, &ids);
    Ok(delete_of!(connection, provider_accounts, id, &ids))
}
