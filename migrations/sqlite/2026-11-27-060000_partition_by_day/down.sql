create unique index events_by_transition on events (message_id, transition) where transition is not null;
create index callbacks_by_callback on callbacks (callback_id, receipt_id);
drop table callback_keys;
