//! How values that are written as texts are described to readers of the API: said here, where their JSON form is
//! said, and not at each place that shows one.

use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

/// A text of a form.
pub(crate) fn text(description: &str, pattern: &str, example: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(Some(pattern))
        .examples([example])
        .build()
}

/// A moment.
pub(crate) fn moment() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some(
            "A moment: RFC 3339, in UTC, with milliseconds and `Z`",
        ))
        .examples(["2026-11-23T21:09:00.000Z"])
        .build()
}

/// Describes a type by an expression that makes its schema, under the type's own name.
macro_rules! described {
    ($name:ty, $schema:expr) => {
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $schema.into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

pub(crate) use described;
