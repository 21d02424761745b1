//! What a merge patch (RFC 7396) of something may be: any of its members, and null for each, which takes it away.

use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};

/// The schema of a patch of what has this schema. What a patch may change inside of a member is patched in the same
/// way: such a member is named with its schema, as a reference to it would say what is whole.
pub(crate) fn merge_patch(of: RefOr<Schema>, inside: Vec<(&str, RefOr<Schema>)>) -> RefOr<Schema> {
    let RefOr::T(Schema::Object(mut object)) = of else {
        return of;
    };
    for (name, schema) in inside {
        object.properties.insert(name.to_owned(), schema);
    }
    for schema in object.properties.values_mut() {
        take_null(schema);
    }
    object.required.clear();
    RefOr::T(Schema::Object(object))
}

fn take_null(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            add_null(&mut object.schema_type);
            if let Some(words) = &mut object.enum_values
                && !words.contains(&Value::Null)
            {
                words.push(Value::Null);
            }
            object.required.clear();
            object.properties.values_mut().for_each(take_null);
            if let Some(AdditionalProperties::RefOr(named)) =
                object.additional_properties.as_deref_mut()
            {
                take_null(named);
            }
        }
        RefOr::T(Schema::Array(array)) => add_null(&mut array.schema_type),
        RefOr::Ref(_) => {
            let or_null = OneOfBuilder::new()
                .item(schema.clone())
                .item(ObjectBuilder::new().schema_type(Type::Null));
            *schema = RefOr::T(Schema::OneOf(or_null.build()));
        }
        // Only what may be null is one of several.
        RefOr::T(_) => {}
    }
}

fn add_null(kind: &mut SchemaType) {
    match kind {
        SchemaType::Type(known) => {
            *kind = SchemaType::from_iter([known.clone(), Type::Null]);
        }
        SchemaType::Array(known) if !known.contains(&Type::Null) => known.push(Type::Null),
        SchemaType::Array(_) | SchemaType::AnyValue => {}
    }
}
