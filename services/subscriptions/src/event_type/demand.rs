//! What is asked for with types and versions.

use catalog::Draft;
use domain::json::Raw;
use serde::Deserialize;

/// A new type, with its first version.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateType {
    pub name: String,
    pub description: Option<String>,
    #[serde(default)]
    pub deprecated: bool,
    pub schema: Raw,
    pub example: Raw,
}

/// A new version of a type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateVersion {
    pub schema: Raw,
    pub example: Raw,
    #[serde(default)]
    pub breaking: bool,
    pub upgrade: Option<Raw>,
    pub downgrade: Option<Raw>,
}

/// A type of a file: new, or a new version of what is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportType {
    pub name: String,
    pub description: Option<String>,
    #[serde(default)]
    pub deprecated: bool,
    pub schema: Raw,
    pub example: Raw,
    #[serde(default)]
    pub breaking: bool,
    pub upgrade: Option<Raw>,
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
