alter table events rename to new_events;
alter sequence events_position owned by none;
alter index events_by_id rename to new_events_by_id;
alter index events_by_tenant rename to new_events_by_tenant;
alter index events_unstamped rename to new_events_unstamped;
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
insert into events (position, id, tenant_id, shard, event_type, version, environment, created_at, source, resource, context, metadata, data, message_id, transition, traceparent, caused_at, sequence) overriding system value
select position, id, tenant_id, shard, event_type, version, environment, created_at, source, resource, context, metadata, data, message_id, transition, traceparent, caused_at, sequence from new_events;
select setval(pg_get_serial_sequence('events', 'position'), coalesce(max(position), 0) + 1, false) from events;
drop table new_events;
create unique index events_by_id on events (id);
create unique index events_by_transition on events (message_id, transition) where transition is not null;
create index events_by_tenant on events (tenant_id, position);
create index events_unstamped on events (shard, position) where sequence is null;
drop sequence events_position;

alter table attempts rename to new_attempts;
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
insert into attempts (delivery_id, number, id, started_at, duration_ms, status_code, error, response_body)
select delivery_id, number, id, started_at, duration_ms, status_code, error, response_body from new_attempts;
drop table new_attempts;

alter table message_history rename to new_message_history;
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
insert into message_history (message_id, ordinal, received_at, provider_time, send_attempt, word, state, is_applied, source, callback_id, failure_reason)
select message_id, ordinal, received_at, provider_time, send_attempt, word, state, is_applied, source, callback_id, failure_reason from new_message_history;
drop table new_message_history;

alter table callbacks rename to new_callbacks;
alter index callbacks_by_tenant rename to new_callbacks_by_tenant;
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
insert into callbacks (receipt_id, callback_id, is_first, tenant_id, account_id, provider_account, kind, received_at, source_ip, signature_checked, answer, headers, body, status, attempts, error, processed_at, reports)
select receipt_id, callback_id, is_first, tenant_id, account_id, provider_account, kind, received_at, source_ip, signature_checked, answer, headers, body, status, attempts, error, processed_at, reports from new_callbacks;
drop table new_callbacks;
create index callbacks_by_callback on callbacks (callback_id, receipt_id);
create index callbacks_by_tenant on callbacks (tenant_id, receipt_id) where is_first;

drop table callback_keys;
