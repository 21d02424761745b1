drop index orphans_by_tenant;
alter table messages drop column part_standings;
alter table message_history drop column actor;
alter table message_history drop column reason;
