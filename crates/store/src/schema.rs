//! The tables, as diesel sees them on both engines. A test compares them with the migrations.

mod event_type;
mod trial;
pub(crate) use event_type::{event_type_versions, event_types};
pub(crate) use trial::trials;

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    installation (name) {
        name -> Text,
        value -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    versions (name) {
        name -> Text,
        value -> BigInt,
    }
}

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

diesel::allow_tables_to_appear_in_same_query!(
    api_keys,
    tenants,
    members,
    access_tokens,
    console_links
);

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    provider_accounts (id) {
        id -> Id,
        tenant_id -> Id,
        slug -> Text,
        provider -> Text,
        environment -> Text,
        checks -> Binary,
        created_at -> Instant,
        updated_at -> Instant,
        status_api -> Nullable<Binary>,
        silence_state -> SmallInt,
        silence_after -> Nullable<BigInt>,
    }
}

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

    events (position) {
        position -> BigInt,
        id -> Id,
        tenant_id -> Id,
        shard -> SmallInt,
        event_type -> Text,
        version -> Integer,
        environment -> Text,
        created_at -> Instant,
        source -> Text,
        resource -> Nullable<Text>,
        context -> Nullable<Text>,
        metadata -> Nullable<Text>,
        data -> Text,
        message_id -> Nullable<Id>,
        transition -> Nullable<Integer>,
        traceparent -> Nullable<Text>,
        caused_at -> Instant,
        sequence -> Nullable<BigInt>,
        resource_type -> Nullable<Text>,
        resource_id -> Nullable<Text>,
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

    dispatchers (owner) {
        owner -> Text,
        until -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    shards (number) {
        number -> SmallInt,
        owner -> Nullable<Text>,
        fence -> BigInt,
        until -> Instant,
        sequence -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    idempotency_keys (key) {
        key -> Binary,
        tenant_id -> Id,
        body_hash -> Binary,
        status -> SmallInt,
        answer -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    server_run (only_row) {
        only_row -> Bool,
        id -> Id,
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

    suspicions (key) {
        key -> Binary,
        raised_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    account_sources (account_id, source) {
        account_id -> Id,
        source -> Text,
        first_seen_at -> Instant,
    }
}

diesel::allow_tables_to_appear_in_same_query!(orphans, poll_leases, provider_accounts, inboxes);
diesel::allow_tables_to_appear_in_same_query!(tenants, provider_accounts);
diesel::allow_tables_to_appear_in_same_query!(account_sources, provider_accounts);
diesel::allow_tables_to_appear_in_same_query!(deliveries, events);
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

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    tallies (slot, account_id, name) {
        slot -> Integer,
        account_id -> Id,
        name -> Text,
        tenant_id -> Id,
        provider -> Text,
        count -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    poll_leases (account_id) {
        account_id -> Id,
        owner -> Text,
        until -> Instant,
        fence -> BigInt,
        failures -> Integer,
        rest_until -> Instant,
        rest_reason -> SmallInt,
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

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    report_delays (day, provider, network, bucket) {
        day -> Integer,
        provider -> Text,
        network -> Text,
        bucket -> Text,
        count -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    provider_health (account_id) {
        account_id -> Id,
        tenant_id -> Id,
        state -> SmallInt,
        since -> Instant,
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

    inboxes (account_id) {
        account_id -> Id,
        cursor -> Nullable<Text>,
        fetched_at -> Instant,
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
