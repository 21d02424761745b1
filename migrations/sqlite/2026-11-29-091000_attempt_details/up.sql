-- What is kept of an attempt beside its result, as JSON.
alter table attempts add column detail text;
-- What a delivery sends, where that is not what its event says by itself; and why it failed.
alter table deliveries add column body blob;
alter table deliveries add column error text;
