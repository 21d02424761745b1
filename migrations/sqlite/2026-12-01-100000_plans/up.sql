-- What tenants may use, by name; null is no limit. The rates are those of each webhook. Those that ship are
-- changed by nobody.
create table plans (
    name text not null primary key,
    is_shipped boolean not null default false,
    events_per_day bigint,
    webhooks integer,
    per_minute integer,
    per_hour integer
) without rowid;
insert into plans (name, is_shipped, events_per_day, per_minute, per_hour) values
    ('standard', true, null, null, null),
    ('starter', true, 10000, 60, 1000);
-- A plan that a tenant has is there.
insert into plans (name)
select distinct plan from tenants where plan not in ('standard', 'starter');

-- How much tenants have used of what their plans limit, and of what they were told. What has no window is
-- counted at the day 0.
create table limit_counters (
    tenant_id blob not null,
    kind smallint not null,
    day integer not null,
    used bigint not null,
    told smallint not null,
    primary key (tenant_id, kind, day)
) without rowid;
create index limit_counters_by_day on limit_counters (day);
