//! A guess at data that fits a schema, for documents without examples. Whoever uses it checks it.

use serde_json::{Map, Value, json};

/// How deep a guess goes.
const MAX_DEPTH: usize = 16;
/// The most values of a guess.
const MAX_VALUES: usize = 1_000;

/// A guess.
pub(super) fn of(schema: &Value) -> Value {
    guess(schema, schema, MAX_DEPTH, &mut 0)
}

fn guess(root: &Value, schema: &Value, depth_left: usize, values: &mut usize) -> Value {
    *values += 1;
    let Some(depth_left) = depth_left.checked_sub(1).filter(|_| *values <= MAX_VALUES) else {
        return Value::Null;
    };
    let first = |keyword: &str| schema.get(keyword)?.as_array()?.first();
    let said = schema.get("example").or_else(|| first("examples"));
    let said = said
        .or_else(|| schema.get("default"))
        .or_else(|| schema.get("const"));
    if let Some(said) = said.or_else(|| first("enum")) {
        return said.clone();
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|at| root.pointer(at));
        return target.map_or(Value::Null, |target| {
            guess(root, target, depth_left, values)
        });
    }
    if let Some(alternative) = first("oneOf").or_else(|| first("anyOf")) {
        return guess(root, alternative, depth_left, values);
    }
    let kind = schema.get("type").map(|kind| match kind {
        Value::Array(kinds) => kinds.first().unwrap_or(&Value::Null),
        one => one,
    });
    match kind.and_then(Value::as_str) {
        Some("object") | None => object(root, schema, depth_left, values),
        Some("array") => match (schema.get("items"), schema.get("minItems")) {
            (Some(items), Some(_)) => json!([guess(root, items, depth_left, values)]),
            _ => json!([]),
        },
        Some("string") => json!("text"),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        Some(_) => Value::Null,
    }
}

/// An object with what it needs.
fn object(root: &Value, schema: &Value, depth_left: usize, values: &mut usize) -> Value {
    let names = schema.get("required").and_then(Value::as_array);
    let mut members = Map::new();
    for name in names.into_iter().flatten().filter_map(Value::as_str) {
        let of_name = schema.get("properties").and_then(|all| all.get(name));
        let value = of_name.map_or(Value::Null, |one| guess(root, one, depth_left, values));
        members.insert(name.to_owned(), value);
    }
    Value::Object(members)
}
