alter table deliveries drop column error;
alter table deliveries drop column body;
alter table attempts drop column detail;
