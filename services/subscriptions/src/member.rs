//! `/v1/members`: the people of a tenant, who get into the console by links.

use crate::access::{self, described_role, read_role};
use crate::caller::Caller;
use crate::input::Faults;
use crate::list::{PageView, Query};
use crate::openapi::{Paging, Routes, operation};
use crate::{Desk, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::access::Role;
use domain::id::{EventId, MemberId, TenantId};
use domain::{Shard, Timestamp};
use runtime::http::{Code, Problem};
use serde::{Deserialize, Serialize};
use store::member::{Added, Change, MOST_MEMBERS, Member};
use utoipa::ToSchema;
use wire::Hint;

/// The longest address (RFC 5321 §4.5.3.1.3, without its brackets), in bytes.
const MAX_EMAIL_BYTES: usize = 254;

pub(crate) fn routes(routes: &mut Routes) {
    routes
        .add(operation!(create).refuses(&[Code::Conflict, Code::NotFound]))
        .add(operation!(list))
        .add(operation!(get))
        .add(operation!(change))
        .add(operation!(delete));
}

/// A member to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "email": "ann@example.com", "name": "Ann Atieno", "role": "developer" })))]
struct CreateMember {
    /// The address, in upper or lower case: it is kept in lower case.
    #[schema(min_length = 3, max_length = 254, examples("ann@example.com"))]
    email: String,
    /// What people call the member.
    #[schema(min_length = 1, max_length = 128)]
    name: Option<String>,
    /// What the member may do in the console.
    #[schema(schema_with = described_role)]
    role: String,
}

/// What is to change of a member: what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "role": "viewer" })))]
struct ChangeMember {
    /// What people call the member; null takes it away.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    name: Option<Named>,
    /// What the member may do in the console.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(schema_with = described_role, required = false)]
    role: Option<String>,
}

/// A name, or null, which takes it away.
#[derive(Deserialize)]
#[serde(transparent)]
struct Named(Option<String>);

/// Somebody of the tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = Member, examples(json!({
    "id": "mem_01h455vb4pex5vsknk084sn02q",
    "email": "ann@example.com",
    "name": "Ann Atieno",
    "role": "developer",
    "created_at": "2026-11-23T21:09:00.000Z",
    "updated_at": "2026-11-23T21:09:00.000Z",
    "last_login_at": null,
})))]
pub(crate) struct MemberView {
    /// The member's id.
    id: MemberId,
    /// The address.
    email: String,
    /// What people call the member.
    name: Option<String>,
    /// What the member may do in the console.
    #[schema(schema_with = described_role)]
    role: &'static str,
    /// When the member was added.
    created_at: Timestamp,
    /// When the member was last changed.
    updated_at: Timestamp,
    /// When the member last came in by a link.
    last_login_at: Option<Timestamp>,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            id: member.id,
            email: member.email,
            name: member.name,
            role: member.role.as_str(),
            created_at: member.created_at,
            updated_at: member.updated_at,
            last_login_at: member.last_login_at,
        }
    }
}

/// Add a member
///
/// By an address, which is of one member alone. The member's role has no scope that your key lacks.
#[utoipa::path(
    post,
    path = "/v1/members",
    tag = "Members",
    operation_id = "create_member",
    request_body = CreateMember,
    responses((status = 201, description = "The member is added", body = MemberView)),
)]
async fn create(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<CreateMember>(&request, payload).await?;
    let mut faults = Faults::default();
    let email = read_email(&mut faults, "/email", &wanted.email);
    faults.check_text("/name", wanted.name.as_deref());
    let role = read_role(&mut faults, &wanted.role);
    faults.unless_any()?;
    refuse_wider(role, caller)?;
    let context = &desk.context;
    let now = context.clock.now();
    let member = Member {
        id: MemberId::new(now, &context.random),
        email,
        name: wanted.name,
        role,
        created_at: now,
        updated_at: now,
        last_login_at: None,
    };
    let event = EventId::new(now, &context.random);
    let added = context
        .store
        .create_member(caller.tenant, member.clone(), event)
        .await;
    let conflict = |detail: String| Err(Problem::new(Code::Conflict, detail));
    match added.map_err(failure::of_store)? {
        Added::Done => {}
        Added::EmailTaken => {
            return conflict("a member of the tenant has this address already".to_owned());
        }
        Added::TooMany => return conflict(format!("a tenant has at most {MOST_MEMBERS} members")),
        Added::NoTenant => return Err(failure::not_found("tenant")),
    }
    tell(&desk, caller.tenant);
    Ok(HttpResponse::Created().json(MemberView::from(member)))
}

/// List members
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/v1/members",
    tag = "Members",
    operation_id = "list_members",
    params(Paging),
    responses((status = 200, description = "A page of them", body = PageView<MemberView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["limit", "cursor"])?;
    let window = query.window(caller.tenant)?;
    let page = desk.context.store.list_members(caller.tenant, window).await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, MemberView::from)))
}

/// Read a member
///
/// By the member's id.
#[utoipa::path(
    get,
    path = "/v1/members/{id}",
    tag = "Members",
    operation_id = "get_member",
    params(("id" = MemberId, Path, description = "The member")),
    responses((status = 200, description = "The member", body = MemberView)),
)]
async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let id = id.parse().map_err(|_| missing())?;
    let found = desk.context.store.find_member(caller.tenant, id).await;
    let found = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(MemberView::from(found)))
}

/// Change a member
///
/// What the body does not name stays. Another role holds at once, in the console too.
#[utoipa::path(
    patch,
    path = "/v1/members/{id}",
    tag = "Members",
    operation_id = "change_member",
    params(("id" = MemberId, Path, description = "The member")),
    request_body = ChangeMember,
    responses((status = 200, description = "The member is changed", body = MemberView)),
)]
async fn change(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<ChangeMember>(&request, payload).await?;
    let id = id.parse().map_err(|_| missing())?;
    let mut faults = Faults::default();
    faults.check_text(
        "/name",
        wanted.name.as_ref().and_then(|named| named.0.as_deref()),
    );
    let role = wanted.role.map(|role| read_role(&mut faults, &role));
    faults.unless_any()?;
    if let Some(role) = role {
        refuse_wider(role, caller)?;
    }
    let context = &desk.context;
    let change = Change {
        name: wanted.name.map(|named| named.0),
        role,
    };
    let changed = context
        .store
        .update_member(caller.tenant, id, change, context.clock.now())
        .await;
    let changed = changed.map_err(failure::of_store)?.ok_or_else(missing)?;
    desk.keys.forget();
    Ok(HttpResponse::Ok().json(MemberView::from(changed)))
}

/// Remove a member
///
/// The member's links and tokens open nothing any more.
#[utoipa::path(
    delete,
    path = "/v1/members/{id}",
    tag = "Members",
    operation_id = "delete_member",
    params(("id" = MemberId, Path, description = "The member")),
    responses((status = 204, description = "The member is removed")),
)]
async fn delete(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let id = id.parse().map_err(|_| missing())?;
    let deleted = desk.context.store.delete_member(caller.tenant, id).await;
    if !deleted.map_err(failure::of_store)? {
        return Err(missing());
    }
    desk.keys.forget();
    Ok(HttpResponse::NoContent().finish())
}

/// Wakes whoever tells the tenant's events.
pub(crate) fn tell(desk: &Desk, tenant: TenantId) {
    desk.context.metrics.event("api");
    desk.context
        .broker
        .hint(Hint::Events(Shard::of_tenant(tenant)));
}

/// An address in lower case, so that it is one person's however it is written.
pub(crate) fn read_email(faults: &mut Faults, pointer: &str, text: &str) -> String {
    let is_whole = text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !host.contains('@') && !host.starts_with('.')
    });
    let is_plain =
        |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>' | ',' | '"');
    if !is_whole || text.len() > MAX_EMAIL_BYTES || !text.chars().all(is_plain) {
        let detail =
            format!("write one address, like ann@example.com, of at most {MAX_EMAIL_BYTES} bytes");
        faults.add(pointer, detail);
    }
    text.to_lowercase()
}

/// A member gets into the console with what the role has.
pub(crate) fn refuse_wider(role: Role, caller: Caller) -> Result<(), Problem> {
    let missing = role.scopes().without(caller.scopes);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(access::wider(missing))
    }
}

pub(crate) fn missing() -> Problem {
    failure::not_found("member")
}
