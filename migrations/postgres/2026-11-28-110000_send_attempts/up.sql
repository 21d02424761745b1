-- The tries to send a message from the second on; the first is the message itself. The keys are made as
-- those of messages are, so that a name never means two messages.
create table send_attempts (
    message_id uuid not null,
    number integer not null,
    tenant_id uuid not null,
    account_id uuid not null,
    provider_account text not null,
    provider text not null,
    provider_message_id text,
    client_reference text,
    identity_key bytea not null,
    created_at timestamptz not null,
    primary key (message_id, number)
);
create unique index send_attempts_by_identity on send_attempts (identity_key);
create index send_attempts_by_account_message on send_attempts (account_id, provider_message_id);
create index send_attempts_by_account_reference on send_attempts (account_id, client_reference);
create index send_attempts_by_tenant_message on send_attempts (tenant_id, provider_message_id text_pattern_ops);
create index send_attempts_by_tenant_reference on send_attempts (tenant_id, client_reference text_pattern_ops);
