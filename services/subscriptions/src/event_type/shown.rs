//! Types and versions as they are shown.

use catalog::built_in::{self, BuiltIn};
use domain::Timestamp;
use domain::id::TenantId;
use domain::json::Raw;
use serde::Serialize;
use store::event_type::{EventType, Version};

#[derive(Serialize)]
pub(super) struct TypeView {
    pub(super) name: String,
    category: String,
    description: Option<String>,
    /// Who brought it.
    origin: &'static str,
    deprecated: bool,
    archived: bool,
    /// The newest.
    version: u32,
    example: Raw,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Raw>,
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<Vec<HeadView>>,
}

/// Enough to choose a version by.
#[derive(Serialize)]
struct HeadView {
    version: u32,
    breaking: bool,
    created_at: Option<Timestamp>,
}

#[derive(Serialize)]
pub(super) struct VersionView {
    version: u32,
    schema: Raw,
    example: Raw,
    breaking: bool,
    upgrade: Option<Raw>,
    downgrade: Option<Raw>,
    created_at: Option<Timestamp>,
}

#[derive(Serialize)]
pub(super) struct CategoryView {
    category: String,
    description: Option<&'static str>,
    types: Vec<TypeView>,
}

impl TypeView {
    pub(super) fn shipped(one: &BuiltIn) -> Self {
        Self {
            name: one.name.clone(),
            category: domain::catalog::category(&one.name).to_owned(),
            description: Some(one.description.clone()),
            origin: "built_in",
            deprecated: false,
            archived: false,
            version: built_in::VERSION,
            example: one.example.clone(),
            created_at: None,
            updated_at: None,
            schema: None,
            versions: None,
        }
    }

    /// One that the tenant, or the operator, brought.
    pub(super) fn of(of: &EventType, newest: &Version) -> Self {
        let is_operators = of.owner == TenantId::PLATFORM;
        Self {
            name: of.name.clone(),
            category: domain::catalog::category(&of.name).to_owned(),
            description: of.description.clone(),
            origin: if is_operators { "operator" } else { "own" },
            deprecated: of.is_deprecated,
            archived: of.is_archived,
            version: newest.number,
            example: newest.example.clone(),
            created_at: Some(of.created_at),
            updated_at: Some(of.updated_at),
            schema: None,
            versions: None,
        }
    }

    /// The same with the schema of its only version.
    pub(super) fn whole(self, version: &Version) -> Self {
        self.with(version, std::slice::from_ref(version))
    }

    /// The same with the schema of its newest version, and what versions there are.
    pub(super) fn with(self, newest: &Version, versions: &[Version]) -> Self {
        let head = |version: &Version| HeadView {
            version: version.number,
            breaking: version.is_breaking,
            created_at: Some(version.created_at),
        };
        Self {
            schema: Some(newest.schema.clone()),
            versions: Some(versions.iter().map(head).collect()),
            ..self
        }
    }

    pub(super) fn whole_shipped(self, one: &BuiltIn) -> Self {
        let only = HeadView {
            version: built_in::VERSION,
            breaking: false,
            created_at: None,
        };
        Self {
            schema: Some(one.schema.clone()),
            versions: Some(vec![only]),
            ..self
        }
    }
}

impl VersionView {
    pub(super) fn shipped(one: &BuiltIn) -> Self {
        Self {
            version: built_in::VERSION,
            schema: one.schema.clone(),
            example: one.example.clone(),
            breaking: false,
            upgrade: None,
            downgrade: None,
            created_at: None,
        }
    }
}

impl From<Version> for VersionView {
    fn from(version: Version) -> Self {
        Self {
            version: version.number,
            schema: version.schema,
            example: version.example,
            breaking: version.is_breaking,
            upgrade: version.upgrade,
            downgrade: version.downgrade,
            created_at: Some(version.created_at),
        }
    }
}

/// Types, which are in the order of their names, by category.
pub(super) fn grouped(types: Vec<TypeView>) -> Vec<CategoryView> {
    let mut groups: Vec<CategoryView> = Vec::new();
    for one in types {
        match groups.last_mut() {
            Some(group) if group.category == one.category => group.types.push(one),
            _ => groups.push(CategoryView {
                category: one.category.clone(),
                description: built_in::category(&one.category),
                types: vec![one],
            }),
        }
    }
    groups
}
