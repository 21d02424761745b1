//! Tenants, and who may do what.

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    tenants (id) {
        id -> Id,
        name -> Text,
        plan -> Text,
        created_at -> Instant,
        subscription_version -> BigInt,
        state -> SmallInt,
        state_at -> Nullable<Instant>,
        looked_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    api_keys (id) {
        id -> Id,
        tenant_id -> Id,
        hash -> Binary,
        prefix -> Text,
        created_at -> Instant,
        name -> Text,
        role -> SmallInt,
        scopes -> Nullable<Text>,
        last_used_at -> Nullable<Instant>,
        expires_at -> Nullable<Instant>,
        revoked_at -> Nullable<Instant>,
        ends_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    members (id) {
        id -> Id,
        tenant_id -> Id,
        email -> Text,
        name -> Nullable<Text>,
        role -> SmallInt,
        created_at -> Instant,
        updated_at -> Instant,
        last_login_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    access_tokens (hash) {
        hash -> Binary,
        tenant_id -> Id,
        key_id -> Nullable<Id>,
        member_id -> Nullable<Id>,
        scopes -> Nullable<Text>,
        created_at -> Instant,
        expires_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    console_links (hash) {
        hash -> Binary,
        tenant_id -> Id,
        key_id -> Nullable<Id>,
        member_id -> Id,
        created_at -> Instant,
        expires_at -> Instant,
    }
}
