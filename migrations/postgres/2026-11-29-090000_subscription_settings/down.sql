alter table subscriptions drop column disabled_at;
alter table subscriptions drop column disabled_reason;
alter table subscriptions drop column endpoint_secret;
alter table subscriptions drop column headers;
alter table subscriptions drop column settings;
