-- Secrets that were replaced and still sign for a while, sealed.
create table previous_secrets (
    id blob not null primary key,
    tenant_id blob not null,
    subscription_id blob not null,
    secret blob not null,
    expires_at bigint not null
) without rowid;
create index previous_secrets_by_subscription on previous_secrets (subscription_id, id);
create index previous_secrets_by_expires_at on previous_secrets (expires_at);
