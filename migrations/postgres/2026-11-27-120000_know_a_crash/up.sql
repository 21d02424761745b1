-- One row that the server forgets when it crashes, or when a standby takes over: that is what unlogged
-- tables do. Whoever sees another id than before knows that ids of transactions may have been given
-- out again.
create unlogged table server_run (
    only_row boolean not null primary key default true check (only_row),
    id uuid not null
);
