//! Requests of the API that have a name of their caller's.

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    requests (key) {
        key -> Binary,
        tenant_id -> Id,
        body_hash -> Binary,
        run -> Id,
        lease_until -> Instant,
        is_done -> Bool,
        answer -> Nullable<Binary>,
        created_at -> Instant,
    }
}
