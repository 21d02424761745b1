//! What is asked for with types and versions.

use catalog::Draft;
use domain::json::Raw;
use serde::Deserialize;
use utoipa::ToSchema;

/// A new type, with its first version.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateEventType, examples(json!({
    "name": "shop.order_placed",
    "schema": {
        "type": "object",
        "properties": { "number": { "type": "integer" } },
        "required": ["number"],
    },
    "example": { "number": 1 },
})))]
pub(super) struct CreateType {
    /// Its dotted name: `a` to `z` and `_`, in at least two parts. No type that ships has it.
    #[schema(pattern = "^[a-z_]+(\\.[a-z_]+)+$", max_length = 128)]
    pub name: String,
    /// What it tells.
    #[schema(min_length = 1, max_length = 1024)]
    pub description: Option<String>,
    /// Whether it should not be used any more.
    #[serde(default)]
    pub deprecated: bool,
    /// What data may be: JSON Schema, draft 2020-12, without references outside of it.
    #[schema(value_type = Object)]
    pub schema: Raw,
    /// Data as it may be.
    #[schema(value_type = Object)]
    pub example: Raw,
}

/// A new version of a type.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateEventTypeVersion, examples(json!({
    "schema": {
        "type": "object",
        "properties": { "id": { "type": "integer" } },
        "required": ["id"],
    },
    "example": { "id": 1 },
    "breaking": true,
    "upgrade": [{ "op": "rename", "path": "/number", "to": "id" }],
    "downgrade": [{ "op": "rename", "path": "/id", "to": "number" }],
})))]
pub(super) struct CreateVersion {
    /// What data may be: JSON Schema, draft 2020-12, without references outside of it.
    #[schema(value_type = Object)]
    pub schema: Raw,
    /// Data as it may be.
    #[schema(value_type = Object)]
    pub example: Raw,
    /// Whether those who know the version before could not read it.
    #[serde(default)]
    pub breaking: bool,
    /// Makes data of the version before to data of this one.
    #[schema(value_type = Option<Vec<Object>>)]
    pub upgrade: Option<Raw>,
    /// The reverse.
    #[schema(value_type = Option<Vec<Object>>)]
    pub downgrade: Option<Raw>,
}

/// A type of a file: new, or a new version of what is there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportedEventType, examples(json!({
    "name": "shop.order_placed",
    "schema": { "type": "object" },
    "example": { "number": 1 },
})))]
pub(super) struct ImportType {
    /// Its dotted name: `a` to `z` and `_`, in at least two parts. No type that ships has it.
    #[schema(pattern = "^[a-z_]+(\\.[a-z_]+)+$", max_length = 128)]
    pub name: String,
    /// What it tells.
    #[schema(min_length = 1, max_length = 1024)]
    pub description: Option<String>,
    /// Whether it should not be used any more.
    #[serde(default)]
    pub deprecated: bool,
    /// What data may be: JSON Schema, draft 2020-12, without references outside of it.
    #[schema(value_type = Object)]
    pub schema: Raw,
    /// Data as it may be.
    #[schema(value_type = Object)]
    pub example: Raw,
    /// Whether those who know the version before could not read it.
    #[serde(default)]
    pub breaking: bool,
    /// Makes data of the version before to data of this one.
    #[schema(value_type = Option<Vec<Object>>)]
    pub upgrade: Option<Raw>,
    /// The reverse.
    #[schema(value_type = Option<Vec<Object>>)]
    pub downgrade: Option<Raw>,
}

impl CreateType {
    pub(super) fn draft(&self) -> Draft {
        Draft {
            schema: self.schema.clone(),
            example: self.example.clone(),
            is_breaking: false,
            upgrade: None,
            downgrade: None,
        }
    }
}

impl From<CreateVersion> for Draft {
    fn from(wanted: CreateVersion) -> Self {
        Self {
            schema: wanted.schema,
            example: wanted.example,
            is_breaking: wanted.breaking,
            upgrade: wanted.upgrade,
            downgrade: wanted.downgrade,
        }
    }
}
