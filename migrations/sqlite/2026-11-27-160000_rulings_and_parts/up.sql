-- Why a person set a state, and who; null where a provider said it.
alter table message_history add column reason text;
alter table message_history add column actor text;

-- What was said of single parts, as JSON; null as long as nothing was.
alter table messages add column part_standings text;

create index orphans_by_tenant on orphans (tenant_id, id);
