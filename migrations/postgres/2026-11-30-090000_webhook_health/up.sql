-- Since when a subscription has had nothing but failures, until when as far as was written, and the last
-- warning that was told of it in percent. None: it does not fail; of the warning: only news failed.
alter table subscriptions add column failing_since timestamptz;
alter table subscriptions add column failing_until timestamptz;
alter table subscriptions add column failing_told smallint;
-- Whether it was told that it fails, and not yet that it recovered.
alter table subscriptions add column owes_recovery boolean not null default false;
