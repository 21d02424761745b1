-- Who changed what. An entry is written with its change, without a position; then it gets the next place in the
-- chain. One row says how far the chain is, and with which place it begins.
create table audit_entries (
    id uuid not null primary key,
    tenant_id uuid not null,
    at timestamptz not null,
    actor_type text not null,
    actor_id text,
    actor_name text,
    action text not null,
    target_type text not null,
    target_id text,
    before text,
    after text,
    source_ip text,
    request_id text,
    position bigint,
    previous_hash bytea,
    hash bytea
);
create unique index audit_entries_by_position on audit_entries (position);
create index audit_entries_by_tenant on audit_entries (tenant_id, id);
create index audit_entries_by_target on audit_entries (tenant_id, target_id, id);
create index audit_entries_unchained on audit_entries (id) where position is null;
create table audit_head (
    id smallint not null primary key,
    position bigint not null,
    hash bytea not null,
    anchor_position bigint not null,
    anchor_hash bytea not null
);
insert into audit_head values (1, 0, '\x0000000000000000000000000000000000000000000000000000000000000000', 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
