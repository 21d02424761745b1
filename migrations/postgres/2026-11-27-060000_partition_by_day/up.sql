-- What only grows is partitioned by day, so that a day can be dropped as a whole. The partition key is
-- the id by which rows are looked up: an id is a UUIDv7 and begins with the time at which it was made,
-- so the bounds of a day are the smallest ids of two midnights (UTC). The day partitions are made by
-- the store, a week ahead; a default partition takes what belongs to none.

-- One row for every callback: its first receipt, and how many there were. A partitioned table keeps
-- nothing unique but its partition key.
create table callback_keys (
    callback_id uuid not null primary key,
    receipt_id uuid not null,
    receipts integer not null
);

insert into callback_keys (callback_id, receipt_id, receipts)
select callback_id, (array_agg(receipt_id) filter (where is_first))[1], count(*)
from callbacks
group by callback_id
having bool_or(is_first);

alter table callbacks rename to old_callbacks;
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
) partition by range (receipt_id);
create table callbacks_default partition of callbacks default;
insert into callbacks select * from old_callbacks;
drop table old_callbacks;
create index callbacks_by_tenant on callbacks (tenant_id, receipt_id) where is_first;

alter table message_history rename to old_message_history;
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
) partition by range (message_id);
create table message_history_default partition of message_history default;
insert into message_history select * from old_message_history;
drop table old_message_history;

alter table attempts rename to old_attempts;
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
) partition by range (delivery_id);
create table attempts_default partition of attempts default;
insert into attempts select * from old_attempts;
drop table old_attempts;

-- A message's row is locked while its transition is counted and told: two events of one transition
-- cannot be, so `events_by_transition` goes.
create sequence events_position;
alter table events rename to old_events;
create table events (
    position bigint not null default nextval('events_position'),
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
) partition by range (id);
create table events_default partition of events default;
insert into events select * from old_events;
select setval('events_position', coalesce(max(position), 0) + 1, false) from events;
drop table old_events;
alter sequence events_position owned by events.position;
create unique index events_by_id on events (id);
create index events_by_tenant on events (tenant_id, position);
create index events_unstamped on events (shard, position) where sequence is null;
