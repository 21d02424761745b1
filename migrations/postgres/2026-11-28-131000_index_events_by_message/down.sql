drop index events_by_message;
