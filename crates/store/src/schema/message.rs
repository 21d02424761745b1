//! Messages, and what was said of them.

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    messages (id) {
        id -> Id,
        tenant_id -> Id,
        account_id -> Id,
        provider_account -> Text,
        provider -> Text,
        provider_message_id -> Nullable<Text>,
        client_reference -> Nullable<Text>,
        identity_key -> Binary,
        recipient -> Text,
        sender -> Nullable<Text>,
        notification_id -> Nullable<Text>,
        parts -> Integer,
        metadata -> Nullable<Text>,
        environment -> Text,
        created_at -> Instant,
        updated_at -> Instant,
        state -> SmallInt,
        override_number -> Integer,
        standing_attempt -> Integer,
        provider_time -> Nullable<Instant>,
        transition -> Integer,
        send_attempt -> Integer,
        decided_seen -> BigInt,
        history_length -> Integer,
        sent_at -> Nullable<Instant>,
        delivered_at -> Nullable<Instant>,
        failure_reason -> Nullable<Text>,
        failure_class -> Nullable<Text>,
        network_code -> Nullable<Text>,
        part_standings -> Nullable<Text>,
        registered_cost -> Nullable<Text>,
        cost -> Nullable<Text>,
        poll_at -> Nullable<Instant>,
        polls -> Integer,
        poll_from -> Nullable<Instant>,
        poll_delay -> Nullable<BigInt>,
        poll_account_id -> Nullable<Id>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    send_attempts (message_id, number) {
        message_id -> Id,
        number -> Integer,
        tenant_id -> Id,
        account_id -> Id,
        provider_account -> Text,
        provider -> Text,
        provider_message_id -> Nullable<Text>,
        client_reference -> Nullable<Text>,
        identity_key -> Binary,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    message_history (message_id, ordinal) {
        message_id -> Id,
        ordinal -> Integer,
        received_at -> Instant,
        provider_time -> Nullable<Instant>,
        send_attempt -> Integer,
        word -> Text,
        state -> Nullable<SmallInt>,
        is_applied -> Bool,
        source -> SmallInt,
        callback_id -> Nullable<Id>,
        failure_reason -> Nullable<Text>,
        reason -> Nullable<Text>,
        actor -> Nullable<Text>,
        provider_response -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    notifications (tenant_id, notification_id) {
        tenant_id -> Id,
        notification_id -> Text,
        first_message_id -> Id,
        pending -> Integer,
        sent -> Integer,
        delivered -> Integer,
        failed -> Integer,
        expired -> Integer,
        rejected -> Integer,
        unknown -> Integer,
        created_at -> Instant,
        updated_at -> Instant,
        sent_at -> Nullable<Instant>,
        delivered_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    report_keys (key) {
        key -> Binary,
        heard_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    orphans (id) {
        id -> Id,
        tenant_id -> Id,
        account_id -> Id,
        provider_message_id -> Nullable<Text>,
        client_reference -> Nullable<Text>,
        report -> Text,
        callback_id -> Id,
        received_at -> Instant,
        source -> SmallInt,
        traceparent -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    polls (id) {
        id -> Id,
        message_id -> Id,
        tenant_id -> Id,
        at -> Instant,
        send_attempt -> Integer,
        outcome -> SmallInt,
        detail -> Nullable<Text>,
    }
}
