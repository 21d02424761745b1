//! Tests of webhooks.

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    trials (id) {
        id -> Id,
        tenant_id -> Id,
        subscription_id -> Id,
        event_id -> Id,
        event_type -> Text,
        request_body -> Text,
        begun_at -> Instant,
        duration_ms -> Nullable<BigInt>,
        status_code -> Nullable<Integer>,
        error -> Nullable<Text>,
        response_body -> Nullable<Text>,
        detail -> Nullable<Text>,
    }
}
