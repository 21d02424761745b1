//! The tables, as diesel sees them on both engines. A test compares them with the migrations.

mod access;
mod account;
mod audit;
mod callback;
mod event_type;
mod message;
mod plan;
mod request;
mod subscription;
mod trial;

pub(crate) use access::{access_tokens, api_keys, console_links, members, tenants};
pub(crate) use account::{
    account_sources, inboxes, poll_leases, provider_accounts, provider_health, report_delays,
    tallies,
};
pub(crate) use audit::{audit_entries, audit_head};
pub(crate) use callback::{
    callback_keys, callbacks, dead_letters, quarantine, security_events, suspicions,
};
pub(crate) use event_type::{event_type_versions, event_types};
pub(crate) use message::{
    message_history, messages, notifications, orphans, polls, report_keys, send_attempts,
};
pub(crate) use plan::{limit_counters, plans};
pub(crate) use request::requests;
pub(crate) use subscription::{
    attempts, deliveries, previous_secrets, replays, subscriptions, sweeps,
};
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

diesel::allow_tables_to_appear_in_same_query!(
    api_keys,
    tenants,
    members,
    access_tokens,
    console_links
);
diesel::allow_tables_to_appear_in_same_query!(orphans, poll_leases, provider_accounts, inboxes);
diesel::allow_tables_to_appear_in_same_query!(tenants, provider_accounts);
diesel::allow_tables_to_appear_in_same_query!(tenants, plans);
diesel::allow_tables_to_appear_in_same_query!(api_keys, plans);
diesel::allow_tables_to_appear_in_same_query!(access_tokens, plans);
diesel::allow_tables_to_appear_in_same_query!(members, plans);
diesel::allow_tables_to_appear_in_same_query!(account_sources, provider_accounts);
diesel::allow_tables_to_appear_in_same_query!(deliveries, events);
