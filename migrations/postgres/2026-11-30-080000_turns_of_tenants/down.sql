drop index events_unstamped;
create index events_unstamped on events (shard, position) where sequence is null;
