//! The people of tenants.

use crate::Store;
use crate::connection::{Connection, each, insert_rows};
use crate::error::Error;
use crate::event::NewEventRow;
use crate::key::{decode_role, encode_role};
use crate::page::{Page, Window};
use crate::schema::{access_tokens, console_links, events, members};
use crate::sql_types::{Moment, Uid};
use crate::tenant;
use diesel::prelude::*;
use domain::Timestamp;
use domain::access::Role;
use domain::account::Environment;
use domain::event::{Event, Resource};
use domain::id::{EventId, MemberId, TenantId};
use domain::json::Raw;
use serde::Serialize;

/// How many people a tenant may have.
pub const MOST_MEMBERS: i64 = 1_000;

/// One of the people of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Their id.
    pub id: MemberId,
    /// Where they are written to; once in a tenant, in lower case.
    pub email: String,
    /// What they are called.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub created_at: Timestamp,
    /// When they were last changed.
    pub updated_at: Timestamp,
    /// When they last used a link into the console.
    pub last_login_at: Option<Timestamp>,
}

/// What became of a new member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// They are there, and told of by `user.created`.
    Done,
    /// Another member of the tenant has the address.
    EmailTaken,
    /// The tenant has as many as it may.
    TooMany,
    /// There is no such tenant.
    NoTenant,
}

/// What is changed of a member; none stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// What they are called: a name, or none any more.
    pub name: Option<Option<String>>,
    /// What they may do.
    pub role: Option<Role>,
}

impl Store {
    /// Adds a member, and tells so with the event of this id.
    pub async fn create_member(
        &self,
        tenant: TenantId,
        member: Member,
        event: EventId,
    ) -> Result<Added, Error> {
        let row = MemberRow::new(tenant, member.clone());
        let created = told(tenant, &member, event, "user.created", member.created_at);
        let created = [NewEventRow::from(created)];
        self.write(move |connection| {
            if tenant::lock(connection, tenant)?.is_none() {
                return Ok(Added::NoTenant);
            }
            let number: i64 = each!(connection, c => members::table
                .filter(members::tenant_id.eq(row.tenant_id))
                .count()
                .get_result(c))?;
            if number >= MOST_MEMBERS {
                return Ok(Added::TooMany);
            }
            let inserted = each!(connection, c => diesel::insert_into(members::table)
                .values(&row)
                .on_conflict((members::tenant_id, members::email))
                .do_nothing()
                .execute(c))?;
            if inserted == 0 {
                return Ok(Added::EmailTaken);
            }
            insert_rows!(connection, events::table, created.iter());
            Ok(Added::Done)
        })
        .await
    }

    /// A member of a tenant.
    pub async fn find_member(
        &self,
        tenant: TenantId,
        id: MemberId,
    ) -> Result<Option<Member>, Error> {
        self.read(move |connection| {
            find(connection, tenant, id)?
                .map(Member::try_from)
                .transpose()
        })
        .await
    }

    /// The member of a tenant with this address, in lower case.
    pub async fn find_member_by_email(
        &self,
        tenant: TenantId,
        email: String,
    ) -> Result<Option<Member>, Error> {
        self.read(move |connection| {
            let row: Option<MemberRow> = each!(connection, c => members::table
                .filter(members::tenant_id.eq(Uid::from(tenant)))
                .filter(members::email.eq(&email))
                .select(MemberRow::as_select())
                .first(c)
                .optional())?;
            row.map(Member::try_from).transpose()
        })
        .await
    }

    /// The members of a tenant, newest first.
    pub async fn list_members(
        &self,
        tenant: TenantId,
        window: Window<MemberId>,
    ) -> Result<Page<Member, MemberId>, Error> {
        self.read(move |connection| {
            let rows: Vec<MemberRow> = each!(connection, c => {
                let mut query = members::table
                    .filter(members::tenant_id.eq(Uid::from(tenant)))
                    .order(members::id.desc())
                    .limit(window.reach())
                    .select(MemberRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(members::id.lt(Uid::from(before)));
                }
                query.load(c)
            })?;
            let items = rows.into_iter().map(Member::try_from);
            let items = items.collect::<Result<_, _>>()?;
            Ok(window.page(items, |member: &Member| member.id))
        })
        .await
    }

    /// Changes a member; they after the change, or none where there is none. What they are logged in with
    /// follows their new role.
    pub async fn update_member(
        &self,
        tenant: TenantId,
        id: MemberId,
        change: Change,
        at: Timestamp,
    ) -> Result<Option<Member>, Error> {
        self.write(move |connection| {
            let Some(mut row) = find(connection, tenant, id)? else {
                return Ok(None);
            };
            if let Some(name) = &change.name {
                row.name.clone_from(name);
            }
            row.role = change.role.map_or(row.role, encode_role);
            row.updated_at = at.into();
            each!(connection, c => diesel::update(members::table.find(row.id))
                .set((
                    change.name.as_ref().map(|name| members::name.eq(name)),
                    change.role.map(|role| members::role.eq(encode_role(role))),
                    members::updated_at.eq(row.updated_at),
                ))
                .execute(c))?;
            Member::try_from(row).map(Some)
        })
        .await
    }

    /// Removes a member, with what they are logged in with. Whether there was one.
    pub async fn delete_member(&self, tenant: TenantId, id: MemberId) -> Result<bool, Error> {
        self.write(move |connection| {
            let deleted = each!(connection, c => diesel::delete(members::table)
                .filter(members::id.eq(Uid::from(id)))
                .filter(members::tenant_id.eq(Uid::from(tenant)))
                .execute(c))?;
            if deleted > 0 {
                each!(connection, c => diesel::delete(access_tokens::table)
                    .filter(access_tokens::member_id.eq(Some(Uid::from(id))))
                    .execute(c))?;
                each!(connection, c => diesel::delete(console_links::table)
                    .filter(console_links::member_id.eq(Uid::from(id)))
                    .execute(c))?;
            }
            Ok(deleted > 0)
        })
        .await
    }
}

/// What `user.created` and `user.login` say.
#[derive(Serialize)]
struct Told<'a> {
    member_id: MemberId,
    email: &'a str,
    name: Option<&'a str>,
    role: &'static str,
}

/// An event about a member, raised by ourselves.
pub(crate) fn told(
    tenant: TenantId,
    member: &Member,
    id: EventId,
    event_type: &str,
    at: Timestamp,
) -> Event {
    let data = Told {
        member_id: member.id,
        email: &member.email,
        name: member.name.as_deref(),
        role: member.role.as_str(),
    };
    Event {
        id,
        tenant_id: tenant,
        event_type: event_type.to_owned(),
        version: 1,
        environment: Environment::default(),
        created_at: at,
        source: "tidings".to_owned(),
        resource: Some(Resource {
            kind: "member".to_owned(),
            id: member.id.to_string(),
            data: None,
        }),
        context: None,
        metadata: None,
        data: Raw::of(&data),
        transition: None,
        traceparent: None,
        caused_at: at,
    }
}

pub(crate) fn find(
    connection: &mut Connection,
    tenant: TenantId,
    id: MemberId,
) -> Result<Option<MemberRow>, Error> {
    Ok(each!(connection, c => members::table
        .filter(members::id.eq(Uid::from(id)))
        .filter(members::tenant_id.eq(Uid::from(tenant)))
        .select(MemberRow::as_select())
        .first(c)
        .optional())?)
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = members, treat_none_as_default_value = false)]
pub(crate) struct MemberRow {
    id: Uid,
    tenant_id: Uid,
    email: String,
    name: Option<String>,
    role: i16,
    created_at: Moment,
    updated_at: Moment,
    last_login_at: Option<Moment>,
}

impl MemberRow {
    fn new(tenant: TenantId, member: Member) -> Self {
        Self {
            id: member.id.into(),
            tenant_id: tenant.into(),
            email: member.email,
            name: member.name,
            role: encode_role(member.role),
            created_at: member.created_at.into(),
            updated_at: member.updated_at.into(),
            last_login_at: member.last_login_at.map(Moment::from),
        }
    }
}

impl TryFrom<MemberRow> for Member {
    type Error = Error;

    fn try_from(row: MemberRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            email: row.email,
            name: row.name,
            role: decode_role(row.role)?,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            last_login_at: row.last_login_at.map(Timestamp::from),
        })
    }
}
