drop index events_by_sequence;
drop index events_by_resource;
drop index events_by_type;
alter table events drop column resource_id;
alter table events drop column resource_type;
