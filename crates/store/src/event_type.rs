//! Event types that tenants, and the operator, brought themselves. The operator's belong to the
//! platform's tenant and are every tenant's as well; where a tenant had one of the same name before, its
//! own counts for it.

mod add;
mod row;

pub use add::{Added, NewVersion};

use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::{event_type_versions, event_types};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::catalog::is_name;
use domain::id::TenantId;
use domain::json::Raw;
use row::{TypeRow, VersionRow};
use std::collections::{BTreeSet, HashMap, HashSet};

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    /// Who brought it; the platform's tenant for the operator's.
    pub owner: TenantId,
    /// Its dotted name.
    pub name: String,
    /// What it tells.
    pub description: Option<String>,
    /// Whether it should not be used any more.
    pub is_deprecated: bool,
    /// Whether it cannot be published any more.
    pub is_archived: bool,
    /// Its newest version.
    pub newest: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A version of a type. It never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Its number, from 1.
    pub number: u32,
    /// The schema of its data.
    pub schema: Raw,
    /// Data as it may be.
    pub example: Raw,
    /// Whether it was declared to break those who know the version before.
    pub is_breaking: bool,
    /// Makes data of the version before to data of this one; none where nothing has to be done.
    pub upgrade: Option<Raw>,
    /// The reverse.
    pub downgrade: Option<Raw>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What may be changed of a type; none leaves it.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// What it tells.
    pub description: Option<Option<String>>,
    /// Whether it should not be used any more.
    pub is_deprecated: Option<bool>,
    /// Whether it cannot be published any more.
    pub is_archived: Option<bool>,
}

impl Store {
    /// The type of this name that counts for a tenant. For a hot path.
    pub async fn find_event_type(
        &self,
        tenant: TenantId,
        name: String,
    ) -> Result<Option<EventType>, Error> {
        self.look_up(move |connection| {
            let found = named(connection, tenant, std::slice::from_ref(&name))?;
            Ok(found.into_iter().next())
        })
        .await
    }

    /// The types of these names that count for a tenant, in the order of their names.
    pub async fn find_event_types(
        &self,
        tenant: TenantId,
        names: Vec<String>,
    ) -> Result<Vec<EventType>, Error> {
        self.read(move |connection| named(connection, tenant, &names))
            .await
    }

    /// The names of all types that count for a tenant, each with its newest version.
    pub async fn event_type_names(&self, tenant: TenantId) -> Result<Vec<(String, u32)>, Error> {
        self.read(move |connection| {
            let rows: Vec<(Uid, String, i32)> = each!(connection, c => event_types::table
                .filter(event_types::tenant_id.eq_any(owners(tenant)))
                .order(event_types::name)
                .select((event_types::tenant_id, event_types::name, event_types::newest))
                .load(c))?;
            let mut names: Vec<(String, u32)> = Vec::with_capacity(rows.len());
            for (owner, name, newest) in rows {
                let newest = row::version(newest)?;
                match names.last_mut() {
                    Some(last) if last.0 == name => {
                        if TenantId::from(owner) == tenant {
                            last.1 = newest;
                        }
                    }
                    _ => names.push((name, newest)),
                }
            }
            Ok(names)
        })
        .await
    }

    /// Of types that some tenants use by these names, those that count for them, each with its newest version.
    pub async fn event_types_of_many(
        &self,
        asked: HashSet<(TenantId, String)>,
    ) -> Result<Vec<(TenantId, EventType, Version)>, Error> {
        self.read(move |connection| {
            let names: BTreeSet<&str> = asked.iter().map(|(_, name)| name.as_str()).collect();
            let names: Vec<&str> = names.into_iter().filter(|name| is_name(name)).collect();
            if names.is_empty() {
                return Ok(Vec::new());
            }
            let tenants = asked.iter().map(|(tenant, _)| *tenant);
            let owners: BTreeSet<TenantId> = tenants.chain([TenantId::PLATFORM]).collect();
            let owners: Vec<Uid> = owners.into_iter().map(Uid::from).collect();
            let found: HashMap<(TenantId, String), (EventType, Version)> =
                with_newest(connection, &owners, &names)?
                    .into_iter()
                    .map(|one| ((one.0.owner, one.0.name.clone()), one))
                    .collect();
            let counting = |(tenant, name): (TenantId, String)| {
                let own = found.get(&(tenant, name.clone()));
                let (of, newest) = own.or_else(|| found.get(&(TenantId::PLATFORM, name)))?;
                Some((tenant, of.clone(), newest.clone()))
            };
            Ok(asked.into_iter().filter_map(counting).collect())
        })
        .await
    }

    /// Types that count for a tenant, each with its newest version, in the order of their names: at most
    /// `limit` that come after a name.
    pub async fn list_event_types(
        &self,
        tenant: TenantId,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<(EventType, Version)>, Error> {
        self.read(move |connection| {
            // A name may be there twice.
            let reach = 2 * i64::from(limit);
            let rows: Vec<(TypeRow, VersionRow)> = each!(connection, c => {
                let newest = event_type_versions::tenant_id
                    .eq(event_types::tenant_id)
                    .and(event_type_versions::name.eq(event_types::name))
                    .and(event_type_versions::number.eq(event_types::newest));
                let mut query = event_types::table
                    .inner_join(event_type_versions::table.on(newest))
                    .filter(event_types::tenant_id.eq_any(owners(tenant)))
                    .order(event_types::name)
                    .limit(reach)
                    .select((TypeRow::as_select(), VersionRow::as_select()))
                    .into_boxed();
                if let Some(after) = &after {
                    query = query.filter(event_types::name.gt(after));
                }
                query.load(c)
            })?;
            let found = rows
                .into_iter()
                .map(|(of, version)| Ok((EventType::try_from(of)?, Version::try_from(version)?)))
                .collect::<Result<Vec<_>, Error>>()?;
            let mut found = counting(found, tenant, |(of, _)| of);
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(found)
        })
        .await
    }

    /// A version of a type, by its owner. For a hot path.
    pub async fn find_event_type_version(
        &self,
        owner: TenantId,
        name: String,
        number: u32,
    ) -> Result<Option<Version>, Error> {
        let found = self
            .event_type_versions(owner, name, number, number)
            .await?;
        Ok(found.into_iter().next())
    }

    /// The versions of a type from one to another, in their order.
    pub async fn event_type_versions(
        &self,
        owner: TenantId,
        name: String,
        from: u32,
        to: u32,
    ) -> Result<Vec<Version>, Error> {
        self.look_up(move |connection| {
            let rows: Vec<VersionRow> = each!(connection, c => event_type_versions::table
                .filter(event_type_versions::tenant_id.eq(Uid::from(owner)))
                .filter(event_type_versions::name.eq(&name))
                .filter(event_type_versions::number.between(number_of(from), number_of(to)))
                .order(event_type_versions::number)
                .select(VersionRow::as_select())
                .load(c))?;
            rows.into_iter().map(Version::try_from).collect()
        })
        .await
    }

    /// The newest versions of a tenant's own types of these names, each with its type.
    pub async fn newest_versions(
        &self,
        owner: TenantId,
        names: Vec<String>,
    ) -> Result<Vec<(EventType, Version)>, Error> {
        self.read(move |connection| with_newest(connection, &[owner.into()], &possible(&names)))
            .await
    }

    /// Changes what is said of a tenant's own type. The type after it; none where there is none.
    pub async fn change_event_type(
        &self,
        owner: TenantId,
        name: String,
        change: Change,
        at: Timestamp,
    ) -> Result<Option<EventType>, Error> {
        self.write(move |connection| {
            let row: Option<TypeRow> = each!(connection, c => diesel::update(
                event_types::table.find((Uid::from(owner), &name)),
            )
            .set((
                change.description.as_ref().map(|text| event_types::description.eq(text)),
                change.is_deprecated.map(|is| event_types::is_deprecated.eq(is)),
                change.is_archived.map(|is| event_types::is_archived.eq(is)),
                event_types::updated_at.eq(Moment::from(at)),
            ))
            .returning(TypeRow::as_returning())
            .get_result(c)
            .optional())?;
            row.map(EventType::try_from).transpose()
        })
        .await
    }
}

/// The types that these have of these names, each with its newest version.
fn with_newest(
    connection: &mut Connection,
    owners: &[Uid],
    names: &[&str],
) -> Result<Vec<(EventType, Version)>, Error> {
    let rows: Vec<(TypeRow, VersionRow)> = each!(connection, c => {
        let newest = event_type_versions::tenant_id
            .eq(event_types::tenant_id)
            .and(event_type_versions::name.eq(event_types::name))
            .and(event_type_versions::number.eq(event_types::newest));
        event_types::table
            .inner_join(event_type_versions::table.on(newest))
            .filter(event_types::tenant_id.eq_any(owners))
            .filter(event_types::name.eq_any(names))
            .select((TypeRow::as_select(), VersionRow::as_select()))
            .load(c)
    })?;
    rows.into_iter()
        .map(|(of, version)| Ok((of.try_into()?, version.try_into()?)))
        .collect()
}

/// The types of these names that count for a tenant.
fn named(
    connection: &mut Connection,
    tenant: TenantId,
    names: &[String],
) -> Result<Vec<EventType>, Error> {
    let names = possible(names);
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<TypeRow> = each!(connection, c => event_types::table
        .filter(event_types::tenant_id.eq_any(owners(tenant)))
        .filter(event_types::name.eq_any(&names))
        .order(event_types::name)
        .select(TypeRow::as_select())
        .load(c))?;
    let found = rows
        .into_iter()
        .map(EventType::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(counting(found, tenant, |of| of))
}

/// Those of types in the order of their names that count: of two of one name, the tenant's own.
fn counting<T>(found: Vec<T>, tenant: TenantId, of: impl Fn(&T) -> &EventType) -> Vec<T> {
    let mut counting: Vec<T> = Vec::with_capacity(found.len());
    for next in found {
        match counting.last_mut() {
            Some(last) if of(last).name == of(&next).name => {
                if of(&next).owner == tenant {
                    *last = next;
                }
            }
            _ => counting.push(next),
        }
    }
    counting
}

/// Those of names that a type could have: others may hold what the engine takes in no text.
fn possible(names: &[String]) -> Vec<&str> {
    let names = names.iter().map(String::as_str);
    names.filter(|name| is_name(name)).collect()
}

fn owners(tenant: TenantId) -> Vec<Uid> {
    let mut owners = vec![Uid::from(tenant)];
    if tenant != TenantId::PLATFORM {
        owners.push(TenantId::PLATFORM.into());
    }
    owners
}

fn number_of(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}
