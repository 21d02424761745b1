-- What a message cost, as an amount and a currency: what the platform said, and what a report said last.
alter table messages add column registered_cost text;
alter table messages add column cost text;

-- What else the provider answered, raw.
alter table message_history add column provider_response text;

-- Lists are asked for by the beginning of these: whatever the collation of the database is, the indexes are
-- in the order of the bytes now, which serves equality as well.
drop index messages_by_tenant_message;
drop index messages_by_tenant_reference;
drop index messages_by_tenant_notification;
drop index messages_by_tenant_recipient;
create index messages_by_tenant_message on messages (tenant_id, provider_message_id text_pattern_ops, id);
create index messages_by_tenant_reference on messages (tenant_id, client_reference text_pattern_ops, id);
create index messages_by_tenant_notification on messages (tenant_id, notification_id text_pattern_ops, id);
create index messages_by_tenant_recipient on messages (tenant_id, recipient text_pattern_ops, id);
