-- What was heard is forgotten by its age; the keys themselves are in no order.
create index report_keys_by_heard_at on report_keys (heard_at);
