-- Tests of webhooks, written before they are sent. One without an end is under way, or was interrupted.
create table trials (
    id uuid not null primary key,
    tenant_id uuid not null,
    subscription_id uuid not null,
    event_id uuid not null,
    event_type text not null,
    request_body text not null,
    begun_at timestamptz not null,
    duration_ms bigint,
    status_code integer,
    error text,
    response_body text,
    detail text
);
create index trials_by_subscription on trials (subscription_id, id);
create index trials_by_tenant on trials (tenant_id, id);
