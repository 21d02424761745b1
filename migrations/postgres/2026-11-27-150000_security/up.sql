-- What the door refused and noticed. One row for each minute, source, account and type.
create table security_events (
    id uuid not null primary key,
    tenant_id uuid not null,
    reason smallint not null,
    provider_account text,
    source_ip text,
    at timestamptz not null,
    count bigint not null,
    detail text
);
create index security_events_by_tenant on security_events (tenant_id, id);

-- Refused requests, sealed.
create table quarantine (
    id uuid not null primary key,
    tenant_id uuid not null,
    provider_account text not null,
    kind smallint not null,
    reason smallint not null,
    received_at timestamptz not null,
    source_ip text not null,
    size_bytes integer not null,
    sealed bytea not null
);
create index quarantine_by_tenant on quarantine (tenant_id, id);

-- The suspicions that were told, so that each is told once.
create table suspicions (
    key bytea not null primary key,
    raised_at timestamptz not null
);
create index suspicions_by_raised_at on suspicions (raised_at);

-- From where each account was called, and since when.
create table account_sources (
    account_id uuid not null,
    source text not null,
    first_seen_at timestamptz not null,
    primary key (account_id, source)
);
