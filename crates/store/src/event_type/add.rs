//! New types and new versions, many in one commit.

use super::number_of;
use super::row::{TypeRow, VersionRow};
use crate::Store;
use crate::connection::{Connection, each, insert_rows, load_locked};
use crate::error::Error;
use crate::schema::{event_type_versions, event_types, tenants};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::catalog::MAX_OWN_TYPES;
use domain::id::TenantId;
use domain::json::Raw;
use std::collections::HashMap;

/// A version to be added: with the number 1 together with its type.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The name of the type.
    pub name: String,
    /// What a new type tells.
    pub description: Option<String>,
    /// Whether a new type should not be used any more.
    pub is_deprecated: bool,
    /// One more than the newest, by which it was judged.
    pub number: u32,
    /// The schema of its data.
    pub schema: Raw,
    /// Data as it may be.
    pub example: Raw,
    /// Whether it was declared to break those who know the version before.
    pub is_breaking: bool,
    /// Makes data of the version before to data of this one.
    pub upgrade: Option<Raw>,
    /// The reverse.
    pub downgrade: Option<Raw>,
}

/// What became of a version that was to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    New,
    /// Somebody else added one meanwhile: what it was judged by is not the newest any more.
    Overtaken,
    /// Its owner has as many types as there may be.
    TooMany,
}

impl Store {
    /// Adds versions, of which no two are of one type, in one commit; what became of each.
    pub async fn add_event_type_versions(
        &self,
        owner: TenantId,
        additions: Vec<NewVersion>,
        at: Timestamp,
    ) -> Result<Vec<Added>, Error> {
        self.write(move |connection| {
            alone(connection, owner)?;
            let mut room = MAX_OWN_TYPES.saturating_sub(count(connection, owner)?);
            let newest = newest(connection, owner, &additions)?;
            let mut judge = |addition: &NewVersion| {
                let there = newest.get(&addition.name).copied().unwrap_or_default();
                if there + 1 != number_of(addition.number) {
                    return Added::Overtaken;
                }
                if there > 0 {
                    return Added::New;
                }
                if room == 0 {
                    return Added::TooMany;
                }
                room -= 1;
                Added::New
            };
            let added: Vec<Added> = additions.iter().map(&mut judge).collect();
            let fitting: Vec<&NewVersion> = additions
                .iter()
                .zip(&added)
                .filter_map(|(addition, added)| (*added == Added::New).then_some(addition))
                .collect();
            write(connection, owner, &fitting, at)?;
            Ok(added)
        })
        .await
    }
}

/// One who adds at a time, for an owner.
fn alone(connection: &mut Connection, owner: TenantId) -> Result<(), Error> {
    let query = tenants::table
        .filter(tenants::id.eq(Uid::from(owner)))
        .select(tenants::id);
    let _: Vec<Uid> = load_locked!(connection, query, for_no_key_update);
    Ok(())
}

fn count(connection: &mut Connection, owner: TenantId) -> Result<usize, Error> {
    let count: i64 = each!(connection, c => event_types::table
        .filter(event_types::tenant_id.eq(Uid::from(owner)))
        .count()
        .get_result(c))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn newest(
    connection: &mut Connection,
    owner: TenantId,
    additions: &[NewVersion],
) -> Result<HashMap<String, i32>, Error> {
    let names: Vec<&str> = additions.iter().map(|one| one.name.as_str()).collect();
    let rows: Vec<(String, i32)> = each!(connection, c => event_types::table
        .filter(event_types::tenant_id.eq(Uid::from(owner)))
        .filter(event_types::name.eq_any(&names))
        .select((event_types::name, event_types::newest))
        .load(c))?;
    Ok(rows.into_iter().collect())
}

fn write(
    connection: &mut Connection,
    owner: TenantId,
    fitting: &[&NewVersion],
    at: Timestamp,
) -> Result<(), Error> {
    let (first, later): (Vec<&NewVersion>, Vec<&NewVersion>) =
        fitting.iter().partition(|one| one.number == 1);
    let types: Vec<TypeRow> = first.iter().map(|one| type_row(owner, one, at)).collect();
    insert_rows!(connection, event_types::table, types.iter());
    let names: Vec<&str> = later.iter().map(|one| one.name.as_str()).collect();
    if !names.is_empty() {
        each!(connection, c => diesel::update(event_types::table)
            .filter(event_types::tenant_id.eq(Uid::from(owner)))
            .filter(event_types::name.eq_any(&names))
            .set((
                event_types::newest.eq(event_types::newest + 1),
                event_types::updated_at.eq(Moment::from(at)),
            ))
            .execute(c))?;
    }
    let versions: Vec<VersionRow> = fitting
        .iter()
        .map(|one| version_row(owner, one, at))
        .collect();
    insert_rows!(connection, event_type_versions::table, versions.iter());
    Ok(())
}

fn type_row(owner: TenantId, one: &NewVersion, at: Timestamp) -> TypeRow {
    TypeRow {
        tenant_id: owner.into(),
        name: one.name.clone(),
        description: one.description.clone(),
        is_deprecated: one.is_deprecated,
        is_archived: false,
        newest: 1,
        created_at: at.into(),
        updated_at: at.into(),
    }
}

fn version_row(owner: TenantId, one: &NewVersion, at: Timestamp) -> VersionRow {
    let text = |raw: &Raw| raw.as_str().to_owned();
    VersionRow {
        tenant_id: owner.into(),
        name: one.name.clone(),
        number: number_of(one.number),
        schema: text(&one.schema),
        example: text(&one.example),
        is_breaking: one.is_breaking,
        upgrade: one.upgrade.as_ref().map(text),
        downgrade: one.downgrade.as_ref().map(text),
        created_at: at.into(),
    }
}
