-- The same tables, columns and indexes as on PostgreSQL, where some tables are now partitioned by day.
-- A partitioned table keeps nothing unique but its partition key, so the rest is kept here.

-- One row for every callback: its first receipt, and how many there were.
create table callback_keys (
    callback_id blob not null primary key,
    receipt_id blob not null,
    receipts integer not null
) without rowid;

insert into callback_keys (callback_id, receipt_id, receipts)
select callback_id, min(case when is_first then receipt_id end), count(*)
from callbacks
group by callback_id
having min(case when is_first then receipt_id end) is not null;

drop index callbacks_by_callback;

-- A message's row is locked while its transition is counted and told: two events of one transition
-- cannot be.
drop index events_by_transition;
