-- As on PostgreSQL. There is no server here that could crash by itself: it stays empty.
create table server_run (
    only_row boolean not null primary key default true check (only_row),
    id blob not null
);
