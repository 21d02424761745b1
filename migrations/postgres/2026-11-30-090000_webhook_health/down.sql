alter table subscriptions drop column owes_recovery;
alter table subscriptions drop column failing_told;
alter table subscriptions drop column failing_until;
alter table subscriptions drop column failing_since;
