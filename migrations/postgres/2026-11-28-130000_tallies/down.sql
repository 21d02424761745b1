drop table provider_health;
drop table report_delays;
drop table tallies;
