-- As on PostgreSQL. Requests of the API under an idempotency key, written down before they are done. One is done from the
-- transaction of its first effect on; its answer comes after it, sealed.
create table requests (
    key blob not null primary key,
    tenant_id blob not null,
    body_hash blob not null,
    run blob not null,
    lease_until bigint not null,
    is_done boolean not null,
    answer blob,
    created_at bigint not null
);
create index requests_by_created_at on requests (created_at);
create index requests_by_tenant on requests (tenant_id, key);
