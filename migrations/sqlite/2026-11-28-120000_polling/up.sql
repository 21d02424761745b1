-- As on PostgreSQL. With what a provider is asked, sealed; null where it is not. What becomes of a message of which nothing is
-- heard, and after how many seconds; null is poller.max_age.
alter table provider_accounts add column status_api blob;
alter table provider_accounts add column silence_state smallint not null default 6;
alter table provider_accounts add column silence_after bigint;

-- When somebody is asked about a message next, and how often that was answered; from when its schedule counts, and
-- its first wait in milliseconds; and through which account it was sent last, whose provider is asked. Null in messages
-- of earlier releases: nobody asks about them by itself.
alter table messages add column poll_at bigint;
alter table messages add column polls integer not null default 0;
alter table messages add column poll_from bigint;
alter table messages add column poll_delay bigint;
alter table messages add column poll_account_id blob;
create index messages_due on messages (poll_account_id, poll_at) where poll_at is not null;

-- Who asks about the messages of an account; and that nobody does before rest_until, after so many failures.
create table poll_leases (
    account_id blob not null primary key,
    owner text not null,
    until bigint not null,
    fence bigint not null,
    failures integer not null,
    rest_until bigint not null,
    rest_reason smallint not null
);

-- What was asked about messages, and what came of it.
create table polls (
    id blob not null primary key,
    message_id blob not null,
    tenant_id blob not null,
    at bigint not null,
    send_attempt integer not null,
    outcome smallint not null,
    detail text
);
create index polls_by_message on polls (message_id, id);

-- How far the inbox of an account was read.
create table inboxes (
    account_id blob not null primary key,
    cursor text,
    fetched_at bigint not null
);
