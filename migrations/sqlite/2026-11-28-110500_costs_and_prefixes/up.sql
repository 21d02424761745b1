-- What a message cost, as an amount and a currency: what the platform said, and what a report said last.
alter table messages add column registered_cost text;
alter table messages add column cost text;

-- What else the provider answered, raw.
alter table message_history add column provider_response text;
