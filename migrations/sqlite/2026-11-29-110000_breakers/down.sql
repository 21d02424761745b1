drop index subscriptions_by_breaker;
alter table subscriptions drop column sends;
alter table subscriptions drop column breaker_at;
alter table subscriptions drop column breaker;
