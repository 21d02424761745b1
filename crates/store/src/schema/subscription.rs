//! Subscriptions, and what is sent to them.

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    subscriptions (id) {
        id -> Id,
        tenant_id -> Id,
        url -> Text,
        events -> Text,
        secret -> Binary,
        name -> Nullable<Text>,
        description -> Nullable<Text>,
        environment -> Text,
        is_enabled -> Bool,
        since_position -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
        deleted_at -> Nullable<Instant>,
        last_success_at -> Nullable<Instant>,
        last_failure_at -> Nullable<Instant>,
        delivered -> BigInt,
        failed -> BigInt,
        settings -> Nullable<Text>,
        headers -> Nullable<Binary>,
        endpoint_secret -> Nullable<Binary>,
        disabled_reason -> Nullable<Text>,
        disabled_at -> Nullable<Instant>,
        breaker -> Nullable<Text>,
        breaker_at -> Nullable<Instant>,
        sends -> Nullable<Text>,
        failing_since -> Nullable<Instant>,
        failing_until -> Nullable<Instant>,
        failing_told -> Nullable<SmallInt>,
        owes_recovery -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    previous_secrets (id) {
        id -> Id,
        tenant_id -> Id,
        subscription_id -> Id,
        secret -> Binary,
        expires_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    deliveries (id) {
        id -> Id,
        tenant_id -> Id,
        event_id -> Id,
        subscription_id -> Id,
        shard -> SmallInt,
        state -> SmallInt,
        place -> SmallInt,
        attempts -> Integer,
        due_at -> Instant,
        created_at -> Instant,
        body -> Nullable<Binary>,
        error -> Nullable<Text>,
        budget_from -> Integer,
        replay_id -> Id,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    attempts (delivery_id, number) {
        delivery_id -> Id,
        number -> Integer,
        id -> Id,
        started_at -> Instant,
        duration_ms -> BigInt,
        status_code -> Nullable<Integer>,
        error -> Nullable<Text>,
        response_body -> Nullable<Text>,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    replays (id) {
        id -> Id,
        tenant_id -> Id,
        shard -> SmallInt,
        subscription_id -> Nullable<Id>,
        state -> SmallInt,
        selection -> Text,
        reached -> BigInt,
        through -> BigInt,
        total -> BigInt,
        done -> BigInt,
        deliveries -> BigInt,
        per_second -> Nullable<Integer>,
        next_at -> Instant,
        created_at -> Instant,
        ended_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    sweeps (id) {
        id -> Id,
        tenant_id -> Id,
        subscription_id -> Id,
        shard -> SmallInt,
        action -> SmallInt,
        wanted -> SmallInt,
        event_types -> Nullable<Text>,
        reached -> Id,
        before -> Id,
    }
}
