//! What ships: the types of `domain::catalog`, each with its description, its schema and an example,
//! from the files in `catalog/`.

use crate::fault::Fault;
use crate::schema::Schema;
use domain::json::Raw;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

/// The only version of every type that ships.
pub const VERSION: u32 = 1;

const FILES: &[&str] = &[
    include_str!("../catalog/benchmark.json"),
    include_str!("../catalog/call.json"),
    include_str!("../catalog/delivery.json"),
    include_str!("../catalog/document.json"),
    include_str!("../catalog/email.json"),
    include_str!("../catalog/extraction.json"),
    include_str!("../catalog/job.json"),
    include_str!("../catalog/mms.json"),
    include_str!("../catalog/notification.json"),
    include_str!("../catalog/phone_number.json"),
    include_str!("../catalog/provider.json"),
    include_str!("../catalog/result.json"),
    include_str!("../catalog/security.json"),
    include_str!("../catalog/sms.json"),
    include_str!("../catalog/system.json"),
    include_str!("../catalog/tenant.json"),
    include_str!("../catalog/test.json"),
    include_str!("../catalog/user.json"),
    include_str!("../catalog/webhook.json"),
];

/// A type that ships.
#[derive(Debug)]
pub struct BuiltIn {
    /// Its dotted name.
    pub name: String,
    /// What happened, when one is raised.
    pub description: String,
    /// The schema of its data.
    pub schema: Raw,
    /// Data as it may be.
    pub example: Raw,
    compiled: OnceLock<Result<Arc<Schema>, Vec<Fault>>>,
}

impl BuiltIn {
    /// Its schema, ready to check data with. It fails where the file has one that is none, which a test
    /// excludes.
    pub fn compiled(&self) -> Result<Arc<Schema>, Vec<Fault>> {
        let compile = || Schema::parse(&self.schema).map(Arc::new);
        self.compiled.get_or_init(compile).clone()
    }
}

/// Every type that ships, in the order of their names.
pub fn all() -> &'static [BuiltIn] {
    &SHIPPED.types
}

/// The type of this name.
pub fn find(name: &str) -> Option<&'static BuiltIn> {
    let place = SHIPPED.by_name.get(name)?;
    SHIPPED.types.get(*place)
}

/// What is said of a category that ships.
pub fn category(name: &str) -> Option<&'static str> {
    SHIPPED.categories.get(name).map(String::as_str)
}

struct Shipped {
    types: Vec<BuiltIn>,
    by_name: HashMap<String, usize>,
    categories: HashMap<String, String>,
}

static SHIPPED: LazyLock<Shipped> = LazyLock::new(read);

/// A file: a category, and the schemas that its types name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    category: String,
    description: String,
    schemas: HashMap<String, Raw>,
    types: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    description: String,
    /// The name of a schema of the file, or the schema.
    schema: Raw,
    example: Raw,
}

/// A file that cannot be read, or a schema that is not there, leaves a type out: a test finds it.
fn read() -> Shipped {
    let mut types = Vec::new();
    let mut categories = HashMap::new();
    for text in FILES {
        let Ok(file) = serde_json::from_str::<File>(text) else {
            tracing::error!("a file of the catalog cannot be read");
            continue;
        };
        let named = |schema: Raw| match serde_json::from_str::<String>(schema.as_str()) {
            Ok(name) => file.schemas.get(&name).cloned(),
            Err(_) => Some(schema),
        };
        types.extend(file.types.into_iter().filter_map(|entry| {
            Some(BuiltIn {
                name: entry.name,
                description: entry.description,
                schema: named(entry.schema)?,
                example: entry.example,
                compiled: OnceLock::new(),
            })
        }));
        categories.insert(file.category, file.description);
    }
    types.sort_by(|one, other| one.name.cmp(&other.name));
    let places = types.iter().enumerate();
    let by_name = places
        .map(|(place, one)| (one.name.clone(), place))
        .collect();
    Shipped {
        types,
        by_name,
        categories,
    }
}
