-- What was told about a message is found by the message. Most events are about none, and are not in it.
create index events_by_message on events (message_id, id) where message_id is not null;
