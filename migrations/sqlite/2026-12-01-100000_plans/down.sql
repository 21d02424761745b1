drop table limit_counters;
drop table plans;
