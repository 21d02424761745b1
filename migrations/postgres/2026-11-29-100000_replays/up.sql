-- A delivery may get a fresh budget: what its schedule counts is counted from this number of attempts.
alter table deliveries add column budget_from integer not null default 0;
-- The replay that made it; all zero for what the fan-out made.
alter table deliveries add column replay_id uuid not null default '00000000-0000-0000-0000-000000000000';

drop index deliveries_by_event;
create unique index deliveries_by_event on deliveries (event_id, subscription_id, replay_id);
-- What waits until nothing else waits for its subscription.
create index deliveries_later on deliveries (shard, subscription_id, due_at, id) where state = 0 and place = 3;
create index deliveries_replayed_later on deliveries (replay_id, subscription_id) where state = 0 and place = 3;
create index deliveries_replayed on deliveries (replay_id) where state = 0 and replay_id <> '00000000-0000-0000-0000-000000000000';
-- What was cancelled while its owner had it in memory: the owner lets go of it.
update deliveries set place = 0 where state = 3 and place = 1;
create index deliveries_recalled on deliveries (shard) where state = 3 and place = 1;
-- What people look for.
create index deliveries_retrying on deliveries (subscription_id, id) where state = 0 and attempts > 0;
create index deliveries_failed on deliveries (subscription_id, id) where state = 2;
create index deliveries_cancelled on deliveries (subscription_id, id) where state = 3;

-- Old events told again. The owner of the tenant's shard makes their deliveries, a page at a time; where it
-- is, is written in the commit of each page.
create table replays (
    id uuid not null primary key,
    tenant_id uuid not null,
    shard smallint not null,
    subscription_id uuid,
    state smallint not null,
    selection text not null,
    reached bigint not null,
    through bigint not null,
    total bigint not null,
    done bigint not null,
    deliveries bigint not null,
    per_second integer,
    next_at timestamptz not null,
    created_at timestamptz not null,
    ended_at timestamptz
);
create index replays_by_tenant on replays (tenant_id, id);
create index replays_unfinished on replays (shard, next_at) where ended_at is null;

-- Many deliveries of a subscription to be retried or cancelled. The owner of its shard does that, a page at a
-- time, and removes the row with the last one.
create table sweeps (
    id uuid not null primary key,
    tenant_id uuid not null,
    subscription_id uuid not null,
    shard smallint not null,
    action smallint not null,
    wanted smallint not null,
    event_types text,
    reached uuid not null,
    before uuid not null
);
create index sweeps_by_shard on sweeps (shard, id);
