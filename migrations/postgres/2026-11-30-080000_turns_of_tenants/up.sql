-- Tenants take turns in the fan-out: those after a tenant are found without going through its events.
drop index events_unstamped;
create index events_unstamped on events (shard, tenant_id, position) where sequence is null;
