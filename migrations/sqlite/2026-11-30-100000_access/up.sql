-- Active, suspended, or deleted and remembered for a day while what is theirs is removed.
alter table tenants add column state smallint not null default 0;
-- Since when it is in that state; none for one that was never in another.
alter table tenants add column state_at bigint;
-- When what is a deleted tenant's was last looked for.
alter table tenants add column looked_at bigint;
create index tenants_by_state on tenants (state, id) where state <> 0;

-- Keys from before there were roles are their tenants' first ones.
alter table api_keys add column name text not null default 'first key';
alter table api_keys add column role smallint not null default 0;
-- Fewer scopes than its role has; none: all of them.
alter table api_keys add column scopes text;
alter table api_keys add column last_used_at bigint;
alter table api_keys add column expires_at bigint;
alter table api_keys add column revoked_at bigint;
-- Since when it is of no use: the smaller of the two. For forgetting it.
alter table api_keys add column ends_at bigint;
create index api_keys_by_tenant on api_keys (tenant_id, id);
create index api_keys_by_ends_at on api_keys (ends_at) where ends_at is not null;

-- The people of a tenant.
create table members (
    id blob not null primary key,
    tenant_id blob not null,
    email text not null,
    name text,
    role smallint not null,
    created_at bigint not null,
    updated_at bigint not null,
    last_login_at bigint
) without rowid;
create unique index members_by_email on members (tenant_id, email);
create index members_by_tenant on members (tenant_id, id);

-- What is shown instead of a key for a while. It ends with its key, where it has one; it has the role of
-- its member, or the scopes.
create table access_tokens (
    hash blob not null primary key,
    tenant_id blob not null,
    key_id blob,
    member_id blob,
    scopes text,
    created_at bigint not null,
    expires_at bigint not null
) without rowid;
create index access_tokens_by_key on access_tokens (key_id, created_at) where key_id is not null;
create index access_tokens_by_member on access_tokens (member_id, created_at) where member_id is not null;
create index access_tokens_by_tenant on access_tokens (tenant_id);
create index access_tokens_by_expires_at on access_tokens (expires_at);

-- Links into the console that were not used yet.
create table console_links (
    hash blob not null primary key,
    tenant_id blob not null,
    key_id blob,
    member_id blob not null,
    created_at bigint not null,
    expires_at bigint not null
) without rowid;
create index console_links_by_member on console_links (member_id, created_at);
create index console_links_by_tenant on console_links (tenant_id);
create index console_links_by_expires_at on console_links (expires_at);
