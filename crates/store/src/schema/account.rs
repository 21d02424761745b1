//! Provider accounts, and what is known and counted of them.

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

    account_sources (account_id, source) {
        account_id -> Id,
        source -> Text,
        first_seen_at -> Instant,
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

    inboxes (account_id) {
        account_id -> Id,
        cursor -> Nullable<Text>,
        fetched_at -> Instant,
    }
}
