//! Plans, and what is counted for them.

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    plans (name) {
        name -> Text,
        is_shipped -> Bool,
        events_per_day -> Nullable<BigInt>,
        webhooks -> Nullable<Integer>,
        per_minute -> Nullable<Integer>,
        per_hour -> Nullable<Integer>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    limit_counters (tenant_id, kind, day) {
        tenant_id -> Id,
        kind -> SmallInt,
        day -> Integer,
        used -> BigInt,
        told -> SmallInt,
    }
}
