drop table event_type_versions;
drop table event_types;
