drop index report_keys_by_heard_at;
