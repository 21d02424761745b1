drop table server_run;
