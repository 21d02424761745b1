//! Parameters of queries.

use domain::Timestamp;
use domain::id::TenantId;
use serde_json::Value;
use utoipa::PartialSchema;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{RefOr, Required};

/// A type that stands for parameters of a query, for the `params(…)` of an operation.
macro_rules! parameters {
    ($(#[$doc:meta])* $name:ident: $($parameter:expr),+ $(,)?) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl utoipa::IntoParams for $name {
            fn into_params(
                _: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
            ) -> Vec<utoipa::openapi::path::Parameter> {
                vec![$($parameter),+]
            }
        }
    };
}

pub(crate) use parameters;

parameters! {
    /// Which page of a list.
    Paging:
    query(
        "limit",
        "How many to a page",
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(crate::list::MAX_LIMIT))
            .default(Some(crate::list::DEFAULT_LIMIT.into()))
            .build(),
    ),
    query(
        "cursor",
        "The `next_cursor` of the page before",
        text(crate::list::MAX_VALUE_BYTES),
    ),
}

parameters! {
    /// Whose.
    OfTenant: query(
        "tenant",
        "Another tenant's instead of your own: for the operator alone",
        TenantId::schema(),
    ),
}

parameters! {
    /// Of which time.
    Between:
    query("after", "Only those after this moment", Timestamp::schema()),
    query("before", "Only those before this moment", Timestamp::schema()),
}

parameters! {
    /// Your own name of a request, which may then be sent again.
    IdempotencyKey: ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Your own name of this request, 1 to 255 printable ASCII characters: for 24 hours the same request \
             under it is answered as it was the first time, and done once",
        ))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(255))
                .pattern(Some("^[ -~]+$")),
        ))
        .build(),
}

/// A parameter that may be left out.
pub(crate) fn query(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

/// With a description.
pub(crate) fn said(description: &str, schema: Object) -> Object {
    ObjectBuilder::from(schema)
        .description(Some(description))
        .build()
}

/// A text.
pub(crate) fn text(max_length: usize) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(max_length))
        .build()
}

/// One of these.
pub(crate) fn word<'a>(words: impl IntoIterator<Item = &'a str>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .build()
}

/// One of these, or null.
pub(crate) fn word_or_null<'a>(words: impl IntoIterator<Item = &'a str>) -> Object {
    let words = words.into_iter().map(Value::from);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(words.chain([Value::Null])))
        .build()
}
