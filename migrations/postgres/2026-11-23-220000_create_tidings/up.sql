-- The same tables and columns as on SQLite, in PostgreSQL's own types. Closed sets are small integers
-- whose meaning is in crates/store (one `encode`/`decode` pair each). JSON that must keep its digits
-- and the order of its members is text: jsonb would change both.

-- What is true of this installation as a whole: the check of the encryption key.
create table installation (
    name text not null primary key,
    value bytea not null
);

-- Counters that say "something of this kind changed". Bumped in the transaction of the change.
create table versions (
    name text not null primary key,
    value bigint not null
);

create table tenants (
    id uuid not null primary key,
    name text not null,
    plan text not null,
    created_at timestamptz not null,
    subscription_version bigint not null
);
create index tenants_by_subscription_version on tenants (subscription_version);

create table api_keys (
    id uuid not null primary key,
    tenant_id uuid not null,
    hash bytea not null,
    prefix text not null,
    created_at timestamptz not null
);
create unique index api_keys_by_hash on api_keys (hash);

create table provider_accounts (
    id uuid not null primary key,
    tenant_id uuid not null,
    slug text not null,
    provider text not null,
    environment text not null,
    checks bytea not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create unique index provider_accounts_by_slug on provider_accounts (slug);
create index provider_accounts_by_tenant on provider_accounts (tenant_id, id);

create table subscriptions (
    id uuid not null primary key,
    tenant_id uuid not null,
    url text not null,
    events text not null,
    secret bytea not null,
    name text,
    description text,
    environment text not null,
    is_enabled boolean not null,
    since_position bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    last_success_at timestamptz,
    last_failure_at timestamptz,
    delivered bigint not null,
    failed bigint not null
);
create index subscriptions_by_tenant on subscriptions (tenant_id, id) where deleted_at is null;

create table messages (
    id uuid not null primary key,
    tenant_id uuid not null,
    account_id uuid not null,
    provider_account text not null,
    provider text not null,
    provider_message_id text,
    client_reference text,
    identity_key bytea not null,
    recipient text not null,
    sender text,
    notification_id text,
    parts integer not null,
    metadata text,
    environment text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    state smallint not null,
    override_number integer not null,
    standing_attempt integer not null,
    provider_time timestamptz,
    transition integer not null,
    send_attempt integer not null,
    decided_seen bigint not null,
    history_length integer not null,
    sent_at timestamptz,
    delivered_at timestamptz,
    failure_reason text,
    failure_class text,
    network_code text
);
create unique index messages_by_identity on messages (identity_key);
create index messages_by_account_message on messages (account_id, provider_message_id);
create index messages_by_account_reference on messages (account_id, client_reference);
create index messages_by_tenant on messages (tenant_id, id);
create index messages_by_tenant_state on messages (tenant_id, state, id);
create index messages_by_tenant_message on messages (tenant_id, provider_message_id, id);
create index messages_by_tenant_reference on messages (tenant_id, client_reference, id);
create index messages_by_tenant_notification on messages (tenant_id, notification_id, id);
create index messages_by_tenant_recipient on messages (tenant_id, recipient, id);

create table message_history (
    message_id uuid not null,
    ordinal integer not null,
    received_at timestamptz not null,
    provider_time timestamptz,
    send_attempt integer not null,
    word text not null,
    state smallint,
    is_applied boolean not null,
    source smallint not null,
    callback_id uuid,
    failure_reason text,
    primary key (message_id, ordinal)
);

-- One row for every statement ever heard, so that hearing it again changes nothing.
create table report_keys (
    key bytea not null primary key,
    heard_at timestamptz not null
);

-- Reports of messages that nobody has registered yet.
create table orphans (
    id uuid not null primary key,
    tenant_id uuid not null,
    account_id uuid not null,
    provider_message_id text,
    client_reference text,
    report text not null,
    callback_id uuid not null,
    received_at timestamptz not null,
    source smallint not null,
    traceparent text
);
create index orphans_by_message on orphans (account_id, provider_message_id);
create index orphans_by_reference on orphans (account_id, client_reference);
create index orphans_by_received_at on orphans (received_at);

-- One row for every receipt of a callback; a duplicate has the callback_id of the first.
create table callbacks (
    receipt_id uuid not null primary key,
    callback_id uuid not null,
    is_first boolean not null,
    tenant_id uuid not null,
    account_id uuid not null,
    provider_account text not null,
    kind smallint not null,
    received_at timestamptz not null,
    source_ip text not null,
    signature_checked boolean not null,
    answer text not null,
    headers text not null,
    body bytea not null,
    status smallint not null,
    attempts integer not null,
    error text,
    processed_at timestamptz,
    reports text
);
create index callbacks_by_callback on callbacks (callback_id, receipt_id);
create index callbacks_by_tenant on callbacks (tenant_id, receipt_id) where is_first;

-- Events are the outbox: unstamped ones are owed to nobody yet. `position` is the order in which
-- they were written; `sequence` the order in which they are told.
create table events (
    position bigint generated always as identity primary key,
    id uuid not null,
    tenant_id uuid not null,
    shard smallint not null,
    event_type text not null,
    version integer not null,
    environment text not null,
    created_at timestamptz not null,
    source text not null,
    resource text,
    context text,
    metadata text,
    data text not null,
    message_id uuid,
    transition integer,
    traceparent text,
    caused_at timestamptz not null,
    sequence bigint
);
create unique index events_by_id on events (id);
create unique index events_by_transition on events (message_id, transition) where transition is not null;
create index events_by_tenant on events (tenant_id, position);
create index events_unstamped on events (shard, position) where sequence is null;

create table deliveries (
    id uuid not null primary key,
    tenant_id uuid not null,
    event_id uuid not null,
    subscription_id uuid not null,
    shard smallint not null,
    state smallint not null,
    place smallint not null,
    attempts integer not null,
    due_at timestamptz not null,
    created_at timestamptz not null
);
create unique index deliveries_by_event on deliveries (event_id, subscription_id);
create index deliveries_by_subscription on deliveries (subscription_id, id);
create index deliveries_scheduled on deliveries (shard, due_at) where state = 0 and place = 0;
create index deliveries_claimed on deliveries (shard) where state = 0 and place = 1;
create index deliveries_backlog on deliveries (shard, subscription_id, due_at) where state = 0 and place = 2;

create table attempts (
    delivery_id uuid not null,
    number integer not null,
    id uuid not null,
    started_at timestamptz not null,
    duration_ms bigint not null,
    status_code integer,
    error text,
    response_body text,
    primary key (delivery_id, number)
);

-- Who works: a dispatcher says so every 2 s.
create table dispatchers (
    owner text not null primary key,
    until timestamptz not null
);

create table shards (
    number smallint not null primary key,
    owner text,
    fence bigint not null,
    until timestamptz not null,
    sequence bigint not null
);

create table idempotency_keys (
    key bytea not null primary key,
    tenant_id uuid not null,
    body_hash bytea not null,
    status smallint not null,
    answer text not null,
    created_at timestamptz not null
);
create index idempotency_keys_by_created_at on idempotency_keys (created_at);

insert into versions (name, value) values ('subscriptions', 0), ('accounts', 0);

insert into tenants (id, name, plan, created_at, subscription_version)
values ('00000000-0000-0000-0000-000000000001', 'platform', 'standard', to_timestamp(0), 0);

insert into shards (number, owner, fence, until, sequence)
select number, null, 0, to_timestamp(0), 0 from generate_series(0, 63) as number;
