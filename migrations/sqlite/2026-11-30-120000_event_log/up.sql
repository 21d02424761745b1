-- What an event is about, to be found by it. An event about a message is found by `message_id`, and has
-- nothing here: most are about one.
alter table events add column resource_type text;
alter table events add column resource_id text;
update events set
    resource_type = json_extract(resource, '$.type'),
    resource_id = json_extract(resource, '$.id')
where resource is not null and message_id is null;
create index events_by_type on events (tenant_id, event_type, position);
create index events_by_resource on events (tenant_id, resource_type, resource_id, position)
    where resource_id is not null;
-- The feed.
create index events_by_sequence on events (tenant_id, sequence) where sequence is not null;
