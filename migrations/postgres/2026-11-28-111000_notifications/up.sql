-- What became of all messages of a notification: how many are in each state. The id of its first message
-- says how old it is.
create table notifications (
    tenant_id uuid not null,
    notification_id text not null,
    first_message_id uuid not null,
    pending integer not null,
    sent integer not null,
    delivered integer not null,
    failed integer not null,
    expired integer not null,
    rejected integer not null,
    unknown integer not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    sent_at timestamptz,
    delivered_at timestamptz,
    primary key (tenant_id, notification_id)
);
create index notifications_by_first_message on notifications (first_message_id);

insert into notifications
select tenant_id, notification_id, (array_agg(id order by id))[1],
    sum(case when state = 0 then 1 else 0 end),
    sum(case when state = 1 then 1 else 0 end),
    sum(case when state = 2 then 1 else 0 end),
    sum(case when state = 3 then 1 else 0 end),
    sum(case when state = 4 then 1 else 0 end),
    sum(case when state = 5 then 1 else 0 end),
    sum(case when state = 6 then 1 else 0 end),
    min(created_at), max(updated_at), min(sent_at), max(delivered_at)
from messages
where notification_id is not null
group by tenant_id, notification_id;
