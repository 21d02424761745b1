//! What is said of schemas beside what their types say: pages by what is on them, and that a field which may be
//! null is there.

use serde_json::{Value, json};
use utoipa::openapi::schema::{ArrayItems, Schema, SchemaType, Type};
use utoipa::openapi::{Components, OpenApi, Ref, RefOr};

const PAGE: &str = "Page_";

/// Completes the schemas of all components.
pub(super) fn complete(document: &mut OpenApi) {
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
    components.schemas.values_mut().for_each(require_nullable);
}

/// In what we answer a field that may be null is there, as null. What is asked for takes no unknown fields, by which
/// it is told apart.
fn require_nullable(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else {
        return;
    };
    match schema {
        Schema::Object(object) if object.additional_properties.is_none() => {
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
            let name = named.ref_location.strip_prefix("#/components/schemas/")?;
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
