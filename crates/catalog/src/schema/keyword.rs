//! The keywords that a schema may have, by what they mean for the time that it takes.

/// They say something to people.
pub(crate) const ANNOTATIONS: &[&str] = &[
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "contentEncoding",
    "contentMediaType",
    // Of OpenAPI.
    "example",
    "externalDocs",
    "xml",
];

/// They compare a value with something plain.
pub(super) const ASSERTIONS: &[&str] = &[
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxContains",
    "minContains",
    "maxProperties",
    "minProperties",
    "required",
    "dependentRequired",
];

/// They hold one schema, for the same value.
pub(super) const HERE: &[&str] = &["not", "if", "then", "else"];
/// They hold a list of schemas, for the same value.
pub(super) const LISTS_HERE: &[&str] = &["allOf", "anyOf", "oneOf"];
/// They hold schemas by name, for the same value.
pub(super) const NAMED_HERE: &[&str] = &["dependentSchemas"];
/// They hold one schema, for what is inside.
pub(super) const BELOW: &[&str] = &["additionalProperties", "propertyNames", "items", "contains"];

/// They are refused: each with a reason.
pub(super) fn refusal(keyword: &str) -> Option<&'static str> {
    match keyword {
        "$id" | "$anchor" | "$dynamicAnchor" | "$dynamicRef" | "$recursiveRef"
        | "$recursiveAnchor" | "$vocabulary" | "id" => {
            Some("a schema stands by itself here: refer to \"#/$defs/NAME\" only")
        }
        "unevaluatedProperties" => Some("write additionalProperties instead"),
        "unevaluatedItems" => Some("write items instead"),
        "contentSchema" => Some("what is in a text is not looked at"),
        "definitions" => Some("write $defs instead"),
        "dependencies" => Some("write dependentRequired or dependentSchemas instead"),
        "additionalItems" => Some("write prefixItems and items instead"),
        "nullable" => Some("write \"type\": [\"…\", \"null\"] instead"),
        "discriminator" => Some("write oneOf with const instead"),
        _ => None,
    }
}
