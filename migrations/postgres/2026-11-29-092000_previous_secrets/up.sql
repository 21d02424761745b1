-- Secrets that were replaced and still sign for a while, sealed.
create table previous_secrets (
    id uuid not null primary key,
    tenant_id uuid not null,
    subscription_id uuid not null,
    secret bytea not null,
    expires_at timestamptz not null
);
create index previous_secrets_by_subscription on previous_secrets (subscription_id, id);
create index previous_secrets_by_expires_at on previous_secrets (expires_at);
