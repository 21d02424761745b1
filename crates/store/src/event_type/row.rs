//! Types and versions as rows.

use super::{EventType, Version};
use crate::dialect::array::columns;
use crate::error::Error;
use crate::schema::{event_type_versions, event_types};
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Nullable, Text};
use domain::json::Raw;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = event_types, treat_none_as_default_value = false)]
pub(super) struct TypeRow {
    pub(super) tenant_id: Uid,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) is_deprecated: bool,
    pub(super) is_archived: bool,
    pub(super) newest: i32,
    pub(super) created_at: Moment,
    pub(super) updated_at: Moment,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = event_type_versions, treat_none_as_default_value = false)]
pub(super) struct VersionRow {
    pub(super) tenant_id: Uid,
    pub(super) name: String,
    pub(super) number: i32,
    pub(super) schema: String,
    pub(super) example: String,
    pub(super) is_breaking: bool,
    pub(super) upgrade: Option<String>,
    pub(super) downgrade: Option<String>,
    pub(super) created_at: Moment,
}

columns!(TypeRow => "event_types" {
    tenant_id: Id,
    name: Text,
    description: Nullable<Text>,
    is_deprecated: Bool,
    is_archived: Bool,
    newest: Integer,
    created_at: Instant,
    updated_at: Instant,
});

columns!(VersionRow => "event_type_versions" {
    tenant_id: Id,
    name: Text,
    number: Integer,
    schema: Text,
    example: Text,
    is_breaking: Bool,
    upgrade: Nullable<Text>,
    downgrade: Nullable<Text>,
    created_at: Instant,
});

/// The number of a version.
pub(super) fn version(number: i32) -> Result<u32, Error> {
    u32::try_from(number).map_err(|_| Error::unreadable("an event type with an unreadable version"))
}

impl TryFrom<TypeRow> for EventType {
    type Error = Error;

    fn try_from(row: TypeRow) -> Result<Self, Error> {
        Ok(Self {
            owner: row.tenant_id.into(),
            name: row.name,
            description: row.description,
            is_deprecated: row.is_deprecated,
            is_archived: row.is_archived,
            newest: version(row.newest)?,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

impl TryFrom<VersionRow> for Version {
    type Error = Error;

    fn try_from(row: VersionRow) -> Result<Self, Error> {
        let broken = |what: &str| {
            Error::unreadable(format!(
                "a version of an event type with an unreadable {what}"
            ))
        };
        let raw = |text: String, what: &str| Raw::parse(text).map_err(|_| broken(what));
        Ok(Self {
            number: u32::try_from(row.number).map_err(|_| broken("number"))?,
            schema: raw(row.schema, "schema")?,
            example: raw(row.example, "example")?,
            is_breaking: row.is_breaking,
            upgrade: row.upgrade.map(|text| raw(text, "converter")).transpose()?,
            downgrade: row
                .downgrade
                .map(|text| raw(text, "converter"))
                .transpose()?,
            created_at: row.created_at.into(),
        })
    }
}
