//! Event types that others than Tidings brought.

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    event_types (tenant_id, name) {
        tenant_id -> Id,
        name -> Text,
        description -> Nullable<Text>,
        is_deprecated -> Bool,
        is_archived -> Bool,
        newest -> Integer,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    event_type_versions (tenant_id, name, number) {
        tenant_id -> Id,
        name -> Text,
        number -> Integer,
        schema -> Text,
        example -> Text,
        is_breaking -> Bool,
        upgrade -> Nullable<Text>,
        downgrade -> Nullable<Text>,
        created_at -> Instant,
    }
}

diesel::allow_tables_to_appear_in_same_query!(event_types, event_type_versions);
