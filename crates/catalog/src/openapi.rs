//! What an `OpenAPI` 3.1 document says of webhooks. References are followed within the document, and what
//! they lead to is brought along as `$defs`.

mod sample;

use crate::fault::{Fault, escaped};
use domain::json::Raw;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The most types that one document brings.
pub const MAX_ITEMS: usize = 200;
/// The most references that lead to one another.
const MAX_HOPS: usize = 8;
/// The most definitions that a schema brings along.
const MAX_DEFINITIONS: usize = 200;
const SCHEMAS: &str = "#/components/schemas/";
const METHODS: [&str; 3] = ["post", "put", "patch"];
/// They hold data, not schemas.
const DATA: [&str; 5] = ["example", "examples", "default", "const", "enum"];

/// A webhook that a document describes.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Where in the document it is.
    pub pointer: String,
    /// What it tells.
    pub description: Option<String>,
    /// Whether it should not be used any more.
    pub is_deprecated: bool,
    /// The schema of its body, and an example of it; or why there is none, with pointers into the
    /// document.
    pub body: Result<(Raw, Raw), Fault>,
}

/// The webhooks of a document. The fault's pointer begins at the document.
pub fn webhooks(document: &Value) -> Result<Vec<Described>, Fault> {
    let version = document.get("openapi").and_then(Value::as_str);
    if !version.is_some_and(|version| version.starts_with("3.1")) {
        return Err(Fault::new("/openapi", "write a document of OpenAPI 3.1"));
    }
    let Some(webhooks) = document.get("webhooks").and_then(Value::as_object) else {
        return Err(Fault::new("/webhooks", "this document has no webhooks"));
    };
    if webhooks.is_empty() || webhooks.len() > MAX_ITEMS {
        let detail = format!("describe 1 to {MAX_ITEMS} webhooks");
        return Err(Fault::new("/webhooks", detail));
    }
    let describe = |(name, item): (&String, &Value)| describe(document, name, item);
    Ok(webhooks.iter().map(describe).collect())
}

fn describe(document: &Value, name: &str, item: &Value) -> Described {
    let pointer = format!("/webhooks/{}", escaped(name));
    let item = resolve(document, item).unwrap_or(&Value::Null);
    let operation = METHODS.iter().find_map(|method| item.get(method));
    let said = |key| {
        let of_operation = operation.and_then(|operation| operation.get(key));
        let said = of_operation
            .or_else(|| item.get(key))
            .and_then(Value::as_str);
        said.map(str::to_owned)
    };
    let deprecated = operation.and_then(|operation| operation.get("deprecated"));
    Described {
        name: name.to_owned(),
        description: said("summary").or_else(|| said("description")),
        is_deprecated: deprecated.and_then(Value::as_bool) == Some(true),
        body: body(document, operation).map_err(|detail| Fault::new(&pointer, detail)),
        pointer,
    }
}

/// The schema and an example of what a webhook sends.
fn body(document: &Value, operation: Option<&Value>) -> Result<(Raw, Raw), String> {
    let operation = operation.ok_or("it has no post, put or patch")?;
    let request = operation
        .get("requestBody")
        .ok_or("it has no requestBody")?;
    let media = resolve(document, request)
        .and_then(|request| request.get("content")?.get("application/json"))
        .ok_or("its requestBody has no content application/json")?;
    let schema = media.get("schema").ok_or("its body has no schema")?;
    let bundled = bundle(document, schema)?;
    let example = example(document, media, &bundled);
    Ok((Raw::of(&bundled), Raw::of(&example)))
}

fn example(document: &Value, media: &Value, schema: &Value) -> Value {
    let named = || {
        let examples = media.get("examples").and_then(Value::as_object)?;
        resolve(document, examples.values().next()?)?.get("value")
    };
    let written = media.get("example").or_else(named);
    written.cloned().unwrap_or_else(|| sample::of(schema))
}

/// What a reference, or a reference to one, leads to; what is none is that itself.
fn resolve<'a>(document: &'a Value, mut value: &'a Value) -> Option<&'a Value> {
    for _ in 0..MAX_HOPS {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
            return Some(value);
        };
        value = document.pointer(reference.strip_prefix('#')?)?;
    }
    None
}

/// A schema that stands by itself: what it refers to is in its `$defs`.
fn bundle(document: &Value, schema: &Value) -> Result<Value, String> {
    let root = resolve(document, schema).ok_or("its schema refers to what is not there")?;
    let mut wanted = BTreeSet::new();
    let mut bundled = rewrite(root, &mut wanted)?;
    let mut definitions = Map::new();
    while let Some(name) = wanted.pop_first() {
        if definitions.contains_key(&name) {
            continue;
        }
        if definitions.len() >= MAX_DEFINITIONS {
            return Err(format!(
                "its schema needs more than {MAX_DEFINITIONS} others"
            ));
        }
        let found = document.pointer(&format!("/components/schemas/{name}"));
        let found = found.ok_or_else(|| {
            format!(
                "its schema refers to {:?}, which is not there",
                domain::text::cut(&name, 64)
            )
        })?;
        let definition = rewrite(found, &mut wanted)?;
        definitions.insert(name, definition);
    }
    if let Some(members) = bundled.as_object_mut() {
        // What is sent as `data` is an object in any case.
        members.entry("type").or_insert_with(|| json!("object"));
        if !definitions.is_empty() {
            members.insert("$defs".to_owned(), Value::Object(definitions));
        }
    }
    Ok(bundled)
}

/// The same with references to `$defs`, whose names are added to what is wanted.
fn rewrite(value: &Value, wanted: &mut BTreeSet<String>) -> Result<Value, String> {
    match value {
        Value::Array(items) => {
            let items = items.iter().map(|item| rewrite(item, wanted));
            Ok(Value::Array(items.collect::<Result<_, _>>()?))
        }
        Value::Object(members) => {
            let mut written = Map::new();
            for (name, member) in members {
                let rewritten = match (name.as_str(), member) {
                    ("$ref", Value::String(reference)) => Value::String(refer(reference, wanted)?),
                    (name, member) if DATA.contains(&name) => member.clone(),
                    (_, member) => rewrite(member, wanted)?,
                };
                written.insert(name.clone(), rewritten);
            }
            Ok(Value::Object(written))
        }
        plain => Ok(plain.clone()),
    }
}

fn refer(reference: &str, wanted: &mut BTreeSet<String>) -> Result<String, String> {
    let is_plain = |name: &&str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        !name.is_empty() && name.len() <= 128 && name.bytes().all(fits)
    };
    let name = reference.strip_prefix(SCHEMAS).filter(is_plain);
    let name = name.ok_or_else(|| {
        format!(
            "its schema refers to {:?}: refer to {SCHEMAS}NAME of this document",
            domain::text::cut(reference, 64)
        )
    })?;
    wanted.insert(name.to_owned());
    Ok(format!("#/$defs/{name}"))
}
