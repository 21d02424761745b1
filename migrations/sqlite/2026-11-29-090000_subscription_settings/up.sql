-- How a subscription's events are sent. None: it is older than these settings.
alter table subscriptions add column settings text;
-- Its own headers, and what it proves itself to its endpoint with; sealed.
alter table subscriptions add column headers blob;
alter table subscriptions add column endpoint_secret blob;
-- Why it is disabled, and since when, where not its owner disabled it.
alter table subscriptions add column disabled_reason text;
alter table subscriptions add column disabled_at bigint;
