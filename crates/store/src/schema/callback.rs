//! Callbacks, and what was refused or given up.

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    callbacks (receipt_id) {
        receipt_id -> Id,
        callback_id -> Id,
        is_first -> Bool,
        tenant_id -> Id,
        account_id -> Id,
        provider_account -> Text,
        kind -> SmallInt,
        received_at -> Instant,
        source_ip -> Text,
        signature_checked -> Bool,
        answer -> Text,
        headers -> Text,
        body -> Binary,
        status -> SmallInt,
        attempts -> Integer,
        error -> Nullable<Text>,
        processed_at -> Nullable<Instant>,
        reports -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    callback_keys (callback_id) {
        callback_id -> Id,
        receipt_id -> Id,
        receipts -> Integer,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    security_events (id) {
        id -> Id,
        tenant_id -> Id,
        reason -> SmallInt,
        provider_account -> Nullable<Text>,
        source_ip -> Nullable<Text>,
        at -> Instant,
        count -> BigInt,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    suspicions (key) {
        key -> Binary,
        raised_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    quarantine (id) {
        id -> Id,
        tenant_id -> Id,
        provider_account -> Text,
        kind -> SmallInt,
        reason -> SmallInt,
        received_at -> Instant,
        source_ip -> Text,
        size_bytes -> Integer,
        sealed -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    dead_letters (id) {
        id -> Id,
        key -> Binary,
        tenant_id -> Id,
        queue -> Text,
        kind -> Text,
        provider_account -> Nullable<Text>,
        callback_id -> Nullable<Id>,
        death -> Text,
        reason -> Text,
        last_error -> Nullable<Text>,
        attempts -> Integer,
        first_seen_at -> Instant,
        died_at -> Instant,
        size_bytes -> Integer,
        payload -> Binary,
        requeue_at -> Nullable<Instant>,
    }
}
