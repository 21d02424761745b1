-- How the breaker of a subscription stands, and since when. None: it is closed.
alter table subscriptions add column breaker text;
alter table subscriptions add column breaker_at timestamptz;
create index subscriptions_by_breaker on subscriptions (id) where breaker is not null;
-- Which attempts of a limited subscription were granted within the last hour, as JSON.
alter table subscriptions add column sends text;
