//! What is said of schemas beside what their types say: pages by what is on them, and that a field which may be
//! null is there.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Schema, SchemaType, Type};
use utoipa::openapi::{Components, OpenApi, Ref, RefOr};

const PAGE: &str = "Page_";
const SCHEMAS: &str = "#/components/schemas/";

/// Completes the schemas of all components.
pub(super) fn complete(document: &mut OpenApi) {
    let asked = asked(document);
    let Some(components) = &mut document.components else {
        return;
    };
    let pages: Vec<(String, Value)> = components
        .schemas
        .iter()
        .filter_map(|(name, schema)| Some((name.clone(), page(schema, components)?)))
        .collect();
    for (name, example) in pages {
        let item = name.strip_prefix(PAGE).map(str::to_owned);
        let item = item.filter(|item| components.schemas.contains_key(item));
        let Some(RefOr::T(Schema::Object(page))) = components.schemas.get_mut(&name) else {
            continue;
        };
        page.examples = vec![example];
        if let (Some(item), Some(RefOr::T(Schema::Array(data)))) =
            (item, page.properties.get_mut("data"))
        {
            data.items = ArrayItems::RefOrSchema(Box::new(Ref::from_schema_name(item).into()));
        }
    }
    for (name, schema) in &mut components.schemas {
        if asked.contains(name) {
            refuse_unknown(schema);
        } else {
            require_nullable(schema);
        }
    }
}

/// The names of the schemas that bodies of requests have, also inside of others.
fn asked(document: &OpenApi) -> BTreeSet<String> {
    let document = serde_json::to_value(document).unwrap_or_default();
    let mut asked = BTreeSet::new();
    let mut open = Vec::new();
    for item in members(&document["paths"]) {
        for operation in members(item) {
            references(&operation["requestBody"], &mut open);
        }
    }
    while let Some(name) = open.pop() {
        references(&document["components"]["schemas"][&name], &mut open);
        open.retain(|other| *other != name && !asked.contains(other));
        asked.insert(name);
    }
    asked
}

fn members(value: &Value) -> impl Iterator<Item = &Value> {
    value
        .as_object()
        .into_iter()
        .flat_map(|members| members.values())
}

/// Adds the names of the schemas that are referred to.
fn references(value: &Value, names: &mut Vec<String>) {
    if let Some(reference) = value["$ref"].as_str() {
        names.extend(reference.strip_prefix(SCHEMAS).map(str::to_owned));
    }
    let items = value.as_array().into_iter().flatten();
    members(value)
        .chain(items)
        .for_each(|inside| references(inside, names));
}

/// What is asked for has no unknown fields, nor has what it may be one of, of which the types do not say it.
fn refuse_unknown(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::OneOf(one)) = schema else {
        return;
    };
    for variant in &mut one.items {
        if let RefOr::T(Schema::Object(object)) = variant
            && !object.properties.is_empty()
        {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

/// In what we answer a field that may be null is there, as null.
fn require_nullable(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else {
        return;
    };
    match schema {
        Schema::Object(object) => {
            for (name, field) in &object.properties {
                if is_nullable(field) && !object.required.contains(name) {
                    object.required.push(name.clone());
                }
            }
        }
        Schema::OneOf(one) => one.items.iter_mut().for_each(require_nullable),
        Schema::AllOf(all) => all.items.iter_mut().for_each(require_nullable),
        _ => {}
    }
}

fn is_nullable(schema: &RefOr<Schema>) -> bool {
    let has_null = |kind: &SchemaType| match kind {
        SchemaType::Type(kind) => *kind == Type::Null,
        SchemaType::Array(kinds) => kinds.contains(&Type::Null),
        SchemaType::AnyValue => false,
    };
    match schema {
        RefOr::T(Schema::Object(object)) => has_null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => has_null(&array.schema_type),
        RefOr::T(Schema::OneOf(one)) => one.items.iter().any(is_nullable),
        RefOr::T(_) | RefOr::Ref(_) => false,
    }
}

fn page(schema: &RefOr<Schema>, components: &Components) -> Option<Value> {
    let RefOr::T(Schema::Object(page)) = schema else {
        return None;
    };
    page.properties.get("next_cursor")?;
    let RefOr::T(Schema::Array(data)) = page.properties.get("data")? else {
        return None;
    };
    let ArrayItems::RefOrSchema(items) = &data.items else {
        return None;
    };
    let example = of(items, components)?;
    Some(json!({ "data": [example], "next_cursor": null }))
}

fn of(schema: &RefOr<Schema>, components: &Components) -> Option<Value> {
    let named = match schema {
        RefOr::Ref(named) => {
            let name = named.ref_location.strip_prefix(SCHEMAS)?;
            components.schemas.get(name)?
        }
        RefOr::T(_) => schema,
    };
    match named {
        RefOr::T(Schema::Object(object)) => object.examples.first().cloned(),
        RefOr::T(Schema::AllOf(all)) => all.examples.first().cloned(),
        RefOr::T(_) | RefOr::Ref(_) => None,
    }
}
