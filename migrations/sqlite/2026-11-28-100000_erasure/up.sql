-- Receipts of callbacks that came again are found by nothing else. There are few of them.
create index callbacks_repeated on callbacks (tenant_id, callback_id) where not is_first;
