-- There is no server that could crash by itself.
select 1;
