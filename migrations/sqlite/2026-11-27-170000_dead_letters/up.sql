-- As on PostgreSQL. Jobs that were given up, out of the broker. The key is that of what the job says, so that one that is
-- recorded twice is one row; death names which of its deaths this is.
create table dead_letters (
    id blob not null primary key,
    key blob not null,
    tenant_id blob not null,
    queue text not null,
    kind text not null,
    provider_account text,
    callback_id blob,
    death text not null,
    reason text not null,
    last_error text,
    attempts integer not null,
    first_seen_at bigint not null,
    died_at bigint not null,
    size_bytes integer not null,
    payload blob not null,
    requeue_at bigint
);
create unique index dead_letters_by_key on dead_letters (key);
create index dead_letters_by_tenant on dead_letters (tenant_id, id);
create index dead_letters_requeued on dead_letters (requeue_at) where requeue_at is not null;
