-- Why a person set a state, and who; null where a provider said it.
alter table message_history add column reason text;
alter table message_history add column actor text;

create index orphans_by_tenant on orphans (tenant_id, id);
