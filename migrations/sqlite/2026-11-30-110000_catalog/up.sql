-- Event types that tenants, and the operator as the platform's tenant, brought themselves. Their names are in
-- the order of their bytes everywhere.
create table event_types (
    tenant_id blob not null,
    name text not null,
    description text,
    is_deprecated boolean not null,
    is_archived boolean not null,
    newest integer not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (tenant_id, name)
) without rowid;

-- Their versions. A row never changes: who has read one may keep it. The converters, as JSON, make data of the
-- version before to data of this one, and the reverse.
create table event_type_versions (
    tenant_id blob not null,
    name text not null,
    number integer not null,
    schema text not null,
    example text not null,
    is_breaking boolean not null,
    upgrade text,
    downgrade text,
    created_at bigint not null,
    primary key (tenant_id, name, number)
) without rowid;
