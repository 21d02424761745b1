-- As on PostgreSQL. What the door refused and noticed. One row for each minute, source, account and type.
create table security_events (
    id blob not null primary key,
    tenant_id blob not null,
    reason smallint not null,
    provider_account text,
    source_ip text,
    at bigint not null,
    count bigint not null,
    detail text
) without rowid;
create index security_events_by_tenant on security_events (tenant_id, id);

-- Refused requests, sealed.
create table quarantine (
    id blob not null primary key,
    tenant_id blob not null,
    provider_account text not null,
    kind smallint not null,
    reason smallint not null,
    received_at bigint not null,
    source_ip text not null,
    size_bytes integer not null,
    sealed blob not null
);
create index quarantine_by_tenant on quarantine (tenant_id, id);

-- The suspicions that were told, so that each is told once.
create table suspicions (
    key blob not null primary key,
    raised_at bigint not null
) without rowid;
create index suspicions_by_raised_at on suspicions (raised_at);

-- From where each account was called, and since when.
create table account_sources (
    account_id blob not null,
    source text not null,
    first_seen_at bigint not null,
    primary key (account_id, source)
) without rowid;
