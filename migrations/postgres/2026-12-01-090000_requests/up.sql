-- Requests of the API under an idempotency key, written down before they are done. One is done from the
-- transaction of its first effect on; its answer comes after it, sealed.
create table requests (
    key bytea not null primary key,
    tenant_id uuid not null,
    body_hash bytea not null,
    run uuid not null,
    lease_until timestamptz not null,
    is_done boolean not null,
    answer bytea,
    created_at timestamptz not null
);
create index requests_by_created_at on requests (created_at);
create index requests_by_tenant on requests (tenant_id, key);
