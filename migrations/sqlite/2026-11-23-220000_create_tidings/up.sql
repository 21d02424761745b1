-- Times are milliseconds since the Unix epoch; ids are 16 bytes; closed sets are small integers
-- whose meaning is in crates/store (one `encode`/`decode` pair each).

-- What is true of this installation as a whole: the check of the encryption key.
create table installation (
    name text not null primary key,
    value blob not null
) without rowid;

-- Counters that say "something of this kind changed". Bumped in the transaction of the change.
create table versions (
    name text not null primary key,
    value bigint not null
) without rowid;

create table tenants (
    id blob not null primary key,
    name text not null,
    plan text not null,
    created_at bigint not null,
    subscription_version bigint not null
) without rowid;
create index tenants_by_subscription_version on tenants (subscription_version);

create table api_keys (
    id blob not null primary key,
    tenant_id blob not null,
    hash blob not null,
    prefix text not null,
    created_at bigint not null
) without rowid;
create unique index api_keys_by_hash on api_keys (hash);

create table provider_accounts (
    id blob not null primary key,
    tenant_id blob not null,
    slug text not null,
    provider text not null,
    environment text not null,
    checks blob not null,
    created_at bigint not null,
    updated_at bigint not null
) without rowid;
create unique index provider_accounts_by_slug on provider_accounts (slug);
create index provider_accounts_by_tenant on provider_accounts (tenant_id, id);

create table subscriptions (
    id blob not null primary key,
    tenant_id blob not null,
    url text not null,
    events text not null,
    secret blob not null,
    name text,
    description text,
    environment text not null,
    is_enabled boolean not null,
    since_position bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    last_success_at bigint,
    last_failure_at bigint,
    delivered bigint not null,
    failed bigint not null
) without rowid;
create index subscriptions_by_tenant on subscriptions (tenant_id, id) where deleted_at is null;

create table messages (
    id blob not null primary key,
    tenant_id blob not null,
    account_id blob not null,
    provider_account text not null,
    provider text not null,
    provider_message_id text,
    client_reference text,
    identity_key blob not null,
    recipient text not null,
    sender text,
    notification_id text,
    parts integer not null,
    metadata text,
    environment text not null,
    created_at bigint not null,
    updated_at bigint not null,
    state smallint not null,
    override_number integer not null,
    standing_attempt integer not null,
    provider_time bigint,
    transition integer not null,
    send_attempt integer not null,
    decided_seen bigint not null,
    history_length integer not null,
    sent_at bigint,
    delivered_at bigint,
    failure_reason text,
    failure_class text,
    network_code text
) without rowid;
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
    message_id blob not null,
    ordinal integer not null,
    received_at bigint not null,
    provider_time bigint,
    send_attempt integer not null,
    word text not null,
    state smallint,
    is_applied boolean not null,
    source smallint not null,
    callback_id blob,
    failure_reason text,
    primary key (message_id, ordinal)
) without rowid;

-- One row for every statement ever heard, so that hearing it again changes nothing.
create table report_keys (
    key blob not null primary key,
    heard_at bigint not null
) without rowid;

-- Reports of messages that nobody has registered yet.
create table orphans (
    id blob not null primary key,
    tenant_id blob not null,
    account_id blob not null,
    provider_message_id text,
    client_reference text,
    report text not null,
    callback_id blob not null,
    received_at bigint not null,
    source smallint not null,
    traceparent text
) without rowid;
create index orphans_by_message on orphans (account_id, provider_message_id);
create index orphans_by_reference on orphans (account_id, client_reference);
create index orphans_by_received_at on orphans (received_at);

-- One row for every receipt of a callback; a duplicate has the callback_id of the first.
create table callbacks (
    receipt_id blob not null primary key,
    callback_id blob not null,
    is_first boolean not null,
    tenant_id blob not null,
    account_id blob not null,
    provider_account text not null,
    kind smallint not null,
    received_at bigint not null,
    source_ip text not null,
    signature_checked boolean not null,
    answer text not null,
    headers text not null,
    body blob not null,
    status smallint not null,
    attempts integer not null,
    error text,
    processed_at bigint,
    reports text
) without rowid;
create index callbacks_by_callback on callbacks (callback_id, receipt_id);
create index callbacks_by_tenant on callbacks (tenant_id, receipt_id) where is_first;

-- Events are the outbox: unstamped ones are owed to nobody yet. `position` is the order in which
-- they were written; `sequence` the order in which they are told.
create table events (
    position integer not null primary key autoincrement,
    id blob not null,
    tenant_id blob not null,
    shard smallint not null,
    event_type text not null,
    version integer not null,
    environment text not null,
    created_at bigint not null,
    source text not null,
    resource text,
    context text,
    metadata text,
    data text not null,
    message_id blob,
    transition integer,
    traceparent text,
    caused_at bigint not null,
    sequence bigint
);
create unique index events_by_id on events (id);
create unique index events_by_transition on events (message_id, transition) where transition is not null;
create index events_by_tenant on events (tenant_id, position);
create index events_unstamped on events (shard, position) where sequence is null;

create table deliveries (
    id blob not null primary key,
    tenant_id blob not null,
    event_id blob not null,
    subscription_id blob not null,
    shard smallint not null,
    state smallint not null,
    place smallint not null,
    attempts integer not null,
    due_at bigint not null,
    created_at bigint not null
) without rowid;
create unique index deliveries_by_event on deliveries (event_id, subscription_id);
create index deliveries_by_subscription on deliveries (subscription_id, id);
create index deliveries_scheduled on deliveries (shard, due_at) where state = 0 and place = 0;
create index deliveries_claimed on deliveries (shard) where state = 0 and place = 1;
create index deliveries_backlog on deliveries (shard, subscription_id, due_at) where state = 0 and place = 2;

create table attempts (
    delivery_id blob not null,
    number integer not null,
    id blob not null,
    started_at bigint not null,
    duration_ms bigint not null,
    status_code integer,
    error text,
    response_body text,
    primary key (delivery_id, number)
) without rowid;

-- Who works: a dispatcher says so every 2 s.
create table dispatchers (
    owner text not null primary key,
    until bigint not null
) without rowid;

create table shards (
    number smallint not null primary key,
    owner text,
    fence bigint not null,
    until bigint not null,
    sequence bigint not null
) without rowid;

create table idempotency_keys (
    key blob not null primary key,
    tenant_id blob not null,
    body_hash blob not null,
    status smallint not null,
    answer text not null,
    created_at bigint not null
) without rowid;
create index idempotency_keys_by_created_at on idempotency_keys (created_at);

insert into versions (name, value) values ('subscriptions', 0), ('accounts', 0);

insert into tenants (id, name, plan, created_at, subscription_version)
values (x'00000000000000000000000000000001', 'platform', 'standard', 0, 0);

with recursive numbers (number) as (select 0 union all select number + 1 from numbers where number < 63)
insert into shards (number, owner, fence, until, sequence) select number, null, 0, 0, 0 from numbers;
