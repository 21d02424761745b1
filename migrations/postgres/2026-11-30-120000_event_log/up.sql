-- What an event is about, to be found by it. An event about a message is found by `message_id`, and has
-- nothing here: most are about one.
alter table events add column resource_type text;
alter table events add column resource_id text;
-- What the publisher says more of a resource comes last in it, and may hold what PostgreSQL cannot decode.
update events set
    resource_type = named.resource ->> 'type',
    resource_id = named.resource ->> 'id'
from (
    select id, (case strpos(resource, ',"data":')
        when 0 then resource
        else left(resource, strpos(resource, ',"data":') - 1) || '}'
    end)::json as resource
    from events where resource is not null and message_id is null
) as named
where events.id = named.id;
create index events_by_type on events (tenant_id, event_type, position);
create index events_by_resource on events (tenant_id, resource_type, resource_id, position)
    where resource_id is not null;
-- The feed.
create index events_by_sequence on events (tenant_id, sequence) where sequence is not null;
