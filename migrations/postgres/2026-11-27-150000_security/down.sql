drop table account_sources;
drop table suspicions;
drop table quarantine;
drop table security_events;
