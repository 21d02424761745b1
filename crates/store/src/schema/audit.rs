//! The audit log.

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    audit_entries (id) {
        id -> Id,
        tenant_id -> Id,
        at -> Instant,
        actor_type -> Text,
        actor_id -> Nullable<Text>,
        actor_name -> Nullable<Text>,
        action -> Text,
        target_type -> Text,
        target_id -> Nullable<Text>,
        before -> Nullable<Text>,
        after -> Nullable<Text>,
        source_ip -> Nullable<Text>,
        request_id -> Nullable<Text>,
        position -> Nullable<BigInt>,
        previous_hash -> Nullable<Binary>,
        hash -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    audit_head (id) {
        id -> SmallInt,
        position -> BigInt,
        hash -> Binary,
        anchor_position -> BigInt,
        anchor_hash -> Binary,
    }
}
