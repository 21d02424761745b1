alter table message_history drop column provider_response;
alter table messages drop column cost;
alter table messages drop column registered_cost;
