-- As on PostgreSQL. What was counted of each provider account, in slots of five minutes (numbered since 1970),
-- by name.
create table tallies (
    slot integer not null,
    account_id blob not null,
    name text not null,
    tenant_id blob not null,
    provider text not null,
    count bigint not null,
    primary key (slot, account_id, name)
) without rowid;
create index tallies_by_tenant on tallies (tenant_id, name, slot);

-- How long providers' reports took, of all accounts, by day (numbered since 1970).
create table report_delays (
    day integer not null,
    provider text not null,
    network text not null,
    bucket text not null,
    count bigint not null,
    primary key (day, provider, network, bucket)
) without rowid;

-- What was last told of the health of a provider account, and since when it is so.
create table provider_health (
    account_id blob not null primary key,
    tenant_id blob not null,
    state smallint not null,
    since bigint not null
) without rowid;
