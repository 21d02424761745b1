//! Types and versions as they are shown.

use catalog::built_in::{self, BuiltIn};
use domain::Timestamp;
use domain::id::TenantId;
use domain::json::Raw;
use serde::Serialize;
use store::event_type::{EventType, Version};
use utoipa::ToSchema;

/// A type of events.
#[derive(Serialize, ToSchema)]
#[schema(as = EventType, examples(json!({
    "name": "shop.order_placed",
    "category": "shop",
    "description": "Somebody ordered.",
    "origin": "own",
    "deprecated": false,
    "archived": false,
    "version": 1,
    "example": { "number": 1 },
    "created_at": "2026-11-23T21:09:00.000Z",
    "updated_at": "2026-11-23T21:09:00.000Z",
})))]
pub(super) struct TypeView {
    /// Its dotted name.
    pub(super) name: String,
    /// What its name begins with.
    category: String,
    /// What it tells.
    description: Option<String>,
    /// Who brought it.
    #[schema(schema_with = origins)]
    origin: &'static str,
    /// Whether it should not be used any more.
    deprecated: bool,
    /// Whether it cannot be published any more.
    archived: bool,
    /// Its newest version.
    version: u32,
    /// Data as it may be in that version.
    #[schema(value_type = Object)]
    example: Raw,
    /// When it was brought; null of one that ships.
    created_at: Option<Timestamp>,
    /// When it was last changed; null of one that ships.
    updated_at: Option<Timestamp>,
    /// The schema of its newest version; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    schema: Option<Raw>,
    /// Its versions; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<HeadView>, required = false)]
    versions: Option<Vec<HeadView>>,
}

fn origins() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "Who brought it: it ships with Tidings, or is the operator's, or your own.",
        crate::openapi::word(["built_in", "operator", "own"]),
    )
}

/// Enough to choose a version by.
#[derive(Serialize, ToSchema)]
#[schema(as = EventTypeVersionHead)]
struct HeadView {
    /// Its number.
    version: u32,
    /// Whether it was declared to break those who know the version before.
    breaking: bool,
    /// When it was added; null of one that ships.
    created_at: Option<Timestamp>,
}

/// A version of a type. It never changes.
#[derive(Serialize, ToSchema)]
#[schema(as = EventTypeVersion, examples(json!({
    "version": 1,
    "schema": { "type": "object" },
    "example": { "number": 1 },
    "breaking": false,
    "upgrade": null,
    "downgrade": null,
    "created_at": "2026-11-23T21:09:00.000Z",
})))]
pub(super) struct VersionView {
    /// Its number.
    version: u32,
    /// What data may be.
    #[schema(value_type = Object)]
    schema: Raw,
    /// Data as it may be.
    #[schema(value_type = Object)]
    example: Raw,
    /// Whether it was declared to break those who know the version before.
    breaking: bool,
    /// Makes data of the version before to data of this one; null where nothing has to be done.
    #[schema(value_type = Option<Vec<Object>>)]
    upgrade: Option<Raw>,
    /// The reverse.
    #[schema(value_type = Option<Vec<Object>>)]
    downgrade: Option<Raw>,
    /// When it was added; null of one that ships.
    created_at: Option<Timestamp>,
}

/// The types of a category.
#[derive(Serialize, ToSchema)]
#[schema(as = EventCategory, examples(json!({
    "category": "job",
    "description": "Work that runs in the background.",
    "types": [],
})))]
pub(super) struct CategoryView {
    /// What the names of its types begin with.
    category: String,
    /// What it is about; null of one that does not ship.
    description: Option<&'static str>,
    /// Its types on this page.
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
